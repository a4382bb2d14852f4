# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Configuration of StarVQA: how good a video looks, by a TimeSformer (Xing et al. 2021, arXiv:2108.09635).

The defaults are the released model, ViT-B/16 with six anchors, on 8 frames in place of 52.
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
    r"""
    Args:
        anchors (`list[float]`): scores that the outputs stand for, in rising order. The released model has 0 to 5.
        score_range (`(float, float)`): the lowest and the highest score there can be, on the scale of the data; they
            are brought to the first and the last anchor. Released: 0 to 100, so that an anchor is 20 apart.
        score_mean (`float`, *optional*): mean of the scores that the model was trained on.
        score_regressor (`dict`, *optional*): support vectors by which the released code makes a score, on the scale of
            the anchors, of the outputs: `gamma`, `intercept`, `coefficients` and `support_vectors`. `None` = the score
            whose label vector is the nearest one by angle.
        others: as in [`TimeSformerConfig`]. Classes, `id2label`, are always the scores that the outputs stand for, so
            that the pipeline of transformers says how likely it holds each.

    Raises what [`TimeSformerConfig`] raises, and `StrictDataclassError` for anchors, a range or support vectors that
    do not fit together.
    """

    model_type = "starvqa"
    keys_to_ignore_at_inference: ClassVar[list[str]] = ["logits"]  # what Trainer measures are the scores

    anchors: list[float | int] | tuple[float | int, ...] = (0, 1, 2, 3, 4, 5)
    score_range: list[float | int] | tuple[float | int, ...] = (0, 100)
    score_mean: float | int | None = None
    score_regressor: dict[str, Any] | None = None
    problem_type: str | None = "regression"  # what transformers calls an answer that is a number

    def __post_init__(self, **kwargs):
        self.anchors, self.score_range = list(self.anchors), list(self.score_range)
        kwargs.pop("num_labels", None)
        super().__post_init__(**kwargs)
        if is_rising(self.anchors) and is_rising(self.score_range):  # what is not is refused later
            self.id2label = {index: f"{score:g}" for index, score in enumerate(self.anchor_scores)}
            self.label2id = {label: index for index, label in self.id2label.items()}

    @property
    def anchor_scores(self) -> list[float]:
        """The scores that the outputs stand for, on the scale of the data."""
        low, high, first, last = self.score_range[0], self.score_range[-1], self.anchors[0], self.anchors[-1]
        return [low + (anchor - first) / (last - first) * (high - low) for anchor in self.anchors]

    def validate_scores(self):
        if not 2 <= len(self.anchors) <= MOST_ANCHORS or not is_rising(self.anchors):
            raise ValueError(f"anchors must be 2 to {MOST_ANCHORS:,} rising numbers, got {self.anchors}")
        if len(self.score_range) != 2 or not is_rising(self.score_range):
            raise ValueError(
                f"score_range is the lowest and the highest score, as in (0, 100), got {self.score_range}"
            )
        if self.score_mean is not None and not math.isfinite(self.score_mean):
            raise ValueError(f"score_mean must be a finite number, got {self.score_mean}")
        if self.problem_type != "regression":
            raise ValueError(f"the answer is a number: problem_type must be 'regression', got {self.problem_type!r}")
        if self.score_regressor is not None:
            check_regressor(self.score_regressor, len(self.anchors))


def is_rising(numbers: Sequence[float]) -> bool:
    return (
        len(numbers) > 1
        and all(map(math.isfinite, numbers))
        and all(before < after for before, after in pairwise(numbers))
    )


def check_regressor(regressor: Mapping[str, Any], anchors: int) -> None:
    """Raise `ValueError` unless these are support vectors of so many numbers, each with a coefficient."""
    if sorted(regressor) != sorted(REGRESSOR):
        raise ValueError(f"score_regressor has {', '.join(REGRESSOR)}, got {', '.join(sorted(map(str, regressor)))}")
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
            f"score_regressor has finite numbers, gamma above 0, and as many coefficients as support vectors of "
            f"{anchors} numbers each, one for each anchor"
        )


__all__ = ["StarVQAConfig"]
