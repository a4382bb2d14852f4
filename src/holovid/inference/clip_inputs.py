"""Model inputs of a clip, from video processors of holovid and of transformers alike.

A processor of transformers decodes with torchcodec, or not at all. Its files are decoded here.
"""

from typing import Any

import numpy as np
from torch import Tensor
from transformers import BaseVideoProcessor
from transformers.image_processing_utils import BatchFeature
from transformers.video_utils import VideoMetadata

from holovid.processing.given_frames import is_read
from holovid.processing.video_decoding import open_video
from holovid.processing.video_processing_holovid import HolovidVideoProcessor

FRAME_COUNTS = ("num_frames", "frames_per_clip")  # fields of configurations


def frame_count(config: Any) -> int | None:
    """How many frames a model takes, if its configuration says so."""
    return next((count for name in FRAME_COUNTS if (count := getattr(config, name, None))), None)


def needs_decoding(processor: BaseVideoProcessor, video: Any) -> bool:
    """Whether `video` has to be decoded for this processor."""
    return not isinstance(processor, HolovidVideoProcessor) and is_read(video)


def decoded(
    processor: BaseVideoProcessor, video: Any, num_frames: int | None, options: dict[str, Any]
) -> tuple[Tensor, VideoMetadata, dict[str, Any]]:
    """Frames (T, C, H, W) of a file for a processor of transformers, their metadata, and options for its call.

    If neither the processor nor `options` say how many frames to sample, it is `num_frames`.
    """
    own = {name: getattr(processor, name, None) for name in ("num_frames", "fps")}
    asked = {name: options.get(name) for name in own}
    asked = asked if any(asked.values()) else own
    if not any(asked.values()):
        asked["num_frames"] = num_frames
    with open_video(video) as file:
        metadata = file.metadata
        metadata.frames_indices = np.asarray(processor.sample_frames(metadata=metadata, **asked))
        frames, _ = file.frames(metadata.frames_indices)
    others = {name: value for name, value in options.items() if name not in own}
    return frames, metadata, others | {"do_sample_frames": False}


def clip_inputs(
    processor: BaseVideoProcessor, video: Any, num_frames: int | None = None, **options: Any
) -> tuple[BatchFeature, VideoMetadata]:
    """Model inputs of one video, and its metadata, in which `frames_indices` are the input frames."""
    if needs_decoding(processor, video):
        frames, metadata, options = decoded(processor, video, num_frames, options)
        return processor(frames, return_tensors="pt", **options), metadata
    features = processor(video, return_tensors="pt", return_metadata=True, **options)
    return features, features.pop("video_metadata")[0]
