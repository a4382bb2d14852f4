from .continuous_loading import ContinuousDataLoader as ContinuousDataLoader
from .dataset import ClipDataset as ClipDataset
from .dataset import EpochSampler as EpochSampler
from .event_truth import read_events as read_events
from .synthetic import ClipSet as ClipSet
from .synthetic import render_clips as render_clips
from .tables import load_clips as load_clips

__all__: list[str]
