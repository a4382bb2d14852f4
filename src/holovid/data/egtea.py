"""The lists of EGTEA Gaze+: train_split1.txt and so on.

    OP01-R01-PastaSalad-66680-68130-F001988-F002031 12 3 45

Session, start and end in milliseconds, and frames; then the numbers, from 1, of action, verb and nouns. Here they
count from 0, and only the first noun is used.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from datasets import Dataset

from holovid.data.listed_actions import ListedActions, check_order, read_lines, wrong_line

LINE = re.compile(
    r"(?P<session>\S+)-(?P<start>\d+)-(?P<end>\d+)-F(?P<start_frame>\d+)-F(?P<end_frame>\d+)"
    r"(?P<numbers>(?:\s+[1-9]\d{0,8}){3,})",
    re.ASCII,
)
ALMOST_LINE = re.compile(r"\S+-\S*-\S*-F\d+-F\d+(\s.*)?")
ACCEPTED = (
    "a line must be session-start-end-Ffirst-Flast in milliseconds and frames, then the numbers, from 1, of action, "
    "verb and "
    "nouns, as in OP01-R01-PastaSalad-66680-68130-F001988-F002031 12 3 45"
)


def looks_like_egtea(path: Path, lines: Sequence[str]) -> bool:
    return path.suffix.lower() == ".txt" and any(map(ALMOST_LINE.fullmatch, lines))


def read_egtea(path: Path, targets: Sequence[str]) -> ListedActions:
    """The actions of a list, with "action" or "label", "verb", "noun". Raises `ValueError` with file and line."""
    columns: dict[str, list] = {name: [] for name in ("start", "end", "start_frame", "end_frame", "segment")}
    columns |= {name: [] for name in ("action", "verb", "noun", "label")}
    videos = []
    for number, line in enumerate(read_lines(path), start=1):
        if not line:
            continue
        if (match := LINE.fullmatch(line)) is None:
            raise wrong_line(path, number, f"{line[:80]!r} does not fit; {ACCEPTED}")
        start, end = int(match["start"]), int(match["end"])
        check_order(path, number, start, end, "ms")
        action, verb, noun = (int(text) - 1 for text in match["numbers"].split()[:3])
        row = {"start": start / 1000, "end": end / 1000, "segment": line.split()[0], "label": action}
        row |= {"action": action, "verb": verb, "noun": noun}
        row |= {name: int(match[name]) for name in ("start_frame", "end_frame")}
        for name, values in columns.items():
            values.append(row[name])
        videos.append(match["session"])
    return ListedActions(Dataset.from_dict(columns), videos)
