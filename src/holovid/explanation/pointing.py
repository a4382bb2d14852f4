"""The pointing game: whether the peak of a map hits the object, or the moment.

Zhang et al. 2018, "Top-down Neural Attention by Excitation Backprop", for pictures; here for frames and for time.
B clips, T frames, h, w cells of a frame, N moments: frames, or audio steps.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

TOLERANCE = 15 / 224  # share of the frame's sides: 15 pixels of 224


@dataclass(frozen=True)
class Hits:
    """Hits among `count` attempts. `rate` is `None` without any; `+` adds two.

    >>> (Hits(3, 4) + Hits(1, 4)).rate
    0.5
    """

    hits: int
    count: int

    @property
    def rate(self) -> float | None:
        return self.hits / self.count if self.count else None

    def __add__(self, other: "Hits") -> "Hits":
        return Hits(self.hits + other.hits, self.count + other.count)


def peaks_of(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Index of each map's maximum, and whether there is one, (..., N) -> (...,) twice; not if constant or with NaN."""
    points = maps.isfinite().all(dim=-1) & (maps.amax(dim=-1) > maps.amin(dim=-1))
    return maps.argmax(dim=-1), points


def pointing_in_space(
    where: Tensor,
    boxes: Tensor,
    tolerance: float | None = None,
    size: int | tuple[int, int] = 224,
) -> Hits:
    """How often the maximum of a frame's map is inside the frame's box.

    The point is the middle of the highest cell, as after bilinear enlargement. x is the column and y the row.

    Args:
        where: (B, T, h, w), a map of each frame.
        boxes: (B, T, 4), x0, y0, x1, y1 in per cent of the frame's width (x) and height (y); NaN for a frame without
            a box, which does not count.
        tolerance: distance from the box that still hits, in pixels of `size`; default: 15 of 224, in proportion.
        size: of the frame in pixels, a side or (height, width).

    Frames with a constant map miss. Raises `ValueError` for shapes that do not fit.

    >>> where = torch.zeros(1, 2, 4, 4)
    >>> where[0, :, 0, 3] = 1  # the upper right corner: its middle is x = 87.5 %, y = 12.5 %
    >>> boxes = torch.tensor([[[80.0, 0, 100, 20], [0, 80, 20, 100]]])
    >>> pointing_in_space(where, boxes)
    Hits(hits=1, count=2)
    """
    if where.ndim != 4 or boxes.shape != (*where.shape[:2], 4):
        raise ValueError(
            "maps must be (clips, frames, rows, columns) and boxes (clips, frames, 4), got "
            f"{tuple(where.shape)} and {tuple(boxes.shape)}"
        )
    height, width = (size, size) if isinstance(size, int) else size
    if min(height, width) < 1 or (tolerance is not None and tolerance < 0):
        raise ValueError(f"size must be 1 pixel or more and tolerance 0 or more, got {size} and {tolerance}")
    rows, columns = where.shape[2:]
    place, points = peaks_of(where.float().flatten(2))
    boxes = boxes.to(place.device, torch.float32)
    x, y = (place % columns + 0.5) / columns, (place // columns + 0.5) / rows
    margin_x, margin_y = (TOLERANCE, TOLERANCE) if tolerance is None else (tolerance / width, tolerance / height)
    x0, y0, x1, y1 = (boxes / 100).unbind(dim=-1)
    inside = (x >= x0 - margin_x) & (x <= x1 + margin_x) & (y >= y0 - margin_y) & (y <= y1 + margin_y)
    counts = boxes.isfinite().all(dim=-1)
    return Hits(int((inside & points & counts).sum()), int(counts.sum()))


def pointing_in_time(when: Tensor, times: Tensor, intervals: Tensor, tolerance: float = 0.0) -> Hits:
    """How often a clip's highest moment is inside one of its intervals.

    Args:
        when: (B, N), of frames or of audio steps.
        times: (B, N), their seconds: the time of a frame, the middle of a step.
        intervals: (B, 2), start and end in seconds, or (B, K, 2) for up to K of them, the others NaN. Clips without
            any do not count.
        tolerance: seconds outside of an interval that still hit.

    Clips with a constant map miss. Raises `ValueError` for shapes that do not fit.

    >>> when, times = torch.tensor([[0.1, 0.7, 0.2], [0.8, 0.1, 0.1]]), torch.tensor([[0.5, 1.5, 2.5]]).expand(2, 3)
    >>> pointing_in_time(when, times, torch.tensor([[1.0, 2.0], [1.0, 2.0]]))
    Hits(hits=1, count=2)
    """
    intervals = intervals[:, None] if intervals.ndim == 2 else intervals
    if when.ndim != 2 or times.shape != when.shape or intervals.ndim != 3 or len(intervals) != len(when):
        raise ValueError(
            "maps and times must be (clips, moments) and intervals (clips, 2) or (clips, intervals, 2), got "
            f"{tuple(when.shape)}, {tuple(times.shape)} and {tuple(intervals.shape)}"
        )
    place, points = peaks_of(when.float())
    moment = times.to(place.device).gather(1, place[:, None])
    starts, ends = intervals.to(moment).unbind(dim=-1)
    inside = ((moment >= starts - tolerance) & (moment <= ends + tolerance)).any(dim=1)
    counts = intervals.isfinite().all(dim=-1).any(dim=1).to(place.device)
    return Hits(int((inside & points & counts).sum()), int(counts.sum()))
