"""The lists of LLP (Look, Listen and Parse): AVVP_train.csv and so on, and AVVP_eval_audio.csv and _visual.csv.

    filename             event_labels               of a clip: what happens in it, by ear or by eye, nobody says when
    -0A9suni5YA_80_90    Speech,Cat

    filename             onset  offset  event_labels         what is heard (or seen), and from which second to which
    -0A9suni5YA_80_90    2      5       Speech

Columns are separated by tabs.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from datasets import Dataset, Features, List, Value

from holovid.data.listed_actions import SECONDS, ListedActions, check_order, read_lines, wrong_line

WEAK_HEADER = ("filename", "event_labels")
EVENT_HEADER = ("filename", "onset", "offset", "event_labels")
LLP_SEGMENTS = 10  # of a second each


def header_of(line: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in line.split("\t"))


def looks_like_llp(path: Path, lines: Sequence[str]) -> bool:
    return (
        path.suffix.lower() in (".csv", ".txt") and bool(lines) and header_of(lines[0]) in (WEAK_HEADER, EVENT_HEADER)
    )


def read_llp(path: Path, targets: Sequence[str]) -> ListedActions:
    """The rows of a list, with the target "label".

    Of a list without times a row is a clip, and has several classes. Of one with times a row is an event, with its
    class and its `start` and `end`; [`parsing_segments`] puts all events of a clip together.

    Raises `ValueError` that names the file and the line.
    """
    found = read_lines_of_llp(path)
    videos = [row[0] for row in found]
    if len(found[0]) == len(WEAK_HEADER):
        rows = Dataset.from_dict({"label": [row[1] for row in found]}, Features({"label": List(Value("string"))}))
        return ListedActions(rows, videos)
    columns = {
        "start": [row[1] for row in found],
        "end": [row[2] for row in found],
        "label": [row[3] for row in found],
    }
    kinds = {"start": SECONDS, "end": SECONDS, "label": Value("string")}
    return ListedActions(Dataset.from_dict(columns, Features(kinds)), videos)


def read_lines_of_llp(path: Path) -> list[tuple]:
    """(video, classes), or (video, start, end, class) of an event, for each line."""
    lines = read_lines(path)
    header = header_of(lines[0])
    if header not in (WEAK_HEADER, EVENT_HEADER):
        raise wrong_line(path, 1, f"columns are {', '.join(WEAK_HEADER)} or {', '.join(EVENT_HEADER)}, by tabs")
    found: list[tuple] = []
    for number, line in enumerate(lines[1:], start=2):
        if not line:
            continue
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) != len(header) or not all(cells):
            raise wrong_line(path, number, f"{line[:80]!r} does not have the {len(header)} columns of the first line")
        if Path(cells[0]).name != cells[0]:
            raise wrong_line(path, number, f"{cells[0][:80]!r} is not the name of a clip")
        if header == WEAK_HEADER:
            found.append((cells[0], list(dict.fromkeys(map(str.strip, cells[1].split(","))))))
            continue
        try:
            start, end = float(cells[1]), float(cells[2])
        except ValueError:
            start = end = math.nan
        if not (math.isfinite(start) and math.isfinite(end) and start >= 0):
            raise wrong_line(path, number, f"onset and offset are seconds, got {cells[1]!r} and {cells[2]!r}")
        check_order(path, number, start, end)
        found.append((cells[0], start, end, cells[3]))
    if not found:
        raise ValueError(f"{path} has no rows below its first line")
    return found


def parsing_segments(
    path: Path | str, clips: Sequence[str], names: Sequence[str], segments: int = LLP_SEGMENTS
) -> np.ndarray:
    """When each class is heard (or seen) in each clip, 0 and 1, (clips, classes, segments).

    That is what `holovid.metrics.audio_visual_parsing` compares with. A segment is a second; an event has that in
    which it begins, and all until it ends.

        is_heard = parsing_segments("AVVP_eval_audio.csv", clips, names)
        is_seen = parsing_segments("AVVP_eval_visual.csv", clips, names)

    Args:
        path: a list with times.
        clips: names as the list has them, in the order of the predictions; those that it lacks have no events.
        names: of the classes, in their order.

    Raises `ValueError` for a list without times, and for classes that are not among `names`.
    """
    path = Path(path)
    found = read_lines_of_llp(path)
    if len(found[0]) != len(EVENT_HEADER):
        raise ValueError(f"{path} does not say when anything happens; lists with times have {', '.join(EVENT_HEADER)}")
    numbers, places = (
        {name: number for number, name in enumerate(names)},
        {clip: row for row, clip in enumerate(clips)},
    )
    if unknown := sorted({row[3] for row in found} - set(numbers)):
        raise ValueError(f"{path} has classes that are not among names: {', '.join(unknown)}")
    happens = np.zeros((len(clips), len(names), segments), dtype=np.int64)
    for clip, start, end, label in found:
        if clip in places:
            happens[places[clip], numbers[label], math.floor(start) : math.ceil(end)] = 1
    return happens
