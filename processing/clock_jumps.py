# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Recordings whose clock jumps: parts joined with `cat`, or a stream that began anew. Their order is that of the file.

A stretch is a part of a track in which the clock runs on. Each stretch of pictures is moved to where the one before it
ends; the sound that lies beside it in the file is moved as far, so that both stay together.
"""

from typing import Any

import numpy as np

try:
    from av.format import Flags
except ImportError:
    Flags = None  # type: ignore[assignment,misc]

LEAP = 10.0  # seconds without a packet after which FFmpeg, too, takes it that a clock was set forward
# FFmpeg's names of containers with one table of times for the whole file, whose clock cannot jump
ONE_TABLE = {"avi", "gif", "mov,mp4,m4a,3gp,3g2,mj2"}


def may_leap(container: Any) -> bool:
    """Whether the clock of such a file may be set forward, as in broadcasts. In other files a picture is held."""
    return bool(container.format.flags & Flags.ts_discont.value)


def find_picture_jumps(
    container: Any,
    shown: np.ndarray,
    read: np.ndarray,
    ends: np.ndarray,
    is_key: np.ndarray,
    places: np.ndarray,
    heard: np.ndarray,
) -> list[int]:
    """The packets of pictures, in the order of the file, at which the clock jumps.

    Args:
        container: an `av.container.InputContainer`.
        shown, read, ends: (packets,) the seconds from which a picture is shown, in whose order packets are read (NaN
            if that is unknown), and until which it is shown.
        is_key: (packets,) whether decoding may start there.
        places: (packets,) where they lie in the file: how many packets of any kind come before.
        heard: (n, 2) the same of sound, and the seconds at which it is heard: a picture is held if sound goes on
            between it and the next one, there and then.
    """
    if container.format.name in ONE_TABLE:
        return []
    if may_leap(container):
        back = np.flatnonzero(read[1:] < read[:-1])
        gaps = np.flatnonzero(read[1:] > np.maximum(ends, read)[:-1] + LEAP)
        leaps = []
        for gap in gaps:
            between = heard[(heard[:, 0] > places[gap]) & (heard[:, 0] < places[gap + 1]), 1]
            if not ((between > ends[gap] + 1) & (between < read[gap + 1] - 1)).any():
                leaps.append(gap)
        return sorted({int(index) + 1 for index in (*back, *leaps)})
    # What is read before a key frame is shown before it.
    keys = np.flatnonzero(is_key)
    jumps, latest = [], -np.inf
    for key, latest_of_group in zip(keys, np.maximum.reduceat(shown, keys) if len(keys) else [], strict=True):
        if shown[key] < latest:
            jumps.append(int(key))
            latest = latest_of_group
        latest = max(latest, latest_of_group)
    return jumps


def find_sound_jumps(container: Any, starts: np.ndarray, ends: np.ndarray) -> list[int]:
    """The packets of sound at which the clock jumps; `starts` and `ends` (packets,) in seconds."""
    if container.format.name in ONE_TABLE:
        return []
    jumps = starts[1:] < starts[:-1] - 1e-3  # where seconds are rounded, packets may touch
    if may_leap(container):
        jumps |= starts[1:] > ends[:-1] + LEAP
    return [int(index) + 1 for index in np.flatnonzero(jumps)]


def run_on(starts: np.ndarray, ends: np.ndarray, jumps: list[int]) -> np.ndarray:
    """What to add to the seconds of each packet (packets,), so that each stretch begins where the last one ends."""
    shifts, end = np.zeros(len(starts)), 0.0
    for first, stop in zip([0, *jumps], [*jumps, len(starts)], strict=True):
        if first:
            shifts[first:stop] = end - starts[first:stop].min()
        end = ends[first:stop].max() + shifts[first]
    return shifts


def follow(
    places: np.ndarray, jumps: list[int], picture_places: np.ndarray, picture_jumps: list[int], shifts: np.ndarray
) -> np.ndarray:
    """What to add to the seconds of each packet of sound (packets,), so that it stays with its pictures.

    Args:
        places: (packets,) where packets of sound lie in the file: how many packets of any kind come before.
        jumps: those of them at which the clock of the sound jumps.
        picture_places, picture_jumps: the same of the pictures.
        shifts: (packets of pictures,) what is added to their seconds.

    Near a jump the packets of both overlap; where the clock of the sound does not jump nearby, because it was silent,
    it changes beside the pictures.
    """
    moved = np.zeros(len(places))
    at = picture_places[picture_jumps]
    borders = np.array([-np.inf, *(at[1:] + at[:-1]) / 2, np.inf])
    for number, jump in enumerate(picture_jumps):
        near = [own for own in jumps if borders[number] < places[own] <= borders[number + 1]]
        if near:
            first = near[int(np.abs(places[near] - at[number]).argmin())]
        else:
            first = int(np.searchsorted(places, at[number]))
        moved[first:] = shifts[jump]
    return moved


def keep_sound_running(container: Any, stream: Any, placed: list[tuple[int, Any]], index: Any = None) -> None:
    """Move packets of sound where the clock jumps.

    Args:
        container, stream: they are of these, of PyAV.
        placed: (place in the file, `av.Packet`) of each, in the order of the file.
        index: the `PacketIndex` of the pictures that they belong to, if there is one.
    """
    placed = [(place, packet) for place, packet in placed if packet.pts is not None]
    if stream.time_base is None or not placed or (index is not None and not index.jumps):
        return
    tick = float(stream.time_base)
    starts = packet_times([packet for _, packet in placed], stream)
    ends = starts + np.array([packet.duration or 0 for _, packet in placed]) * tick
    jumps = find_sound_jumps(container, starts, ends)
    if index is None:
        shifts = run_on(starts, ends, jumps)
    else:
        picture_places = np.array([packet.place for packet in index.packets])
        shifts = follow(np.array([place for place, _ in placed]), jumps, picture_places, index.jumps, index.shifts)
    for (_, packet), ticks in zip(placed, np.round(shifts / tick).astype(np.int64).tolist(), strict=True):
        packet.pts += ticks
        if packet.dts is not None:
            packet.dts += ticks


def packet_times(packets: list, stream: Any) -> np.ndarray:
    """The seconds at which packets say that they begin; of those that do."""
    if stream is None or stream.time_base is None:
        return np.empty(0)
    return np.array([packet.pts for packet in packets if packet.pts is not None], dtype=np.float64) * float(
        stream.time_base
    )


__all__ = [
    "LEAP",
    "find_picture_jumps",
    "find_sound_jumps",
    "follow",
    "keep_sound_running",
    "may_leap",
    "packet_times",
    "run_on",
]
