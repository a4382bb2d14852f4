# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Reading chosen frames of a video: exactly those that decoding everything would give, at the cost of only these.

    with open_video("clip.mp4") as video:
        video.metadata  # number of frames, rate, size
        pixels, seconds = video.frames([0, 30, 30, 12])  # uint8 (4, C, H, W) in this order, and when each is shown
    with open_video("clip.mp4", with_sound=True) as video:
        video.sound  # None, or what `audio_decoding.py` describes
    with open_video({"path": "clip.mp4", "bytes": None, "start": 1.5, "end": 4}) as video:
        video.metadata  # of these 2.5 seconds, which are all that there is of this video

A video is a path, a URL, bytes, or a binary file object, or a dict that names a part of one (`media_source.py`). A
picture is a video of one frame (`picture_decoding.py`).
PyAV decodes by default (its wheel brings FFmpeg along); torchcodec, which needs FFmpeg on the machine, only when asked
for.

`VideoFile` first goes over the packets of the file without decoding them, which is quick. That tells how many frames
there are, when each is shown and which packets it takes, so nothing depends on what the header claims. Of a part of a
video the whole file is gone over too: a second for a film of an hour, and the time that reading its bytes takes.
Alphabet: T frames, C = 3 colour channels (RGB).
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers.utils import is_torchcodec_usable
from transformers.video_utils import VideoMetadata

from holovid.processing.audio_decoding import SoundFile, SoundTrack, read_packets
from holovid.processing.frame_sampling import checked_indices
from holovid.processing.media_containers import UnreadableError, limit_pictures, no_frame, open_container
from holovid.processing.media_source import Interval, MediaSource, OpenedSource, describe_source, split_interval
from holovid.processing.picture_decoding import PictureFile, picture_format

try:
    import av
    from av.sidedata.sidedata import Type as SideDataType
    from av.stream import Disposition
    from av.video.reformatter import VideoReformatter
except ImportError:
    av = None  # type: ignore[assignment]

# FFmpeg's names of containers that store each picture by itself. In others (MPEG streams) the packets that one gets
# depend on where one begins to read, so these are read from the beginning.
SEEKABLE = {"asf", "avi", "flv", "gif", "matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2"}
LARGE = 2**24  # pixels of a frame, 4096 x 4096
KEPT = 2**27  # bytes of pictures that may be kept where frames are counted by decoding them
ROUNDING = 1e-6  # seconds by which a time that was written down may differ from the one that is meant


def open_video(
    source: MediaSource | dict, decoder: str = "pyav", with_sound: bool = False
) -> "VideoFile | TorchcodecVideoFile | PictureFile":
    """Open a video for reading; meant for a `with` statement.

    Args:
        source: path, `http://`, `https://` or `file://` URL, bytes, or a binary file object (read from its beginning
            and left open). What is behind a URL is downloaded. A dict of `path` and `bytes`, one of them None, may
            have `start` and `end`: the opened video then is that part, whose frames are those shown from second
            `start` on and before second `end`.
        decoder: "pyav" or "torchcodec". They give the same frames for well-formed files; PyAV also reads files without
            time stamps or with damaged data. Sound is read by PyAV in either case.
        with_sound: keep the sound track too, as `sound`.

    Raises:
        FileNotFoundError: for a path that does not exist.
        ValueError: for a source that is not a video, holds no frame that can be decoded or cannot be downloaded; for
            an interval in which no frame is shown; and when torchcodec is asked for and does not work on this machine.
    """
    if decoder not in ("pyav", "torchcodec"):
        raise ValueError(f"decoder must be 'pyav' or 'torchcodec', got {decoder!r}")
    source, interval = split_interval(source)
    opened = OpenedSource(source)
    if (kind := picture_format(opened)) is not None:
        return PictureFile(opened, kind, interval)
    if decoder == "pyav":
        return VideoFile(opened, with_sound, interval)
    return TorchcodecVideoFile(opened, with_sound, interval)


