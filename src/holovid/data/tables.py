"""Tables of labelled clips from folders, CSV, Parquet, lists of papers, and data sets of the Hub.

Everything becomes `datasets` tables with the clip's place, interval and labels; nothing is decoded. All errors in a
table are found here, before a training run starts.
"""

import math
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow
from datasets import ClassLabel, Dataset, DatasetDict, Features, List, Value, Video, load_dataset, load_from_disk
from transformers.utils import logging

from holovid.cheap_checks import is_url
from holovid.configuration.class_names import class_names as numbered_names
from holovid.data.action_lists import LISTS, read_clips_of
from holovid.data.answers import holds_lists, read_classes, wanted_kind, with_numbers, with_score_column
from holovid.data.clip_folders import find_classes, first_of, visible
from holovid.data.table_files import one_line, read_table, what_there_is, with_videos
from holovid.modeling.tasks import PROBLEM_TYPES

logger = logging.get_logger(__name__)

# Names of folders and tables -> name of the split.
SPLIT_OF = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
SAVED = ("dataset_dict.json", "state.json")  # `save_to_disk` writes one of them
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
NUMBER = re.compile(r"0|-?[1-9][0-9]*")  # "007" is a name
SECONDS = re.compile("u?int[0-9]+|float[0-9]+|null")  # column types that may hold them
MOST_CLASSES = 1_000_000  # a larger label is a mistake
LOOKS_AT_ONCE = 32  # files checked at a time: on a network disk each check takes milliseconds
LOOKS_EACH = 200

Source: TypeAlias = str | os.PathLike | Dataset


def load_clips(
    source: Source | Mapping[str, Source],
    *,
    target: str | Sequence[str] = "label",
    root: str | os.PathLike | None = None,
    names: Mapping[str, Sequence[str]] | None = None,
    missing: str = "raise",
    problem_type: str | None = None,
) -> DatasetDict:
    """Labelled clips as `datasets` tables, split -> rows.

    A row has `video` {"path", "bytes"}; `start` and `end` in seconds if the table has them (None is the clip's own);
    each target as a class, with the same classes in all splits; and the table's other columns. Of an interval only its
    frames and sound will be decoded, but the whole file is read: cut long films.

    Args:
        source: one of

            - a folder: `train/<label>/*.mp4`, likewise for val (valid, validation, dev) and test; or without splits,
              `<label>/*.mp4`, which becomes "train". Each file counts once, however many links lead to it; files
              without a video suffix are left out, with a warning. A `metadata.csv` or `.parquet` in a folder of clips,
              with a column `file_name`, lists its clips. A folder with train.csv, val.csv, ... stands for these
              tables;
            - a table, .csv or .parquet: a column `path` (or `file_name`, `video`, `name`), the targets, optionally
              `start` and `end`; or a paper's list, .csv or .txt, of lines `clip label` without a header, where the
              label is a number;
            - published lists: EPIC-KITCHENS (.csv), EGTEA Gaze+ (.txt) and 50 Salads (.bundle), with the targets
              "action" ("label" is the same), and in the first two "verb" and "noun"; AVE (.txt) and LLP (.csv).
              Videos are found by name, anywhere below `root`;
            - a folder that `save_to_disk` of `datasets` wrote, with a column of videos;
            - a mapping from split names to folders or tables, such as a `DatasetDict`;
            - the id of a data set of the Hub with a column of videos: `owner/name`.

        target: the column, or columns, of labels. For numbers "label" and "quality" also stand for a column `quality`,
            `score` or `mos`, if there is one of them.
        root: folder of relative paths in tables; by default that of the table.
        names: target -> names of its classes in the order of a model. Default: those of the split "train" (or of all
            splits), sorted; columns of classes keep theirs, training's first. Labels that are numbers are class
            numbers, and also their names if there are no others.
        missing: for files that do not exist. "raise": a `ValueError`; "skip": leave out their rows, with a warning;
            "ignore": do not check, which saves a minute for a large set on a network disk.
        problem_type: kind of labels, in transformers' words: "single_label_classification", a class;
            "multi_label_classification", any number of classes, as `run|jump` in text or as a list of names or
            numbers, empty for none; "regression", a number. Default: a class, or several in columns of lists. With
            several targets each is a class.

    Raises `ValueError` for other sources, a table without the needed columns or classes, labels of another kind, empty
    class folders, intervals that end before they start, and classes that training does not have.
    """
    if missing not in ("raise", "skip", "ignore"):
        raise ValueError(f"missing must be 'raise', 'skip' or 'ignore', got {missing!r}")
    if not isinstance(target, Sequence) or not all(isinstance(column, str) for column in target):
        raise ValueError(f"target must name one column of classes or more, got {target!r}")
    targets = [target] if isinstance(target, str) else list(target)
    if not targets:
        raise ValueError("target must name one column of classes or more, got none")
    if not isinstance(names, Mapping | None):
        raise ValueError(f"names must map targets to class names, as in {{'label': ['run', 'walk']}}, got {names!r}")
    if unknown := set(names or {}) - set(targets):
        raise ValueError(f"names must be those of targets {targets}, got some for {sorted(unknown)}")
    clips = read_source(source, root, targets)
    if problem_type == PROBLEM_TYPES["score"]:
        clips = {split: with_score_column(rows, targets[0]) for split, rows in clips.items()}
    for split, rows in clips.items():
        if not len(rows):
            raise ValueError(f"{source_name(source)} has no clips in the split {split!r}")
        for column in targets:
            if column not in rows.features:
                raise ValueError(f"the clips have no column {column!r}; {what_there_is(rows, [column])}")
    kind = wanted_kind(clips, targets, problem_type)
    if names and kind == "score":
        raise ValueError(f"names are for classes, but {targets[0]!r} is a number")
    for column in targets:
        if kind == "score":
            clips = with_numbers(clips, column)
        else:
            clips = with_classes(clips, column, (names or {}).get(column), several=kind == "multi_label")
    for split, rows in clips.items():
        check_intervals(split, rows)
    clips = clips if missing == "ignore" else without_missing(clips, missing)
    return in_order(clips, targets)


