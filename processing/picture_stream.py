# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""The pictures of a file by number, decoded from as few packets as possible, with the result of decoding everything.

`PictureStream` first goes over the packets of the file without decoding them, which is quick. They tell how many
frames there are, when each is shown and which packets it needs, so nothing depends on the claims of the header.
"""

from collections.abc import Generator, Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np
import torch

from holovid.processing.audio_decoding import SoundTrack, pick_sound, read_packets
from holovid.processing.clock_jumps import LEAP, keep_sound_running, may_leap, packet_times
from holovid.processing.media_containers import limit_pictures, open_container, pick_pictures
from holovid.processing.media_source import MediaSource, OpenedSource, describe_source
from holovid.processing.packet_index import PacketFacts, index_packets

try:
    import av
    from av.stream import Discard
except ImportError:
    av = None  # type: ignore[assignment]

# FFmpeg's names of containers with a packet for each picture. In others (MPEG streams) packets depend on where reading
# begins, so these are read from the beginning.
SEEKABLE = {"asf", "avi", "flv", "gif", "matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2"}
LARGE = 2**24  # pixels of a frame, 4096 x 4096
KEPT = 2**27  # bytes of pictures kept if frames are counted by decoding
KEPT_PACKETS = 2**24  # bytes of packets kept of a file; a larger file is read again where frames are asked for
PACKET = 300  # bytes that a packet takes beside its content


class PictureStream:
    """An open file whose pictures are decoded by number, with PyAV; arguments as in `open_video`.

    Attributes:
        times: (frames,) display times of all frames, in seconds on the clock of the file.
        sound: the sound track, if asked for and there is one.
        bytes_kept: memory of what is kept: packets of a small file, or pictures, if frames were counted by decoding.

    Raises `ValueError` for a file without frames.
    """

    def __init__(self, source: MediaSource | OpenedSource, with_sound: bool = False):
        if av is None:
            raise ImportError("PyAV is needed to read videos: pip install av")
        self.name = describe_source(source)
        self.sound: SoundTrack | None = None
        self._with_sound = with_sound
        self._container: Any = None
        self._counted: list[av.VideoFrame] | None = None  # all pictures, if counting took decoding them
        self.bytes_kept = 0
        self._index: Any = None  # a `PacketIndex`, if packets tell which frames there are
        self._packets: list[av.Packet] = []  # all of a small file
        self._number_of_packet: dict[tuple, int] = {}  # by key, to recognise packets after a seek
        self._until: float | None = None  # end of the last picture
        self._numbered_packets: Iterator[tuple[int, Any]] = iter(())
        self._source = source if isinstance(source, OpenedSource) else OpenedSource(source)
        try:
            self._open()
            self._index_packets()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._counted, self._packets, self.bytes_kept = None, [], 0
        self._numbered_packets = iter(())
        if self._container is not None:
            self._container.close()
        self._source.close()

    @property
    def frames_cut_off(self) -> int:
        """Pictures that the container announces behind the end of the file, as after a download that was stopped."""
        size = self._container.size  # unknown for live sources
        return sum(entry.pos + entry.size > size for entry in self._stream.index_entries) if size > 0 else 0

    def _open(self, num_threads: int | None = None, strict: bool = True) -> None:
        """(Re)open the container before its first packet. Strict decoders raise for damage that others conceal."""
        if self._container is not None:
            self._container.close()
        self._container = open_container(self._source.rewound(), self.name)
        self._stream = pick_pictures(self._container, self.name)
        self._codec = self._stream.codec_context
        limit_pictures(self.name, self._codec)
        # Decoding several frames in parallel is faster, but takes the memory of several.
        self._codec.thread_type = "AUTO" if self._codec.width * self._codec.height < LARGE else "SLICE"
        # torch's number, which is 1 in the workers of a DataLoader; FFmpeg advises against more than 16.
        self._threads = num_threads or min(torch.get_num_threads(), 16)
        self._codec.thread_count = self._threads
        if strict:
            self._codec.options |= {"err_detect": "explode"}
        self._is_fresh = strict
        # Sound, even if not asked for, distinguishes a held picture from a clock that leaps.
        self._sound_stream = pick_sound(self._container) if self._with_sound or may_leap(self._container) else None
        if self.sound is not None:
            self.sound.use(self._sound_stream)
        if self._container.format.name in SEEKABLE:  # do not read the bytes of other streams
            for stream in self._container.streams:
                if stream is not self._stream and stream is not self._sound_stream:
                    stream.discard = Discard.all
        self._numbered_packets = number_packets(read_packets(self._container, [self._stream]), self._index)
        self._last_read = -1

    def _index_packets(self) -> None:
        pictures: list[PacketFacts] = []
        packets: list[av.Packet] = []
        room = KEPT_PACKETS
        sounds: list[tuple[int, av.Packet]] = []
        streams = [self._stream] if self._sound_stream is None else [self._stream, self._sound_stream]
        for place, packet in enumerate(read_packets(self._container, streams)):
            if packet.stream.index == self._stream.index:
                pictures.append(PacketFacts.of(packet, place))
                room -= packet.size + PACKET
                if room >= 0:
                    packets.append(packet)
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
                if room >= 0:
                    self._packets, self.bytes_kept = packets, KEPT_PACKETS - room
                else:
                    self._number_of_packet = {packet.key: number for number, packet in enumerate(pictures)}
        if not len(self.times):
            raise ValueError(f"{self.name} has no frame that can be decoded: no frame is shown")

    def _index_by_decoding(self) -> None:
        """Count frames by decoding them, because packets need not be frames, and keep them if there is room."""
        times, kept, room = [], [], KEPT
        for picture in self._pictures():
            times.append(picture.time)
            room -= sum(plane.buffer_size for plane in picture.planes)
            if room >= 0:
                kept.append(picture)
        self._counted, self.bytes_kept = (kept, KEPT - room) if room >= 0 else (None, 0)
        self.times = np.array(times, dtype=np.float64)
        if not len(self.times):
            return
        rate = float(self._stream.average_rate or self._stream.guessed_rate or 25)  # as FFmpeg assumes
        steps = np.diff(self.times, prepend=self.times[0] - 1 / rate)
        # unknown times are NaN
        if not (steps > 0).all() or (may_leap(self._container) and (steps > LEAP).any()):
            seconds = np.arange(len(self.times)) / rate
            known = np.flatnonzero(~np.isnan(self.times))
            # Known times are on the sound's clock; in AVI, where they are guessed, both start at 0.
            if len(known) and self._container.format.name != "avi":
                seconds += self.times[known[0]] - seconds[known[0]]
            self.times = seconds
        step = np.diff(self.times).mean() if len(self.times) > 1 else 1 / rate
        self._until = float(self.times[-1] + step)

    def _decode(self, wanted: list[int]) -> Iterator[tuple[int, "av.VideoFrame"]]:
        """(index, picture) of the wanted frames, in any order; if a frame comes twice, the later picture counts.

        A picture does not depend on which others are wanted: it is decoded from its key frame, or, if something it
        needs is damaged, with the whole file.
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
            while runs and first <= runs[-1][1]:  # only if they overlap: a decoder may remember damage
                first, frames = min(first, runs[-1][0]), runs.pop()[2] + frames
            runs.append((first, last, frames))
        return runs

    def _decode_group_by_group(self, wanted: list[int]) -> Generator[tuple[int, "av.VideoFrame"], None, list[int]]:
        """`_decode` for runs with damage; returns the frames for which it is not enough."""
        groups: dict[int, list[int]] = {}
        for frame in wanted:
            groups.setdefault(int(self._index.first_packet_of_frame[frame]), []).append(frame)
        lost: list[int] = []
        for first, frames in sorted(groups.items()):
            packets = {frame: int(self._index.packet_of_frame[frame]) for frame in frames}
            last = max(packets.values())
            self._open(num_threads=1)  # several threads can lose pictures near damage
            # Damage to a picture that no other needs is its own; other damage affects all later ones.
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

        Packets that need others before `first` do not count; no wanted frame needs them. Damaged packets are added to
        `damaged` before pictures that may need them are yielded.
        """
        missing, damaged = set(wanted), set() if damaged is None else damaged
        key = self._index.frame_of_packet(first)  # all others need it
        for number, packet in chain(run, [(-1, None)]):  # None: flush the decoder
            if packet is None and key is None and not missing:
                break  # every wanted picture has come
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
        """The packets `first` to `last`; the decoder skips pictures that no `needed` one (`None`: all) depends on."""
        self._go_before(first)
        if self._container.format.name not in SEEKABLE:
            needed = None  # a damaged broadcast may be wrong about which pictures others need
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
        if self._packets:
            self._numbered_packets = ((number, self._packets[number]) for number in range(first, len(self._packets)))
        elif self._last_read == first - 1:
            return None
        elif self._number_of_packet:
            # Most formats look for the time at which a picture is shown; of others that may be too late.
            for moment in dict.fromkeys(self._index.packets[first][:2]):
                if moment is not None and self._seek(moment, first):
                    return None
            self._open(self._threads)
        elif self._last_read >= first:
            self._open(self._threads)

    def _seek(self, moment: int, first: int) -> bool:
        """Whether the next packet is number `first` or an earlier one, after a search for `moment`."""
        try:
            self._container.seek(moment, stream=self._stream)
        except av.FFmpegError:
            return False
        packets = read_packets(self._container, [self._stream])
        landed = next(packets, None)
        number = -1 if landed is None else self._number_of_packet.get(PacketFacts.of(landed).key, -1)
        self._numbered_packets = number_packets(chain([landed], packets), self._index, number)
        return 0 <= number <= first

    def _pictures(self) -> Iterator["av.VideoFrame"]:
        """All pictures of the file in display order. Damaged packets give none."""
        self._open(num_threads=1, strict=False)
        for _, packet in chain(self._numbered_packets, [(-1, None)]):
            try:
                yield from self._decode_packet(packet)
            except av.FFmpegError:
                continue

    def _decode_packet(self, packet: "av.Packet | None") -> "list[av.VideoFrame]":
        return self._codec.decode(packet)

    def _decode_in_order(self, wanted: list[int]) -> Iterator[tuple[int, "av.VideoFrame"]]:
        """`_decode` for damaged or odd files: decodes everything up to the last wanted frame."""
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


def number_packets(packets: Iterable, index: Any, first: int = 0) -> Iterator[tuple[int, "av.Packet"]]:
    """Picture packets with their numbers, from `first` on; with an `index` without clock jumps."""
    for number, packet in enumerate(packets, start=first):
        if index is not None and index.jumps:
            packet.pts += int(index.ticks[number])
        yield number, packet
