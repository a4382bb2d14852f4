"""Sets of labelled clips as tables of `datasets`, and what a model takes of them."""

import csv
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from datasets import ClassLabel, Dataset, DatasetDict

from holovid.synthetic import SPLITS


def read_videos(batch: dict[str, list], processor: Callable[..., Any], target: str) -> dict[str, Any]:
    """A batch of rows -> `labels` (B,) and all that the processor gives of the clips."""
    return {"labels": batch[target], **processor(batch["video"], return_tensors="pt")}


def load_clips(folder: str | os.PathLike, processor: Callable[..., Any], target: str = "label") -> DatasetDict:
    """The sets "train" and "validation" that `render_clips` left, as what a model takes; decoded when asked for.

    Args:
        folder: what `render_clips` returned.
        processor: a video processor, or one that hears too: paths in; all that comes out is passed on.
        target: the column that becomes `labels`; its names are `dataset.features[target].names`, sorted.

    Raises `ValueError` when `folder` holds no such sets, or they have no column `target`.
    """
    tables = {}
    for split, name in SPLITS.items():
        if (table := Path(folder, split, "metadata.csv")).is_file():
            with open(table, newline="") as file:
                rows = list(csv.DictReader(file))
            tables[name] = Dataset.from_list([row | {"video": str(table.parent / row["file_name"])} for row in rows])
    if not tables:
        raise ValueError(f"there is no metadata.csv in {' or '.join(str(Path(folder, split)) for split in SPLITS)}")
    clips = DatasetDict(tables)
    columns = {column for split in clips.values() for column in split.column_names}
    if target not in columns:
        raise ValueError(f"the clips have no column {target!r}; there are {', '.join(sorted(columns))}")
    names = sorted({name for split in clips.values() for name in split.unique(target)})
    clips = clips.cast_column(target, ClassLabel(names=names))
    return clips.with_transform(partial(read_videos, processor=processor, target=target))
