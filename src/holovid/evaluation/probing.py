"""Simple classifiers on clip embeddings: a baseline in seconds, before anything is trained.

vectors = read_vectors("vectors.parquet")
probe_vectors(vectors, load_clips("clips"))
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from datasets import ClassLabel, Dataset

from holovid.data.named_clips import ClipKey, NamedClip
from holovid.extras import needed
from holovid.inference.vectors import Vectors
from holovid.processing.options import check_whole_number

MOST_FOLDS, MOST_NEIGHBOURS = 1000, 2**20
STEPS = 1000  # of the logistic regression's solver


@dataclass(frozen=True)
class Probe:
    """
    Args:
        clips: vectors with a label.
        unlabelled: vectors without one, left out.
        classes: their names.
        most_frequent: share of the most frequent class, the accuracy of always predicting it.
        accuracies: "nearest neighbours" and "logistic regression" -> accuracy in each fold.
    """

    clips: int
    unlabelled: int
    classes: tuple[str, ...]
    most_frequent: float
    accuracies: Mapping[str, tuple[float, ...]]


def probe_vectors(
    vectors: Vectors,
    labels: Mapping[str, Dataset],
    target: str = "label",
    *,
    folds: int = 5,
    neighbours: int = 5,
    seed: int = 0,
) -> Probe:
    """Measure two simple classifiers by cross-validation, with each file on one side only.

    Args:
        vectors: a film's window has the film's label, unless a row of `labels` has the same seconds.
        labels: split -> rows of `load_clips`; the splits count as one set.
        target: the column of classes.
        folds: parts of the set; each is predicted by classifiers trained on the others.
        neighbours: number of nearest vectors by angle, whose most frequent label is predicted.
        seed: of the folds.

    Raises `ImportError` without scikit-learn; `ValueError` for other labels than one class a clip, a clip with two
    labels, no labels for any vector, a single class, and fewer files of a class than folds.
    """
    with needed("scikit-learn", "probing vectors"):
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import StratifiedGroupKFold, cross_val_score
        from sklearn.neighbors import KNeighborsClassifier
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
    check_whole_number("folds", folds, 2, MOST_FOLDS)
    check_whole_number("neighbours", neighbours, 1, MOST_NEIGHBOURS)
    found = labels_of_vectors(vectors, labels, target)
    places = [place for place, label in enumerate(found) if label is not None]
    answers = np.array([found[place] for place in places])
    files = np.array([vectors.clips[place].key[0] for place in places])
    check_folds(answers, files, folds)
    counts = Counter(answers.tolist())
    values = vectors.values[places]
    parts = list(StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(values, answers, files))
    fewest = min(len(seen) for seen, _ in parts)
    if neighbours > fewest:
        raise ValueError(f"{neighbours} neighbours are too many: a fold has {fewest} vectors to choose from")
    classifiers: dict[str, Any] = {
        "nearest neighbours": KNeighborsClassifier(neighbours, metric="cosine"),
        "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=STEPS)),
    }
    accuracies = {
        name: tuple(cross_val_score(classifier, values, answers, cv=parts).tolist())
        for name, classifier in classifiers.items()
    }
    most_frequent = max(counts.values()) / len(answers)
    return Probe(len(places), len(found) - len(places), tuple(sorted(counts)), most_frequent, accuracies)


def labels_of_vectors(vectors: Vectors, labels: Mapping[str, Dataset], target: str = "label") -> list[str | None]:
    """The class name of each vector, or `None`; raises as [`probe_vectors`]."""
    known = labels_by_clip(labels, target)
    keys = [clip.key for clip in vectors.clips]
    found = [known.get(key, known.get((key[0], None, None))) for key in keys]
    if not any(label is not None for label in found):
        raise ValueError("no vector has a label: the paths of vectors and labels must be the same files")
    return found


def labels_by_clip(labels: Mapping[str, Dataset], target: str) -> dict[ClipKey, str]:
    known: dict[ClipKey, str] = {}
    for rows in labels.values():
        feature = rows.features[target]
        if not isinstance(feature, ClassLabel):
            raise ValueError(f"a probe needs one class a clip, but the column {target!r} holds something else")
        plain = rows.with_format(None)
        spans = [plain[name][:] if name in rows.features else [None] * len(rows) for name in ("start", "end")]
        for video, start, end, number in zip(plain["video"], *spans, plain[target], strict=True):
            if video["path"] is None:
                raise ValueError("labels must have paths of files, but a row holds the video itself")
            key, label = NamedClip(video["path"], start, end).key, feature.int2str(number)
            if known.setdefault(key, label) != label:
                raise ValueError(f"{video['path']} has two labels, {known[key]!r} and {label!r}")
    return known


def check_folds(answers: np.ndarray, files: np.ndarray, folds: int) -> None:
    files_of = Counter(label for label, _ in set(zip(answers.tolist(), files.tolist(), strict=True)))
    if len(files_of) < 2:
        raise ValueError(f"there is only one class, {str(answers[0])!r}: a probe needs at least two")
    label, fewest = min(sorted(files_of.items()), key=lambda item: item[1])
    if fewest < folds:
        raise ValueError(
            f"{folds} folds need as many files of each class, but {label!r} has {fewest}: use fewer folds"
        )


__all__ = ["Probe", "labels_of_vectors", "probe_vectors"]