class VideoFile:
    """A video read with PyAV; see `open_video`.

    Frame i is the i-th picture in the order in which they are shown, of the interval if there is one. In place of a
    picture that is damaged beyond decoding stands the one before it (at the beginning, the first that can be decoded).

    Attributes:
        metadata (`VideoMetadata`): number of frames, average frames a second, duration in seconds, and the size in
            pixels of the upright picture.
        times (`np.ndarray`): (number of frames,) when each is shown, in seconds on the clock of the file; its sound,
            if any, runs on the same clock. It need not start at 0.
        start (`float`): when the first frame is shown, on the same clock.
        sound (`SoundTrack`, *optional*): what is heard, if it was asked for and there is a track. Second 0 is when the
            first frame is shown.
    """

    def __init__(
        self, source: MediaSource | OpenedSource, with_sound: bool = False, interval: Interval = (None, None)
    ):
        if av is None:
            raise ImportError("PyAV is needed to read videos: pip install av")
        self.name = describe_source(source)
        self.sound: SoundTrack | None = None
        self._with_sound = with_sound
        self._container: Any = None
        self._counted: list[av.VideoFrame] | None = None  # all pictures, where counting took decoding them
        self._source = source if isinstance(source, OpenedSource) else OpenedSource(source)
        try:
            self._open()
            self._index_packets()
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
        self.metadata = self._read_metadata()
        self.start = float(self.times[0])
        if self.sound is not None:
            self.sound.origin, self.sound.end = self.start, self._end

    def __enter__(self) -> "VideoFile":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._counted = None
        if self._container is not None:
            self._container.close()
        self._source.close()

    def __len__(self) -> int:
        return len(self.times)

    @property
    def seconds(self) -> float:
        """How long the clip lasts: until the last frame has been shown; infinite if the file does not tell."""
        fps, until = self.metadata.fps, self._next_time
        if until is None:
            until = float(self.times[-1]) + 1 / fps if fps else math.inf
        return min(until, self._end) - self.start

    def frames(
        self, indices: Sequence[int] | np.ndarray | None = None, each: Callable[[Tensor], Tensor] | None = None
    ) -> tuple[Tensor, np.ndarray]:
        """Decode frames.

        Args:
            indices: which, in any order, repetitions allowed; `None` = all.
            each: what to make of each frame, uint8 (1, C, H, W), as soon as it is decoded. Then only one is in memory
                as it was decoded: where frames are large and come out small.

        Returns:
            uint8 RGB pixels (T, C, H, W), in memory as (T, H, W, C) the way they are decoded, or what `each` made of
            them, (T, ...); and the time (T,) in seconds at which each frame is shown.

        Raises `ValueError` for an index outside of [0, number of frames), and for colours that FFmpeg cannot convert.
        """
        indices = checked_indices(indices, len(self), self.name)
        wanted, order = np.unique(indices, return_inverse=True)
        width, height = self._stored_size
        pixels = torch.empty((len(wanted) if each is None else 0, height, width, 3), dtype=torch.uint8)
        place = {self._first + int(frame): row for row, frame in enumerate(wanted)}
        for index, frame in self._decode(list(place)):
            # With the size, as a stream may change it midway; with one thread, as data loaders run many of us.
            try:
                rgb = self._to_rgb.reformat(frame, width, height, format="rgb24", threads=1)
            except (av.FFmpegError, OSError) as error:  # such as a format of colours that FFmpeg knows by name only
                raise ValueError(
                    f"frame {index - self._first} of {self.name} cannot be converted to RGB: {error}"
                ) from error
            picture = torch.from_numpy(rgb.to_ndarray())
            if each is not None:
                picture = each(upright(picture.permute(2, 0, 1)[None], self._turn))[0]
                if not len(pixels):
                    pixels = picture.new_empty((len(wanted), *picture.shape))
            pixels[place[index]] = picture
        if not np.array_equal(wanted, indices):
            pixels = pixels[torch.from_numpy(order)]
        return pixels if each is not None else upright(pixels.permute(0, 3, 1, 2), self._turn), self.times[indices]

    def _open(self, num_threads: int | None = None) -> None:
        """Open the container, or open it anew to stand before its first packet."""
        if self._container is not None:
            self._container.close()
        self._container = open_container(self._source.rewound(), self.name)
        self._stream = self._container.streams.best("video")
        is_cover = self._stream is not None and self._stream.disposition & Disposition.attached_pic
        if self._stream is None or self._stream.codec_context is None or is_cover:
            found = sorted({stream.type for stream in self._container.streams})
            raise ValueError(f"{self.name} has no video stream that can be decoded; its streams: {found}")
        self._codec = self._stream.codec_context
        limit_pictures(self.name, self._codec)
        # Decoding several frames at a time is quicker, and takes the memory of several.
        self._codec.thread_type = "AUTO" if self._codec.width * self._codec.height < LARGE else "SLICE"
        # torch's number, which is 1 in the workers of a DataLoader; FFmpeg advises against more than 16.
        self._codec.thread_count = num_threads or min(torch.get_num_threads(), 16)
        self._sound_stream = self._container.streams.best("audio") if self._with_sound else None
        if self.sound is not None:
            self.sound.use(self._sound_stream)
        self._numbered_packets: Iterator[tuple[int, av.Packet]] = enumerate(self._packets())
        self._last_read = -1

    def _index_packets(self) -> None:
        """Find out from the packets which frames there are, and which packets it takes to decode each."""
        self._packet_keys: list[tuple[int | None, int | None, int]] = []
        key_packets, shown_packets = [], []
        sound_packets: list[av.Packet] = []
        for number, packet in enumerate(self._packets(sound_packets)):
            self._packet_keys.append((packet.pts, packet.dts, packet.size))
            if packet.is_keyframe:
                key_packets.append(number)
            if not packet.is_discard:
                shown_packets.append(number)
        self._last_read = len(self._packet_keys)
        if self._sound_stream is not None:
            self.sound = SoundTrack(self.name, sound_packets, self._sound_stream)
        if not self._packet_keys:
            raise ValueError(f"{self.name} has no frame that can be decoded: its video stream is empty")
        known = [stamp for stamp, _, _ in self._packet_keys if stamp is not None]
        if len(set(known)) < len(self._packet_keys) or self._has_guessed_time_stamps(known):
            return self._index_by_decoding()
        stamps = np.array(known)
        keyframes, shown = np.array(key_packets or [0]), np.array(shown_packets, dtype=np.int64)
        shown = shown[np.argsort(stamps[shown])]
        # Decoding starts from the last key frame that is both read and shown before: pictures that are read after a
        # key frame but shown before it may lean on pictures from before it.
        last_read = np.searchsorted(keyframes, shown, side="right")
        last_shown = np.searchsorted(stamps[keyframes], stamps[shown], side="right")
        last = np.minimum(last_read, last_shown) - 1
        # A recording that was cut starts with pictures that lean on others now missing.
        self._packet_of_frame, last = shown[last >= 0], last[last >= 0]
        self._first_packet_of_frame = keyframes[last]
        self._frame_of_stamp: dict[int | None, int] = {
            int(stamp): frame for frame, stamp in enumerate(stamps[self._packet_of_frame])
        }
        self._number_of_packet = {key: number for number, key in enumerate(self._packet_keys)}
        self.times = stamps[self._packet_of_frame] * float(self._stream.time_base)

    def _has_guessed_time_stamps(self, stamps: list[int]) -> bool:
        """AVI does not store when a picture is shown, and FFmpeg guesses it wrong for H.264 with B-frames."""
        return self._container.format.name == "avi" and self._codec.has_b_frames and stamps == sorted(stamps)

    def _index_by_decoding(self) -> None:
        """Count the frames of a file whose packets do not tell; they need not even be frames.

        The pictures are kept where there is room, so that they are not decoded again.
        """
        self._packet_of_frame = np.empty(0, dtype=np.int64)
        self._frame_of_stamp = {}
        self._open(num_threads=1)
        times, kept, room = [], [], KEPT
        for picture in self._pictures(self._packets()):
            times.append(picture.time)
            room -= sum(plane.buffer_size for plane in picture.planes)
            if room >= 0:
                kept.append(picture)
        self._counted = kept if room >= 0 else None
        self.times = np.array(times, dtype=np.float64)
        if not (np.diff(self.times, prepend=-np.inf) > 0).all():  # or some are unknown, which is NaN here
            rate = float(self._stream.average_rate or self._stream.guessed_rate or 25)  # FFmpeg's own last resort
            seconds = np.arange(len(self.times)) / rate
            known = np.flatnonzero(~np.isnan(self.times))
            # Those that are known are on the clock of the sound; in AVI, where they are guessed, both start at 0.
            if len(known) and self._container.format.name != "avi":
                seconds += self.times[known[0]] - seconds[known[0]]
            self.times = seconds

    def _keep(self, interval: Interval) -> None:
        """Let the frames shown in the interval be all frames of this video."""
        start, end = (interval[0] or 0), (math.inf if interval[1] is None else interval[1])
        seconds = self.times - self.times[0]
        self._first, stop = (int(frame) for frame in np.searchsorted(seconds, [start - ROUNDING, end - ROUNDING]))
        if self._first >= stop:
            raise empty_interval(self.name, interval, float(seconds[-1]))
        self._end = float(self.times[0]) + end
        self._next_time = float(self.times[stop]) if stop < len(self.times) else None
        self.times = self.times[self._first : stop]

    def _read_metadata(self) -> VideoMetadata:
        count = len(self.times)
        fps = float(self._stream.average_rate) if self._stream.average_rate else None
        if count > 1:
            measured = (count - 1) / (self.times[-1] - self.times[0])
            # Where the header is right it is exact; time stamps may be rounded to milliseconds.
            if fps is None or abs(fps - measured) > 0.01 * measured:
                fps = float(measured)
        width, height = self._stored_size if not self._turn[0] else self._stored_size[::-1]
        return VideoMetadata(
            total_num_frames=count,
            fps=fps,
            width=width,
            height=height,
            duration=count / fps if fps else None,
            video_backend="pyav",
        )

    def _decode(self, wanted: list[int]) -> Iterator[tuple[int, "av.VideoFrame"]]:
        """(index, picture) of the wanted frames, in any order."""
        missing = set(wanted)
        for first, last, frames in self._runs(wanted):
            needed = {int(self._packet_of_frame[frame]) for frame in frames}
            for picture in self._pictures(self._run(first, last, needed)):
                frame = self._frame_of_stamp.get(picture.pts, -1)
                if frame in missing:
                    missing.remove(frame)
                    yield frame, picture
        if missing:
            yield from self._decode_in_order(sorted(missing))

    def _runs(self, wanted: list[int]) -> list[tuple[int, int, list[int]]]:
        """Stretches of packets to decode for the wanted frames: (first packet, last packet, frames)."""
        if not self._packet_of_frame.size:
            return []
        runs: list[tuple[int, int, list[int]]] = []
        for last, frame in sorted((int(self._packet_of_frame[frame]), frame) for frame in wanted):
            first, frames = int(self._first_packet_of_frame[frame]), [frame]
            while runs and first <= runs[-1][1] + 1:
                first, frames = min(first, runs[-1][0]), runs.pop()[2] + frames
            runs.append((first, last, frames))
        return runs

    def _run(self, first: int, last: int, needed: set[int]) -> Iterator["av.Packet"]:
        """The packets from number `first` to number `last`; what no needed frame leans on will not be decoded."""
        self._go_before(first)
        for number, packet in self._numbered_packets:
            self._last_read = number
            if number >= first:
                self._codec.skip_frame = "DEFAULT" if number in needed else "NONREF"
                yield packet
            if number >= last:
                return

    def _go_before(self, first: int) -> None:
        """Let the next packet be number `first` or an earlier one."""
        self._codec.flush_buffers()
        if self._container.format.name in SEEKABLE:
            shown, read, _ = self._packet_keys[first]
            try:
                self._container.seek(shown if read is None else read, stream=self._stream)
            except av.FFmpegError:
                return self._open()
            packets = ((self._number_of_packet.get((p.pts, p.dts, p.size), -1), p) for p in self._packets())
            landed = next(packets, None)
            if landed is None or landed[0] > first:
                return self._open()
            self._numbered_packets = chain([landed], packets)
        elif self._last_read >= first:
            self._open()

    def _packets(self, sound_packets: "list[av.Packet] | None" = None) -> Iterator["av.Packet"]:
        """The packets of the pictures; those of the sound, if it is asked for, go into `sound_packets`."""
        streams = [self._stream]
        if sound_packets is not None and self._sound_stream is not None:
            streams.append(self._sound_stream)
        for packet in read_packets(self._container, streams):
            if packet.stream.index == self._stream.index:
                yield packet
            elif sound_packets is not None:
                sound_packets.append(packet)

    def _pictures(self, packets: Iterable["av.Packet"]) -> Iterator["av.VideoFrame"]:
        """What decoding the packets gives, in the order in which it is shown. Damaged packets give nothing."""
        for packet in chain(packets, [None]):  # None: hand out what is still held back
            try:
                yield from self._codec.decode(packet)
            except av.FFmpegError:
                continue

    def _decode_in_order(self, wanted: list[int]) -> Iterator[tuple[int, "av.VideoFrame"]]:
        """Like `_decode`, by decoding everything up to the last wanted frame: for files that are damaged or odd."""
        pictures: Iterable[av.VideoFrame] | None = self._counted
        if pictures is None:
            self._open(num_threads=1)  # with several threads, pictures near a damaged packet can get lost
            pictures = self._pictures(self._packets())
        wanted = wanted[::-1]
        frame, shown = -1, None
        for picture in pictures:
            frame = self._frame_of_stamp.get(picture.pts, frame + 1)
            while wanted and wanted[-1] < frame:
                yield wanted.pop(), picture if shown is None else shown
            if wanted and wanted[-1] == frame:
                yield wanted.pop(), picture
            if not wanted:
                return
            shown = picture
        if shown is not None:
            for index in reversed(wanted):
                yield index, shown


