"""Tables of clips, and published lists of actions and events; the content of a file decides its format."""

import os
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from datasets import Dataset

from holovid.data.ave import looks_like_ave, read_ave
from holovid.data.egtea import looks_like_egtea, read_egtea
from holovid.data.epic_kitchens import looks_like_epic_kitchens, read_epic_kitchens
from holovid.data.fifty_salads import BUNDLE, folder_of_salads, looks_like_fifty_salads, read_fifty_salads
from holovid.data.listed_actions import ListedActions, with_found_videos
from holovid.data.llp import looks_like_llp, read_llp
from holovid.data.table_files import TABLE_SUFFIXES, read_table

LISTS = TABLE_SUFFIXES | {BUNDLE}  # suffixes of all tables and lists of clips
LINES_LOOKED_AT = 20
CHARACTERS_LOOKED_AT = 100_000


def folder_of(path: Path) -> Path:
    return path.parent


class ListFormat(NamedTuple):
    """A format of lists; `suffix` is that of videos as published, `root` their default folder."""

    looks_like: Callable[[Path, Sequence[str]], bool]
    read: Callable[[Path, Sequence[str]], ListedActions]
    suffix: str
    root: Callable[[Path], Path] = folder_of


FORMATS = (
    ListFormat(looks_like_epic_kitchens, read_epic_kitchens, ".MP4"),
    ListFormat(looks_like_egtea, read_egtea, ".mp4"),
    ListFormat(looks_like_fifty_salads, read_fifty_salads, ".avi", folder_of_salads),
    ListFormat(looks_like_ave, read_ave, ".mp4"),
    ListFormat(looks_like_llp, read_llp, ".mp4"),
)


def read_clips_of(path: Path, root: str | os.PathLike | None, targets: list[str]) -> Dataset:
    """The rows of a table or list with a column `video`; arguments and errors as in `read_table`."""
    lines = first_lines(path)
    for form in FORMATS:
        if form.looks_like(path, lines):
            below = form.root(path) if root is None else Path(root)
            return with_found_videos(form.read(path, targets), below, form.suffix)
    return read_table(path, root, targets)


def first_lines(path: Path) -> list[str]:
    with open(path, encoding="utf-8-sig", errors="replace") as file:
        lines = map(str.strip, file.read(CHARACTERS_LOOKED_AT).splitlines())
    return list(islice(filter(None, lines), LINES_LOOKED_AT))
