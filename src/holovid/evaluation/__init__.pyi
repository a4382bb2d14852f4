from .evaluate import evaluate_clips as evaluate_clips
from .evaluate import evaluate_sets as evaluate_sets
from .interventions import hold_still as hold_still
from .interventions import mute as mute
from .interventions import shuffle_frames as shuffle_frames
from .interventions import without_expert as without_expert
from .protocol import Protocol as Protocol
from .protocol import recipe_protocol as recipe_protocol

__all__: list[str]