class TorchcodecVideoFile:
    """A video read with torchcodec; see `open_video`. Same methods as `VideoFile`."""

    def __init__(
        self, source: MediaSource | OpenedSource, with_sound: bool = False, interval: Interval = (None, None)
    ):
        if not is_torchcodec_usable(decode="video"):
            raise ValueError(
                "decoder='torchcodec' does not work here: torchcodec is not installed, does not fit the installed "
                "torch, or finds no FFmpeg libraries (the log says which). decoder='pyav' needs none of it"
            )
        try:
            from torchcodec.decoders import VideoDecoder
        except ImportError as error:
            raise ValueError(f"decoder='torchcodec' does not work here: {error}") from error
        self.name = describe_source(source)
        self.sound: SoundTrack | None = None
        self._sound_file: SoundFile | None = None
        self._source = source if isinstance(source, OpenedSource) else OpenedSource(source)
        try:
            # torchcodec takes no list of what may be opened.
            with open_container(self._source.rewound(), self.name) as container:
                if (stream := container.streams.best("video")) is not None and stream.codec_context is not None:
                    limit_pictures(self.name, stream.codec_context)
            if with_sound:
                self._sound_file = SoundFile(self._source, self.name)
                self.sound = self._sound_file.sound
            self._decoder = VideoDecoder(self._source.rewound(), num_ffmpeg_threads=torch.get_num_threads())
            self._first, count, self.start, self.seconds = self._find(interval)
        except (RuntimeError, ValueError) as error:
            self.close()
            if isinstance(error, (NoFrameError, UnreadableError)):
                raise
            raise ValueError(f"{self.name} cannot be read as a video: {error}") from error
        header = self._decoder.metadata
        self.metadata = VideoMetadata(
            total_num_frames=count,
            fps=float(header.average_fps),
            width=header.width,
            height=header.height,
            duration=self.seconds,
            video_backend="torchcodec",
        )
        if self.sound is not None:
            self.sound.origin = self.start
            self.sound.end = math.inf if interval == (None, None) else self.start + self.seconds

    def __enter__(self) -> "TorchcodecVideoFile":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        if self._sound_file is not None:
            self._sound_file.close()
        self._source.close()

    def __len__(self) -> int:
        return self.metadata.total_num_frames

    def frames(
        self, indices: Sequence[int] | np.ndarray | None = None, each: Callable[[Tensor], Tensor] | None = None
    ) -> tuple[Tensor, np.ndarray]:
        """See `VideoFile.frames`."""
        indices = checked_indices(indices, len(self), self.name)
        wanted, order = np.unique(indices, return_inverse=True)
        try:
            if each is None:
                batch = self._decoder.get_frames_at((indices + self._first).tolist())
                return batch.data, batch.pts_seconds.numpy()
            batches = (self._decoder.get_frames_at([int(index) + self._first]) for index in wanted)
            pictures, times = zip(*[(each(batch.data), batch.pts_seconds) for batch in batches], strict=True)
        except RuntimeError as error:
            raise ValueError(f"{self.name} cannot be decoded by torchcodec: {error}") from error
        return torch.cat(pictures)[torch.from_numpy(order)], torch.cat(times).numpy()[order]

    def _find(self, interval: Interval) -> tuple[int, int, float, float]:
        """Of the interval: its first frame, how many there are, when that is shown on the file's clock, its length."""
        header = self._decoder.metadata
        first, stop, begin = 0, header.num_frames, float(header.begin_stream_seconds)
        if interval == (None, None):
            return first, stop, begin, float(header.duration_seconds)
        start, end = interval
        first = self._first_shown_from(start or 0)
        if end is not None:
            stop = self._first_shown_from(end)
        if first >= stop:
            raise empty_interval(self.name, interval, self._shown_at(header.num_frames - 1))
        start = self._shown_at(first)
        last = float(header.duration_seconds) if stop == header.num_frames else self._shown_at(stop)
        return first, stop - first, begin + start, min(last, math.inf if end is None else end) - start

    def _shown_at(self, index: int) -> float:
        """When a frame is shown, in seconds from the first one. It takes decoding to know."""
        return self._decoder.get_frame_at(index).pts_seconds - float(self._decoder.metadata.begin_stream_seconds)

    def _first_shown_from(self, second: float) -> int:
        """The first frame shown at `second` or later, or the number of frames."""
        count, second = self._decoder.metadata.num_frames, second - ROUNDING
        guess = math.ceil(second * self._decoder.metadata.average_fps)
        if 0 < guess < count and self._shown_at(guess - 1) < second <= self._shown_at(guess):
            return guess
        return bisect_left(range(count), second, key=self._shown_at)


