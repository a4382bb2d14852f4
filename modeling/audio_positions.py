# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Learned positions of a spectrogram's patches, for audio of another length."""

import torch
from torch import Tensor, nn


def cut_audio_positions(table: Tensor, columns: int, grid: tuple[int, int]) -> Tensor:
    """Positions (1, 2 + rows * columns, D) of an AST -> (1, 2 + A, D) for a spectrogram of `grid` patches.

    Keeps the middle of the table, or all of it if the length is the same; longer audio stretches it in time.
    Departs: the released code also shrinks and stretches the table along frequency if the length is the same.
    """
    rows, new_columns = grid
    special, patches = table[:, :2], table[:, 2:]
    if patches.shape[1] != rows * columns:
        raise ValueError(f"{patches.shape[1]} audio positions do not make {rows} rows and {columns} columns")
    patches = patches.unflatten(1, (rows, columns))
    if new_columns <= columns:
        start = columns // 2 - new_columns // 2
        patches = patches[:, :, start : start + new_columns]
    else:
        stretched = nn.functional.interpolate(
            patches.permute(0, 3, 1, 2).float(), size=grid, mode="bilinear", align_corners=False
        )
        patches = stretched.permute(0, 2, 3, 1).to(table.dtype)
    return torch.cat((special, patches.flatten(1, 2)), dim=1)


__all__ = ["cut_audio_positions"]
