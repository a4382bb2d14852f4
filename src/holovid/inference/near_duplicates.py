"""Clips of a set that are nearly the same, by their vectors: what was encoded anew, cut, or scaled has other bytes.

Alphabet: N vectors, D width.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from holovid.data.checking import ClipFacts, ClipReport, Fault
from holovid.data.named_clips import ClipKey, NamedClip
from holovid.inference.nearest import of_length_one
from holovid.inference.vectors import Vectors
from holovid.processing.options import check_number

AT_ONCE = 2**25  # pairs that are compared at a time
SAME = 1e-10  # squared distance up to which all vectors are the same, but for rounding
NOBODY = -1  # a vector of a clip that is not in the set
FAULTS = {
    "near in two splits": "so what is validated looks like what was trained on",
    "near": "within a split",
    "near another set": "whose vectors are there too",
    "no vector": "so they are compared with none",
}


def add_near_duplicates(report: ClipReport, vectors: Vectors, near: float = 0.02) -> ClipReport:
    """The report, in which each clip has its nearest other one, and faults are added for those that are too near.

    Copies of a file, which the report knows by their content, and parts of one file are not compared. Of a film in
    windows the nearest two count.

    Args:
        vectors: of the clips, whole or in windows. Those of other clips are taken for another set.
        near: clips are near whose vectors have at most this distance, from 0 to 1: 1 - the cosine of their angle, over
            what that is on average. So it is the same for models whose vectors all point one way and for others.

    Raises `ValueError` for a distance out of range, and when no clip of the report has a vector.
    """
    check_number("near", near, 0.0, 1.0)
    owners = owners_of(report.clips, vectors)
    if (owners == NOBODY).all():
        raise ValueError("no clip of the set has a vector: paths of both must lead to the same files")
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
    """(N,) the clip that each vector belongs to: the same part of the same file, or of a window the whole file."""
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
    values = values - values.mean(axis=0)  # differences of numbers that are nearly equal would be lost in rounding
    squares = np.square(values).sum(axis=1)
    usual = 2 * float(squares.mean()) * len(values) / max(len(values) - 1, 1)  # squared distance of two vectors
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
    """What two clips are labelled as, where that differs."""
    if other == NOBODY or clips[number].label == clips[other].label:
        return ""
    return f", {clips[number].label} and {clips[other].label}"


__all__ = ["add_near_duplicates"]
