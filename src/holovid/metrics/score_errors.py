"""Errors and correlations of predicted numbers, as a metric of `evaluate`.

This file needs no others, so `evaluate.load` loads it by its path, without a network. Papers on video quality call
Pearson's correlation PLCC, Spearman's SROCC and Kendall's KROCC.
"""

import datasets
import evaluate
import numpy as np
from scipy.optimize import least_squares
from scipy.special import expit
from scipy.stats import kendalltau, pearsonr, spearmanr

DESCRIPTION = "Mean absolute error, root mean squared error, and the correlations of Pearson, Spearman and Kendall."
CITATION = ""
INPUTS = """
Args:
    predictions: numbers, (clips,).
    references: the true numbers, (clips,); clips with NaN, which could not be read, are left out and counted.
Returns:
    `mean_absolute_error` and `root_mean_squared_error` in the unit of the numbers. `pearson`: how near the pairs lie
    to a rising line, -1..1. `spearman`: the same of their ranks, of equal numbers the mean rank. `kendall`: of all
    pairs of clips, how many more are in the right order than in the wrong one, where equal numbers are no order
    (tau-b). `pearson_fitted`: Pearson's after a logistic curve has brought the predictions to the scale of the
    references, see `fit_logistic`. All of them are `None` if all predictions or all references are equal, and the
    last also for too few clips, or if no curve is found. `clips`: number of clips measured. `left_out`: of others.
Raises ValueError for numbers that are not finite, for predictions that are not as many as the references, and when no
clip is left.
"""
FEWEST = 5  # clips of a fit: four parameters fit any four exactly
MOST_STEPS = 400


def logistic(parameters: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(b1 - b2) / (1 + exp(-(x - b3) / |b4|)) + b2 of values (clips,)."""
    high, low, middle, width = parameters
    return (high - low) * expit((values - middle) / max(abs(width), np.finfo(float).tiny)) + low


def fit_logistic(predictions: np.ndarray, references: np.ndarray) -> np.ndarray | None:
    """Predictions (clips,) on the scale of the references, by the four-parameter logistic curve of ITU-T and VQEG.

    Least squares by Levenberg and Marquardt, from b1, b2 = the largest and smallest reference, b3 the mean and b4 a
    quarter of the standard deviation of the predictions. The curve may also fall. If it approaches a line or an
    exponential, its limits, the parameters grow without end, and step 400 counts. `None` with fewer than 5 clips, if
    all predictions or all references are equal, and if the fit makes them so, or is worse than its start.
    """
    if len(predictions) < FEWEST or is_constant(predictions) or is_constant(references):
        return None
    scaled = (predictions - predictions.mean()) / predictions.std()
    start = np.array([references.max(), references.min(), 0.0, 0.25])

    def errors(parameters: np.ndarray) -> np.ndarray:
        return logistic(parameters, scaled) - references

    found = least_squares(errors, start, method="lm", max_nfev=MOST_STEPS)
    fitted = logistic(found.x, scaled)
    is_worse = (errors(found.x) ** 2).sum() > (errors(start) ** 2).sum()
    return None if is_worse or is_constant(fitted) else fitted


def is_constant(values: np.ndarray) -> bool:
    """Whether all values are equal up to rounding, so that there is no correlation."""
    return bool(np.ptp(values) <= 1e-13 * np.abs(values).max())


def correlation(measure, one: np.ndarray, other: np.ndarray) -> float | None:
    """A correlation of scipy for numbers (clips,); `None` if one side is constant.

    >>> correlation(spearmanr, np.array([1.0, 2.0, 3.0]), np.array([2.0, 3.0, 9.0]))
    1.0
    """
    if is_constant(one) or is_constant(other):
        return None
    return float(np.clip(measure(one, other).statistic, -1.0, 1.0))


def measured_errors(predictions: np.ndarray, references: np.ndarray) -> dict[str, float | None]:
    """Measures by name, of predictions and known references (clips,)."""
    predictions, references = np.asarray(predictions, np.float64), np.asarray(references, np.float64)
    errors = predictions - references
    fitted = fit_logistic(predictions, references)
    return {
        "mean_absolute_error": float(np.abs(errors).mean()),
        "root_mean_squared_error": float(np.sqrt((errors**2).mean())),
        "pearson": correlation(pearsonr, predictions, references),
        "spearman": correlation(spearmanr, predictions, references),
        "kendall": correlation(kendalltau, predictions, references),
        "pearson_fitted": None if fitted is None else correlation(pearsonr, fitted, references),
    }


def score_errors(predictions, references):
    """[`ScoreErrors`] as a function: predictions and references, both (clips,).

    >>> score_errors([1.0, 2.0], [1.0, 4.0])["mean_absolute_error"]
    1.0
    """
    scores, labels = np.asarray(predictions, np.float64), np.asarray(references, np.float64)
    if labels.ndim != 1 or scores.shape != labels.shape:
        raise ValueError(f"predictions and references must be (clips,), got {scores.shape} and {labels.shape}")
    kept = ~np.isnan(labels)
    if not kept.any():
        raise ValueError(f"no clip is left to measure: all {len(kept)} have no number")
    for name, values in (("prediction", scores), ("reference", labels)):
        if (odd := kept & ~np.isfinite(values)).any():
            first = int(odd.argmax())
            raise ValueError(f"the {name} of clip {first} (counted from 0) is not a number ({values[first]})")
    counts = {"clips": int(kept.sum()), "left_out": int((~kept).sum())}
    return measured_errors(scores[kept], labels[kept]) | counts


class ScoreErrors(evaluate.Metric):
    """Predicted and true numbers, both (clips,) -> `{"mean_absolute_error": ..., "pearson": ..., ...}`.

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
        return score_errors(predictions, references)
