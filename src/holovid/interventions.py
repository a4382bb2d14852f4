"""Public import path of `holovid.evaluation.interventions`."""

from holovid.evaluation.interventions import hold_still as hold_still
from holovid.evaluation.interventions import mute as mute
from holovid.evaluation.interventions import shuffle_frames as shuffle_frames
from holovid.evaluation.interventions import without_expert as without_expert
