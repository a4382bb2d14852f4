"""Mean average precision for clips with several classes, as a metric of `evaluate`.

This file needs no others, so `evaluate.load` loads it by its path, without a network.
"""

import datasets
import evaluate
import numpy as np

DESCRIPTION = "The mean over classes of the average precision, and how often the best classes hold a right one."
CITATION = ""
INPUTS = """
Args:
    predictions: scores, (clips, classes): logits or anything else that is higher for a more likely class.
    references: 1 for the classes of a clip and 0 for others, (clips, classes); clips with -100, which could not be
        read, are left out and counted.
    k: how many of the best classes may hold one of the clip's. Default 1 and 5.
Returns:
    `mean_average_precision`: the mean of `per_class`, the average precision of each class, `None` for classes without
    clips. `top1`, `top5` (for k of 1 and 5): the share of clips with classes of which one is among the k best. All are
    floats in 0..1, or `None` if no clip has a class. `clips`: number of clips measured. `left_out`: of others.
Raises ValueError for scores that are not numbers, for references that are neither 0 nor 1, and when no clip is left.
"""


def average_precision(scores: np.ndarray, shown: np.ndarray) -> float | None:
    """Mean, over the clips of a class, of the precision among all clips with this score or a higher one.

    Args:
        scores: of the class, (clips,). Clips with equal scores share a place.
        shown: whether clips have it, (clips,) of bool; returns `None` if no clip does.

    >>> average_precision(np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, False, True, False]))
    0.8333333333333333
    """
    if not shown.any():
        return None
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    last = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(ordered) - 1)  # of equal scores
    found = np.cumsum(shown[order])[last]
    return float((np.diff(found, prepend=0) * found / (last + 1)).sum() / found[-1])


def average_precisions(scores: np.ndarray, shown: np.ndarray) -> list[float | None]:
    """Of each class: scores and whether clips have it, both (clips, classes)."""
    return [average_precision(scores[:, number], shown[:, number]) for number in range(scores.shape[1])]


def best_rank(scores: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """How many classes rank above the first right one: (clips, classes) twice -> int64 (clips,).

    For clips without classes, all of them. Of equal scores the lower class wins.

    >>> best_rank(np.array([[0.2, 0.5, 0.3], [0.2, 0.5, 0.3]]), np.array([[True, False, True], [False, True, False]]))
    array([1, 0])
    """
    order = np.argsort(-scores, axis=1, kind="stable")
    right = np.take_along_axis(shown, order, axis=1)
    return np.where(right.any(axis=1), right.argmax(axis=1), scores.shape[1])


def mean_average_precision(predictions, references, k=(1, 5)):
    """[`MeanAveragePrecision`] as a function: scores and labels, both (clips, classes).

    >>> mean_average_precision([[0.9, 0.1], [0.8, 0.7]], [[1, 0], [0, 1]], k=1)["per_class"]
    [1.0, 1.0]
    """
    scores, labels = np.asarray(predictions, dtype=np.float32), np.asarray(references)
    if scores.ndim != 2 or labels.shape != scores.shape:
        raise ValueError(f"scores and labels must be (clips, classes), got {scores.shape} and {labels.shape}")
    kept = (labels != -100).all(axis=1)
    if not kept.any():
        raise ValueError(f"no clip is left to measure: all {len(kept)} are labelled -100")
    scores, labels = scores[kept], labels[kept]
    if not np.isin(labels, (0, 1)).all():
        wrong = labels[~np.isin(labels, (0, 1))][0]
        raise ValueError(f"labels must be 1 for the classes of a clip and 0 for others, got {wrong:g}")
    if np.isnan(scores).any():
        first = int(np.flatnonzero(kept)[np.isnan(scores).any(axis=1).argmax()])
        raise ValueError(f"the scores of clip {first} (counted from 0) are not numbers (NaN)")
    shown = labels == 1
    per_class = average_precisions(scores, shown)
    seen = [value for value in per_class if value is not None]
    results: dict = {"mean_average_precision": float(np.mean(seen)) if seen else None, "per_class": per_class}
    ranks = best_rank(scores, shown)[shown.any(axis=1)]
    for size in sorted({k} if isinstance(k, int) else set(k)):
        results[f"top{size}"] = float((ranks < size).mean()) if len(ranks) else None
    return results | {"clips": int(kept.sum()), "left_out": int((~kept).sum())}


class MeanAveragePrecision(evaluate.Metric):
    """Scores and labels, both (clips, classes) -> `{"mean_average_precision": ..., "per_class": [...], "top1": ...}`.

    MeanAveragePrecision().compute(predictions=logits, references=labels, k=(1, 5))
    """

    def _info(self):
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
            inputs_description=INPUTS,
            features=datasets.Features(
                {
                    "predictions": datasets.Sequence(datasets.Value("float32")),
                    "references": datasets.Sequence(datasets.Value("float32")),
                }
            ),
        )

    def _compute(self, predictions, references, k=(1, 5)):
        return mean_average_precision(predictions, references, k)
