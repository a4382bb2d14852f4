# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Which frames a file holds, when each is shown and which packets it takes: told by its packets, before decoding any.

Frame i is the i-th picture in the order in which they are shown. A picture stays on the screen until the next one; how
long the last one stays is told, in this order, by its packet, by the container, and by the other pictures.
"""

from typing import Any, NamedTuple

import numpy as np

from holovid.processing.clock_jumps import find_picture_jumps, may_leap, run_on

try:
    import av
except ImportError:
    av = None  # type: ignore[assignment]

MILLISECONDS = 2e-3  # seconds by which rounded times differ
LONGEST_HELD = 3600.0  # seconds; who says that the last picture is shown for longer is not believed
# FFmpeg's names of containers that store how long each picture is shown; elsewhere FFmpeg guesses
WITH_DURATIONS = {"avi", "gif", "mov,mp4,m4a,3gp,3g2,mj2"}


class PacketFacts(NamedTuple):
    """What is kept of a packet of pictures. `place`: how many packets of any kind come before it in the file."""

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
        """What tells it from other packets, wherever one begins to read."""
        return self.pts, self.position, self.size

    @classmethod
    def of(cls, packet: Any, place: int = 0) -> "PacketFacts":
        return cls(
            packet.pts, packet.dts, packet.duration or 0, packet.size, packet.pos, packet.is_keyframe,
            not packet.is_discard, place,
        )  # fmt: skip


class PacketIndex:
    """The frames of a file whose packets say when each is shown.

    Args:
        packets: all of the pictures, in the order of the file, of which none lacks a time (`pts`) or shares it with
            another of the same stretch.
        container, stream: they are of these, of PyAV.
        heard: (n, 2) places of packets of sound in the file and their seconds, if the clock may leap.

    Attributes:
        times: (frames,) seconds at which each is shown.
        until: when the last of them is no longer shown, in seconds; `None` if nothing tells.
        packet_of_frame, first_packet_of_frame: (frames,) the number of its packet, and of the one to decode from.
        first_packet_of_packet: (packets,) the latter, by packets; -1 for those that are not shown.
        frame_of_stamp: the frame that has this `pts`, jumps of the clock taken out.
        jumps: the packets at which the clock jumps.
        shifts: (packets,) what is added to the seconds of each, so that it does not.
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
        # key frame but shown before it may lean on pictures from before it.
        last_read = np.searchsorted(keyframes, shown, side="right")
        last_shown = np.searchsorted(np.maximum.accumulate(stamps[keyframes]), stamps[shown], side="right")
        last = np.minimum(last_read, last_shown) - 1
        # A recording that was cut starts with pictures that lean on others now missing.
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
        """`until`: the first claim that is after the last frame is shown, and not absurd."""
        if not len(self.times):
            return None
        last = self.times[-1]
        claims = [shown[shown > last].min(initial=np.inf)]  # a picture after it, of which the file says not to show it
        header = None if self.jumps else header_end(container, stream, len(shown))
        if durations_are_stored(container, shown, read, durations):
            stored = last + durations[self.packet_of_frame[-1]]
            if container.format.name in WITH_DURATIONS and not np.isnan(read).any():
                # How long until the next one is read: where pictures are shown in another order, their sum is right.
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
    """The index of a file, or `None` if its packets do not tell: they need not even be frames. See `PacketIndex`."""
    stamps = [packet.pts for packet in packets]
    if None in stamps or stream.time_base is None:
        return None
    # AVI does not store when a picture is shown, and FFmpeg guesses it wrong for H.264 with B-frames.
    if container.format.name == "avi" and stream.codec_context.has_b_frames and stamps == sorted(stamps):  # type: ignore[type-var]
        return None
    index = PacketIndex(packets, container, stream, np.empty((0, 2)) if heard is None else heard)
    return index if index.is_unambiguous else None


def durations_are_stored(container: Any, shown: np.ndarray, read: np.ndarray, durations: np.ndarray) -> bool:
    """Whether packets say how long pictures are shown; where FFmpeg guesses, it does not fit the pictures' times."""
    if not (durations > 0).all():
        return False
    if len(shown) == 1:
        return container.format.name in WITH_DURATIONS
    order = np.argsort(shown)
    off = [durations[:-1] - np.diff(read), durations[order][:-1] - np.diff(shown[order])]
    return any((np.abs(difference) <= MILLISECONDS).mean() >= 0.9 for difference in off)


def header_end(container: Any, stream: Any, count: int) -> float | None:
    """When a file of `count` pictures ends, by what it says of itself, in seconds; `None` if it does not."""
    if count == 1 and (end := matroska_end(stream)) is not None:
        return end
    if container.duration is None:
        return None
    # Where nothing is stored, FFmpeg looks for the last times and tells how long after the first they are.
    start = (container.start_time or 0) if may_leap(container) else 0
    return (start + container.duration) / av.time_base


def matroska_end(stream: Any) -> float | None:
    """The end of a track by the tag that muxers of Matroska write, such as "00:00:10.000000000"."""
    try:
        hours, minutes, seconds = map(float, stream.metadata.get("DURATION", "").split(":"))
    except ValueError:
        return None
    return 3600 * hours + 60 * minutes + seconds


def smallest_step(seconds: np.ndarray) -> float:
    """Between pictures; 0 for a single one."""
    steps = np.diff(np.unique(seconds))
    return float(steps.min()) if len(steps) else 0.0


__all__ = ["PacketFacts", "PacketIndex", "index_packets"]
