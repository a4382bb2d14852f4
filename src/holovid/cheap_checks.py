"""Checks of paths, names, columns and devices that need no torch, so that commands can refuse wrong input at once.

The functions of the library check their arguments again themselves.
"""

import csv
import os
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id

from holovid.configuration.suggestions import did_you_mean
from holovid.modeling.reachable import CONFIGURATIONS

TABLES = (".bundle", ".csv", ".parquet", ".txt")
PATH_COLUMNS = ("path", "file_name", "video", "name")  # the first one that a table has holds the paths of clips
# common names for the column of scores, in any case, and the default names
SCORE_COLUMNS = ("quality", "score", "mos")
SCORE_DEFAULTS = ("quality", "label")
# columns of the published EPIC-KITCHENS tables, and the columns of labels that are made from them
EPIC_COLUMNS = frozenset(
    ("narration_id", "uid", "participant_id", "video_id", "start_timestamp", "stop_timestamp", "start_frame",
     "stop_frame", "verb_class", "noun_class", "all_noun_classes")
)  # fmt: skip
EPIC_ANSWERS = ("action", "label", "verb", "noun")
EXPLANATION_FILES = {".png": "Picture", ".mp4": "Video", ".html": "Page"}  # suffix -> content
TIMELINE_FILES = {
    ".csv": "Segments", ".json": "Scores and segments", ".vtt": "Subtitles", ".srt": "Subtitles", ".png": "Picture",
    ".mp4": "Video",
}  # fmt: skip
ENOUGH_EPIC_COLUMNS = 4  # a table with so many of them is taken for EPIC-KITCHENS
LIST_LINE = re.compile(r".*\S[ \t]+-?[0-9]+\s*")
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
DEVICE = re.compile(r"(cpu|cuda|mps|xpu)(:[0-9]+)?")


def check_model_name(model: str | os.PathLike) -> None:
    """Raise `ValueError` if `model` is neither the folder of a model nor a valid Hub id."""
    path = Path(model)
    if path.is_dir():
        if not any((path / name).is_file() for name in CONFIGURATIONS):
            raise ValueError(f"{path} is not the folder of a model: it has no config.json")
        return
    if path.is_file():
        raise ValueError(f"{path} is a file; give the folder of a model (with its config.json), or a Hub id")
    try:
        validate_repo_id(str(model))
    except HFValidationError as error:
        raise ValueError(f"there is no folder {str(model)!r}, and it is not a valid Hub id") from error


def is_url(path: str) -> bool:
    return path.startswith(("http://", "https://", "file://"))


def is_hub_id(name: str | None) -> bool:
    """Whether a name could be "user/name" on the Hub."""
    try:
        validate_repo_id(name or "")
    except HFValidationError:
        return False
    return "/" in (name or "")


def check_root(folder: str | os.PathLike | None) -> None:
    """Raise `ValueError` if the folder that relative paths start from does not exist."""
    if folder is not None and not os.path.isdir(folder):
        raise ValueError(f"there is no folder {os.fspath(folder)!r} in which relative paths of a table could start")


def check_folder(folder: Path) -> None:
    """Raise `ValueError` if a folder does not exist or holds no model."""
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}; give the folder of a saved model")
    check_model_name(folder)


def check_clip(clip: str) -> None:
    """Raise `FileNotFoundError` or `ValueError` for a path that is not a file; URLs pass."""
    if is_url(clip):
        return
    if os.path.isdir(clip):
        raise ValueError(f"{clip!r} is a folder; give a video file. `holovid evaluate` takes folders of clips")
    if not os.path.exists(clip):
        raise FileNotFoundError(f"there is no video at {clip!r}")


def check_explanation_file(path: str | os.PathLike) -> None:
    check_ending("an explanation", path, EXPLANATION_FILES)


def check_timeline_file(path: str | os.PathLike) -> None:
    check_ending("a timeline", path, TIMELINE_FILES)


def check_vectors_file(path: str | os.PathLike) -> None:
    if Path(path).suffix.lower() != ".parquet":
        raise ValueError(f"a file of vectors must end in .parquet, got {path}")
    check_new_file(path)


