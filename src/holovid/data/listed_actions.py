"""Parts that all lists of actions share: their lines and times, and finding videos by name."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from datasets import Dataset, Value, Video

from holovid.data.clip_folders import find_clips, is_clip

SECONDS = Value("float64")


class ListedActions(NamedTuple):
    """Rows with `start` and `end` in seconds and the targets, and each row's video name without suffix."""

    rows: Dataset
    videos: list[str]


def wrong_line(path: Path, line: int, what: str) -> ValueError:
    return ValueError(f"{path}, line {line}: {what}")


def read_lines(path: Path) -> list[str]:
    """Stripped lines. Raises `ValueError` for a file that is not text, or is empty."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} cannot be read: it is not text in UTF-8 ({error})") from error
    if not text.strip():
        raise ValueError(f"{path} is empty")
    return [line.strip() for line in text.rstrip().splitlines()]


def check_order(path: Path, line: int, start: float, end: float, unit: str = "s") -> None:
    if not start < end:
        raise wrong_line(path, line, f"the action goes from {start:g} {unit} to {end:g} {unit}; it must end later")


def with_columns(rows: Dataset, columns: Mapping[str, tuple[Sequence[Any], Any]]) -> Dataset:
    for name, (values, feature) in columns.items():
        rows = rows.remove_columns(name) if name in rows.column_names else rows
        rows = rows.add_column(name, list(values), feature=feature)
    return rows


def with_found_videos(actions: ListedActions, root: Path, suffix: str) -> Dataset:
    """Add a column `video`, after one walk of `root`; others get a path in `root` with this `suffix`.

    Raises `ValueError` for a name that several videos have.
    """
    found = videos_below(root)
    places = {}
    for name in dict.fromkeys(actions.videos):
        files = found.get(name.casefold(), [])
        if len(files) > 1:
            raise ValueError(
                f"there are several videos {name!r}: {files[0]} and {files[1]}; choose a folder with root=..."
            )
        places[name] = files[0] if files else os.path.join(root, name + suffix)
    videos = [{"path": places[name], "bytes": None} for name in actions.videos]
    return with_columns(actions.rows, {"video": (videos, Video(decode=False))})


def videos_below(root: Path) -> dict[str, list[str]]:
    """Lower-case name without suffix -> its videos; a file and links to it count once."""
    if not root.is_dir():
        return {}
    clips, _, repeats = find_clips(root)
    links = {path: os.path.realpath(path) for path in repeats if is_clip(path)}
    named: dict[str, dict[str, str]] = {}
    for path, real in (clips | links).items():
        named.setdefault(Path(path).stem.casefold(), {}).setdefault(real, path)
    return {name: sorted(paths.values()) for name, paths in named.items()}
