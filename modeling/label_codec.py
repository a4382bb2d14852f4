# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
r"""Scores as vectors: how near a score is to each of a few anchors, as StarVQA learns them (arXiv:2108.09635).

.. math:: y_k = \exp(-(m - a_k)^2) / \sum_j \exp(-(m - a_j)^2)

A score m is on the scale of the anchors a, such as 0, 1, ..., 5; `rescale` converts from the scale of the data.
B clips, K anchors, G points of a grid, M support vectors.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

GRID_STEPS = 5000  # from the first anchor to the last: on a scale from 0 to 5 a step is 0.001


def encode(scores: Tensor, anchors: Sequence[float]) -> Tensor:
    """Scores (B,) -> label vectors (B, K), which add up to 1; NaN (no score) gives NaN.

    >>> encode(torch.tensor([2.5]), [0, 1, 2, 3, 4, 5]).round(decimals=3)
    tensor([[0.0010, 0.0590, 0.4390, 0.4390, 0.0590, 0.0010]])
    """
    distances = scores[..., None] - torch.tensor(anchors, dtype=scores.dtype, device=scores.device)
    return (-distances.square()).softmax(dim=-1)


def decode_on_grid(probabilities: Tensor, anchors: Sequence[float], steps: int = GRID_STEPS) -> Tensor:
    """Vectors (B, K) -> the scores (B,), first to last anchor, whose label vectors are nearest by angle.

    The label vector of a score gives that score, to half a step.
    """
    # float64: near the best score, angles differ by less than float32 can represent
    exact = torch.float32 if probabilities.device.type == "mps" else torch.float64
    places = torch.arange(steps + 1, dtype=exact, device=probabilities.device) / steps
    grid = anchors[0] + (anchors[-1] - anchors[0]) * places
    labels = nn.functional.normalize(encode(grid, anchors), dim=-1)
    nearest = (probabilities.to(exact) @ labels.T).argmax(dim=-1)
    return grid[nearest].to(probabilities.dtype)


def decode_by_support_vectors(probabilities: Tensor, regressor: Mapping[str, Any]) -> Tensor:
    r"""Vectors (B, K) -> scores (B,) by a regression on radial basis functions, as the released code does.

    .. math:: m(p) = b + \sum_i c_i \exp(-\gamma |p - s_i|^2)

    Args:
        probabilities: (B, K).
        regressor: `gamma`, `intercept` b, `coefficients` c (M) and `support_vectors` s (M, K).
    """

    def tensor(name: str) -> Tensor:
        return torch.tensor(regressor[name], dtype=probabilities.dtype, device=probabilities.device)

    # torch.cdist loses small distances, because it uses matrix products
    distances = (probabilities[:, None] - tensor("support_vectors")).square().sum(dim=-1)
    return (-regressor["gamma"] * distances).exp() @ tensor("coefficients") + regressor["intercept"]


def vectorized_regression_loss(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Mean of 1 - cos(p, y) over clips, of vectors (B, K); clips whose label is NaN are left out."""
    kept = ~labels.isnan().any(dim=-1)
    labels = torch.where(kept[:, None], labels, 1.0)
    distances = 1 - nn.functional.cosine_similarity(probabilities, labels, dim=-1)
    return (distances * kept).sum() / kept.sum().clamp(min=1)


def rescale(scores: Tensor, range_of: Sequence[float], range_to: Sequence[float]) -> Tensor:
    """Scores on another scale: linear, from the ends of `range_of` to those of `range_to`.

    >>> rescale(torch.tensor([50.0, 90.0]), (0, 100), (0, 5))
    tensor([2.5000, 4.5000])
    """
    (low, high), (first, last) = range_of, range_to
    return first + (scores - low) * ((last - first) / (high - low))


__all__ = ["decode_by_support_vectors", "decode_on_grid", "encode", "rescale", "vectorized_regression_loss"]
