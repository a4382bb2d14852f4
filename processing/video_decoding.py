# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Reading chosen frames of a video: exactly those that decoding everything would give, at the cost of only these.

    with open_video("clip.mp4") as video:
        video.metadata  # number of frames, rate, size
        pixels, seconds = video.frames([0, 30, 30, 12])  # uint8 (4, C, H, W) in this order, and their times
    with open_video("clip.mp4", with_sound=True) as video:
        video.sound  # None, or a `SoundTrack` (`audio_decoding.py`)
    with open_video({"path": "clip.mp4", "bytes": None, "start": 1.5, "end": 4}) as video:
        video.metadata  # of these 2.5 seconds, as if the video had no others

A video is a path, a URL, bytes, a binary file object, or a dict that names a part of one (`media_source.py`). A
picture is a video of one frame (`picture_decoding.py`). PyAV decodes by default (its wheel contains FFmpeg);
torchcodec, which needs FFmpeg on the machine, on request.

For a part of a video the whole file is indexed too: a second for a film of an hour, plus the time of reading its
bytes. T frames, C = 3 colour channels (RGB).
"""

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import torch
from torch import Tensor

from holovid.processing.frame_sampling import checked_indices
from holovid.processing.media_containers import no_frame
from holovid.processing.media_source import Interval, MediaSource, OpenedSource, split_interval
from holovid.processing.picture_decoding import PictureFile, picture_format
from holovid.processing.picture_stream import PictureStream
from holovid.processing.torchcodec_decoding import check_torchcodec, open_decoder
from holovid.processing.video_parts import VideoPart, shown_part

try:
    import av
    from av.sidedata.sidedata import Type as SideDataType
    from av.video.reformatter import VideoReformatter
except ImportError:
    av = None  # type: ignore[assignment]


def open_video(
    source: MediaSource | dict, decoder: str = "pyav", with_sound: bool = False
) -> "VideoFile | TorchcodecVideoFile | PictureFile":
    """Open a video for reading; a context manager.

    Args:
        source: path, `http://`, `https://` or `file://` URL, bytes, or a binary file object (read from its beginning
            and left open). URLs are downloaded. A dict of `path` and `bytes`, one of them None, may have `start` and
            `end`: the video is then that part, with the frames shown from second `start` on and before second `end`.
        decoder: "pyav" or "torchcodec". They give the same frames for well-formed files; PyAV also reads files without
            time stamps or with damaged data. PyAV always reads the sound.
        with_sound: keep the sound track too, as `sound`.

    Raises:
        FileNotFoundError: for a path that does not exist.
        ValueError: for a source that is not a video, has no frame that can be decoded or cannot be downloaded; for an
            interval without frames; and if torchcodec is asked for and does not work on this machine.
    """
    if decoder not in ("pyav", "torchcodec"):
        raise ValueError(f"decoder must be 'pyav' or 'torchcodec', got {decoder!r}")
    source, interval = split_interval(source)
    opened = OpenedSource(source)
    try:
        kind = picture_format(opened)
    except OSError as error:  # a failing disk, or a file without permission
        opened.close()
        raise ValueError(f"{opened.name} cannot be read as a video: {error}") from error
    if kind is not None:
        return PictureFile(opened, kind, interval)
    if decoder == "pyav":
        return VideoFile(opened, with_sound, interval)
    return TorchcodecVideoFile(opened, with_sound, interval)


class VideoFile(PictureStream):
    """A video read with PyAV; see `open_video`.

    Frame i is the i-th picture in display order, of the interval if there is one. A picture that is too damaged to
    decode is replaced by the one before it (at the beginning, by the first that can be decoded).

    Attributes:
        metadata (`VideoMetadata`): number of frames, average frames a second, duration in seconds, and the size in
            pixels of the upright picture.
        times (`np.ndarray`): (frames,) display times, in seconds on the clock of the file, which is also that of its
            sound. The first need not be 0.
        start (`float`): time of the first frame, on the same clock.
        sound (`SoundTrack`, *optional*): the track, if asked for and there is one. Its second 0 is the first frame.
    """

    def __init__(
        self, source: MediaSource | OpenedSource, with_sound: bool = False, interval: Interval = (None, None)
    ):
        super().__init__(source, with_sound)
        try:
            self._keep(interval)
            first = next((picture for _, picture in self._decode([self._first])), None)
            if first is None:
                raise no_frame(self.name, self._codec)
        except BaseException:
            self.close()
            raise
        self._to_rgb = VideoReformatter()
        self._stored_size = first.width, first.height
        self._turn = quarter_turns_and_flips(first)
        self.start = float(self.times[0])
        self.metadata = self._shown.metadata(self._header_rate, *self._upright_size)
        if self.sound is not None:
            self.sound.origin, self.sound.end = self.start, self._shown.limit

    def __enter__(self) -> "VideoFile":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self.times)

    @property
    def seconds(self) -> float:
        """Length of the clip, until the last frame ends; infinite if unknown."""
        return self._shown.seconds

    def frames(
        self, indices: Sequence[int] | np.ndarray | None = None, each: Callable[[Tensor], Tensor] | None = None
    ) -> tuple[Tensor, np.ndarray]:
        """Decode frames.

        Args:
            indices: in any order, with repetitions; `None` = all.
            each: applied to each frame, uint8 (1, C, H, W), as soon as it is decoded. Then only one is in memory at
                full size: for large frames and small results.

        Returns:
            uint8 RGB pixels (T, C, H, W), in memory as (T, H, W, C), or the results of `each`, (T, ...); and the time
            (T,) of each frame in seconds.

        Raises `ValueError` for an index outside of [0, number of frames), and for colours that FFmpeg cannot convert.
        """
        indices = checked_indices(indices, len(self), self.name)
        wanted, order = np.unique(indices, return_inverse=True)
        width, height = self._stored_size
        pixels = torch.empty((len(wanted) if each is None else 0, height, width, 3), dtype=torch.uint8)
        rows = pixels.numpy()  # which copies small pictures in less time
        place = {self._first + int(frame): row for row, frame in enumerate(wanted)}
        for index, frame in self._decode(list(place)):
            picture = self._pixels(index, frame)
            if each is None:
                rows[place[index]] = picture
                continue
            result = each(self._upright(picture)[None])[0]
            if not len(pixels):
                pixels = result.new_empty((len(wanted), *result.shape))
            pixels[place[index]] = result
        if not np.array_equal(wanted, indices):
            pixels = pixels[torch.from_numpy(order)]
        return pixels if each is not None else upright(pixels.permute(0, 3, 1, 2), self._turn), self.times[indices]

    def in_order(self, indices: Sequence[int] | np.ndarray) -> Iterator[tuple[int, Tensor]]:
        """Decode frames one after another, each once: a film in little memory.

        Args:
            indices: in ascending order, without repetitions.

        Yields the number of a frame and its uint8 RGB pixels (C, H, W), as from `frames`. After damage, the frames up
        to the next stretch that can be decoded alone are in memory together.
        """
        wanted = (checked_indices(indices, len(self), self.name) + self._first).tolist()
        if self._index is None:
            for index, frame in self._decode(wanted):
                yield index - self._first, self._upright(self._pixels(index, frame))
            return
        for first, last, some in self._runs(wanted):
            left, damaged = deque(sorted(some)), set[int]()
            run = self._run(first, last, needed={int(self._index.packet_of_frame[frame]) for frame in some})
            for index, frame in self._decode_strictly(first, run, list(left), damaged):
                if damaged or index != left[0]:
                    break
                yield left.popleft() - self._first, self._upright(self._pixels(index, frame))
            for _, group in groupby(left, lambda frame: int(self._index.first_packet_of_frame[frame])):
                numbers = np.array(list(group)) - self._first
                yield from zip(numbers.tolist(), self.frames(numbers)[0], strict=True)

    def part(
        self,
        start: float,
        end: float,
        read: Callable[[np.ndarray, Callable[[Tensor], Tensor] | None], Tensor] | None = None,
    ) -> VideoPart:
        """The frames shown from second `start` on and before second `end`, and their sound.

        Processors treat it like `{"path": ..., "bytes": None, "start": start, "end": end}`. It can be read while this
        video is open.

        Args:
            read: returns frames by their numbers in this video, with `each` as in `frames`; default: decode them.

        Raises `ValueError` if no frame is shown.
        """
        shown = shown_part(self.name, self.times, self._shown.end, (start, end))

        def decoded(indices: np.ndarray, each: Callable[[Tensor], Tensor] | None) -> Tensor:
            return self.frames(indices, each)[0]

        facts = shown.metadata(self._header_rate, *self._upright_size)
        return VideoPart(self.name, shown, facts, read or decoded, self.sound)

    def _pixels(self, index: int, frame: "av.VideoFrame") -> np.ndarray:
        """RGB (H, W, C), uint8, in the memory of FFmpeg's picture."""
        # with the size, because a stream may change it midway; with one thread, because loaders run many processes
        try:
            rgb = self._to_rgb.reformat(frame, *self._stored_size, format="rgb24", threads=1)
        except (av.FFmpegError, OSError) as error:  # such as a colour format that FFmpeg only knows by name
            raise ValueError(
                f"frame {index - self._first} of {self.name} cannot be converted to RGB: {error}"
            ) from error
        plane: Any = rgb.planes[0]
        rows = np.frombuffer(plane, dtype=np.uint8).reshape(plane.height, plane.line_size)
        return rows[:, : 3 * plane.width].reshape(plane.height, plane.width, 3)

    def _upright(self, pixels: np.ndarray) -> Tensor:
        return upright(torch.from_numpy(pixels).permute(2, 0, 1), self._turn)

    def _keep(self, interval: Interval) -> None:
        """Restrict the video to an interval, on the file's clock; the frame shown at its start is the first."""
        until = math.inf if self._until is None else self._until
        self._shown = shown_part(self.name, self.times, until, interval)
        self._first, self.times = self._shown.first, self._shown.times

    @property
    def _header_rate(self) -> float | None:
        return float(self._stream.average_rate) if self._stream.average_rate else None

    @property
    def _upright_size(self) -> tuple[int, int]:
        return self._stored_size if not self._turn[0] else self._stored_size[::-1]


