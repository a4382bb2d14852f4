# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Recordings whose clock jumps: files joined with `cat`, or a stream that restarted. Packets stay in file order.

A stretch is a part of a track in which the clock runs on. Each stretch of pictures is moved to the end of the one
before; the sound beside it in the file is moved as far, so both stay together.
"""

from typing import Any

import numpy as np

try:
    from av.format import Flags
except ImportError:
    Flags = None  # type: ignore[assignment,misc]

LEAP = 10.0  # seconds without a packet after which FFmpeg, too, assumes a clock set forward
# FFmpeg's names of containers with one table of times, whose clock cannot jump
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
    """The picture packets, in file order, at which the clock jumps.

    Args:
        container: an `av.container.InputContainer`.
        shown, read, ends: (packets,) seconds at which a picture is first shown, its packet is read (NaN if unknown),
            and the picture is last shown.
        is_key: (packets,) whether decoding may start there.
        places: (packets,) positions in the file: how many packets of any kind come before.
        heard: (n, 2) positions and seconds of sound packets: a picture is held, and the clock does not jump, if sound
            goes on between it and the next one.
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
    # Pictures read before a key frame are shown before it.
    keys = np.flatnonzero(is_key)
    jumps, latest = [], -np.inf
    for key, latest_of_group in zip(keys, np.maximum.reduceat(shown, keys) if len(keys) else [], strict=True):
        if shown[key] < latest:
            jumps.append(int(key))
            latest = latest_of_group
        latest = max(latest, latest_of_group)
    return jumps


def find_sound_jumps(container: Any, starts: np.ndarray, ends: np.ndarray) -> list[int]:
    """The sound packets at which the clock jumps; `starts` and `ends` (packets,) in seconds."""
    if container.format.name in ONE_TABLE:
        return []
    jumps = starts[1:] < starts[:-1] - 1e-3  # rounded times may overlap a little
    if may_leap(container):
        jumps |= starts[1:] > ends[:-1] + LEAP
    return [int(index) + 1 for index in np.flatnonzero(jumps)]


def run_on(starts: np.ndarray, ends: np.ndarray, jumps: list[int]) -> np.ndarray:
    """Seconds to add to each packet (packets,), so that each stretch begins where the last one ends."""
    shifts, end = np.zeros(len(starts)), 0.0
    for first, stop in zip([0, *jumps], [*jumps, len(starts)], strict=True):
        if first:
            shifts[first:stop] = end - starts[first:stop].min()
        end = ends[first:stop].max() + shifts[first]
    return shifts


def follow(
    places: np.ndarray, jumps: list[int], picture_places: np.ndarray, picture_jumps: list[int], shifts: np.ndarray
) -> np.ndarray:
    """Seconds to add to each sound packet (packets,), so that it stays with its pictures.

    Args:
        places: (packets,) positions of sound packets in the file: how many packets of any kind come before.
        jumps: the sound packets at which the clock jumps.
        picture_places, picture_jumps: the same for pictures.
        shifts: (picture packets,) what is added to their seconds.

    Near a jump the packets of both overlap. If the sound has no jump nearby, because it was silent, it changes with
    the pictures.
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
    """Move sound packets, `placed` as (position in the file, `av.Packet`) in file order, where the clock jumps."""
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
