"""50 Salads in the usual layout of action segmentation.

    mapping.txt                     lines `0 cut_tomato`: the classes
    splits/train.split1.bundle      lines `rgb-01-1.txt`: the videos of a split
    groundTruth/rgb-01-1.txt        the name of a class for each frame, at 30 frames a second

Consecutive frames of one class are an action.
"""

import re
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from datasets import ClassLabel, Dataset, Features

from holovid.data.listed_actions import SECONDS, ListedActions, read_lines, wrong_line

FRAME_RATE = 30  # frames a second
BUNDLE = ".bundle"
MAPPING_LINE = re.compile(r"(\d{1,9})\s+(\S+)", re.ASCII)


def looks_like_fifty_salads(path: Path, lines: Sequence[str]) -> bool:
    return path.suffix.lower() == BUNDLE


def folder_of_salads(path: Path) -> Path:
    return path.absolute().parent.parent


def read_fifty_salads(path: Path, targets: Sequence[str]) -> ListedActions:
    """The actions of a split, with the target "action" or "label". Raises `ValueError` that names file and line."""
    folder = folder_of_salads(path)
    names = read_mapping(folder / "mapping.txt")
    columns: dict[str, list] = {"start": [], "end": [], "action": [], "label": []}
    videos: list[str] = []
    for number, line in enumerate(read_lines(path), start=1):
        if not line:
            continue
        if Path(line).name != line or Path(line).suffix != ".txt":
            raise wrong_line(path, number, f"{line[:80]!r} is not a file of groundTruth, such as rgb-01-1.txt")
        truth = folder / "groundTruth" / line
        if not truth.is_file():
            raise wrong_line(path, number, f"there is no {truth}")
        video = Path(line).stem
        if video in videos:
            raise wrong_line(path, number, f"{line!r} is there twice")
        for start, end, label in read_runs(truth, names):
            row = {"start": start / FRAME_RATE, "end": end / FRAME_RATE, "action": label, "label": label}
            for name, values in columns.items():
                values.append(row[name])
            videos.append(video)
    kinds = {"start": SECONDS, "end": SECONDS, "action": ClassLabel(names=list(names))}
    rows = Dataset.from_dict(columns, Features(kinds | {"label": kinds["action"]}))
    return ListedActions(rows, videos)


def read_mapping(path: Path) -> dict[str, int]:
    if not path.is_file():
        raise ValueError(f"there is no {path}, which names the classes in lines such as `0 cut_tomato`")
    names: dict[str, int] = {}
    for number, line in enumerate(read_lines(path), start=1):
        if (match := MAPPING_LINE.fullmatch(line)) is None:
            raise wrong_line(path, number, f"{line[:80]!r} is not a number and a class, such as `0 cut_tomato`")
        if match[2] in names:
            raise wrong_line(path, number, f"the class {match[2]!r} is there twice")
        names[match[2]] = int(match[1])
    if sorted(names.values()) != list(range(len(names))):
        raise ValueError(f"{path} must number its {len(names)} classes 0 to {len(names) - 1}, each once")
    return dict(sorted(names.items(), key=lambda pair: pair[1]))


def read_runs(path: Path, names: dict[str, int]) -> list[tuple[int, int, int]]:
    """First frame, frame after the last, and class number of each run of equal names."""
    frames = read_lines(path)
    for number, name in enumerate(frames, start=1):
        if name not in names:
            raise wrong_line(
                path, number, f"{name[:80]!r} is not a class of mapping.txt, which has {', '.join(names)}"
            )
    runs, start = [], 0
    for name, equal in groupby(frames):
        end = start + len(list(equal))
        runs.append((start, end, names[name]))
        start = end
    return runs
