"""Temporal localisation of actions in long films, as a metric of `evaluate`.

This is the metric of ActivityNet (Caba Heilbron et al. 2015, "ActivityNet: A Large-Scale Video Benchmark for Human
Activity Understanding"), at the overlaps of THUMOS: mean average precision at temporal intersection over union (tIoU)
of 0.3 to 0.7. For each class, predictions of all films are sorted by score. A prediction is right if it overlaps
enough with a segment of its class in its film that no better-scored one has matched; it matches the one with the
largest overlap. The average precision is the area below the curve of precision over recall, with the precision at a
recall raised to the highest at any higher recall. This file needs no others, so `evaluate.load` loads it by its path,
without a network.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import datasets
import evaluate
import numpy as np

DESCRIPTION = "Mean average precision of segments in films, at several overlaps in time."
CITATION = ""
INPUTS = """
Args:
    predictions: predicted segments, each {"film": str, "start": float, "end": float, "label": str,
        "score": float}, in seconds.
    references: true segments, the same without "score", in any number and order.
    overlaps: least tIoU of a right prediction. Default 0.3, 0.4, 0.5, 0.6, 0.7.
Returns:
    `map_at_0.3`, ...: for each overlap, the mean over the classes of `references` of their average precision.
    `mean_average_precision`: the mean of these. `per_class`: label -> its average precision at each overlap.
    `segments`: number of references. `found`: number of predictions of their classes.
Raises ValueError when there are no references, for segments that do not end after they start, scores that are not
numbers, and overlaps outside of 0..1.
"""
OVERLAPS = (0.3, 0.4, 0.5, 0.6, 0.7)
Found = Mapping[str, Any]


def overlap_in_time(start: float, end: float, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Intersection over union of a segment with others, (n,).

    >>> overlap_in_time(0.0, 4.0, np.array([2.0, 4.0, 0.0]), np.array([6.0, 5.0, 4.0])).round(3).tolist()
    [0.333, 0.0, 1.0]
    """
    shared = np.maximum(0.0, np.minimum(end, ends) - np.maximum(start, starts))
    return shared / ((end - start) + (ends - starts) - shared)


def right_ones(predictions: Sequence[Found], references: Sequence[Found], overlap: float) -> np.ndarray:
    """Whether predictions of a class, best first, are right, (n,) of bool."""
    films = {
        film: np.array([[own["start"], own["end"]] for own in references if own["film"] == film])
        for film in {own["film"] for own in references}
    }
    taken = {film: np.zeros(len(own), dtype=bool) for film, own in films.items()}
    right = np.zeros(len(predictions), dtype=bool)
    for place, guess in enumerate(predictions):
        if (own := films.get(guess["film"])) is None:
            continue
        shared = overlap_in_time(guess["start"], guess["end"], own[:, 0], own[:, 1])
        shared[taken[guess["film"]]] = -1.0
        best = int(shared.argmax())
        if shared[best] >= overlap:
            right[place] = taken[guess["film"]][best] = True
    return right


def interpolated_precision(right: np.ndarray, count: int) -> float:
    """Area below the curve of precision over recall, made monotonic.

    Args:
        right: of predictions, best first.
        count: number of references.

    >>> interpolated_precision(np.array([True, False, True, False]), 2)
    0.8333333333333333
    """
    if not right.any():
        return 0.0
    hits = np.cumsum(right)
    precision = np.maximum.accumulate((hits / np.arange(1, len(right) + 1))[::-1])[::-1]
    return float(precision[right].sum() / count)


def localisation(
    predictions: Sequence[Found], references: Sequence[Found], overlaps: Sequence[float] = OVERLAPS
) -> dict[str, Any]:
    """[`Localisation`] as a function of two lists of segments."""
    if not references:
        raise ValueError("there are no segments to find: references are empty")
    for segment in (*predictions, *references):
        if not 0 <= segment["start"] < segment["end"] < float("inf"):
            raise ValueError(
                f"a segment must start at 0 s or later and end after its start; got one of {segment['film']} from "
                f"{segment['start']} s to {segment['end']} s"
            )
    if odd := [segment for segment in predictions if not np.isfinite(segment["score"])]:
        raise ValueError(f"the score of a segment of {odd[0]['film']} is not a number: {odd[0]['score']}")
    if not overlaps or not all(0 < overlap <= 1 for overlap in overlaps):
        raise ValueError(f"overlaps must be above 0 and at most 1, got {overlaps}")
    best_first = sorted(predictions, key=lambda segment: -segment["score"])
    per_class = {}
    for label in sorted({segment["label"] for segment in references}):
        own = [segment for segment in references if segment["label"] == label]
        guesses = [segment for segment in best_first if segment["label"] == label]
        per_class[label] = [
            interpolated_precision(right_ones(guesses, own, overlap), len(own)) for overlap in overlaps
        ]
    means = np.mean(list(per_class.values()), axis=0)
    named = {f"map_at_{overlap:g}": float(mean) for overlap, mean in zip(overlaps, means, strict=True)}
    return named | {
        "mean_average_precision": float(means.mean()),
        "per_class": per_class,
        "segments": len(references),
        "found": sum(segment["label"] in per_class for segment in predictions),
    }


class Localisation(evaluate.Metric):
    """Predicted and true segments -> `{"map_at_0.5": ..., "mean_average_precision": ...}`.

    Localisation().compute(predictions=found, references=truth)
    """

    def _info(self):
        place = {
            "film": datasets.Value("string"),
            "start": datasets.Value("float64"),
            "end": datasets.Value("float64"),
            "label": datasets.Value("string"),
        }
        # one list each, because their lengths may differ
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
            inputs_description=INPUTS,
            features=datasets.Features(
                {
                    "predictions": datasets.List(place | {"score": datasets.Value("float64")}),
                    "references": datasets.List(place),
                }
            ),
        )

    def compute(self, *, predictions=None, references=None, **options):
        """See [`evaluate.Metric.compute`]; both are lists of segments, of any length."""
        if predictions is not None and references is not None:
            predictions, references = [list(predictions)], [list(references)]
        return super().compute(predictions=predictions, references=references, **options)

    def _compute(self, predictions, references, overlaps=OVERLAPS):
        found, truth = ([segment for some in given for segment in some] for given in (predictions, references))
        return localisation(found, truth, overlaps)