def with_order_of_classes(clips: Mapping[str, Dataset], names: Mapping[str, Sequence[str]]) -> DatasetDict:
    """Reorder the classes of [`load_clips`]' tables by `names`, target -> class names, for example to a model's order.

    Raises `ValueError` for classes that `names` lack.
    """
    tables = dict(clips)
    for column, some in names.items():
        several = any(holds_lists(rows.features[column]) for rows in tables.values())
        tables = with_classes(tables, column, some, several)
    return in_order(tables, list(names))


def in_order(clips: Mapping[str, Dataset], targets: Sequence[str]) -> DatasetDict:
    order = {column: place for place, column in enumerate(["video", "start", "end", *targets])}
    return DatasetDict(
        {
            split: rows.select_columns(sorted(rows.column_names, key=lambda name: order.get(name, len(order))))
            for split, rows in clips.items()
        }
    )


def read_source(
    source: Source | Mapping[str, Source], root: str | os.PathLike | None, targets: list[str]
) -> dict[str, Dataset]:
    """Split -> rows with a column `video`; targets are not converted yet."""
    if isinstance(source, Mapping):
        tables = {}
        for name, part in source.items():
            split = SPLIT_OF.get(str(name).lower(), str(name))
            if split in tables:
                raise ValueError(f"{sorted(map(str, source))} name the split {split!r} twice")
            found = read_source(part, root, targets)
            if len(found) > 1:
                raise ValueError(f"{source_name(part)}, given as {name!r}, has splits itself: {', '.join(found)}")
            tables[split] = next(iter(found.values()))
        if not tables:
            raise ValueError("the mapping of splits to tables is empty")
        return tables
    if isinstance(source, Dataset):
        return {"train": with_videos(source, "the table", None)}
    if not isinstance(source, str | os.PathLike):
        raise ValueError(
            f"clips must be a folder, a table, a mapping of splits or a Dataset, got a {type(source).__name__}"
        )
    path = Path(source)
    if any((path / name).is_file() for name in SAVED):
        return read_saved(path)
    if path.is_dir():
        return read_folder(path, root, targets)
    if path.is_file():
        return {"train": read_clips_of(path, root, targets)}
    if isinstance(source, str) and path.suffix.lower() not in LISTS and HUB_ID.fullmatch(source):
        return read_hub(source)
    raise ValueError(
        f"there is no {source_name(source)}; clips must be a folder, a table ({', '.join(sorted(LISTS))}) or a "
        "data set of the Hub, owner/name"
    )


