"""The harmonic mean of accuracies on several data sets, as a metric of `evaluate`.

It is low if one of them is, so it favours models that are good on all sets. This file needs no others, so
`evaluate.load` loads it by its path, without a network.
"""

import datasets
import evaluate
import numpy as np

DESCRIPTION = "The harmonic mean of accuracies on several data sets (or of verbs and nouns)."
CITATION = ""
INPUTS = """
Args:
    values: an accuracy of each data set, all in 0..1 or all in 0..100.
Returns:
    `harmonic_mean`, in the same unit; 0 if one of them is.
Raises ValueError for values that are negative or not numbers.
"""


class HarmonicMean(evaluate.Metric):
    """`HarmonicMean().compute(values=[0.5, 1.0])` -> `{"harmonic_mean": 0.667}`."""

    def _info(self):
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
            inputs_description=INPUTS,
            features=datasets.Features({"values": datasets.Value("float64")}),
        )

    def _compute(self, values):
        return {"harmonic_mean": harmonic_mean(values)}


def harmonic_mean(values) -> float:
    """The harmonic mean of numbers from 0 on.

    >>> harmonic_mean([0.5, 1.0, 1.0])
    0.75
    """
    values = np.asarray(values, dtype=np.float64)
    if values.size == 0 or not np.isfinite(values).all() or (values < 0).any():
        raise ValueError(f"values must be numbers from 0 on, at least one, got {values.tolist()}")
    return float(values.size / (1 / values).sum()) if values.all() else 0.0
