"""How far numbers are from the right ones, and whether they rise and fall with them, as a metric of `evaluate`.

This file stands alone, so that `evaluate.load` can load it by its path, without a network.
"""

import datasets
import evaluate
import numpy as np

DESCRIPTION = "Mean absolute error, root mean squared error, and the correlations of Pearson and Spearman."
CITATION = ""
INPUTS = """
Args:
    predictions: numbers, (clips,).
    references: the right numbers, (clips,); clips with NaN, which could not be read, are left out and counted.
Returns:
    `mean_absolute_error` and `root_mean_squared_error` in the unit of the numbers. `pearson`: how near the pairs lie
    to a rising line, -1..1. `spearman`: the same of their ranks, of equal numbers the mean rank; `None` for both where
    all predictions or all references are equal. `clips`: how many these are about. `left_out`: how many not.
Raises ValueError for predictions that are not numbers, and when no clip is left.
"""


def correlation(one: np.ndarray, other: np.ndarray) -> float | None:
    """Pearson's correlation of numbers (clips,); `None` where all of one side are equal.

    >>> correlation(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0]))
    1.0
    """
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    return float(np.clip(np.corrcoef(one, other)[0, 1], -1.0, 1.0))


def ranks(values: np.ndarray) -> np.ndarray:
    """Places in rising order, from 1 on; equal values share the mean of their places.

    >>> ranks(np.array([10.0, 30.0, 10.0, 20.0]))
    array([1.5, 4. , 1.5, 3. ])
    """
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[places]


def score_errors(predictions: np.ndarray, references: np.ndarray) -> dict[str, float | None]:
    """Numbers (clips,) and the right ones -> the four measures by name."""
    predictions, references = np.asarray(predictions, np.float64), np.asarray(references, np.float64)
    errors = predictions - references
    return {
        "mean_absolute_error": float(np.abs(errors).mean()),
        "root_mean_squared_error": float(np.sqrt((errors**2).mean())),
        "pearson": correlation(predictions, references),
        "spearman": correlation(ranks(predictions), ranks(references)),
    }


class ScoreErrors(evaluate.Metric):
    """Numbers and the right ones, both (clips,) -> `{"mean_absolute_error": ..., "pearson": ..., ...}`.

    ScoreErrors().compute(predictions=model(**inputs).logits[:, 0], references=labels)
    """

    def _info(self):
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
            inputs_description=INPUTS,
            features=datasets.Features(
                {"predictions": datasets.Value("float64"), "references": datasets.Value("float64")}
            ),
        )

    def _compute(self, predictions, references):
        scores, labels = np.asarray(predictions, np.float64), np.asarray(references, np.float64)
        kept = ~np.isnan(labels)
        if not kept.any():
            raise ValueError(f"no clip is left to measure: all {len(kept)} have no number")
        if np.isnan(scores[kept]).any():
            first = int(np.flatnonzero(kept & np.isnan(scores))[0])
            raise ValueError(f"the prediction of clip {first} (counted from 0) is not a number (NaN)")
        counts = {"clips": int(kept.sum()), "left_out": int((~kept).sum())}
        return score_errors(scores[kept], labels[kept]) | counts
