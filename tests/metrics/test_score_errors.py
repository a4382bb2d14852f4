"""Errors and correlations of numbers, against values that were worked out by hand."""

import evaluate
import numpy as np
import pytest

from holovid.metrics import score_errors as module
from holovid.metrics.score_errors import ScoreErrors, ranks


def measured(predictions, references):
    return ScoreErrors(keep_in_memory=True).compute(predictions=predictions, references=references)


def test_by_hand():
    results = measured([1.0, 2.0, 3.0, 5.0], [2.0, 2.0, 4.0, 4.0])
    # errors -1, 0, -1, 1
    assert results["mean_absolute_error"] == 0.75
    assert results["root_mean_squared_error"] == pytest.approx(0.75**0.5)
    # deviations (-1.75, -.75, .25, 2.25) and (-1, -1, 1, 1): 5 / sqrt(8.75 * 4)
    assert results["pearson"] == pytest.approx(5 / 35**0.5)
    # ranks (1, 2, 3, 4) and (1.5, 1.5, 3.5, 3.5): 4 / sqrt(5 * 4)
    assert results["spearman"] == pytest.approx(4 / 20**0.5)
    assert (results["clips"], results["left_out"]) == (4, 0)


def test_a_curve_that_rises_has_all_ranks_right():
    results = measured([1.0, 2.0, 3.0], [1.0, 10.0, 1000.0])
    assert results["spearman"] == pytest.approx(1) and results["pearson"] < 0.9
    assert measured([1.0, 2.0, 3.0], [3.0, 2.0, 1.0])["spearman"] == pytest.approx(-1)
    assert ranks(np.array([5.0, 5.0, 1.0])).tolist() == [2.5, 2.5, 1.0]


def test_equal_numbers_have_no_correlation():
    results = measured([2.0, 2.0], [1.0, 3.0])
    assert (results["pearson"], results["spearman"], results["mean_absolute_error"]) == (None, None, 1.0)
    assert measured([2.0], [1.0])["pearson"] is None


def test_clips_without_a_number_are_left_out():
    want, got = measured([1.0, 2.0], [1.0, 3.0]), measured([1.0, np.nan, 2.0], [1.0, np.nan, 3.0])
    assert got == want | {"left_out": 1}
    with pytest.raises(ValueError, match="all 2 have no number"):
        measured([1.0, 2.0], [np.nan, np.nan])
    with pytest.raises(ValueError, match=r"prediction of clip 1 \(counted from 0\) is not a number"):
        measured([1.0, np.nan], [1.0, 3.0])


def test_loads_by_its_path():
    metric = evaluate.load(module.__file__, keep_in_memory=True)
    assert metric.compute(predictions=[1.0, 2.0], references=[1.0, 2.0])["mean_absolute_error"] == 0.0
