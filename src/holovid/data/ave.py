"""The lists of AVE: Annotations.txt, trainSet.txt, valSet.txt and testSet.txt.

    Category&VideoID&Quality&StartTime&EndTime
    Church bell&RUhOCu3LNXM&good&0&10

A line is an audio-visual event in a ten-second video, with its first and last second. The header may be missing.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from datasets import Dataset

from holovid.data.listed_actions import ListedActions, check_order, read_lines, wrong_line

HEADER = "Category&VideoID&Quality&StartTime&EndTime"
LINE = re.compile(
    r"(?P<label>[^&]+)&(?P<video>[^&/\\]+)&(?P<quality>[^&]*)&(?P<start>\d{1,5})&(?P<end>\d{1,5})", re.ASCII
)
ALMOST_LINE = re.compile(r"[^&]+&[\w-]{11}&[^&]*&[^&]*&[^&]*", re.ASCII)
SEGMENTS = 10  # of a second each


def looks_like_ave(path: Path, lines: Sequence[str]) -> bool:
    return path.suffix.lower() == ".txt" and any(line == HEADER or ALMOST_LINE.fullmatch(line) for line in lines)


def read_ave(path: Path, targets: Sequence[str]) -> ListedActions:
    """The clips of a list, with the target "label".

    Rows have the event's seconds as `event_start` and `event_end`, and no `start` and `end`, because a model sees the
    whole clip to tell the event from background. `annotation` is the list's quality. Raises `ValueError` that names
    the file and the line.
    """
    columns: dict[str, list] = {name: [] for name in ("label", "event_start", "event_end", "annotation")}
    videos = []
    for number, line in enumerate(read_lines(path), start=1):
        if not line or line == HEADER:
            continue
        if (match := LINE.fullmatch(line)) is None:
            raise wrong_line(path, number, f"{line[:80]!r} does not fit; a line must be {HEADER}, in whole seconds")
        start, end = float(match["start"]), float(match["end"])
        check_order(path, number, start, end)
        row = {"label": match["label"].strip(), "event_start": start, "event_end": end, "annotation": match["quality"]}
        for name, values in columns.items():
            values.append(row[name])
        videos.append(match["video"])
    return ListedActions(Dataset.from_dict(columns), videos)


def event_segments(
    labels: Sequence[int], starts: Sequence[float], ends: Sequence[float], background: int, segments: int = SEGMENTS
) -> np.ndarray:
    """The class of each second of each clip, int64 (clips, segments), for `holovid.metrics.segment_accuracy`.

    Args:
        labels: class numbers, (clips,).
        starts, ends: `event_start` and `event_end`, (clips,).
        background: class number of all other seconds; in AVE 28, after the 28 others.

    >>> event_segments([3], [2.0], [4.0], background=28, segments=5)
    array([[28, 28,  3,  3, 28]])
    """
    second = np.arange(segments)
    inside = (second >= np.asarray(starts)[:, None]) & (second < np.asarray(ends)[:, None])
    return np.where(inside, np.asarray(labels)[:, None], background)
