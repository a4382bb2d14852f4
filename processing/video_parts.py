# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""A part of a video: its frames, their times, and its metadata.

Frames are read elsewhere: from the file (`VideoFile.part`), or from frames of a film kept while it is read.
T frames, C = 3 colour channels.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor
from transformers.video_utils import VideoMetadata

from holovid.processing.frame_sampling import checked_indices
from holovid.processing.media_source import Interval

ROUNDING = 1e-6  # seconds; error of times written as text


@dataclass(frozen=True)
class ShownPart:
    """The frames shown in an interval.

    Attributes:
        first: number of the first one in the video.
        times: (frames,) display times on the clock of the file; the first not before the interval.
        end: when the last one ends; infinite if unknown.
        limit: when the interval ends; later sound is left out.
        own_rate: frames a second, by their times.
    """

    first: int
    times: np.ndarray
    end: float
    limit: float
    own_rate: float

    @property
    def seconds(self) -> float:
        return self.end - float(self.times[0])

    def metadata(self, header_rate: float | None, width: int, height: int) -> VideoMetadata:
        """Metadata of the part; `header_rate` is the file's, in frames a second."""
        fps, is_known = header_rate, math.isfinite(self.seconds)
        # A correct header is exact; time stamps may be rounded to milliseconds.
        if is_known and (fps is None or abs(fps - self.own_rate) > 0.01 * self.own_rate):
            fps = len(self.times) / self.seconds
        return VideoMetadata(
            total_num_frames=len(self.times),
            fps=fps,
            width=width,
            height=height,
            duration=self.seconds if is_known else None,
            video_backend="pyav",
        )


def shown_part(name: str, times: np.ndarray, until: float, interval: Interval) -> ShownPart:
    """The part of a video in an interval, in seconds from its first frame; `until` is the end of the last of `times`.

    Raises `ValueError` if no frame is shown.
    """
    start, end = (interval[0] or 0), (math.inf if interval[1] is None else interval[1])
    origin = float(times[0])
    borders = np.append(times, until) - origin
    if start > borders[-1] - ROUNDING:
        raise empty_interval(name, interval, float(borders[-2]))
    first = int(np.searchsorted(borders[:-1], start + ROUNDING, side="right")) - 1
    stop = max(first + 1, int(np.searchsorted(borders[:-1], end - ROUNDING)))
    own = times[first:stop].copy()
    own[0] = max(own[0], origin + start)
    rate = (stop - first) / (borders[stop] - borders[first])
    return ShownPart(first, own, origin + min(end, float(borders[stop])), origin + end, float(rate))


def empty_interval(name: str, interval: Interval, last: float) -> ValueError:
    start, end = interval
    until = "its end" if end is None else f"{end:g} s"
    return ValueError(f"{name} shows no frame from {start or 0:g} s to {until}; its last one is at {last:g} s")


class VideoPart:
    """A part of an open video, with the interface of `VideoFile`.

    Args:
        name: the video's name in messages.
        shown, metadata: of the part.
        read: returns frames by their numbers in the video, (T, ...), see `VideoFile.frames`.
        track: the video's sound, `None` if it has none or none was asked for.
    """

    def __init__(
        self,
        name: str,
        shown: ShownPart,
        metadata: VideoMetadata,
        read: Callable[[np.ndarray, Callable[[Tensor], Tensor] | None], Tensor],
        track: Any = None,
    ):
        self.name = name
        self.times, self.start, self.seconds = shown.times, float(shown.times[0]), shown.seconds
        self.first = shown.first
        self.metadata = metadata
        self._limit, self._track, self._read = shown.limit, track, read

    def __len__(self) -> int:
        return len(self.times)

    @property
    def sound(self) -> Any:
        """See `VideoFile.sound`. Read frames first: a damaged file is opened again for them."""
        return None if self._track is None else self._track.between(self.start, self._limit)

    def frames(
        self, indices: Sequence[int] | np.ndarray | None = None, each: Callable[[Tensor], Tensor] | None = None
    ) -> tuple[Tensor, np.ndarray]:
        """See `VideoFile.frames`."""
        indices = checked_indices(indices, len(self), self.name)
        return self._read(indices + self.first, each), self.times[indices]


__all__ = ["ShownPart", "VideoPart", "shown_part"]