class NoFrameError(ValueError):
    """Nothing is shown in an interval."""


def empty_interval(name: str, interval: Interval, last: float) -> NoFrameError:
    start, end = interval
    until = "its end" if end is None else f"{end:g} s"
    return NoFrameError(f"{name} shows no frame from {start or 0:g} s to {until}; its last one is at {last:g} s")


def quarter_turns_and_flips(frame: "av.VideoFrame") -> tuple[bool, bool, bool]:
    """How the display matrix sets a picture upright: (swap height and width, then flip height, then flip width)."""
    side_data: Any = frame.side_data  # PyAV's annotation lists none of its keys
    if SideDataType.DISPLAYMATRIX not in side_data:
        return False, False, False
    # A stored point (x, y) is shown at (a x + c y, b x + d y); the matrix is [[a, b, u], [c, d, v], [., ., .]].
    a, b, _, c, d, *_ = np.frombuffer(side_data[SideDataType.DISPLAYMATRIX], dtype=np.int32).tolist()
    if abs(b) > abs(a):
        return True, b < 0, c < 0
    return False, d < 0, a < 0


def upright(pixels: Tensor, turn: tuple[bool, bool, bool]) -> Tensor:
    """Apply what `quarter_turns_and_flips` says to (..., H, W)."""
    swap, flip_height, flip_width = turn
    if swap:
        pixels = pixels.transpose(-1, -2)
    flipped = [dim for dim, flip in ((-2, flip_height), (-1, flip_width)) if flip]
    return pixels.flip(flipped) if flipped else pixels


__all__ = ["TorchcodecVideoFile", "VideoFile", "open_video"]
