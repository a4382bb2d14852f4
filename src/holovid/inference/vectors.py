"""Reads files of embeddings from `embed_clips`, one or a folder of them.

N rows with a vector, D width of a vector.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.compute
import pyarrow.parquet

from holovid.cheap_checks import is_url
from holovid.configuration.suggestions import did_you_mean
from holovid.data.named_clips import NamedClip
from holovid.files import is_unfinished

MADE_BY = b"holovid"  # key in the file's metadata: the model and settings
WHOLE = "vector"  # column of a clip's whole vector; parts have their own columns
SAME_MODEL = ("weights", "processor")  # fingerprints, because folders' names may differ between machines
NO_VECTORS = ("path", "start", "end", "error")  # other columns
LOOKED_AT = 20  # clips, to see where relative paths start


@dataclass(frozen=True)
class Vectors:
    """
    Args:
        clips: (N,) files or parts of them.
        values: (N, D) float32.
        rows: (N,) row of each in the file, or in a folder's files in order, from 0 on; rows of unreadable clips are
            left out.
        model: folder or Hub id of the model. Its path and those of clips are as `embed_clips` got them; relative ones
            that lead nowhere from the working folder start where it ran.
        column: "vector", or the name of a part.
        fingerprints: of the "weights" and the "processor" that made them, where the file has them.
    """

    clips: Sequence[NamedClip]
    values: np.ndarray
    rows: np.ndarray
    model: str
    column: str = WHOLE
    fingerprints: Mapping[str, str] = field(default_factory=dict)

    def of_row(self, row: int) -> np.ndarray:
        (places,) = np.nonzero(self.rows == row)
        if not len(places):
            raise ValueError(
                f"row {row} has no vector; rows are numbered from 0, and {len(self.rows)} of them have one"
            )
        return self.values[places[0]]


def read_vectors(path: str | os.PathLike, column: str = WHOLE) -> Vectors:
    """Read a file, or all files of a folder: the shards of a run in order, or others by name.

    Args:
        column: "vector", or a part of it, such as the name of an expert.

    Raises `ValueError` for other files, columns that they do not have, files of different models, and incomplete
    shards; `OSError` if there are none.
    """
    place = Path(path)
    if not place.exists():
        raise FileNotFoundError(f"there is no file of vectors at {os.fspath(path)!r}")
    below = sorted(file for file in place.glob("*.parquet") if not is_unfinished(file.name))
    files = below if place.is_dir() else [place]
    if not files:
        raise ValueError(f"there are no files of vectors (.parquet) in {place}")
    read = [(file, *read_from_anywhere(file)) for file in files]
    check_made_alike([(file, told) for file, _, told in read])
    read.sort(key=lambda each: (each[2].get("shard") or [0])[0])
    tables = [table for _, table, _ in read]
    there = [name for name in tables[0].schema.names if name not in NO_VECTORS]
    if column not in there or any(column not in table.schema.names for table in tables):
        raise ValueError(f"{path} has no vectors {column!r}; {did_you_mean(column, there)}")
    table = pyarrow.concat_tables([each.select(["path", "start", "end", column]) for each in tables])
    rows = np.flatnonzero(table[column].is_valid().to_numpy())
    kept = table.take(pyarrow.array(rows)).combine_chunks()
    columns = [kept[name].to_pylist() for name in ("path", "start", "end")]
    values = pyarrow.compute.list_flatten(kept[column]).to_numpy().reshape(len(rows), -1)
    clips = [NamedClip(*row) for row in zip(*columns, strict=True)]
    first = read[0][2]
    fingerprints = {name: first[name] for name in SAME_MODEL if first.get(name)}
    return Vectors(clips, values, rows, first["model"], column, fingerprints)


def read_file(path: Path) -> tuple[pyarrow.Table, dict[str, Any]]:
    try:
        table = pyarrow.parquet.ParquetFile(path).read()
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"{path} is not a file of vectors: {' '.join(str(error).split())}") from error
    told: dict[bytes, Any] = table.schema.metadata or {}
    if MADE_BY not in told or WHOLE not in table.schema.names:
        raise ValueError(f"{path} is not a file of vectors: holovid embed writes them")
    return table.replace_schema_metadata(None), json.loads(told[MADE_BY])


def read_from_anywhere(path: Path) -> tuple[pyarrow.Table, dict[str, Any]]:
    """[`read_file`] with relative paths that lead to the model and the clips, whatever the working folder is."""
    table, told = read_file(path)
    origin = os.path.normpath(path.parent / told.get("from", "."))
    model = told["model"]
    if not os.path.exists(model) and os.path.isdir(os.path.join(origin, model)):
        told["model"] = os.path.join(origin, model)
    places = table["path"].to_pylist()
    relative = [place for place in dict.fromkeys(places) if not (is_url(place) or os.path.isabs(place))]
    moved = {place: os.path.join(origin, place) for place in relative}
    if not any(map(os.path.exists, islice(moved, LOOKED_AT))) and any(
        map(os.path.exists, islice(moved.values(), LOOKED_AT))
    ):
        column = pyarrow.array([moved.get(place, place) for place in places], pyarrow.string())
        table = table.set_column(table.schema.get_field_index("path"), "path", column)
    return table, told


def check_made_alike(files: Sequence[tuple[Path, dict[str, Any]]]) -> None:
    """Raise `ValueError` for vectors that are not comparable, and for shards that are missing or repeated."""
    first, known = files[0]
    for path, told in files[1:]:
        if any(told.get(name) != known.get(name) for name in SAME_MODEL):
            raise ValueError(
                f"{first} and {path} have vectors of different models or settings: put them into two folders"
            )
    shards = [told["shard"] for _, told in files if told.get("shard")]
    if not shards:
        return
    count = shards[0][1]
    runs = {(told.get("list"), *(told.get("shard") or [None, None])[1:]) for _, told in files}
    if len(runs) > 1:
        raise ValueError(f"{first.parent} has shards of different runs: put each run into a folder of its own")
    numbers = sorted(number for number, _ in shards)
    if len(files) > 1 and numbers != [*range(1, count + 1)]:
        found = ", ".join(map(str, numbers))
        raise ValueError(f"of {count} shards {first.parent} has {found}: each is needed once")


__all__ = ["Vectors", "read_vectors"]
