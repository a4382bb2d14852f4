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
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from itertools import chain, groupby
from typing import Any

import numpy as np
import torch
from torch import Tensor

from holovid.processing.audio_decoding import SoundTrack, pick_sound, read_packets
from holovid.processing.clock_jumps import LEAP, keep_sound_running, may_leap, packet_times
from holovid.processing.frame_sampling import checked_indices
from holovid.processing.media_containers import limit_pictures, no_frame, open_container, pick_pictures
from holovid.processing.media_source import Interval, MediaSource, OpenedSource, describe_source, split_interval
from holovid.processing.packet_index import PacketFacts, index_packets
from holovid.processing.picture_decoding import PictureFile, picture_format
from holovid.processing.torchcodec_decoding import check_torchcodec, open_decoder
from holovid.processing.video_parts import VideoPart, shown_part

try:
    import av
    from av.sidedata.sidedata import Type as SideDataType
    from av.stream import Discard
    from av.video.reformatter import VideoReformatter
except ImportError:
    av = None  # type: ignore[assignment]

# FFmpeg's names of containers that store each picture by itself. In others (MPEG streams) the packets that one gets
# depend on where one begins to read, so these are read from the beginning.
SEEKABLE = {"asf", "avi", "flv", "gif", "matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2"}
LARGE = 2**24  # pixels of a frame, 4096 x 4096
KEPT = 2**27  # bytes of pictures that may be kept where frames are counted by decoding them


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
    try:
        kind = picture_format(opened)
    except OSError as error:  # a disk that fails, a file that may not be read
        opened.close()
        raise ValueError(f"{opened.name} cannot be read as a video: {error}") from error
    if kind is not None:
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
        self._index: Any = None  # a `PacketIndex`, where packets tell which frames there are
        # by which packets are found again, where one can begin to read anywhere
        self._number_of_packet: dict[tuple, int] = {}
        self._until: float | None = None  # the last picture is shown
        self._numbered_packets: Iterator[tuple[int, Any]] = iter(())
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
        self.start = float(self.times[0])
        self.metadata = self._shown.metadata(self._header_rate, *self._upright_size)
        if self.sound is not None:
            self.sound.origin, self.sound.end = self.start, self._shown.limit

    def __enter__(self) -> "VideoFile":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._counted = None
        self._numbered_packets = iter(())
        if self._container is not None:
            self._container.close()
        self._source.close()

    def __len__(self) -> int:
        return len(self.times)

    @property
    def seconds(self) -> float:
        """How long the clip lasts: until the last frame has been shown; infinite if the file does not tell."""
        return self._shown.seconds

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
            picture = self._pixels(index, frame)
            if each is not None:
                picture = each(upright(picture.permute(2, 0, 1)[None], self._turn))[0]
                if not len(pixels):
                    pixels = picture.new_empty((len(wanted), *picture.shape))
            pixels[place[index]] = picture
        if not np.array_equal(wanted, indices):
            pixels = pixels[torch.from_numpy(order)]
        return pixels if each is not None else upright(pixels.permute(0, 3, 1, 2), self._turn), self.times[indices]

    def in_order(self, indices: Sequence[int] | np.ndarray) -> Iterator[tuple[int, Tensor]]:
        """Decode frames one after another, each once, for as long as nothing is damaged: a film in little memory.

        Args:
            indices: which, in ascending order, none twice.

        Yields the number of a frame and its uint8 RGB pixels (C, H, W), those that `frames` gives. Where something is
        damaged, the frames from there to the next stretch that can be decoded alone are in memory together.
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
        """The frames on the screen from second `start` on and before second `end`, and what is heard meanwhile.

        A processor makes of it what it makes of `{"path": ..., "bytes": None, "start": start, "end": end}`. It can be
        read for as long as this video is open.

        Args:
            read: gives its frames by their numbers in this video, and what `each` of `frames` makes of them; by
                default they are decoded.

        Raises `ValueError` where no frame is shown.
        """
        shown = shown_part(self.name, self.times, self._shown.end, (start, end))

        def decoded(indices: np.ndarray, each: Callable[[Tensor], Tensor] | None) -> Tensor:
            return self.frames(indices, each)[0]

        facts = shown.metadata(self._header_rate, *self._upright_size)
        return VideoPart(self.name, shown, facts, read or decoded, self.sound)

    def _pixels(self, index: int, frame: "av.VideoFrame") -> Tensor:
        """uint8 RGB (H, W, C) as it is stored."""
        # With the size, as a stream may change it midway; with one thread, as data loaders run many of us.
        try:
            rgb = self._to_rgb.reformat(frame, *self._stored_size, format="rgb24", threads=1)
        except (av.FFmpegError, OSError) as error:  # such as a format of colours that FFmpeg knows by name only
            raise ValueError(
                f"frame {index - self._first} of {self.name} cannot be converted to RGB: {error}"
            ) from error
        return torch.from_numpy(rgb.to_ndarray())

    def _upright(self, pixels: Tensor) -> Tensor:
        """(H, W, C) as it is stored -> (C, H, W) as it is shown."""
        return upright(pixels.permute(2, 0, 1), self._turn)

    def _open(self, num_threads: int | None = None, strict: bool = True) -> None:
        """Open the container, or open it anew to stand before its first packet.

        A strict decoder raises where another one patches damage up.
        """
        if self._container is not None:
            self._container.close()
        self._container = open_container(self._source.rewound(), self.name)
        self._stream = pick_pictures(self._container, self.name)
        self._codec = self._stream.codec_context
        limit_pictures(self.name, self._codec)
        # Decoding several frames at a time is quicker, and takes the memory of several.
        self._codec.thread_type = "AUTO" if self._codec.width * self._codec.height < LARGE else "SLICE"
        # torch's number, which is 1 in the workers of a DataLoader; FFmpeg advises against more than 16.
        self._threads = num_threads or min(torch.get_num_threads(), 16)
        self._codec.thread_count = self._threads
        if strict:
            self._codec.options |= {"err_detect": "explode"}
        self._is_fresh = strict
        # Sound, even if nobody asked for it, tells a picture that is held from a clock that leaps.
        self._sound_stream = pick_sound(self._container) if self._with_sound or may_leap(self._container) else None
        if self.sound is not None:
            self.sound.use(self._sound_stream)
        if self._container.format.name in SEEKABLE:  # the bytes of other streams need not be read
            for stream in self._container.streams:
                if stream is not self._stream and stream is not self._sound_stream:
                    stream.discard = Discard.all
        self._numbered_packets = number_packets(self._container, self._stream, self._index)
        self._last_read = -1

    def _index_packets(self) -> None:
        """Find out from the packets which frames there are, and which packets it takes to decode each."""
        pictures: list[PacketFacts] = []
        sounds: list[tuple[int, av.Packet]] = []
        streams = [self._stream] if self._sound_stream is None else [self._stream, self._sound_stream]
        for place, packet in enumerate(read_packets(self._container, streams)):
            if packet.stream.index == self._stream.index:
                pictures.append(PacketFacts.of(packet, place))
            else:
                sounds.append((place, packet))
        self._last_read = len(pictures)
        if not pictures:
            raise ValueError(f"{self.name} has no frame that can be decoded: its video stream is empty")
        timed = [(place, packet) for place, packet in sounds if packet.pts is not None]
        seconds = packet_times([packet for _, packet in timed], self._sound_stream)
        heard = np.array([place for place, _ in timed][: len(seconds)], dtype=np.float64)
        heard = np.stack([heard, seconds], axis=1)
        self._index = index_packets(pictures, self._container, self._stream, heard)
        if self._with_sound and self._sound_stream is not None:
            keep_sound_running(self._container, self._sound_stream, sounds, self._index)
            self.sound = SoundTrack(self.name, [packet for _, packet in sounds], self._sound_stream)
        if self._index is None:
            self._index_by_decoding()
        else:
            self.times, self._until = self._index.times, self._index.until
            if self._container.format.name in SEEKABLE and not self._index.jumps:
                self._number_of_packet = {packet.key: number for number, packet in enumerate(pictures)}
        if not len(self.times):
            raise ValueError(f"{self.name} has no frame that can be decoded: no frame is shown")

    def _index_by_decoding(self) -> None:
        """Count the frames of a file whose packets do not tell; they need not even be frames.

        The pictures are kept where there is room, so that they are not decoded again.
        """
        times, kept, room = [], [], KEPT
        for picture in self._pictures():
            times.append(picture.time)
            room -= sum(plane.buffer_size for plane in picture.planes)
            if room >= 0:
                kept.append(picture)
        self._counted = kept if room >= 0 else None
        self.times = np.array(times, dtype=np.float64)
        if not len(self.times):
            return
        rate = float(self._stream.average_rate or self._stream.guessed_rate or 25)  # FFmpeg's own last resort
        steps = np.diff(self.times, prepend=self.times[0] - 1 / rate)
        # Some may be unknown, which is NaN here.
        if not (steps > 0).all() or (may_leap(self._container) and (steps > LEAP).any()):
            seconds = np.arange(len(self.times)) / rate
            known = np.flatnonzero(~np.isnan(self.times))
            # Those that are known are on the clock of the sound; in AVI, where they are guessed, both start at 0.
            if len(known) and self._container.format.name != "avi":
                seconds += self.times[known[0]] - seconds[known[0]]
            self.times = seconds
        step = np.diff(self.times).mean() if len(self.times) > 1 else 1 / rate
        self._until = float(self.times[-1] + step)

    def _keep(self, interval: Interval) -> None:
        """Let the frames on the screen in the interval be all frames of this video.

        Its clock goes on as in the file. The first frame is the one on the screen when the interval starts, and is
        shown from then on.
        """
        until = math.inf if self._until is None else self._until
        self._shown = shown_part(self.name, self.times, until, interval)
        self._first, self.times = self._shown.first, self._shown.times

    @property
    def _header_rate(self) -> float | None:
        return float(self._stream.average_rate) if self._stream.average_rate else None

    @property
    def _upright_size(self) -> tuple[int, int]:
        """Width and height."""
        return self._stored_size if not self._turn[0] else self._stored_size[::-1]

    def _decode(self, wanted: list[int]) -> Iterator[tuple[int, "av.VideoFrame"]]:
        """(index, picture) of the wanted frames, in any order; of a frame that comes twice the later picture counts.

        A picture does not depend on which others are wanted. It is what decoding from its key frame gives if nothing
        that it leans on is damaged, and else what decoding the whole file gives.
        """
        damaged: list[int] = []
        lost = wanted
        if self._index is not None:
            for first, last, frames in self._runs(wanted):
                run = self._run(first, last, needed={int(self._index.packet_of_frame[frame]) for frame in frames})
                if (yield from self._decode_strictly(first, run, frames)):
                    damaged += frames
            lost = yield from self._decode_group_by_group(damaged)
        if lost:
            yield from self._decode_in_order(sorted(lost))

    def _runs(self, wanted: list[int]) -> list[tuple[int, int, list[int]]]:
        """Stretches of packets to decode for the wanted frames: (first packet, last packet, frames)."""
        index = self._index
        runs: list[tuple[int, int, list[int]]] = []
        for last, frame in sorted((int(index.packet_of_frame[frame]), frame) for frame in wanted):
            first, frames = int(index.first_packet_of_frame[frame]), [frame]
            while runs and first <= runs[-1][1]:  # not what merely follows: a decoder may remember damage
                first, frames = min(first, runs[-1][0]), runs.pop()[2] + frames
            runs.append((first, last, frames))
        return runs

    def _decode_group_by_group(self, wanted: list[int]) -> Generator[tuple[int, "av.VideoFrame"], None, list[int]]:
        """`_decode` for runs in which something is damaged; returns the frames for which it is not enough."""
        groups: dict[int, list[int]] = {}
        for frame in wanted:
            groups.setdefault(int(self._index.first_packet_of_frame[frame]), []).append(frame)
        lost: list[int] = []
        for first, frames in sorted(groups.items()):
            packets = {frame: int(self._index.packet_of_frame[frame]) for frame in frames}
            last = max(packets.values())
            self._open(num_threads=1)  # with several threads, pictures near a damaged packet can get lost
            # Damage to pictures on which no other leans is their own; any other is that of all that come after.
            damage = yield from self._decode_strictly(first, self._run(first, last, needed=set()), [])
            whole = min(damage, default=last + 1)
            lost += [frame for frame in frames if packets[frame] >= whole]
            if frames := [frame for frame in frames if packets[frame] < whole]:
                self._open(num_threads=1)
                damage = yield from self._decode_strictly(first, self._run(first, whole - 1, needed=None), frames)
                lost += [frame for frame in frames if packets[frame] in damage]
        return lost

    def _decode_strictly(
        self, first: int, run: Iterable[tuple[int, "av.Packet"]], wanted: list[int], damaged: set[int] | None = None
    ) -> Generator[tuple[int, "av.VideoFrame"], None, set[int]]:
        """Pictures of the wanted frames; returns the packets that are damaged, or whose picture does not come.

        Not those that lean on packets before the `first` of this run, which no wanted frame leans on. Those that are
        damaged are put into `damaged` before pictures come that may lean on them.
        """
        missing, damaged = set(wanted), set() if damaged is None else damaged
        key = self._index.frame_of_packet(first)  # on which all others lean
        for number, packet in chain(run, [(-1, None)]):  # None: hand out what is still held back
            if packet is None and key is None and not missing:
                break  # all that is wanted has come
            try:
                pictures = self._decode_packet(packet)
            except av.FFmpegError:
                if number < 0 or self._index.first_packet_of_packet[number] >= first:
                    self._is_fresh = False
                    damaged.add(number)
                continue
            for picture in pictures:
                frame = self._index.frame_of_stamp.get(picture.pts, -1)
                if frame == key and not picture.is_corrupt:
                    key = None
                if frame in missing and not picture.is_corrupt:
                    missing.remove(frame)
                    yield frame, picture
        if key is not None:
            damaged.add(first)
        return damaged | {int(self._index.packet_of_frame[frame]) for frame in missing}

    def _run(self, first: int, last: int, needed: set[int] | None) -> Iterator[tuple[int, "av.Packet"]]:
        """The packets from number `first` to `last`; what no needed picture leans on will not be decoded.

        `needed` are those of the needed pictures; `None` stands for all.
        """
        self._go_before(first)
        if self._container.format.name not in SEEKABLE:
            needed = None  # what was broadcast may be damaged, also in what says whether others lean on a picture
        for number, packet in self._numbered_packets:
            self._last_read = number
            if number >= first:
                self._codec.skip_frame = "DEFAULT" if needed is None or number in needed else "NONREF"
                yield number, packet
            if number >= last:
                return

    def _go_before(self, first: int) -> None:
        """Let the next packet be number `first` or an earlier one."""
        if not self._is_fresh:
            self._open(num_threads=1)
        self._codec.flush_buffers()
        if self._last_read == first - 1:
            return None
        if self._number_of_packet:
            shown, read = self._index.packets[first][:2]
            try:
                self._container.seek(shown if read is None else read, stream=self._stream)
            except av.FFmpegError:
                return self._open(self._threads)
            landed = next(read_packets(self._container, [self._stream]), None)
            number = -1 if landed is None else self._number_of_packet.get(PacketFacts.of(landed).key, -1)
            if not 0 <= number <= first:
                return self._open(self._threads)
            self._numbered_packets = number_packets(self._container, self._stream, self._index, [landed], number)
        elif self._last_read >= first:
            self._open(self._threads)

    def _pictures(self) -> Iterator["av.VideoFrame"]:
        """What decoding the whole file gives, in the order in which it is shown. Damaged packets give nothing."""
        self._open(num_threads=1, strict=False)
        for _, packet in chain(self._numbered_packets, [(-1, None)]):
            try:
                yield from self._decode_packet(packet)
            except av.FFmpegError:
                continue

    def _decode_packet(self, packet: "av.Packet | None") -> "list[av.VideoFrame]":
        return self._codec.decode(packet)

    def _decode_in_order(self, wanted: list[int]) -> Iterator[tuple[int, "av.VideoFrame"]]:
        """Like `_decode`, by decoding everything up to the last wanted frame: for files that are damaged or odd."""
        wanted = wanted[::-1]
        frame, shown = -1, None
        for picture in self._pictures() if self._counted is None else self._counted:
            frame = frame + 1 if self._index is None else self._index.frame_of_stamp.get(picture.pts, frame)
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


class TorchcodecVideoFile(VideoFile):
    """A video whose pictures are decoded by torchcodec; everything else is told as `VideoFile` tells it."""

    def __init__(
        self, source: MediaSource | OpenedSource, with_sound: bool = False, interval: Interval = (None, None)
    ):
        check_torchcodec()
        self._decoder: Any = None
        super().__init__(source, with_sound, interval)
        try:
            if self._index is None or self._index.jumps:
                raise ValueError("its packets do not say when each picture is shown")
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


def number_packets(
    container: Any, stream: Any, index: Any, landed: Sequence = (), first: int = 0
) -> Iterator[tuple[int, "av.Packet"]]:
    """Packets of pictures with their numbers, from `first` on, the `landed` ones and those that come next.

    With an `index` their clock does not jump.
    """
    for number, packet in enumerate(chain(landed, read_packets(container, [stream])), start=first):
        if index is not None and index.jumps:
            packet.pts += int(index.ticks[number])
        yield number, packet


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
