"""The lists of LLP (Look, Listen and Parse): AVVP_train.csv and so on, and AVVP_eval_audio.csv and _visual.csv.

    filename                event_labels                    classes of a clip, seen or heard, without times
    -0A9suni5YA_80_90       Speech,Cat

    filename                onset   offset  event_labels    an event that is heard (or seen), with its seconds
    -0A9suni5YA_80_90       2       5       Speech

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

    In a list without times a row is a clip with several classes. In one with times a row is an event with its class,
    `start` and `end`; [`parsing_segments`] collects all events of a clip. Raises `ValueError` that names the file and
    the line.
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
    lines = read_lines(path)
    header = header_of(lines[0])
    if header not in (WEAK_HEADER, EVENT_HEADER):
        raise wrong_line(path, 1, f"columns must be {', '.join(WEAK_HEADER)} or {', '.join(EVENT_HEADER)}, with tabs")
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
            raise wrong_line(path, number, f"onset and offset must be seconds, got {cells[1]!r} and {cells[2]!r}")
        check_order(path, number, start, end)
        found.append((cells[0], start, end, cells[3]))
    if not found:
        raise ValueError(f"{path} has no rows below its first line")
    return found


def parsing_segments(
    path: Path | str, clips: Sequence[str], names: Sequence[str], segments: int = LLP_SEGMENTS
) -> np.ndarray:
    """Whether each class is heard (or seen) in each second of each clip: 0 and 1, (clips, classes, segments).

    `holovid.metrics.audio_visual_parsing` compares predictions with it. A segment is a second; an event covers the one
    in which it begins, and all until it ends.

        is_heard = parsing_segments("AVVP_eval_audio.csv", clips, names)
        is_seen = parsing_segments("AVVP_eval_visual.csv", clips, names)

    Args:
        path: a list with times.
        clips: names as in the list, in the order of the predictions; clips that it lacks have no events.
        names: of the classes, in order.

    Raises `ValueError` for a list without times, and for classes that are not in `names`.
    """
    path = Path(path)
    found = read_lines_of_llp(path)
    if len(found[0]) != len(EVENT_HEADER):
        raise ValueError(f"{path} has no times; lists with times have the columns {', '.join(EVENT_HEADER)}")
    numbers, places = (
        {name: number for number, name in enumerate(names)},
        {clip: row for row, clip in enumerate(clips)},
    )
    if unknown := sorted({row[3] for row in found} - set(numbers)):
        raise ValueError(f"{path} has classes that are not in names: {', '.join(unknown)}")
    happens = np.zeros((len(clips), len(names), segments), dtype=np.int64)
    for clip, start, end, label in found:
        if clip in places:
            happens[places[clip], numbers[label], math.floor(start) : math.ceil(end)] = 1
    return happens
