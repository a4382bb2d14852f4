"""Errors and correlations of numbers, against values that were worked out by hand."""

from types import SimpleNamespace

import evaluate
import numpy as np
import pytest
from golden_numbers import golden

from holovid.metrics import score_errors as module
from holovid.metrics.score_errors import ScoreErrors, fit_logistic, logistic


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
    # of six pairs of clips four are in the right order, none in the wrong one, and two of the references are equal
    assert results["kendall"] == pytest.approx(4 / 24**0.5)
    assert results["pearson_fitted"] is None  # four parameters go through four clips
    assert (results["clips"], results["left_out"]) == (4, 0)


def test_a_curve_that_rises_has_all_ranks_right():
    results = measured([1.0, 2.0, 3.0], [1.0, 10.0, 1000.0])
    assert results["spearman"] == pytest.approx(1) and results["pearson"] < 0.9
    assert measured([1.0, 2.0, 3.0], [3.0, 2.0, 1.0])["spearman"] == pytest.approx(-1)


def test_as_the_released_script_has_them():
    case = golden("starvqa/metrics.json")
    results = measured(case["pred"], case["mos"])
    names = {"srocc": "spearman", "krocc": "kendall", "plcc": "pearson", "rmse": "root_mean_squared_error"}
    for theirs, ours in names.items():
        assert results[ours] == pytest.approx(case[theirs], abs=1e-7)
    assert results["pearson"] < results["pearson_fitted"] < 1


def test_a_logistic_curve_is_undone():
    random = np.random.default_rng(0)
    answers = random.normal(3, 2, 40)
    for high, low in ((80.0, 20.0), (20.0, 80.0)):  # a curve may fall
        right = logistic(np.array([high, low, 2.5, 0.7]), answers)
        results = measured(answers, right)
        assert results["pearson_fitted"] == pytest.approx(1, abs=1e-9) and abs(results["pearson"]) < 0.97
        np.testing.assert_allclose(fit_logistic(answers, right), right, atol=1e-5)
    # lines and exponentials are limits of such curves
    noisy = answers * 10 + random.normal(0, 5, 40)
    assert 0 <= measured(answers, noisy)["pearson_fitted"] - measured(answers, noisy)["pearson"] < 1e-3
    assert measured(answers, np.exp(answers))["pearson_fitted"] > 0.999


def test_a_fit_that_fails_has_no_value(monkeypatch):
    """Steps that lead away, and a curve that became flat."""
    random = np.random.default_rng(0)
    answers, right = random.normal(size=20), random.normal(size=20)
    for parameters in ([1e3, -1e3, 0.0, 1.0], [right.mean(), right.mean(), 0.0, 1.0]):
        monkeypatch.setattr(module, "least_squares", lambda *_, x=parameters, **__: SimpleNamespace(x=np.array(x)))
        results = measured(answers, right)
        assert results["pearson_fitted"] is None and results["pearson"] is not None


def test_equal_numbers_have_no_correlation():
    results = measured([2.0, 2.0], [1.0, 3.0])
    assert (results["pearson"], results["spearman"], results["mean_absolute_error"]) == (None, None, 1.0)
    for predictions, references in (([2.1] * 6, range(6)), (range(6), [0.3] * 6)):
        results = measured([*map(float, predictions)], [*map(float, references)])
        assert [results[name] for name in ("pearson", "spearman", "kendall", "pearson_fitted")] == [None] * 4
    assert measured([2.0], [1.0])["pearson"] is None


def test_clips_without_a_number_are_left_out():
    want, got = measured([1.0, 2.0], [1.0, 3.0]), measured([1.0, np.nan, 2.0], [1.0, np.nan, 3.0])
    assert got == want | {"left_out": 1}
    with pytest.raises(ValueError, match="all 2 have no number"):
        measured([1.0, 2.0], [np.nan, np.nan])
    with pytest.raises(ValueError, match=r"prediction of clip 1 \(counted from 0\) is not a number"):
        measured([1.0, np.nan], [1.0, 3.0])
    with pytest.raises(ValueError, match=r"reference of clip 0 \(counted from 0\) is not a number \(-inf\)"):
        measured([1.0, 2.0], [-np.inf, 3.0])
    for given in ([1.0, 2.0], [[1.0], [2.0], [3.0]]):  # the second: a model's logits
        with pytest.raises(ValueError, match=r"predictions and references must be \(clips,\)"):
            module.score_errors(np.array(given), np.array([1.0, 2.0, 3.0]))


def test_loads_by_its_path():
    metric = evaluate.load(module.__file__, keep_in_memory=True)
    assert metric.compute(predictions=[1.0, 2.0], references=[1.0, 2.0])["mean_absolute_error"] == 0.0
