# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Checks of model inputs, with errors that say what to do.

They look at types and shapes only, which costs nothing and compiles away. Processors check the values.
"""

import os
from collections.abc import Mapping
from typing import Any

from torch import Tensor


def check_tensor(name: str, value: Any) -> None:
    """Raise `ValueError`, saying what to do, unless `value` is a tensor of real numbers."""
    if isinstance(value, Tensor):
        if value.is_complex():
            raise ValueError(f"{name} must be real numbers, got {value.dtype}")
        return
    if isinstance(value, Mapping):
        raise ValueError(
            f"{name} is everything that a processor returns ({type(value).__name__}): call model(**inputs) instead "
            "of model(inputs)"
        )
    if isinstance(value, (str, bytes, os.PathLike)):
        raise ValueError(
            f"{name} must be a tensor; models do not open files: inputs = processor(video, return_tensors='pt'), then "
            "model(**inputs)"
        )
    raise ValueError(
        f"{name} must be a tensor, got {type(value).__name__}; processors return tensors with return_tensors='pt'"
    )


def check_floats(name: str, value: Any) -> None:
    """Raise `ValueError` unless `value` is a tensor of floats: models take normalised pixels and sound."""
    check_tensor(name, value)
    if not value.is_floating_point():
        raise ValueError(
            f"{name} must be normalised floats, got {str(value.dtype)[6:]}: pass what the model's processor returns"
        )


def check_pixels(value: Any, num_channels: int, expected: str) -> None:
    """Raise `ValueError` unless `value` are floats (B, T, `num_channels`, H, W), described as `expected`."""
    if value is None:
        raise ValueError(f"pixel_values_videos must be {expected}, got None")
    check_floats("pixel_values_videos", value)
    if value.ndim == 5 and value.shape[2] == num_channels:
        return
    cure = ""
    if value.ndim == 4:
        cure = "; for a single clip add the batch axis: pixel_values_videos[None]"
    elif value.ndim == 6:
        cure = "; pass views and crops as clips, pixel_values_videos.flatten(0, 1), and average their logits"
    elif value.ndim == 5 and value.shape[4] == num_channels:
        cure = "; its channels are last: pixel_values_videos.permute(0, 1, 4, 2, 3)"
    elif value.ndim == 5 and value.shape[1] == num_channels:
        cure = "; its channels are before the frames: pixel_values_videos.transpose(1, 2)"
    raise ValueError(f"pixel_values_videos must be {expected}, got {tuple(value.shape)}{cure}")


def check_frames(value: Any, num_channels: int) -> None:
    """Raise `ValueError` unless `value` are one or more normalised frames (B, T, `num_channels`, H, W)."""
    check_pixels(value, num_channels, f"(clips, frames, {num_channels}, height, width)")
    if value.shape[1] < 1:
        raise ValueError(f"a clip must have at least one frame, got pixel_values_videos {tuple(value.shape)}")


__all__ = ["check_floats", "check_frames", "check_pixels", "check_tensor"]
