"""Sets the score range of a model before training, from the scores of its training set."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.utils import logging

from holovid.modeling.label_codec import rescale
from holovid.training.run_options import RunArguments
from holovid.training.score_regressor import fit_score_regressor

logger = logging.get_logger(__name__)

USUAL_RANGES = ((0.0, 1.0), (0.0, 5.0), (0.0, 10.0), (0.0, 100.0))  # narrow ones first


def tell_scale(model: PreTrainedModel, scores: Sequence[float], run: RunArguments, is_new: bool) -> None:
    """Set a model's score range, the mean score, and the support vectors if asked for.

    If its head `is_new`, the range is that of `run`, or else the narrowest usual one that holds all `scores`, with a
    warning. Raises `ValueError` for scores outside of the range, and for options that this model does not have.
    """
    config: Any = model.config
    if config.score_range is None:
        if run.score_range is not None or run.score_decoder is not None:
            raise ValueError(
                f"--score_range and --score_decoder are for models with a score range, but a {config.model_type} "
                "model predicts plain numbers; leave them out"
            )
        return
    if run.score_range is not None:
        if len(run.score_range) != 2 or not run.score_range[0] < run.score_range[1]:
            raise ValueError(f"--score_range takes the lowest and the highest score, got {run.score_range}")
        config.score_range = run.score_range
    elif is_new:
        config.score_range = usual_range(scores)
    low, high = config.score_range
    if outside := sorted(score for score in scores if not low <= score <= high):
        raise ValueError(
            f"{len(outside)} scores are outside of the model's range from {low:g} to {high:g}, such as "
            f"{outside[0]:g}: set the lowest and the highest possible score with --score_range"
        )
    config.score_mean = fmean(scores)
    if run.score_decoder is not None:
        config.score_regressor = None
    if run.score_decoder == "support_vectors":
        anchors = config.anchors
        on_anchors = rescale(torch.tensor(scores, dtype=torch.float64), (low, high), (anchors[0], anchors[-1]))
        config.score_regressor = fit_score_regressor(on_anchors.tolist(), anchors)


def usual_range(scores: Sequence[float]) -> tuple[float, float]:
    """The narrowest usual range that holds all scores, with a warning. Raises `ValueError` if there is none."""
    found = next((ends for ends in USUAL_RANGES if ends[0] <= min(scores) and max(scores) <= ends[1]), None)
    told = f"training scores are from {min(scores):g} to {max(scores):g}"
    if found is None:
        raise ValueError(f"{told}, which is not in a usual range: set it, as in --score_range -1 1")
    logger.warning(
        f"{told}; the score range is assumed to be {found[0]:g} to {found[1]:g}; --score_range sets another"
    )
    return found
