"""Fits the regression with which StarVQA's released code decodes scores, to the scores of a training set.

It needs no network, only pairs of scores and label vectors. The result is a field of the model's configuration, so the
saved model decodes without scikit-learn.
"""

from collections.abc import Sequence
from typing import Any

import torch

from holovid.extras import needed
from holovid.modeling.label_codec import encode

FEWEST = 2  # different scores


def fit_score_regressor(scores: Sequence[float], anchors: Sequence[float]) -> dict[str, Any]:
    """Support vectors that map label vectors of `anchors` to `scores` on their scale, with scikit-learn's defaults.

    Returns the argument of `decode_by_support_vectors`, in plain numbers. Raises `ValueError` for fewer than two
    different scores, or NaN or infinite ones; `ImportError` without scikit-learn.
    """
    with needed("scikit-learn", "fitting support vectors"):
        from sklearn.svm import SVR
    numbers = torch.tensor(list(scores), dtype=torch.float64)
    if not numbers.isfinite().all() or len(numbers.unique()) < FEWEST:
        raise ValueError(
            f"fitting support vectors needs at least {FEWEST} different, finite scores, got {len(numbers)}"
        )
    labels = encode(numbers, anchors).numpy()
    fitted = SVR().fit(labels, numbers.numpy())
    return {
        "gamma": 1 / (labels.shape[1] * float(labels.var())),  # gamma="scale"
        "intercept": float(fitted.intercept_[0]),
        "coefficients": fitted.dual_coef_[0].tolist(),
        "support_vectors": fitted.support_vectors_.tolist(),
    }
