"""Mean average precision of segments, against numbers that were worked out by hand."""

from pathlib import Path

import evaluate
import numpy as np
import pytest

import holovid.metrics
from holovid.metrics.localisation import Localisation, interpolated_precision, localisation, overlap_in_time

FOLDER = Path(holovid.metrics.__file__).parent


def segments(*rows: tuple) -> list[dict]:
    """(film, start, end, label), and of predictions (..., score)."""
    return [dict(zip(("film", "start", "end", "label", "score"), row, strict=False)) for row in rows]


def precision(found: list[dict], truth: list[dict], overlap: float) -> float:
    return localisation(found, truth, [overlap])[f"map_at_{overlap:g}"]


def test_overlap_by_hand():
    others = np.array([[2.0, 6.0], [4.0, 5.0], [0.0, 4.0], [1.0, 2.0]])
    assert overlap_in_time(0.0, 4.0, *others.T) == pytest.approx([2 / 6, 0, 1, 1 / 4])


def test_an_overlap_is_enough_or_not():
    truth = segments(("a", 0, 10, "run"))
    found = segments(("a", 0, 5, "run", 0.9))  # overlaps by 0.5
    assert localisation(found, truth) == {
        "map_at_0.3": 1, "map_at_0.4": 1, "map_at_0.5": 1, "map_at_0.6": 0, "map_at_0.7": 0,
        "mean_average_precision": pytest.approx(0.6), "per_class": {"run": [1, 1, 1, 0, 0]}, "segments": 1, "found": 1,
    }  # fmt: skip


def test_a_segment_is_found_once_and_in_its_film():
    truth = segments(("a", 0, 10, "run"), ("b", 20, 30, "run"))
    found = segments(
        ("a", 0, 10, "run", 0.9),  # right
        ("a", 1, 10, "run", 0.8),  # the same again: wrong
        ("b", 0, 10, "run", 0.7),  # in the other film: wrong
        ("b", 20, 29, "run", 0.6),  # right: of four, two
    )
    assert precision(found, truth, 0.5) == pytest.approx((1 / 1 + 2 / 4) / 2)
    assert precision(found[::-1], truth, 0.5) == pytest.approx(0.75)  # scores decide, not the order


def test_the_better_one_takes_the_segment_that_it_overlaps_most():
    truth = segments(("a", 0, 10, "run"), ("a", 10, 20, "run"))
    found = segments(("a", 6, 18, "run", 0.9), ("a", 0, 9, "run", 0.8))
    # 4 / 18 and 8 / 14 of the first, so it is given the second; 9 / 10 of the second
    assert precision(found, truth, 0.2) == 1
    found = segments(("a", 4, 14, "run", 0.9), ("a", 0, 10, "run", 0.8))
    # 6 / 14 and 4 / 16 of the first, so it takes the first, and nothing is left for the other
    assert precision(found, truth, 0.2) == pytest.approx(1 / 2)


def test_the_curve_is_made_to_fall():
    # right at places 2, 3 and 6 of six, of four there are: precisions 1/2, 2/3, 3/6; the first is lifted to 2/3
    right = np.array([False, True, True, False, False, True])
    assert interpolated_precision(right, 4) == pytest.approx((2 / 3 + 2 / 3 + 3 / 6) / 4)
    assert interpolated_precision(np.zeros(3, dtype=bool), 4) == 0
    assert interpolated_precision(np.zeros(0, dtype=bool), 4) == 0


def test_classes_count_alike_and_others_not_at_all():
    truth = segments(("a", 0, 1, "run"), ("a", 2, 3, "run"), ("a", 4, 5, "sit"))
    found = segments(("a", 0, 1, "run", 0.5), ("a", 0, 1, "swim", 0.9))
    got = localisation(found, truth, [0.5])
    assert got["per_class"] == {"run": [0.5], "sit": [0.0]} and got["map_at_0.5"] == 0.25
    assert got["segments"] == 3 and got["found"] == 1


def test_a_metric_of_evaluate_loads_by_its_path():
    truth = segments(("a", 0, 10, "run"), ("b", 20, 30, "run"))
    found = segments(("a", 0, 9, "run", 0.9))
    loaded = evaluate.load(str(FOLDER / "localisation.py"), keep_in_memory=True)
    for metric in (loaded, Localisation(keep_in_memory=True)):
        assert metric.compute(predictions=found, references=truth) == localisation(found, truth)
        assert metric.compute(predictions=[], references=truth, overlaps=[0.5])["map_at_0.5"] == 0


@pytest.mark.parametrize(
    ("found", "truth", "overlaps", "message"),
    [
        ([], [], [0.5], "references are empty"),
        ([("a", 2, 1, "run", 0.5)], [("a", 0, 1, "run")], [0.5], "end after its start"),
        ([], [("a", -1, 1, "run")], [0.5], "got one of a from -1 s to 1 s"),
        ([("a", 0, 1, "run", float("nan"))], [("a", 0, 1, "run")], [0.5], "is not a number: nan"),
        ([], [("a", 0, 1, "run")], [], "overlaps must be above 0"),
        ([], [("a", 0, 1, "run")], [1.5], "overlaps must be above 0"),
    ],
)
def test_bad_input_is_refused(found, truth, overlaps, message):
    with pytest.raises(ValueError, match=message):
        localisation(segments(*found), segments(*truth), overlaps)
