"""Top-k accuracy, as a metric of `evaluate`: how often the label is among the k highest scores.

This file needs no others, so `evaluate.load` loads it by its path, without a network.
"""

import datasets
import evaluate
import numpy as np

DESCRIPTION = "How often the label is among the k highest scores; optionally for each class."
CITATION = ""
INPUTS = """
Args:
    predictions: scores, (clips, classes): logits, probabilities or anything else that is higher for a better class.
    references: class numbers, (clips,); clips with -100, which could not be read, are left out and counted.
    k: how many of the highest scores count; more than there are classes means all. Default 1 and 5.
    per_class: also return the accuracy of each class, `None` for classes without clips, and the mean of the others.
Returns:
    `top1`, `top5` (for k of 1 and 5): floats in 0..1. `clips`: number of clips measured. `left_out`: of others.
    With per_class `per_class` (a list of as many floats or None as there are classes) and `mean_class_accuracy`, both
    for the smallest k.
    Of equal scores the lower class wins, as in argmax.
Raises ValueError for scores that are not numbers, for labels that are not classes, and when no clip is left.
"""


def label_ranks(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How many classes rank above each clip's label: scores (clips, classes), labels (clips,) -> int64 (clips,).

    >>> label_ranks(np.array([[0.2, 0.5, 0.3], [0.4, 0.4, 0.2]]), np.array([2, 1]))
    array([1, 1])
    """
    scores, labels = np.asarray(scores), np.asarray(labels)
    check_scores_of_clips(scores, labels)
    if unknown := sorted(set(labels[(labels < 0) | (labels >= scores.shape[1])].tolist())):
        raise ValueError(f"labels must be in 0..{scores.shape[1] - 1}, as many as there are scores, got {unknown}")
    check_no_nan(scores, np.ones(len(labels), dtype=bool))
    own = np.take_along_axis(scores, labels[:, None], axis=1)
    before = np.arange(scores.shape[1]) < labels[:, None]
    return ((scores > own) | ((scores == own) & before)).sum(axis=1)


def check_scores_of_clips(scores: np.ndarray, labels: np.ndarray) -> None:
    if scores.ndim != 2 or labels.shape != scores.shape[:1]:
        raise ValueError(f"scores must be (clips, classes) and labels (clips,), got {scores.shape} and {labels.shape}")


def check_no_nan(scores: np.ndarray, kept: np.ndarray) -> None:
    """Raise `ValueError` if a kept clip has scores that are NaN."""
    if (odd := np.isnan(scores).any(axis=1) & kept).any():
        raise ValueError(f"the scores of clip {int(odd.argmax())} (counted from 0) are not numbers (NaN)")


def class_accuracies(found: np.ndarray, labels: np.ndarray, num_classes: int) -> list:
    """Accuracy of each class; `None` for classes without clips.

    >>> class_accuracies(np.array([True, False, True]), np.array([0, 0, 2]), 3)
    [0.5, None, 1.0]
    """
    clips = np.bincount(labels, minlength=num_classes)
    hits = np.bincount(labels, weights=found, minlength=num_classes)
    return [float(hit / count) if count else None for hit, count in zip(hits, clips, strict=True)]


def top_k_accuracy(predictions, references, k=(1, 5), per_class=False):
    """[`TopKAccuracy`] as a function: scores (clips, classes) and labels (clips,).

    >>> top_k_accuracy([[0.1, 0.9], [0.8, 0.2]], [1, 1], k=1)
    {'top1': 0.5, 'clips': 2, 'left_out': 0}
    """
    sizes = sorted({k} if isinstance(k, int) else set(k))
    if not sizes or sizes[0] < 1:
        raise ValueError(f"k must be whole numbers from 1 on, got {k}")
    scores, labels = np.asarray(predictions, dtype=np.float32), np.asarray(references)
    check_scores_of_clips(scores, labels)
    kept = labels != -100
    if not kept.any():
        raise ValueError(f"no clip is left to measure: all {len(kept)} are labelled -100")
    check_no_nan(scores, kept)
    scores, labels = scores[kept], labels[kept]
    ranks = label_ranks(scores, labels)
    results: dict = {f"top{size}": float((ranks < size).mean()) for size in sizes}
    results |= {"clips": int(kept.sum()), "left_out": int((~kept).sum())}
    if per_class:
        accuracies = class_accuracies(ranks < sizes[0], labels, scores.shape[1])
        seen = [accuracy for accuracy in accuracies if accuracy is not None]
        results |= {"per_class": accuracies, "mean_class_accuracy": float(np.mean(seen))}
    return results


class TopKAccuracy(evaluate.Metric):
    """Scores (clips, classes) and labels (clips,) -> `{"top1": ..., "top5": ..., "clips": ..., "left_out": ...}`.

        TopKAccuracy().compute(predictions=logits, references=labels, k=(1, 5), per_class=True)

    As all metrics of `evaluate`, batch by batch with `add_batch`, and across processes with `num_process`,
    `process_id` and `experiment_id`.
    """

    def _info(self):
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
            inputs_description=INPUTS,
            features=datasets.Features(
                {
                    "predictions": datasets.Sequence(datasets.Value("float32")),
                    "references": datasets.Value("int64"),
                }
            ),
        )

    def _compute(self, predictions, references, k=(1, 5), per_class=False):
        return top_k_accuracy(predictions, references, k, per_class)
