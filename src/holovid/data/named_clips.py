"""Clips without labels, from what users name: paths, URLs, folders, tables."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from holovid.cheap_checks import is_url
from holovid.data.clip_folders import find_clips

SAME_SECOND = 3  # decimals of the start and the end of a clip
ClipKey: TypeAlias = tuple[str, float | None, float | None]


@dataclass(frozen=True)
class NamedClip:
    """A file or URL, or its part from `start` to `end` in seconds; `None` is where the file begins or ends."""

    path: str
    start: float | None = None
    end: float | None = None

    @property
    def name(self) -> str:
        """
        >>> NamedClip("film.mp4").name, NamedClip("film.mp4", 1.5, 3.0).name, NamedClip("film.mp4", start=2.0).name
        ('film.mp4', 'film.mp4, 1.5 to 3 s', 'film.mp4, from 2 s')
        """
        if self.start is None and self.end is None:
            return self.path
        until = f" to {self.end:g} s" if self.end is not None else " s"
        return f"{self.path}, {'from ' if self.end is None else ''}{self.start or 0.0:g}{until}"

    @property
    def key(self) -> ClipKey:
        """Identifies a clip however its path is written: the real path, and seconds."""
        place = self.path if is_url(self.path) else os.path.realpath(self.path)
        first, last = (None if second is None else round(second, SAME_SECOND) for second in (self.start, self.end))
        return place, first, last

    @property
    def video(self) -> str | dict[str, Any]:
        if self.start is None and self.end is None:
            return self.path
        return {"path": self.path, "bytes": None, "start": self.start, "end": self.end}


def named_clips(names: Iterable[str | os.PathLike], tables: Iterable[str] = (".csv", ".parquet")) -> list[NamedClip]:
    """The clips that names stand for.

    A folder stands for all clips below it. A table (.csv, .parquet) stands for its rows, with a column `path` and
    optionally `start` and `end`. Anything else, a file or a URL, is a clip. Raises `ValueError` for a folder without
    clips, and for a table without rows or that cannot be read.
    """
    found: list[NamedClip] = []
    for name in [os.fspath(name) for name in names]:
        if not is_url(name) and Path(name).suffix.lower() in tables:
            found += clips_of_table(Path(name))
        elif os.path.isdir(name):
            below = find_clips(name).clips
            if not below:
                raise ValueError(f"there are no clips in {name}")
            found += map(NamedClip, below)
        else:
            found.append(NamedClip(name))
    return found


def clips_of_table(path: Path) -> list[NamedClip]:
    from holovid.data.table_files import read_table  # imports `datasets`, which single clips do not need

    rows = read_table(path, root=None, targets=[]).with_format(None)
    if not len(rows):
        raise ValueError(f"{path} has no clips")
    if any(video["path"] is None for video in rows["video"]):
        raise ValueError(f"{path} holds the videos themselves; pass a table of paths")
    columns = [rows[name][:] if name in rows.features else [None] * len(rows) for name in ("start", "end")]
    for name, seconds in zip(("start", "end"), columns, strict=True):
        if any(not isinstance(value, float | int | None) for value in seconds):
            raise ValueError(f"column {name!r} of {path} must hold seconds")
    paths = [video["path"] for video in rows["video"]]
    return [NamedClip(*row) for row in zip(paths, *columns, strict=True)]


def path_from(folder: Path, place: str) -> str:
    """A path as seen from a folder, with /, so that both can be moved together; absolute if on another drive."""
    try:
        return Path(os.path.relpath(place, folder)).as_posix()
    except ValueError:
        return os.path.abspath(place)


__all__ = ["ClipKey", "NamedClip", "named_clips", "path_from"]
