"""Mean average precision and hits, against values that were worked out by hand."""

import evaluate
import numpy as np
import pytest

from holovid.metrics import mean_average_precision as module
from holovid.metrics.mean_average_precision import MeanAveragePrecision, average_precision, best_rank

SCORES = np.array([[4.0, 1.0, 0.0], [3.0, 2.0, 0.0], [2.0, 3.0, 0.0], [1.0, 4.0, 0.0]])
LABELS = np.array([[1, 0, 0], [0, 0, 0], [1, 1, 0], [0, 1, 0]])


def measured(**options):
    return MeanAveragePrecision(keep_in_memory=True).compute(**options)


def test_by_hand():
    results = measured(predictions=SCORES, references=LABELS, k=(1, 2))
    # class 0 is right at places 1 and 3: (1/1 + 2/3) / 2. class 1 at places 1 and 2. Class 2 is shown by no clip
    assert results["per_class"] == [pytest.approx(5 / 6), 1.0, None]
    assert results["mean_average_precision"] == pytest.approx(11 / 12)
    # three clips show something; the best class of each of them is one of theirs
    assert (results["top1"], results["top2"], results["clips"], results["left_out"]) == (1.0, 1.0, 4, 0)


def test_the_worst_order():
    # shown by the last of four clips alone: precision 1/4
    assert average_precision(np.array([4.0, 3.0, 2.0, 1.0]), np.array([False, False, False, True])) == 0.25
    assert average_precision(np.array([1.0, 2.0]), np.array([False, False])) is None


def test_equal_scores_stand_in_one_place():
    assert average_precision(np.array([1.0, 1.0]), np.array([True, False])) == 0.5
    scores, shown = np.array([2.0, 1.0, 1.0, 1.0]), np.array([False, True, True, False])
    assert average_precision(scores, shown) == pytest.approx(0.5)  # both are found at place 4: 2/4
    scores, shown = np.array([2.0, 1.0, 1.0]), np.array([True, False, True])
    assert average_precision(scores, shown) == pytest.approx((1 + 2 / 3) / 2)
    for order in ([0, 1, 2], [0, 2, 1], [2, 1, 0]):
        assert average_precision(scores[order], shown[order]) == pytest.approx((1 + 2 / 3) / 2)


def test_hits_count_clips_with_classes():
    scores = np.array([[0.1, 0.9, 0.5], [0.9, 0.1, 0.5], [0.9, 0.1, 0.5]])
    labels = np.array([[1, 0, 1], [0, 1, 0], [0, 0, 0]])
    assert best_rank(scores, labels == 1).tolist() == [1, 2, 3]
    results = measured(predictions=scores, references=labels, k=(1, 2, 3))
    assert (results["top1"], results["top2"], results["top3"]) == (0.0, 0.5, 1.0)


def test_clips_without_labels_are_left_out():
    labels = np.vstack([LABELS, [[-100] * 3]])
    scores = np.vstack([SCORES, [[np.inf] * 3]])
    want, got = measured(predictions=SCORES, references=LABELS), measured(predictions=scores, references=labels)
    assert got == want | {"left_out": 1}


@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        (SCORES, LABELS * 2, "labels must be 1 for the classes of a clip and 0 for others, got 2"),
        (SCORES * np.nan, LABELS, r"scores of clip 0 \(counted from 0\) are not numbers"),
        (SCORES, LABELS * 0 - 100, "all 4 are labelled -100"),
        (SCORES, LABELS[:, :2], r"must be \(clips, classes\), got \(4, 3\) and \(4, 2\)"),
    ],
)
def test_what_cannot_be_measured(scores, labels, message):
    with pytest.raises(ValueError, match=message):
        measured(predictions=scores, references=labels)


def test_loads_by_its_path():
    metric = evaluate.load(module.__file__, keep_in_memory=True)
    assert metric.compute(predictions=SCORES, references=LABELS)["per_class"][1] == 1.0