def read_saved(path: Path) -> dict[str, Dataset]:
    try:
        clips = load_from_disk(str(path))
    except (OSError, ValueError, KeyError, pyarrow.ArrowException) as error:
        raise ValueError(f"{path} was written by save_to_disk, but cannot be loaded: {one_line(error)}") from error
    tables = {"train": clips} if isinstance(clips, Dataset) else clips
    return {SPLIT_OF.get(str(split), str(split)): with_videos(rows, str(path), None) for split, rows in tables.items()}


def read_hub(source: str) -> dict[str, Dataset]:
    try:
        clips = load_dataset(source)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"there is no folder or table {source!r}, and it cannot be loaded as a data set of the Hub: {error}"
        ) from error
    return {SPLIT_OF.get(split, split): with_videos(rows, source, None) for split, rows in clips.items()}


def read_folder(folder: Path, root: str | os.PathLike | None, targets: list[str]) -> dict[str, Dataset]:
    if metadata_of(folder) is None:
        beside = visible(folder)
        entries = [entry for entry in beside if entry.name.split(".")[0].lower() in SPLIT_OF]
        folders = [entry for entry in entries if entry.is_dir()]
        tables = [entry for entry in entries if Path(entry.name).suffix.lower() in LISTS]
        for parts in (folders, tables):
            splits: dict[str, Path] = {}
            for part in sorted(parts, key=lambda entry: entry.name):
                split = SPLIT_OF[part.name.split(".")[0].lower()]
                if split in splits:
                    both = f"{splits[split].name} and {part.name}"
                    raise ValueError(f"{folder} has the split {split!r} twice: {both}")
                splits[split] = Path(part.path)
            if splits:
                others = sorted(entry.name for entry in beside if entry.is_dir() and entry not in entries)
                if others and parts is folders:
                    logger.warning(
                        f"{folder}: left out {first_of(others, 'folder')}, which is not the name of a split"
                    )
                ordered = sorted(splits, key=list(SPLIT_OF.values()).index)
                read = read_clips_below if parts is folders else read_clips_of
                return {split: read(splits[split], root, targets) for split in ordered}
    return {"train": read_clips_below(folder, root, targets)}


def read_clips_below(folder: Path, root: str | os.PathLike | None, targets: list[str]) -> Dataset:
    """The clips of a split: those of its metadata table, or `<label>/*.mp4`, at any depth below the label."""
    if (table := metadata_of(folder)) is not None:
        return read_table(table, root, targets)
    classes = find_classes(folder)
    videos = [{"path": path, "bytes": None} for paths in classes.values() for path in paths]
    labels = [label for label, paths in classes.items() for _ in paths]
    if odd := [
        name for name in (*classes, *(path for paths in classes.values() for path in paths)) if not is_text(name)
    ]:
        raise ValueError(f"{str(folder)!a} has {first_of(map(ascii, odd), 'name')} that is not valid UTF-8; rename it")
    features = Features({"video": Video(decode=False), "label": Value("string")})
    return Dataset.from_dict({"video": videos, "label": labels}, features)


