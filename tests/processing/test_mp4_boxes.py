"""How many samples an MP4 claims, read from boxes that the tests write."""

import io
import struct

import pytest

from holovid.processing.mp4_boxes import MOST_BOXES, claimed_samples


def box(kind: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I", 8 + len(content)) + kind + content


def sizes(count: int) -> bytes:
    """As many samples, all of 100 bytes."""
    return box(b"stsz", struct.pack(">III", 0, 100, count))


def durations(*numbers: int, rows: int | None = None) -> bytes:
    """So many samples at a time, of a duration of 512."""
    pairs = b"".join(struct.pack(">II", number, 512) for number in numbers)
    return box(b"stts", struct.pack(">II", 0, len(numbers) if rows is None else rows) + pairs)


def track(*tables: bytes) -> bytes:
    return box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", b"".join(tables)))))


def claimed(*boxes: bytes) -> int:
    return claimed_samples(io.BytesIO(box(b"ftyp", b"isom") + b"".join(boxes)))


def test_the_longest_track_counts():
    assert claimed(box(b"moov", track(sizes(7)) + track(sizes(9)) + track(sizes(8)))) == 9
    assert claimed(box(b"moof", box(b"traf", box(b"trun", struct.pack(">II", 0, 12))))) == 12
    assert claimed(box(b"mdat", sizes(7))) == 0, "pictures are no tables"


def test_rows_of_durations_are_added_up():
    assert claimed(box(b"moov", track(durations(5, 6, 7)))) == 18
    assert claimed(box(b"moov", track(durations(2**32 - 1, 2**32 - 1)))) == 2 * (2**32 - 1)
    # what follows a table is none of its rows, however many it says it has
    assert claimed(box(b"moov", track(durations(5, 6, rows=40), box(b"free", b"\xff" * 400)))) == 40
    assert claimed(box(b"moov", track(durations(5, 60, rows=1)))) == 5


def test_lengths_of_all_kinds():
    content = sizes(7)
    long = struct.pack(">I4sQ", 1, b"moov", 16 + len(content)) + content
    assert claimed(long, sizes(8)) == 8
    assert claimed(long, box(b"free")) == 7
    assert claimed(struct.pack(">I4s", 0, b"moov") + content) == 7, "until the end"


@pytest.mark.parametrize("length", [2, 7])
def test_nothing_is_read_after_a_box_that_is_shorter_than_its_head(length):
    assert claimed(sizes(3), struct.pack(">I4s", length, b"free"), sizes(7)) == 3


def test_a_box_ends_where_its_parent_ends():
    moov = bytearray(box(b"moov", track(durations(5))))
    start = moov.index(b"stts") - 4
    struct.pack_into(">I", moov, start, 1000)
    struct.pack_into(">I", moov, start + 12, 3)
    assert claimed(bytes(moov), box(b"free", b"\xff" * 2000)) == 5


def test_only_so_many_boxes_are_looked_at():
    fill = box(b"free")
    assert claimed(fill * (MOST_BOXES - 2), sizes(7)) == 7
    assert claimed(fill * (MOST_BOXES - 1), sizes(7)) == 0
    assert MOST_BOXES == 2**18


def test_other_files_claim_nothing():
    assert claimed_samples(io.BytesIO(b"RIFF" + sizes(7))) == 0
    assert claimed_samples(io.BytesIO()) == 0
