"""Heat maps over frames: high values are bright and opaque, low ones leave the frame unchanged.

T frames, C colour channels, H, W pixels, h, w cells of a frame. x counts columns, y rows.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from holovid.extras import needed
from holovid.processing.cropping import CROP_ORDERS, crop

MOST_OPAQUE = 0.75  # opacity of the highest cell
UNSEEN = 0.4  # brightness of parts that the model did not see


@dataclass(frozen=True)
class SeenPart:
    """The part of a frame that a model sees after resizing and cropping.

    Args:
        top, left, bottom, right: in the frame, as fractions of its sides from the upper left corner.
        cut: the same in the model's picture, which has a black margin if the frame is smaller.
    """

    top: float
    left: float
    bottom: float
    right: float
    cut: tuple[float, float, float, float]

    def box(self, height: int, width: int) -> tuple[int, int, int, int]:
        return whole_pixels((self.top, self.left, self.bottom, self.right), height, width)


@cache
def colours() -> Tensor:
    """Colour map (256, 3), in 0..1, whose brightness shows the value."""
    with needed("matplotlib", "a picture of an explanation"):
        from matplotlib import colormaps

    return torch.from_numpy(colormaps["inferno"](np.linspace(0, 1, 256))[:, :3]).float()


def whole_pixels(sides: tuple[float, float, float, float], height: int, width: int) -> tuple[int, int, int, int]:
    """Fractions of the sides -> whole pixels, at least one in each direction."""
    top, left = min(height - 1, round(sides[0] * height)), min(width - 1, round(sides[1] * width))
    return top, left, max(top + 1, round(sides[2] * height)), max(left + 1, round(sides[3] * width))


def seen_part(processor: Any, height: int, width: int) -> SeenPart:
    """The part of upright frames (height, width) that a video processor's resizing and cropping leave.

    >>> from holovid import HolovidVideoProcessor
    >>> seen_part(HolovidVideoProcessor(size={"shortest_edge": 16}, crop_size=16), 48, 72).box(48, 72)
    (0, 12, 48, 60)
    """
    rows, columns = height, width
    if processor.do_resize:
        resized = processor.resize(torch.empty((1, 1, height, width), device="meta"), size=processor.size)
        rows, columns = resized.shape[-2:]
    numbers = torch.arange(1, rows * columns + 1).view(1, 1, rows, columns)  # pixel numbers; 0 is the margin
    if processor.do_center_crop:
        order = getattr(processor, "crop_order", CROP_ORDERS[0])
        numbers = crop(numbers, processor.crop_size, 1, order)[0]
    is_shown = numbers[0, 0] > 0
    shown_rows, shown_columns = (is_shown.any(dim=axis).nonzero()[:, 0] for axis in (1, 0))
    first_row, first_column = int(shown_rows[0]), int(shown_columns[0])
    top, left = divmod(int(numbers[0, 0, first_row, first_column]) - 1, columns)
    own_rows, own_columns = is_shown.shape
    return SeenPart(
        top=top / rows,
        left=left / columns,
        bottom=(top + len(shown_rows)) / rows,
        right=(left + len(shown_columns)) / columns,
        cut=(
            first_row / own_rows,
            first_column / own_columns,
            (first_row + len(shown_rows)) / own_rows,
            (first_column + len(shown_columns)) / own_columns,
        ),
    )


def heated(frames: Tensor, heat: Tensor) -> Tensor:
    """Frames with their maps over them.

    Args:
        frames: (T, C, H, W) in 0..1, one or three colour channels.
        heat: (T, h, w) in 0..1, of any size; it is resized to the frames.

    Returns float32 (T, 3, H, W) in 0..1.

    >>> heated(torch.zeros(2, 1, 8, 8), torch.zeros(2, 2, 2)).abs().max()
    tensor(0.)
    """
    heat = interpolate(heat[:, None].float(), size=frames.shape[-2:], mode="bilinear", align_corners=False)
    heat = heat.clamp(0, 1)
    table = colours()
    painted = table[(heat[:, 0] * (len(table) - 1)).round().long()].permute(0, 3, 1, 2)
    return torch.lerp(frames.float().expand(-1, 3, -1, -1), painted, MOST_OPAQUE * heat)


def heated_part(frame: Tensor, heat: Tensor, part: SeenPart) -> Tensor:
    """A whole frame, uint8 (3, H, W), with a map (h, w) in 0..1 over the `part` that a model saw, the rest darker."""
    top, left, bottom, right = part.box(*frame.shape[1:])
    picture = frame / 255 * UNSEEN
    visible = heat
    if part.cut != (0, 0, 1, 1):  # cut off the margin after enlarging the map
        rows, columns = (max(256, side) for side in heat.shape)
        fine = interpolate(heat[None, None].float(), size=(rows, columns), mode="bilinear", align_corners=False)[0, 0]
        first_row, first_column, last_row, last_column = whole_pixels(part.cut, rows, columns)
        visible = fine[first_row:last_row, first_column:last_column]
    picture[:, top:bottom, left:right] = heated(frame[None, :, top:bottom, left:right] / 255, visible[None])[0]
    return (picture * 255).round().to(torch.uint8)
