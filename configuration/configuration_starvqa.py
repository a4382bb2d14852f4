# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Configuration of StarVQA: video quality, predicted with a TimeSformer (Xing et al. 2021, arXiv:2108.09635).

The defaults are the released model, ViT-B/16 with six anchors, but on 8 frames instead of 52.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar

from huggingface_hub.dataclasses import strict

from holovid.configuration.configuration_time_sformer import TimeSformerConfig

REGRESSOR = ("coefficients", "gamma", "intercept", "support_vectors")
MOST_ANCHORS = 1000


@strict
class StarVQAConfig(TimeSformerConfig):
    """
    Args:
        anchors (`list[float]`): scores of the outputs, in rising order. The released model has 0 to 5.
        score_range (`(float, float)`): lowest and highest score on the scale of the data, mapped to the first and last
            anchor. Released: 0 to 100, so anchors are 20 apart.
        score_mean (`float`, *optional*): mean score of the training set.
        score_regressor (`dict`, *optional*): support vectors with which the released code converts outputs to a score
            on the scale of the anchors: `gamma`, `intercept`, `coefficients` and `support_vectors`. `None` = the score
            whose label vector is nearest by angle.
        others: as in [`TimeSformerConfig`]. `id2label` always holds the anchors' scores, so transformers' pipeline
            returns a probability for each.

    Raises what [`TimeSformerConfig`] raises, and `StrictDataclassError` for anchors, a range or support vectors that
    do not fit together.
    """

    model_type = "starvqa"
    keys_to_ignore_at_inference: ClassVar[list[str]] = ["logits"]  # Trainer's metrics use the scores

    anchors: list[float | int] | tuple[float | int, ...] = (0, 1, 2, 3, 4, 5)
    score_range: list[float | int] | tuple[float | int, ...] = (0, 100)
    score_mean: float | int | None = None
    score_regressor: dict[str, Any] | None = None
    problem_type: str | None = "regression"  # transformers' name for a number

    def __post_init__(self, **kwargs):
        self.anchors, self.score_range = list(self.anchors), list(self.score_range)
        kwargs.pop("num_labels", None)
        super().__post_init__(**kwargs)
        if is_rising(self.anchors) and is_rising(self.score_range):  # anything else is refused later
            self.id2label = {index: f"{score:g}" for index, score in enumerate(self.anchor_scores)}
            self.label2id = {label: index for index, label in self.id2label.items()}

    @property
    def anchor_scores(self) -> list[float]:
        """The anchors on the scale of the data."""
        low, high, first, last = self.score_range[0], self.score_range[-1], self.anchors[0], self.anchors[-1]
        return [low + (anchor - first) / (last - first) * (high - low) for anchor in self.anchors]

    def validate_scores(self):
        if not 2 <= len(self.anchors) <= MOST_ANCHORS or not is_rising(self.anchors):
            raise ValueError(f"anchors must be 2 to {MOST_ANCHORS:,} rising numbers, got {self.anchors}")
        if len(self.score_range) != 2 or not is_rising(self.score_range):
            raise ValueError(
                f"score_range must be the lowest and the highest score, as in (0, 100), got {self.score_range}"
            )
        if self.score_mean is not None and not math.isfinite(self.score_mean):
            raise ValueError(f"score_mean must be a finite number, got {self.score_mean}")
        if self.problem_type != "regression":
            raise ValueError(
                f"this model predicts a number: problem_type must be 'regression', got {self.problem_type!r}"
            )
        if self.score_regressor is not None:
            check_regressor(self.score_regressor, len(self.anchors))


def is_rising(numbers: Sequence[float]) -> bool:
    return (
        len(numbers) > 1
        and all(map(math.isfinite, numbers))
        and all(before < after for before, after in pairwise(numbers))
    )


def check_regressor(regressor: Mapping[str, Any], anchors: int) -> None:
    """Raise `ValueError` unless these are support vectors of `anchors` numbers, each with a coefficient."""
    if sorted(regressor) != sorted(REGRESSOR):
        raise ValueError(
            f"score_regressor must have {', '.join(REGRESSOR)}, got {', '.join(sorted(map(str, regressor)))}"
        )
    vectors, coefficients = regressor["support_vectors"], regressor["coefficients"]
    try:
        fits = len(vectors) == len(coefficients) >= 1 and {len(vector) for vector in vectors} == {anchors}
        numbers = [
            regressor["gamma"],
            regressor["intercept"],
            *coefficients,
            *(x for vector in vectors for x in vector),
        ]
        fits = fits and all(map(math.isfinite, numbers)) and regressor["gamma"] > 0
    except TypeError:
        fits = False
    if not fits:
        raise ValueError(
            f"score_regressor must have finite numbers, gamma above 0, and a coefficient for each support vector of "
            f"{anchors} numbers, one for each anchor"
        )


__all__ = ["StarVQAConfig"]