def check_new_file(path: str | os.PathLike) -> None:
    """Raise `ValueError` where no file can be written: hours of work would end with that."""
    if os.path.isdir(path):
        raise ValueError(f"{path} is a folder; name a file")
    check_place(path, Path(os.path.abspath(path)).parent)


def check_new_folder(path: str | os.PathLike) -> None:
    """Raise `ValueError` where no folder can be made or filled."""
    if os.path.exists(path) and not os.path.isdir(path):
        raise ValueError(f"{path} is a file; name a folder")
    check_place(path, Path(os.path.abspath(path)))


def check_place(path: str | os.PathLike, folder: Path) -> None:
    """Raise `ValueError` unless `path` can be written in `folder`, or in the nearest folder above it that exists."""
    place = next(each for each in (folder, *folder.parents) if each.exists())
    if not place.is_dir():
        raise ValueError(f"{path} cannot be written: {place} is not a folder")
    if not os.access(place, os.W_OK):
        raise ValueError(f"{path} cannot be written: you have no right to write in {place}")


def check_ending(what: str, path: str | os.PathLike, endings: Collection[str]) -> None:
    """Raise `ValueError` unless a file name ends in one of `endings`, in any case, and can be written."""
    if Path(path).suffix.lower() not in endings:
        *others, last = endings
        known = f"{', '.join(others)} or {last}" if others else last
        raise ValueError(f"the file of {what} must end in {known}, got {path}")
    check_new_file(path)


def check_keeps_source(path: str | os.PathLike, source: Any) -> None:
    """Raise `ValueError` for an output that would replace the video it is made from, however the paths are written."""
    place = source.get("path") if isinstance(source, dict) else source
    if not isinstance(place, str | os.PathLike) or not (os.path.isfile(path) and os.path.isfile(place)):
        return
    if os.path.samefile(path, place):
        raise ValueError(f"{path} is the video itself, which would be replaced; name another file")


def check_clips(source: str, columns: Sequence[str] = ()) -> None:
    """Raise `ValueError` if a folder or table does not exist, or if a CSV file lacks one of `columns`.

    A default column of scores may have another of the common names.
    """
    path = Path(source)
    if not path.exists():
        if path.suffix.lower() in TABLES or not HUB_ID.fullmatch(source):
            raise ValueError(
                f"there is no {source!r}; give clips as a folder, a table ({', '.join(TABLES)}) or a data set on the "
                "Hub, owner/name"
            )
        return
    if path.is_file() and path.suffix.lower() not in TABLES:
        raise ValueError(f"{path} is not a table of clips: a table ends in {', '.join(TABLES)}")
    if path.is_dir() and not os.listdir(path):
        raise ValueError(f"there are no clips in {path}: the folder is empty")
    if path.suffix.lower() != ".csv" or not path.is_file():
        return
    with open(path, encoding="utf-8-sig", errors="replace") as file:
        first = next((line for line in file if line.strip()), "")
    if LIST_LINE.fullmatch(first.rstrip("\n")):
        return
    there = [name.strip() for name in next(csv.reader([first[:100_000]]), [])]
    there += EPIC_ANSWERS if is_epic_kitchens(there) else ()
    if missing := [column for column in columns if column not in there and score_column(column, there) is None]:
        raise ValueError(f"{path} has no column {missing[0]!r}; {did_you_mean(missing[0], there)}")


def is_epic_kitchens(columns: Sequence[str]) -> bool:
    """Whether the columns are those of an EPIC-KITCHENS table, which has no column of paths."""
    names = {name.strip() for name in columns}
    return names.isdisjoint(PATH_COLUMNS) and len(names & EPIC_COLUMNS) >= ENOUGH_EPIC_COLUMNS


def score_column(column: str, there: Sequence[str]) -> str | None:
    """The column of a table that has a common name for scores, if `column` is a default name.

    >>> score_column("label", ["name", "MOS"]), score_column("mos", ["name", "score"])
    ('MOS', None)
    """
    usual = [name for name in there if name.lower() in SCORE_COLUMNS]
    return usual[0] if column in SCORE_DEFAULTS and len(usual) == 1 else None


def check_device(name: str) -> None:
    if not DEVICE.fullmatch(name):
        raise ValueError(f"there is no device {name!r}; give cpu, cuda, cuda:1, mps or xpu")
