"""The regression that StarVQA's released code decodes its answers by, fitted to the scores of a training set.

No network is involved: pairs of a score and its label vector are enough. What is fitted becomes a field of the model's
configuration, so that it is saved with the model, which then decodes by it without scikit-learn.
"""

from collections.abc import Sequence
from typing import Any

import torch

from holovid.extras import needed
from holovid.modeling.label_codec import encode

FEWEST = 2  # different scores, between which something can be fitted


def fit_score_regressor(scores: Sequence[float], anchors: Sequence[float]) -> dict[str, Any]:
    """Support vectors that turn label vectors of `anchors` into scores, with scikit-learn's own settings, as released.

    Args:
        scores: of the training set, on the scale of the anchors.
        anchors: of the model.

    Returns what `decode_by_support_vectors` takes, in plain numbers. Raises `ValueError` for fewer than two different
    scores, or some that are not finite; `ImportError` where scikit-learn is not installed.
    """
    with needed("scikit-learn", "fitting support vectors"):
        from sklearn.svm import SVR
    numbers = torch.tensor(list(scores), dtype=torch.float64)
    if not numbers.isfinite().all() or len(numbers.unique()) < FEWEST:
        raise ValueError(
            f"support vectors are fitted to {FEWEST} or more different, finite scores, got {len(numbers)}"
        )
    labels = encode(numbers, anchors).numpy()
    fitted = SVR().fit(labels, numbers.numpy())
    return {
        "gamma": 1 / (labels.shape[1] * float(labels.var())),  # what gamma="scale" means
        "intercept": float(fitted.intercept_[0]),
        "coefficients": fitted.dual_coef_[0].tolist(),
        "support_vectors": fitted.support_vectors_.tolist(),
    }
