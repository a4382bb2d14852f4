# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""What people give to models in place of their inputs, told in a sentence with the cure.

Kinds and shapes only, which cost nothing and compile away; what the numbers are, the processors look at.
"""

import os
from collections.abc import Mapping
from typing import Any

from torch import Tensor


def check_tensor(name: str, value: Any) -> None:
    """Raise `ValueError`, with the cure, for what somebody gave a model in place of a tensor of real numbers."""
    if isinstance(value, Tensor):
        if value.is_complex():
            raise ValueError(f"{name} must be real numbers, got {value.dtype}")
        return
    if isinstance(value, Mapping):
        raise ValueError(
            f"{name} is the {type(value).__name__} that a processor returns, as a whole: call model(**inputs) instead "
            "of model(inputs)"
        )
    if isinstance(value, (str, bytes, os.PathLike)):
        raise ValueError(
            f"{name} must be a tensor, and models open no files: inputs = processor(video, return_tensors='pt'), then "
            "model(**inputs)"
        )
    raise ValueError(
        f"{name} must be a tensor, got {type(value).__name__}; processors return tensors with return_tensors='pt'"
    )


def check_floats(name: str, value: Any) -> None:
    """Raise `ValueError` for anything but a tensor of floats: models are given pixels and sound normalised."""
    check_tensor(name, value)
    if not value.is_floating_point():
        raise ValueError(
            f"{name} must be floats, normalised as the model's processor does it, got {str(value.dtype)[6:]}: give it "
            "what the processor returns"
        )


def check_pixels(value: Any, num_channels: int, expected: str) -> None:
    """Raise `ValueError` unless `value` are normalised frames (B, T, `num_channels`, H, W), which `expected` calls."""
    if value is None:
        raise ValueError(f"pixel_values_videos must be {expected}, got None")
    check_floats("pixel_values_videos", value)
    if value.ndim == 5 and value.shape[2] == num_channels:
        return
    cure = ""
    if value.ndim == 4:
        cure = "; a single clip needs an axis of clips, pixel_values_videos[None]"
    elif value.ndim == 6:
        cure = "; views and crops are clips of their own, pixel_values_videos.flatten(0, 1), whose logits you average"
    elif value.ndim == 5 and value.shape[4] == num_channels:
        cure = "; its channels stand last, pixel_values_videos.permute(0, 1, 4, 2, 3) brings them there"
    elif value.ndim == 5 and value.shape[1] == num_channels:
        cure = "; its channels stand before the frames, pixel_values_videos.transpose(1, 2) brings them there"
    raise ValueError(f"pixel_values_videos must be {expected}, got {tuple(value.shape)}{cure}")


def check_frames(value: Any, num_channels: int) -> None:
    """Raise `ValueError` unless `value` are normalised frames (B, T, `num_channels`, H, W), one of them or more."""
    check_pixels(value, num_channels, f"(clips, frames, {num_channels}, height, width)")
    if value.shape[1] < 1:
        raise ValueError(f"a clip has at least one frame, got pixel_values_videos {tuple(value.shape)}")


__all__ = ["check_floats", "check_frames", "check_pixels", "check_tensor"]