class TorchcodecVideoFile(VideoFile):
    """A video whose pictures torchcodec decodes; everything else is as in `VideoFile`."""

    def __init__(
        self, source: MediaSource | OpenedSource, with_sound: bool = False, interval: Interval = (None, None)
    ):
        check_torchcodec()
        self._decoder: Any = None
        super().__init__(source, with_sound, interval)
        try:
            if self._index is None or self._index.jumps:
                raise ValueError("its packets have no display times")
            self._decoder = open_decoder(self._source.rewound(), len(self._index.times))
        except ValueError as error:
            self.close()
            raise ValueError(
                f"{self.name} cannot be read as a video by torchcodec: {error}; decoder='pyav' reads it"
            ) from error
        self.metadata.video_backend = "torchcodec"

    def close(self) -> None:
        self._decoder = None
        super().close()

    def frames(
        self, indices: Sequence[int] | np.ndarray | None = None, each: Callable[[Tensor], Tensor] | None = None
    ) -> tuple[Tensor, np.ndarray]:
        """See `VideoFile.frames`."""
        indices = checked_indices(indices, len(self), self.name)
        wanted, order = np.unique(indices, return_inverse=True)
        try:
            if each is None:
                pixels = self._decoder.get_frames_at((indices + self._first).tolist()).data
            else:
                batches = (self._decoder.get_frames_at([int(index) + self._first]) for index in wanted)
                pixels = torch.cat([each(batch.data) for batch in batches])[torch.from_numpy(order)]
        except RuntimeError as error:
            raise ValueError(
                f"{self.name} cannot be decoded by torchcodec: {error}; decoder='pyav' reads what it can"
            ) from error
        return pixels, self.times[indices]


def quarter_turns_and_flips(frame: "av.VideoFrame") -> tuple[bool, bool, bool]:
    """How the display matrix turns a picture upright: (swap height and width, then flip height, then flip width)."""
    side_data: Any = frame.side_data  # PyAV's annotation lacks its keys
    if SideDataType.DISPLAYMATRIX not in side_data:
        return False, False, False
    # A stored point (x, y) is shown at (a x + c y, b x + d y); the matrix is [[a, b, u], [c, d, v], [., ., .]].
    a, b, _, c, d, *_ = np.frombuffer(side_data[SideDataType.DISPLAYMATRIX], dtype=np.int32).tolist()
    if abs(b) > abs(a):
        return True, b < 0, c < 0
    return False, d < 0, a < 0


def upright(pixels: Tensor, turn: tuple[bool, bool, bool]) -> Tensor:
    swap, flip_height, flip_width = turn
    if swap:
        pixels = pixels.transpose(-1, -2)
    flipped = [dim for dim, flip in ((-2, flip_height), (-1, flip_width)) if flip]
    return pixels.flip(flipped) if flipped else pixels


__all__ = ["TorchcodecVideoFile", "VideoFile", "open_video"]
