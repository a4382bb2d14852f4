# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Sizes of frames and of their patches."""

from holovid.configuration.field_checks import MOST


class FrameSize:
    """Mixin for configurations with `image_size`, one side or (height, width) in pixels."""

    image_size: int | list[int] | tuple[int, int]

    @property
    def frame_size(self) -> tuple[int, int]:
        size = self.image_size
        return (size, size) if isinstance(size, int) else (size[0], size[1])


class FramesInPatches(FrameSize):
    """Mixin for configurations whose frames are cut into square patches of `patch_size`."""

    patch_size: int

    @property
    def grid_size(self) -> tuple[int, int]:
        """Patches of a frame, (rows, columns)."""
        height, width = self.frame_size
        return height // self.patch_size, width // self.patch_size

    def check_frame_size(self):
        if not isinstance(self.image_size, int) and len(self.image_size) != 2:
            raise ValueError(f"image_size must be one side or (height, width), got {self.image_size}")
        if any(isinstance(side, bool) or side > MOST for side in self.frame_size):
            raise ValueError(f"image_size must be at most {MOST:,} pixels a side, got {self.image_size}")
        if any(side < self.patch_size or side % self.patch_size for side in self.frame_size):
            raise ValueError(f"image_size {self.image_size} must be a multiple of patch_size {self.patch_size}")


__all__ = ["FrameSize", "FramesInPatches"]
