# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""How many samples an MP4 or QuickTime file claims; FFmpeg allocates memory for them before it reads any."""

from typing import BinaryIO

import numpy as np

BEGINNINGS = {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp", b"sidx", b"moof", b"uuid"}
PARENTS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf", b"edts"}
# table boxes -> bytes before their number of rows
COUNTS = {b"stts": 4, b"stsz": 8, b"trun": 4, b"ctts": 4, b"stsc": 4, b"stco": 4, b"co64": 4, b"stss": 4, b"elst": 4}
MOST_BOXES = 2**18  # a film in fragments of a second has some seven for each


def claimed_samples(file: BinaryIO) -> int:
    """The largest number of samples that a track or fragment claims; 0 for other files. Moves the file's position."""
    size = file.seek(0, 2)
    file.seek(4)
    if file.read(4) not in BEGINNINGS:
        return 0
    claimed = 0
    stretches = [(0, size)]
    boxes = 0
    while stretches:
        at, end = stretches.pop()
        while at + 8 <= end and boxes < MOST_BOXES:
            boxes += 1
            file.seek(at)
            head = file.read(16)
            length, kind, begin = int.from_bytes(head[:4], "big"), head[4:8], at + 8
            if length == 1:  # the length needs eight bytes
                length, begin = int.from_bytes(head[8:16], "big"), at + 16
            elif length == 0:
                length = end - at
            if at + length < begin:  # damaged
                break
            if kind in PARENTS:
                stretches.append((begin, min(at + length, end)))
            elif kind in COUNTS:
                file.seek(begin + COUNTS[kind])
                count = int.from_bytes(file.read(4), "big")
                if kind == b"stts":  # pairs of (number of samples, duration)
                    room = min(8 * count, max(0, min(at + length, end) - begin - 8)) // 8 * 8
                    numbers = np.frombuffer(file.read(room)[:room], ">u4")[::2]
                    count = max(count, int(numbers.sum(dtype=np.uint64)))
                claimed = max(claimed, count)
            at += length
    return claimed


__all__ = ["claimed_samples"]
