"""Sets of clips for the Hub: a folder of videos beside a table, which `datasets` reads as "videofolder".

    write_video_folder(load_clips("my_clips"), "to-publish")
    load_dataset("videofolder", data_dir="to-publish")  # with the columns video: Video(), label: ClassLabel(...)

Videos stay files, which the Hub shows and others fetch one by one, and classes keep their order.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePath

import pyarrow.parquet
from datasets import Dataset, Features, Value

from holovid.data.clip_folders import is_clip
from holovid.data.table_files import is_url
from holovid.files import common_folder, new_folder

TABLE = "metadata.parquet"  # and not .csv, which would lose that a column holds classes
PLACE = "file_name"  # the column of where a clip is, below the folder of the table


def write_video_folder(clips: Mapping[str, Dataset], target: str | os.PathLike) -> Path:
    """Write `target`/train/..., validation/..., the files of each split and a `metadata.parquet`, and return `target`.

    The table has `file_name`, and the other columns of the rows as they are, but for a `path` of this machine: classes
    as such, `start` and `end` where a clip is a part of its file. Files are linked where they lie on the same disk,
    and copied otherwise. `load_clips(target)` reads them again; so does
    `load_dataset("videofolder", data_dir=target)`.

    Args:
        clips: split -> rows, as [`load_clips`] gives them.
        target: a new or an empty folder.

    Raises `ValueError` for a folder that holds something, splits without clips, and clips that are URLs or have no
    name that ends as videos do; `OSError` for files that are not there.
    """
    if not clips:
        raise ValueError("there are no splits to write")
    with new_folder(target) as folder:
        for split, rows in clips.items():
            write_split_of(split, rows, folder / split)
    return Path(target)


def write_split_of(split: str, rows: Dataset, folder: Path) -> None:
    videos = rows.with_format(None)["video"][:]
    if not videos:
        raise ValueError(f"the split {split!r} has no clips")
    names = names_below(split, videos)
    written: set[str] = set()
    for name, video in zip(names, videos, strict=True):
        if name in written:  # another part of the same file
            continue
        written.add(name)
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if video["bytes"] is not None:
            place.write_bytes(video["bytes"])
        else:
            link_or_copy(video["path"], place)
    others = rows.remove_columns([name for name in ("video", "path", PLACE) if name in rows.features])
    features = Features({PLACE: Value("string"), **others.features})
    table = others.add_column(PLACE, names).select_columns([*features]).cast(features).with_format("arrow")[:]
    pyarrow.parquet.write_table(table.replace_schema_metadata(features.arrow_schema.metadata), folder / TABLE)


def names_below(split: str, videos: list[dict]) -> list[str]:
    """Where each video goes below the folder of its split: files as they lay to one another, no two in one place."""
    for row, video in enumerate(videos):
        if video["bytes"] is None and is_url(video["path"]):
            raise ValueError(f"row {row} of {split} is a URL, {video['path']}: fetch it first")
        if not is_clip(video["path"] or ""):
            raise ValueError(
                f"row {row} of {split} has no name that ends as videos do, such as .mp4: {video['path']!r}"
            )
    folders = [os.path.dirname(os.path.realpath(video["path"])) for video in videos if video["bytes"] is None]
    root = common_folder(folders)
    return [
        f"{row:06}/{os.path.basename(video['path'])}"
        if video["bytes"] is not None or root is None
        else PurePath(os.path.relpath(os.path.realpath(video["path"]), root)).as_posix()
        for row, video in enumerate(videos)
    ]


def link_or_copy(source: str, place: Path) -> None:
    try:
        os.link(os.path.realpath(source), place)
    except OSError:  # another disk, or one that has no links; a file that is not there is missed here
        shutil.copyfile(source, place)


__all__ = ["write_video_folder"]
