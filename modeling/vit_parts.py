# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Parts that frame models share with image ViTs: patches, positions, MLP.

B clips, T frames, S patches of a frame, D width, C colour channels.
"""

from torch import Tensor, nn
from transformers.activations import ACT2FN

from holovid.configuration.frames_in_patches import FramesInPatches
from holovid.modeling.linear import activated
from holovid.modeling.modeling_common import resize_position_embeddings


class PatchEmbeddings(nn.Module):
    """Frames (B, T, C, H, W) -> patches (B, T, S, D), row by row."""

    def __init__(self, num_channels: int, width: int, patch_size: int):
        super().__init__()
        self.projection = nn.Conv2d(num_channels, width, kernel_size=patch_size, stride=patch_size)

    def forward(self, pixel_values_videos: Tensor) -> Tensor:
        frames = pixel_values_videos.flatten(0, 1).to(self.projection.weight.dtype)
        return self.projection(frames).flatten(2).transpose(1, 2).unflatten(0, pixel_values_videos.shape[:2])


def positions_for(
    table: Tensor, config: FramesInPatches, height: int, width: int, interpolate: bool, mode: str = "bicubic"
) -> Tensor:
    """Learned positions (1, 1 + S, D), class row first, for frames of this size in pixels.

    Frames of the configuration's size take the table as it is; others a resized one, if `interpolate` allows it.
    `mode` is `nn.functional.interpolate`'s. Raises `ValueError` for another size without `interpolate`, and for sides
    that are not multiples of the patch size.
    """
    if (height, width) == config.frame_size:
        return table
    if not interpolate:
        raise ValueError(
            f"frames of {height}x{width} pixels do not match the model's {config.frame_size[0]}x"
            f"{config.frame_size[1]}; resize them, or pass interpolate_pos_encoding=True"
        )
    patch = config.patch_size
    if height % patch or width % patch or height < patch or width < patch:
        raise ValueError(f"frames of {height}x{width} pixels are not a multiple of the patch size {patch}")
    return resize_position_embeddings(table, config.grid_size, (height // patch, width // patch), mode)


class MLP(nn.Module):
    """Two linear layers with an activation between them, (..., width) -> (..., width)."""

    def __init__(self, width: int, intermediate_size: int, activation: str, dropout: float):
        super().__init__()
        self.fc1 = nn.Linear(width, intermediate_size)
        self.activation = ACT2FN[activation]
        self.dropout = nn.Dropout(dropout)
        self.fc2 = nn.Linear(intermediate_size, width)

    def forward(self, hidden_states: Tensor) -> Tensor:
        return self.fc2(self.dropout(activated(self.fc1, self.activation, hidden_states)))


__all__ = ["MLP", "PatchEmbeddings", "positions_for"]
