"""The published tables of EPIC-KITCHENS-100 and -55.

A row is an action: `video_id` from `start_timestamp` to `stop_timestamp`, with the number of its verb in `verb_class`
and of its noun in `noun_class`. Pairs of them are the classes of actions.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from datasets import ClassLabel, Dataset, Value

from holovid.cheap_checks import is_epic_kitchens
from holovid.data.listed_actions import SECONDS, ListedActions, check_order, with_columns, wrong_line
from holovid.data.table_files import read_rows, what_there_is

NUMBER_COLUMNS = {"verb": "verb_class", "noun": "noun_class"}
PAIR_TARGETS = ("action", "label")
TIMES = ("start_timestamp", "stop_timestamp")
TEXT_COLUMNS = (
    "narration_id", "participant_id", "video_id", "narration_timestamp", *TIMES, "narration", "verb", "noun",
    "verb_class", "noun_class", "all_nouns", "all_noun_classes",
)  # fmt: skip
TIMESTAMP = re.compile(r"\s*(\d+):([0-5]\d):([0-5]\d(?:\.\d*)?)\s*", re.ASCII)
WHOLE_NUMBER = re.compile(r"\s*\d{1,9}\s*", re.ASCII)


class NamesFile(NamedTuple):
    file: str
    number: str
    key: str


# for EPIC-KITCHENS-55, whose tables have the column `uid`, and for 100
NAMES_OF_55 = {name: NamesFile(f"EPIC_{name}_classes.csv", f"{name}_id", "class_key") for name in NUMBER_COLUMNS}
NAMES_OF_100 = {name: NamesFile(f"EPIC_100_{name}_classes.csv", "id", "key") for name in NUMBER_COLUMNS}


def looks_like_epic_kitchens(path: Path, lines: Sequence[str]) -> bool:
    return path.suffix.lower() == ".csv" and is_epic_kitchens(next(csv.reader(lines[:1]), []))


def read_epic_kitchens(path: Path, targets: Sequence[str]) -> ListedActions:
    """The actions of a published table.

    Args:
        targets: those of "verb", "noun", "action" and "label" (the action) that become classes; other columns stay.

    Verbs and nouns are named by the published names files if these are beside the table, else by number. Raises
    `ValueError` that names the file and the line.
    """
    check_cells(path)
    rows = read_rows(path, list(dict.fromkeys([*TEXT_COLUMNS, *targets])))
    pairs_wanted = any(target in PAIR_TARGETS for target in targets)
    asked = [name for name in NUMBER_COLUMNS if pairs_wanted or name in targets]
    for column in ("video_id", *TIMES, *(NUMBER_COLUMNS[name] for name in asked)):
        if column not in rows.column_names:
            raise ValueError(
                f"{path} has no column {column!r}, which tables of EPIC-KITCHENS must have; {what_there_is(rows)}"
            )
    if not len(rows):
        raise ValueError(f"{path} has no rows")
    numbers = {name: read_numbers(path, rows, NUMBER_COLUMNS[name]) for name in asked}
    names = {name: read_names(path, rows, name, numbers[name]) for name in asked}
    starts, ends = read_times(path, rows)
    columns: dict[str, tuple[Sequence[Any], Any]] = {"start": (starts, SECONDS), "end": (ends, SECONDS)}
    for name in asked:
        if name in targets:
            given = names[name]
            columns[name] = (numbers[name], ClassLabel(names=given) if given else Value("int64"))
    if pairs_wanted:
        pairs = classes_of_pairs(path, numbers, names)
        columns |= {target: pairs for target in PAIR_TARGETS if target in targets}
    return ListedActions(with_columns(rows, columns), read_videos(path, rows))


def read_videos(path: Path, rows: Dataset) -> list[str]:
    videos = [video.strip() for video in rows["video_id"]]
    if "" in videos:
        raise wrong_line(path, line_of(path, videos.index("")), "there is no 'video_id'")
    return videos


def read_times(path: Path, rows: Dataset) -> tuple[list[float], list[float]]:
    starts, ends = [], []
    for row, written in enumerate(zip(*(rows[column] for column in TIMES), strict=True)):
        seconds = []
        for column, text in zip(TIMES, written, strict=True):
            if (match := TIMESTAMP.fullmatch(text or "")) is None:
                what = f"{column!r} is {text!r}; times must be written as 00:01:02.345 or 00:01:02"
                raise wrong_line(path, line_of(path, row), what)
            hours, minutes, rest = match.groups()
            seconds.append(int(hours) * 3600 + int(minutes) * 60 + float(rest))
        if not seconds[0] < seconds[1]:
            check_order(path, line_of(path, row), seconds[0], seconds[1])
        starts.append(seconds[0])
        ends.append(seconds[1])
    return starts, ends


def read_numbers(path: Path, rows: Dataset, column: str) -> list[int]:
    values = rows[column]
    for row, value in enumerate(values):
        if WHOLE_NUMBER.fullmatch(value or "") is None:
            raise wrong_line(
                path, line_of(path, row), f"{column!r} is {value!r}; classes must be whole numbers from 0"
            )
    return list(map(int, values))


def read_names(path: Path, rows: Dataset, name: str, numbers: Sequence[int]) -> list[str] | None:
    published = (NAMES_OF_55 if "uid" in rows.column_names else NAMES_OF_100)[name]
    beside = path.parent / published.file
    if not beside.is_file():
        return None
    names = read_names_file(beside, published)
    for row, number in enumerate(numbers):
        if number >= len(names):
            what = f"{NUMBER_COLUMNS[name]!r} is {number}, but {beside.name} has 0 to {len(names) - 1}"
            raise wrong_line(path, line_of(path, row), what)
    return names


def read_names_file(path: Path, published: NamesFile) -> list[str]:
    """The names in the order of their numbers. Raises `ValueError` unless these are 0, 1, 2 and so on."""
    rows = read_rows(path, [published.number, published.key])
    for column in published[1:]:
        if column not in rows.column_names:
            raise ValueError(f"{path} has no column {column!r}; {what_there_is(rows)}")
    if not len(rows):
        raise ValueError(f"{path} has no rows")
    names = dict(zip(read_numbers(path, rows, published.number), rows[published.key], strict=True))
    if sorted(names) != list(range(len(rows))):
        raise ValueError(f"{path} must number its {len(rows)} classes 0 to {len(rows) - 1}, each once")
    ordered = [names[number].strip() for number in range(len(names))]
    if "" in ordered or len(set(ordered)) < len(ordered):
        raise ValueError(f"{path} must have a different name for each class in the column {published.key!r}")
    return ordered


def classes_of_pairs(
    path: Path, numbers: dict[str, list[int]], names: dict[str, list[str] | None]
) -> tuple[list[int], ClassLabel]:
    """The class of each action, and the classes: the pairs that occur, sorted by number."""
    pairs = list(zip(numbers["verb"], numbers["noun"], strict=True))
    known = sorted(set(pairs))
    verbs, nouns = names["verb"], names["noun"]
    called = [f"{verb},{noun}" if not verbs or not nouns else f"{verbs[verb]} {nouns[noun]}" for verb, noun in known]
    if twice := [name for name in called if called.count(name) > 1] if len(set(called)) < len(called) else []:
        raise ValueError(f"{path} has several actions with the name {twice[0]!r}")
    places = {pair: number for number, pair in enumerate(known)}
    return [places[pair] for pair in pairs], ClassLabel(names=called)


def check_cells(path: Path) -> None:
    counts = ((line, len(cells)) for line, cells in numbered_rows(path))
    _, columns = next(counts)
    for line, count in counts:
        if count != columns:
            raise wrong_line(path, line, f"{count} cells, but the first line names {columns} columns")


def line_of(path: Path, row: int) -> int:
    """The line at which a row begins; cells may span several lines."""
    return next(islice(numbered_rows(path), row + 1, None))[0]  # the header comes before row 0


def numbered_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The line, from 1, at which each row begins, and its cells."""
    with open(path, encoding="utf-8-sig", errors="replace", newline="") as file:  # others report what is not text
        reader, line = csv.reader(file), 1
        try:
            for cells in reader:
                if cells:
                    yield line, cells
                line = reader.line_num + 1
        except csv.Error as error:
            raise wrong_line(path, line, f"{error}") from error
