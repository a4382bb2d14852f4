"""Near duplicates in a set of clips, found by their embeddings: re-encoded, cut or scaled files have other bytes.

N vectors, D width.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from holovid.data.checking import ClipFacts, ClipReport, Fault
from holovid.data.named_clips import ClipKey, NamedClip
from holovid.inference.nearest import of_length_one
from holovid.inference.vectors import Vectors
from holovid.processing.options import check_number

AT_ONCE = 2**25  # pairs compared at a time
SAME = 1e-10  # squared distance that is only rounding
NOBODY = -1  # vector of a clip outside of the set
FAULTS = {
    "near in two splits": "so validation clips look like training clips",
    "near": "within a split",
    "near another set": "whose vectors are in the file",
    "no vector": "so they were not compared",
}


def add_near_duplicates(report: ClipReport, vectors: Vectors, near: float = 0.02) -> ClipReport:
    """Add each clip's nearest other clip to the report, and faults for those that are too near.

    Copies of a file, which the report finds by content, and parts of one file are not compared. Of a film in windows
    the nearest two count.

    Args:
        vectors: of the clips, whole or in windows. Vectors of other clips count as another set.
        near: largest distance of near duplicates, from 0 to 1: 1 - the cosine of the angle, divided by its average.
            This makes it comparable between models, even if all vectors of one point the same way.

    Raises `ValueError` for a distance out of range, and when no clip of the report has a vector.
    """
    check_number("near", near, 0.0, 1.0)
    owners = owners_of(report.clips, vectors)
    if (owners == NOBODY).all():
        raise ValueError("no clip of the set has a vector: the paths of clips and vectors must be the same files")
    found = nearest_of_all(report.clips, vectors, owners)
    names = [NamedClip(clip.path, clip.start, clip.end).name for clip in report.clips]
    pairs: dict[str, dict[frozenset, tuple[float, str]]] = {kind: {} for kind in FAULTS}
    clips = list(report.clips)
    for number, nearest in found.items():
        for kind, (distance, other, name) in nearest.items():
            if distance <= near:
                told = f"{names[number]} ~ {name} ({distance:.2g}{unlike(report.clips, number, other)})"
                pairs[kind].setdefault(frozenset((names[number], name)), (distance, told))
        if nearest:
            distance, _, name = min(nearest.values())
            clips[number] = replace(clips[number], nearest=name, distance=distance)
    items = {kind: [sentence for _, sentence in sorted(some.values())] for kind, some in pairs.items()}
    known = {clip.key for clip in vectors.clips} | {(clip.key[0], None, None) for clip in vectors.clips}
    readable = [NamedClip(clip.path, clip.start, clip.end) for clip in report.clips if clip.error is None]
    items["no vector"] = [clip.name for clip in readable if clip.key not in known]
    faults = [Fault(kind, FAULTS[kind], tuple(some)) for kind, some in items.items() if some]
    return ClipReport(clips, [*report.faults, *faults], near)


def owners_of(clips: Sequence[ClipFacts], vectors: Vectors) -> np.ndarray:
    """(N,) the clip of each vector: the same part of the same file, or for a window the whole file."""
    numbers: Mapping[ClipKey, int] = {
        NamedClip(clip.path, clip.start, clip.end).key: number for number, clip in reversed([*enumerate(clips)])
    }
    keys = [clip.key for clip in vectors.clips]
    return np.array([numbers.get(key, numbers.get((key[0], None, None), NOBODY)) for key in keys], np.int64)


def nearest_of_all(
    clips: Sequence[ClipFacts], vectors: Vectors, owners: np.ndarray
) -> dict[int, dict[str, tuple[float, int, str]]]:
    """Clip -> kind of fault -> the nearest clip of that kind: distance, number, name."""
    values = of_length_one(vectors.values)
    values = values - values.mean(axis=0)  # else small differences are lost in rounding
    squares = np.square(values).sum(axis=1)
    usual = 2 * float(squares.mean()) * len(values) / max(len(values) - 1, 1)  # mean squared distance of two vectors
    scale = 1 / usual if usual > SAME else 0.0
    files = [
        clip.key[0] if owner == NOBODY else clips[owner].digest
        for owner, clip in zip(owners, vectors.clips, strict=True)
    ]
    _, same = np.unique(np.array(files), return_inverse=True)
    splits = list(dict.fromkeys(clip.split for clip in clips))
    split_of = np.array([splits.index(clips[owner].split) if owner >= 0 else NOBODY for owner in owners])
    own = np.flatnonzero(owners != NOBODY)
    found: dict[int, dict[str, tuple[float, int, str]]] = {}
    step = max(1, AT_ONCE // len(values))
    for first in range(0, len(own), step):
        rows = own[first : first + step]
        distances = scale * np.maximum(squares[rows][:, None] + squares[None] - 2 * values[rows] @ values.T, 0.0)
        distances[same[rows][:, None] == same[None]] = np.inf
        other_set = np.broadcast_to(split_of[None] == NOBODY, distances.shape)
        same_split = split_of[rows][:, None] == split_of[None]
        kinds = {"near in two splits": ~(other_set | same_split), "near": same_split, "near another set": other_set}
        for kind, counts in kinds.items():
            among = np.where(counts, distances, np.inf)
            best = among.argmin(axis=1)
            for row, place, distance in zip(rows.tolist(), best.tolist(), among.min(axis=1).tolist(), strict=True):
                nearest = found.setdefault(int(owners[row]), {})
                if distance < nearest.get(kind, (np.inf,))[0]:
                    nearest[kind] = distance, int(owners[place]), name_of(clips, vectors, owners, place)
    return found


def name_of(clips: Sequence[ClipFacts], vectors: Vectors, owners: np.ndarray, place: int) -> str:
    if (owner := int(owners[place])) == NOBODY:
        return vectors.clips[place].name
    return NamedClip(clips[owner].path, clips[owner].start, clips[owner].end).name


def unlike(clips: Sequence[ClipFacts], number: int, other: int) -> str:
    if other == NOBODY or clips[number].label == clips[other].label:
        return ""
    return f", {clips[number].label} and {clips[other].label}"


__all__ = ["add_near_duplicates"]
