# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""The frames of a file, their times and packets, from the packets alone: nothing is decoded.

Frame i is the i-th picture in display order. A picture stays on the screen until the next one. The end of the last one
comes from, in this order, its packet, the container, and the other pictures.
"""

from typing import Any, NamedTuple

import numpy as np

from holovid.processing.clock_jumps import find_picture_jumps, may_leap, run_on

try:
    import av
except ImportError:
    av = None  # type: ignore[assignment]

MILLISECONDS = 2e-3  # seconds; error of rounded times
LONGEST_HELD = 3600.0  # seconds; a longer last picture is not believed
# FFmpeg's names of containers that store durations of pictures; for others FFmpeg guesses
WITH_DURATIONS = {"avi", "gif", "mov,mp4,m4a,3gp,3g2,mj2"}


class PacketFacts(NamedTuple):
    """What is kept of a picture packet. `place`: how many packets of any kind come before it in the file."""

    pts: int | None
    dts: int | None
    duration: int
    size: int
    position: int | None
    is_key: bool
    is_shown: bool
    place: int

    @property
    def key(self) -> tuple:
        return self.pts, self.position, self.size

    @classmethod
    def of(cls, packet: Any, place: int = 0) -> "PacketFacts":
        return cls(
            packet.pts, packet.dts, packet.duration or 0, packet.size, packet.pos, packet.is_keyframe,
            not packet.is_discard, place,
        )  # fmt: skip


class PacketIndex:
    """The frames of a file whose packets have times.

    Args:
        packets: all picture packets in file order; each has a `pts` that no other of its stretch has.
        container, stream: PyAV's.
        heard: (n, 2) positions of sound packets in the file and their seconds, if the clock may leap.

    Attributes:
        times: (frames,) display times in seconds.
        until: end of the last frame in seconds; `None` if unknown.
        packet_of_frame, first_packet_of_frame: (frames,) number of its packet, and of the one to decode from.
        first_packet_of_packet: (packets,) the latter, by packet; -1 for packets that are not shown.
        frame_of_stamp: frame number by `pts`, with clock jumps removed.
        jumps: the packets at which the clock jumps.
        shifts: (packets,) seconds added to remove the jumps.
        ticks: (packets,) the same in units of `pts`.
    """

    def __init__(self, packets: list[PacketFacts], container: Any, stream: Any, heard: np.ndarray):
        self.packets = packets
        tick = float(stream.time_base)
        stamps = np.array([packet.pts for packet in packets], dtype=np.int64)
        is_key = np.array([packet.is_key for packet in packets])
        is_shown = np.array([packet.is_shown for packet in packets])
        durations = np.array([packet.duration for packet in packets]) * tick
        read = np.array([np.nan if packet.dts is None else packet.dts for packet in packets]) * tick
        ends = stamps * tick + np.where(durations > 0, durations, smallest_step(stamps * tick))

        places = np.array([packet.place for packet in packets])
        self.jumps = find_picture_jumps(container, stamps * tick, read, ends, is_key, places, heard)
        self.shifts = run_on(stamps * tick, ends, self.jumps)
        self.ticks = np.round(self.shifts / tick).astype(np.int64)
        stamps = stamps + self.ticks
        seconds = stamps * tick
        self.is_unambiguous = len(np.unique(stamps)) == len(stamps)

        keyframes, shown = np.flatnonzero(is_key), np.flatnonzero(is_shown)
        keyframes = keyframes if len(keyframes) else np.zeros(1, dtype=np.int64)
        shown = shown[np.argsort(stamps[shown], kind="stable")]
        # Decoding starts from the last key frame that is both read and shown before: pictures that are read after a
        # key frame but shown before it may need pictures before it.
        last_read = np.searchsorted(keyframes, shown, side="right")
        last_shown = np.searchsorted(np.maximum.accumulate(stamps[keyframes]), stamps[shown], side="right")
        last = np.minimum(last_read, last_shown) - 1
        # A cut recording starts with pictures that need missing ones.
        self.packet_of_frame, last = shown[last >= 0], last[last >= 0]
        self.first_packet_of_frame = keyframes[last]
        self.first_packet_of_packet = np.full(len(packets), -1)
        self.first_packet_of_packet[self.packet_of_frame] = self.first_packet_of_frame
        self.times = seconds[self.packet_of_frame]
        self.frame_of_stamp: dict[int | None, int] = {
            int(stamp): frame for frame, stamp in enumerate(stamps[self.packet_of_frame])
        }
        self.until = self._find_end(container, stream, seconds, read + self.shifts, durations)

    def frame_of_packet(self, number: int) -> int | None:
        """The frame that a packet holds, if it is shown."""
        stamp = self.packets[number].pts
        return None if stamp is None else self.frame_of_stamp.get(stamp + int(self.ticks[number]))

    def _find_end(
        self, container: Any, stream: Any, shown: np.ndarray, read: np.ndarray, durations: np.ndarray
    ) -> float | None:
        """`until`: the first plausible claim that is after the last frame is shown."""
        if not len(self.times):
            return None
        last = self.times[-1]
        claims = [shown[shown > last].min(initial=np.inf)]  # a later picture that the file marks as not shown
        header = None if self.jumps else header_end(container, stream, len(shown))
        if durations_are_stored(container, shown, read, durations):
            stored = last + durations[self.packet_of_frame[-1]]
            if container.format.name in WITH_DURATIONS and not np.isnan(read).any():
                # Time until the next is read: if display order differs, only the sum is right.
                stored = max(stored, read[-1] + durations[-1] + shown.min() - read[0])
            claims.append(stored)
        if header is not None and header > last:
            claims.append(max(header, last + smallest_step(shown)))
        if len(self.times) > 1:
            claims.append(last + np.diff(self.times).mean())
        claims.append(last + durations[self.packet_of_frame[-1]])
        return next((float(claim) for claim in claims if last < claim <= last + LONGEST_HELD), None)


def index_packets(
    packets: list[PacketFacts], container: Any, stream: Any, heard: np.ndarray | None = None
) -> PacketIndex | None:
    """The index of a file, or `None` if its packets do not determine it. Arguments as in `PacketIndex`."""
    stamps = [packet.pts for packet in packets]
    if None in stamps or stream.time_base is None:
        return None
    # AVI does not store display times, and FFmpeg guesses them wrong for H.264 with B-frames.
    if container.format.name == "avi" and stream.codec_context.has_b_frames and stamps == sorted(stamps):  # type: ignore[type-var]
        return None
    index = PacketIndex(packets, container, stream, np.empty((0, 2)) if heard is None else heard)
    return index if index.is_unambiguous else None


def durations_are_stored(container: Any, shown: np.ndarray, read: np.ndarray, durations: np.ndarray) -> bool:
    """Whether packets have true durations; those that FFmpeg guesses do not fit the pictures' times."""
    if not (durations > 0).all():
        return False
    if len(shown) == 1:
        return container.format.name in WITH_DURATIONS
    order = np.argsort(shown)
    off = [durations[:-1] - np.diff(read), durations[order][:-1] - np.diff(shown[order])]
    return any((np.abs(difference) <= MILLISECONDS).mean() >= 0.9 for difference in off)


def header_end(container: Any, stream: Any, count: int) -> float | None:
    """End of a file of `count` pictures according to its header, in seconds; `None` if unknown."""
    if count == 1 and (end := matroska_end(stream)) is not None:
        return end
    if container.duration is None:
        return None
    # If nothing is stored, FFmpeg searches the last times and returns their distance from the first.
    start = (container.start_time or 0) if may_leap(container) else 0
    return (start + container.duration) / av.time_base


def matroska_end(stream: Any) -> float | None:
    """End of a track from the tag that Matroska muxers write, such as "00:00:10.000000000"."""
    try:
        hours, minutes, seconds = map(float, stream.metadata.get("DURATION", "").split(":"))
    except ValueError:
        return None
    return 3600 * hours + 60 * minutes + seconds


def smallest_step(seconds: np.ndarray) -> float:
    steps = np.diff(np.unique(seconds))
    return float(steps.min()) if len(steps) else 0.0


__all__ = ["PacketFacts", "PacketIndex", "index_packets"]
