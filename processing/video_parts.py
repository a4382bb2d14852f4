# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""A part of a video: which of its frames are shown there, when, and what a processor may know of it.

Frames are read elsewhere: from the file (`VideoFile.part`), or from those of a film that are kept while it goes by.
Alphabet: T frames, C = 3 colour channels.
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

ROUNDING = 1e-6  # seconds by which a time that was written down may differ from the one that is meant


@dataclass(frozen=True)
class ShownPart:
    """The frames on the screen in an interval.

    Attributes:
        first: the number of the first of them in the video.
        times: (frames,) when each is shown, on the clock of the file; the first one from the start of the interval on.
        end: when the last of them is no longer shown; infinite if nothing tells.
        limit: when the interval ends; what is heard later is left out.
        own_rate: frames a second, as their times tell it.
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
        """What is known of the part; `header_rate` is what the file says, in frames a second."""
        fps, is_known = header_rate, math.isfinite(self.seconds)
        # Where the header is right it is exact; time stamps may be rounded to milliseconds.
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
    """The part of a video that an interval names, in seconds from its first frame.

    Args:
        name: what messages call the video.
        times: (frames,) when each frame of the video is shown.
        until: when the last one is no longer shown; may be infinite.

    Raises `ValueError` where no frame is shown.
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
    """A part of an opened video, with what `VideoFile` has: a processor takes it as it takes a file.

    Args:
        name: how messages call the video.
        shown: which part.
        metadata: what is known of it.
        read: gives frames by their numbers in the video, (T, ...), see `VideoFile.frames`.
        track: the sound of the video, `None` if it has none or it was not asked for.
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
        """See `VideoFile.sound`. To be asked for after frames: where a file is damaged, they open it anew."""
        return None if self._track is None else self._track.between(self.start, self._limit)

    def frames(
        self, indices: Sequence[int] | np.ndarray | None = None, each: Callable[[Tensor], Tensor] | None = None
    ) -> tuple[Tensor, np.ndarray]:
        """See `VideoFile.frames`."""
        indices = checked_indices(indices, len(self), self.name)
        return self._read(indices + self.first, each), self.times[indices]


__all__ = ["ShownPart", "VideoPart", "shown_part"]
