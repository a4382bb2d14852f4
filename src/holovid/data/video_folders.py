"""Sets of clips for the Hub: a folder of videos beside a table, which `datasets` reads as "videofolder".

    write_video_folder(load_clips("my_clips"), "to-publish")
    load_dataset("videofolder", data_dir="to-publish")  # with the columns video: Video(), label: ClassLabel(...)

Videos stay files, which the Hub shows and downloads one by one, and classes keep their order.
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

TABLE = "metadata.parquet"  # .csv would not keep columns of classes
PLACE = "file_name"  # path below the table's folder


def write_video_folder(clips: Mapping[str, Dataset], target: str | os.PathLike) -> Path:
    """Write `target`/train/..., validation/..., the files of each split and a `metadata.parquet`, and return `target`.

    The table has `file_name`, and the rows' other columns except local paths: classes stay classes, and `start` and
    `end` stay for parts of files. Files are hard links if on the same disk, else copies. `load_clips(target)` and
    `load_dataset("videofolder", data_dir=target)` read the folder.

    Args:
        clips: split -> rows of [`load_clips`].
        target: a new or an empty folder.

    Raises `ValueError` for a folder that is not empty, splits without clips, and clips that are URLs or have no video
    suffix; `OSError` for files that do not exist.
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
        if name in written:  # another part of this file
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
    """Each video's path below its split's folder: directory structure is kept, and no two collide."""
    for row, video in enumerate(videos):
        if video["bytes"] is None and is_url(video["path"]):
            raise ValueError(f"row {row} of {split} is a URL, {video['path']}: download it first")
        if not is_clip(video["path"] or ""):
            raise ValueError(f"row {row} of {split} has no video suffix, such as .mp4: {video['path']!r}")
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
    except OSError:  # another disk, or one without links; copying reports a missing file
        shutil.copyfile(source, place)


__all__ = ["write_video_folder"]
