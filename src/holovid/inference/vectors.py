"""Files of vectors that `embed_clips` wrote, and what in them is near a vector.

Alphabet: N rows with a vector, D width of a vector.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.compute
import pyarrow.parquet

from holovid.data.named_clips import NamedClip
from holovid.processing.options import check_whole_number

MADE_BY = b"holovid"  # the key, in the file's metadata, of what made the vectors
MOST_FOUND = 2**31
SMALLEST = np.finfo(np.float32).tiny  # a length that is divided by


@dataclass(frozen=True)
class Vectors:
    """
    Args:
        clips: (N,) files or parts of them.
        values: (N, D) float32.
        rows: (N,) where each stands in the file, from 0 on; those of clips that could not be read are left out.
        model: folder or Hub id of the model that made them.
    """

    clips: Sequence[NamedClip]
    values: np.ndarray
    rows: np.ndarray
    model: str

    def of_row(self, row: int) -> np.ndarray:
        """(D,) in a row of the file. Raises `ValueError` where there is none."""
        (places,) = np.nonzero(self.rows == row)
        if not len(places):
            raise ValueError(
                f"row {row} has no vector; rows are numbered from 0, and {len(self.rows)} of them have one"
            )
        return self.values[places[0]]


@dataclass(frozen=True)
class Found:
    """A clip, its row in the file, and the cosine of the angle between its vector and the query's, from -1 to 1."""

    clip: NamedClip
    row: int
    similarity: float


def read_vectors(path: str | os.PathLike) -> Vectors:
    """Raises `ValueError` for a file that `embed_clips` did not write, `OSError` for none."""
    if not Path(path).exists():
        raise FileNotFoundError(f"there is no file of vectors at {os.fspath(path)!r}")
    try:
        table = pyarrow.parquet.ParquetFile(path).read()
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"{path} is no file of vectors: {' '.join(str(error).split())}") from error
    told: dict[bytes, Any] = table.schema.metadata or {}
    if MADE_BY not in told or "vector" not in table.schema.names:
        raise ValueError(f"{path} is no file of vectors: write one by holovid embed")
    rows = np.flatnonzero(table["vector"].is_valid().to_numpy())
    kept = table.take(pyarrow.array(rows)).combine_chunks()
    columns = [kept[name].to_pylist() for name in ("path", "start", "end")]
    values = pyarrow.compute.list_flatten(kept["vector"]).to_numpy().reshape(len(rows), -1)
    clips = [NamedClip(*row) for row in zip(*columns, strict=True)]
    return Vectors(clips, values, rows, json.loads(told[MADE_BY])["model"])


def nearest_clips(vectors: Vectors, query: np.ndarray, top_k: int = 5) -> list[Found]:
    """The `top_k` clips whose vectors have the smallest angles with `query` (D,), the nearest one first.

    Raises `ValueError` for a query of another width, or one that is not finite.
    """
    check_whole_number("top_k", top_k, 1, MOST_FOUND)
    width = vectors.values.shape[1]
    if query.shape != (width,):
        raise ValueError(
            f"the vectors have {width} numbers each, and the query has the shape {query.shape}: it is of another model"
        )
    if not np.isfinite(query).all():
        raise ValueError("the query has numbers that are not finite")
    lengths = np.linalg.norm(vectors.values, axis=1) * np.linalg.norm(query)
    similarities = vectors.values @ query.astype(np.float32) / np.maximum(lengths, SMALLEST)
    order = np.argsort(-similarities, kind="stable")[:top_k]
    return [Found(vectors.clips[place], int(vectors.rows[place]), float(similarities[place])) for place in order]


__all__ = ["Found", "Vectors", "nearest_clips", "read_vectors"]
