from .evaluate import evaluate_clips as evaluate_clips
from .evaluate import evaluate_sets as evaluate_sets
from .interventions import hold_still as hold_still
from .interventions import mute as mute
from .interventions import shuffle_frames as shuffle_frames
from .interventions import without_expert as without_expert

__all__: list[str]
