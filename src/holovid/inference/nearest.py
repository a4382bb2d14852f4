"""Nearest neighbours of a vector in a file of embeddings: by NumPy, or for more than a million by FAISS.

N vectors, D width.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from datasets import Dataset

from holovid.data.named_clips import NamedClip
from holovid.extras import needed
from holovid.inference.vectors import Vectors
from holovid.processing.options import check_whole_number

MOST_FOUND = 2**31
EXACT_UP_TO = 1_000_000  # vectors searched by NumPy
SMALLEST = np.finfo(np.float32).tiny  # least length to divide by
INDEX = "vectors"  # name of the index


@dataclass(frozen=True)
class Found:
    """A clip, its row in the file, and the cosine similarity of its vector and the query, from -1 to 1."""

    clip: NamedClip
    row: int
    similarity: float


def nearest_clips(
    vectors: Vectors, query: np.ndarray, top_k: int = 5, *, numpy_up_to: int = EXACT_UP_TO
) -> list[Found]:
    """The `top_k` clips whose vectors have the smallest angles with `query` (D,), the nearest first.

    Args:
        numpy_up_to: FAISS, through `datasets`, searches more vectors than this. The results are the same.

    Raises `ValueError` for a query of another width, or one that is not finite; `ImportError` for more vectors than
    `numpy_up_to` without FAISS.
    """
    check_whole_number("top_k", top_k, 1, MOST_FOUND)
    check_whole_number("numpy_up_to", numpy_up_to, 0, MOST_FOUND)
    count, width = vectors.values.shape
    if query.shape != (width,):
        raise ValueError(
            f"the vectors have {width} numbers each, but the query has shape {query.shape}: it comes from another "
            "model"
        )
    if not np.isfinite(query).all():
        raise ValueError("the query has values that are NaN or infinite")
    search = by_numpy if count <= numpy_up_to else by_faiss
    places, similarities = search(of_length_one(vectors.values), of_length_one(query[None])[0], min(top_k, count))
    return [
        Found(vectors.clips[place], int(vectors.rows[place]), float(similarity))
        for place, similarity in zip(places, similarities, strict=True)
    ]


def of_length_one(values: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(values / np.maximum(lengths, SMALLEST), np.float32)


def by_numpy(values: np.ndarray, query: np.ndarray, top_k: int) -> tuple[np.ndarray, np.ndarray]:
    similarities = values @ query
    order = np.argsort(-similarities, kind="stable")[:top_k]
    return order, similarities[order]


def by_faiss(values: np.ndarray, query: np.ndarray, top_k: int) -> tuple[np.ndarray, np.ndarray]:
    with needed("faiss", f"searching {len(values):,} vectors"):
        import faiss
    table: Any = Dataset.from_dict({})
    table.add_faiss_index_from_external_arrays(values, INDEX, metric_type=faiss.METRIC_INNER_PRODUCT)
    similarities, places = table.search(INDEX, query, top_k)
    return places, similarities


__all__ = ["Found", "nearest_clips"]
