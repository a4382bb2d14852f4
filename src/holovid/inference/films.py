"""A film window by window: each frame is decoded once, and kept for as long as a window needs it.

    with Film("film.mp4", processor, window=2.0, stride=0.5) as film:
        for clip in film.windows():
            processor(clip)  # as for {"path": "film.mp4", "bytes": None, "start": ..., "end": ...}

T frames, C channels, H, W pixels.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from holovid.processing.media_source import MediaSource, describe_source
from holovid.processing.options import check_number
from holovid.processing.video_decoding import VideoFile, open_video
from holovid.processing.video_parts import VideoPart
from holovid.processing.video_processing_holovid import HolovidVideoProcessor

SHORTEST = 1e-3  # seconds of window and stride
ROUNDING = 1e-6  # error of seconds and of counts of windows
LATE_STAMP = 1e-3  # seconds; error of rounded frame times
LATE = 0.5  # frames by which the last window may exceed the film


class Film:
    """A film that is read once, from beginning to end; a context manager.

    Args:
        source: path, URL, bytes or binary file object of a video.
        processor: of a model; its options decide the frames of a window, and whether sound is used.
        window: seconds of a window.
        stride: seconds from the start of one window to the start of the next.

    Attributes:
        starts: (windows,) start of each, in seconds from the first frame. These are all windows that fit into the
            film; a film shorter than one window has one shorter window.
        seconds: length of the film.
        frame_rate: frames a second, if known.

    Raises `ValueError` for what is not a video, a processor that is not holovid's, and numbers out of range.
    """

    def __init__(
        self, source: MediaSource, processor: HolovidVideoProcessor, window: float = 2.0, stride: float = 0.5
    ):
        check_number("window", window, SHORTEST)
        check_number("stride", stride, SHORTEST)
        if not isinstance(processor, HolovidVideoProcessor):
            raise ValueError(f"windows of a film need a HolovidVideoProcessor, got a {type(processor).__name__}")
        if isinstance(source, dict):
            raise ValueError("a film must be a path, URL, bytes or binary file, without 'start' and 'end'")
        self.processor, self.window = processor, float(window)
        hears = processor.feature_extractor is not None and processor.load_audio_from_video
        opened = open_video(source, with_sound=hears)
        if not isinstance(opened, VideoFile):
            opened.close()
            raise ValueError(f"{describe_source(source)} is a picture; a film must be a video")
        self._video = opened
        self.frame_rate = opened.metadata.fps
        frame = 1 / (self.frame_rate or 25)
        is_told = np.isfinite(opened.seconds)
        self.seconds = opened.seconds if is_told else float(opened.times[-1]) - opened.start + frame
        room = max(0.0, self.seconds + LATE * frame - self.window)
        starts = np.arange(int(room / stride + ROUNDING) + 1) * float(stride)
        self.starts = starts[starts < max(self.seconds - ROUNDING, ROUNDING)]  # also for windows shorter than a frame
        self.frames_kept = 0

    def __enter__(self) -> "Film":
        return self

    def __exit__(self, *exception: object) -> None:
        self._video.close()

    def windows(self) -> Iterator[VideoPart]:
        """Each window as a part of the film; read it before the next. `frames_kept`: most frames in memory so far."""
        seen = [self._frames_of(self._part(start)) for start in self.starts]
        passing = PassingFrames(self._video, np.unique(np.concatenate(seen)))
        for start, frames in zip(self.starts, seen, strict=True):
            passing.forget_before(int(frames.min()))
            yield self._part(start, passing.read)
            self.frames_kept = max(self.frames_kept, passing.most_kept)

    def frame_seconds(self) -> Iterator[np.ndarray]:
        """For each window the times of its frames, in seconds from its start, (T,)."""
        for start in self.starts:
            shown = self._video.times[self._frames_of(self._part(start))] - self._video.start
            yield shown - start

    def frames_at(self, seconds: np.ndarray) -> Iterator[Tensor]:
        """The frame shown at each of these ascending seconds: uint8 (C, H, W), each decoded once."""
        shown = self._video.times - self._video.start
        numbers = np.searchsorted(shown, seconds + LATE_STAMP, side="right") - 1
        coming = self._video.in_order(np.unique(numbers))
        latest, pixels = next(coming)
        for number in numbers:
            if number != latest:
                latest, pixels = next(coming)
            yield pixels

    def _part(self, start: float, read: Callable | None = None) -> VideoPart:
        return self._video.part(float(start), float(start) + self.window, read)

    def _frames_of(self, part: VideoPart) -> np.ndarray:
        """Numbers, in the film, of the frames that the processor samples from a window."""
        if not self.processor.do_sample_frames:
            return part.first + np.arange(len(part))
        return part.first + self.processor.sample_frames(part.metadata, do_random_sampling=False)


class PassingFrames:
    """The `wanted` frames of a video (ascending numbers), decoded in order; earlier ones are forgotten.

    `most_kept` is the largest number of frames in memory.
    """

    def __init__(self, video: VideoFile, wanted: np.ndarray):
        self._coming = video.in_order(wanted)
        self._kept: dict[int, Tensor] = {}
        self._latest = -1
        self.most_kept = 0

    def forget_before(self, number: int) -> None:
        for old in [other for other in self._kept if other < number]:
            del self._kept[old]

    def read(self, indices: np.ndarray, each: Callable[[Tensor], Tensor] | None) -> Tensor:
        """Frames by number, (T, C, H, W), as from `VideoFile.frames`. `each` must always be the same."""
        while self._latest < indices.max():
            self._latest, pixels = next(self._coming)
            self._kept[self._latest] = pixels if each is None else each(pixels[None])[0]
            self.most_kept = max(self.most_kept, len(self._kept))
        return stack_frames([self._kept[int(index)] for index in indices], as_decoded=each is None)


def stack_frames(frames: list[Tensor], as_decoded: bool) -> Tensor:
    """Frames (C, H, W) -> (T, C, H, W); in memory as (T, H, W, C) if still `as_decoded`."""
    if not as_decoded:
        return torch.stack(frames)
    return torch.stack([frame.permute(1, 2, 0) for frame in frames]).permute(0, 3, 1, 2)