def is_text(name: str) -> bool:
    """Whether a file name is valid text: Linux allows any bytes."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def with_classes(
    clips: dict[str, Dataset], target: str, names: Sequence[str] | None, several: bool
) -> dict[str, Dataset]:
    """Convert the column `target` to a `ClassLabel` (or `several`), with the same names in all splits."""
    cells = {split: read_classes(split, rows, target) for split, rows in clips.items()} if several else {}
    if several:
        labels = {split: [label for cell in column for label in cell] for split, column in cells.items()}
        if not any(labels.values()):
            raise ValueError(f"no clip has a class in the column {target!r}")
    else:
        labels = {split: read_labels(split, rows, target) for split, rows in clips.items()}
    plain = plain_names(set().union(*labels.values()), target)
    labels = {split: [plain[label] for label in column] for split, column in labels.items()}
    teaching = [clips["train"]] if "train" in clips else [*clips.values()]
    features = [rows.features[target] for rows in [*teaching, *clips.values()]]
    features = [feature.feature if holds_lists(feature) else feature for feature in features]
    declared = [feature for feature in features if isinstance(feature, ClassLabel)]  # training's first
    owner = "the model"
    if names is None:
        owner = "training"
        learned = set(labels["train"]) if "train" in clips else set().union(*labels.values())
        is_given = all(isinstance(feature, ClassLabel) for feature in features[: len(teaching)])
        given = [plain_name(name) for feature in declared for name in feature.names]
        names = [*dict.fromkeys(given)] if is_given else sorted_names(learned, target)
        known = set(names) if is_given else learned
    else:
        names = list(numbered_names(names, "names").values()) if isinstance(names, Mapping) else names
        if isinstance(names, str):
            raise ValueError(f"names of {target!r} must be a list, got the text {names!r}")
        names = [plain_name(str(name)) for name in names]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"the classes of {target!r} must be different, got twice: {', '.join(twice)}")
        known = set(names)
    numbers = {name: number for number, name in enumerate(names)}
    used = set().union(*labels.values())
    if all(map(NUMBER.fullmatch, used)) and not used <= known and owner == "the model":
        numbers = {str(number): number for number in range(len(names))}  # labels are class numbers
        known = set(numbers)
    made = {}
    for split, rows in clips.items():
        if foreign := sorted(set(labels[split]) - known):
            raise ValueError(
                f"{split} has {first_of(foreign, 'class')} of {target!r} that {owner} does not have; it has "
                f"{first_of(sorted(known), 'class')}"
            )
        column: list = [numbers[label] for label in labels[split]]
        kind: Any = ClassLabel(names=names)
        if several:
            each, kind = iter(column), List(kind)
            column = [[next(each) for _ in cell] for cell in cells[split]]
        made[split] = rows.remove_columns(target).add_column(target, column, feature=kind)
    return made


def read_labels(split: str, rows: Dataset, target: str) -> list[str]:
    feature = rows.features[target]
    values = rows.with_format(None)[target][:]
    if isinstance(feature, ClassLabel):
        if beyond := sorted({value for value in values if value is not None and value >= len(feature.names)}):
            raise ValueError(f"{split} has {target!r} {beyond[-1]}, but there are {len(feature.names)} classes")
        values = [None if value is None or value < 0 else feature.names[value] for value in values]
    if without := [f"row {row}" for row, value in enumerate(values) if value is None or str(value).strip() == ""]:
        raise ValueError(f"{split} has {first_of(without, 'row')} without a {target!r}")
    if not (kinds := {type(value) for value in values}) <= {str, int}:
        found = ", ".join(sorted(kind.__name__ for kind in kinds))
        cure = "; to predict numbers pass problem_type='regression'" if float in kinds else ""
        raise ValueError(f"the classes of {target!r} in {split} must be names or whole numbers, got {found}{cure}")
    return list(map(str, values))


def plain_name(name: str) -> str:
    """A class name without outer blanks, and with accents in one normal form.

    >>> plain_name("run ")
    'run'
    """
    return unicodedata.normalize("NFC", name).strip()


def plain_names(labels: set[str], target: str) -> dict[str, str]:
    """Label as written -> class name; warns about changed names and about names that look alike."""
    plain = {label: plain_name(label) for label in labels}
    if odd := sorted(repr(label) for label, name in plain.items() if label != name):
        logger.warning(f"blanks around classes of {target!r} are ignored: {first_of(odd, 'class')}")
    alike: dict[str, set[str]] = {}
    for name in plain.values():
        alike.setdefault(name.casefold(), set()).add(name)
    if pairs := sorted(" and ".join(sorted(names)) for names in alike.values() if len(names) > 1):
        logger.warning(f"classes of {target!r} that differ only by upper and lower case: {first_of(pairs, 'pair')}")
    return plain


def sorted_names(labels: set[str], target: str) -> list[str]:
    """The class names for these labels: sorted; for numbers, 0 to the largest."""
    if not all(map(NUMBER.fullmatch, labels)):
        return sorted(labels)
    if wrong := sorted(label for label in labels if len(label) > 18 or not 0 <= int(label) < MOST_CLASSES):
        raise ValueError(f"numbers in {target!r} must be class numbers from 0, got {first_of(wrong, 'label')}")
    return [str(number) for number in range(max(map(int, labels)) + 1)]


def check_intervals(split: str, rows: Dataset) -> None:
    columns = [column for column in ("start", "end") if column in rows.features]
    for column in columns:
        kind = getattr(rows.features[column], "dtype", rows.features[column])
        if not SECONDS.fullmatch(str(kind)):
            raise ValueError(f"column {column!r} of {split} must be seconds, got {kind}")
    values = rows.with_format(None)
    starts, ends = (values[column][:] if column in columns else [None] * len(rows) for column in ("start", "end"))
    wrong = [
        f"row {row}: {start} s to {end} s"
        for row, (start, end) in enumerate(zip(starts, ends, strict=True))
        if (start is not None and not 0 <= start < math.inf) or (end is not None and not (start or 0) < end < math.inf)
    ]
    if wrong:
        raise ValueError(
            f"{split} has {first_of(wrong, 'interval')}: they must start at 0 s or later, and end after "
            "that; leave a cell empty for the clip's own start or end"
        )


def without_missing(clips: dict[str, Dataset], missing: str) -> dict[str, Dataset]:
    """The rows whose files exist; raises if some do not, unless `missing` is "skip"."""
    places = {
        split: [None if video["bytes"] is not None else video["path"] for video in rows.with_format(None)["video"]]
        for split, rows in clips.items()
    }
    unique = sorted({place for column in places.values() for place in column if place and not is_url(place)})
    parts = [unique[first : first + LOOKS_EACH] for first in range(0, len(unique), LOOKS_EACH)]
    with ThreadPoolExecutor(LOOKS_AT_ONCE) as pool:
        absent = {place for part in pool.map(absent_of, parts) for place in part}
    if not absent:
        return clips
    message = f"missing: {first_of(sorted(absent), 'clip')} of {len(unique)}"
    if missing == "raise":
        # only load_clips and training can leave clips out
        hint = "relative paths start at the folder of their table, or at --root (root=... of load_clips, which leaves "
        hint += "missing clips out with missing='skip')"
        if os.sep == "/" and any("\\" in place for place in absent):
            hint = f"paths must be written with /; {hint}"
        raise ValueError(f"{message}; {hint}")
    logger.warning(f"{message}; their rows are left out")
    kept = {
        split: [row for row, place in enumerate(column) if place not in absent] for split, column in places.items()
    }
    if empty := [split for split, rows in kept.items() if not rows]:
        raise ValueError(f"{message}; no clip of {', '.join(empty)} is left")
    return {split: rows.select(kept[split]) for split, rows in clips.items()}


def absent_of(places: Iterable[str]) -> list[str]:
    return [place for place in places if not os.path.isfile(place)]


def metadata_of(folder: Path) -> Path | None:
    tables = (folder / name for name in ("metadata.csv", "metadata.parquet"))
    return next((table for table in tables if table.is_file()), None)


def source_name(source: Any) -> str:
    return repr(os.fspath(source)) if isinstance(source, (str, os.PathLike)) else "the table"
