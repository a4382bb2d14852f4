# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Cropping of frames, and the order of their colours. T frames, C channels."""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as tvF
from transformers.image_utils import SizeDict

MOST_RESIZED_PIXELS = 2**23  # of a frame, 4096 x 2048
CROP_ORDERS = ("along", "ends_first")


@lru_cache(maxsize=256)
def resized_size(
    resize: Callable[..., Tensor], size: Sequence[int], new_size: tuple[tuple[str, int | None], ...]
) -> tuple[int, int]:
    """(height, width) that a processor's `resize` gives frames of this size; no pixel is computed.

    `new_size` are the items of a `SizeDict`, whose own hash takes longer than all that it is asked for.
    """
    height, width = resize(torch.empty((1, 1, *size), device="meta"), size=SizeDict(**dict(new_size))).shape[-2:]
    return height, width


def check_resized(frames: Tensor, new_size: tuple[int, int]) -> None:
    """Raise `ValueError` for frames (T, C, H, W) that would become huge, before memory is allocated."""
    if new_size[0] * new_size[1] > MOST_RESIZED_PIXELS:
        (old_height, old_width), (height, width) = frames.shape[-2:], new_size
        raise ValueError(
            f"frames of {old_width} x {old_height} would be resized to {width} x {height}; at most "
            f"{MOST_RESIZED_PIXELS:,} pixels are allowed: crop them to another shape, or choose a smaller `size`"
        )


def crop(frames: Tensor, size: SizeDict, num_crops: int, order: str = CROP_ORDERS[0]) -> list[Tensor]:
    """Crop (T, C, height, width) at the centre, or at the start, centre and end of the long side.

    If margins differ, the centre is one pixel further down or right, as in the reference. With `order="ends_first"`:
    start, end, centre, and the centre is further up or left. Frames that are too small get a black margin.
    """
    if size.height is None or size.width is None:
        raise ValueError(f"crop_size must have 'height' and 'width', got {size}")
    missing = [max(0, size.height - frames.shape[-2]), max(0, size.width - frames.shape[-1])]
    if any(missing):
        top, left = missing[0] // 2, missing[1] // 2
        frames = tvF.pad(frames, [left, top, missing[1] - left, missing[0] - top])
    room = frames.shape[-2] - size.height, frames.shape[-1] - size.width
    ends_first = order == "ends_first"
    centre = [side // 2 if ends_first else math.ceil(side / 2) for side in room]
    if ends_first:
        room = 2 * centre[0], 2 * centre[1]
    offsets = [centre]
    if num_crops == 3:
        offsets = [[0, centre[1]], centre, [room[0], centre[1]]]
        if frames.shape[-1] >= frames.shape[-2]:
            offsets = [[centre[0], 0], centre, [centre[0], room[1]]]
        if ends_first:
            offsets = [offsets[0], offsets[2], offsets[1]]
    return [tvF.crop(frames, top, left, size.height, size.width) for top, left in offsets]


def with_channel_order(frames: Tensor, channel_order: str) -> Tensor:
    """RGB frames (..., C, H, W) with their channels in this order."""
    return frames.flip(-3) if channel_order == "bgr" else frames


__all__ = ["CROP_ORDERS", "check_resized", "crop", "resized_size", "with_channel_order"]
