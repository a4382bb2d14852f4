"""Metrics of what happens when, against numbers that were worked out by hand."""

from pathlib import Path

import evaluate
import numpy as np
import pytest

import holovid.metrics
from holovid.metrics.audio_visual_parsing import AudioVisualParsing
from holovid.metrics.segment_accuracy import SegmentAccuracy

FOLDER = Path(holovid.metrics.__file__).parent


def rows_of(*classes):
    """`"1100"` for each class -> (classes, segments)."""
    return [[int(digit) for digit in row] for row in classes]


def measure(heard, seen, is_heard, is_seen, **options):
    return AudioVisualParsing(keep_in_memory=True).compute(
        audio_predictions=[heard], visual_predictions=[seen], audio_references=[is_heard], visual_references=[is_seen],
        **options,
    )  # fmt: skip


def test_segments_of_all_clips_count_alike():
    labels = [[0, 0, 2], [2, -100, 1]]
    scores = np.zeros((2, 3, 3))
    for clip, classes in enumerate([[0, 1, 2], [2, 0, 2]]):
        scores[clip, range(3), classes] = 1
    found = SegmentAccuracy(keep_in_memory=True).compute(predictions=scores, references=labels)
    # right: 0, 2 of the first clip, 2 of the second; of five. Of the three in which something happens: one.
    assert found["segment_accuracy"] == pytest.approx(3 / 5) and found["segments"] == 5 and found["left_out"] == 1
    assert found["foreground_accuracy"] == pytest.approx(1 / 3)
    other = SegmentAccuracy(keep_in_memory=True).compute(predictions=scores, references=labels, background=0)
    assert other["foreground_accuracy"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        (np.zeros((1, 2, 3)), [[0, 3]], r"references must be in 0..2, got \[3\]"),
        (np.zeros((1, 2, 3)), [[0, 1, 2]], r"got \(1, 2, 3\) and \(1, 3\)"),
        (np.zeros((1, 2, 3)), [[-100, -100]], "no segment is left"),
        (np.full((1, 2, 3), np.nan), [[0, 1]], "scores of clip 0 .* are not numbers"),
    ],
)
def test_segments_that_cannot_be(scores, labels, message):
    with pytest.raises(ValueError, match=message):
        SegmentAccuracy(keep_in_memory=True).compute(predictions=scores, references=labels)


def test_ten_scores_by_hand():
    heard, is_heard = (
        rows_of("1110000000", "0000011000", "0000000000"),
        rows_of("1111100000", "0000000000", "0000000000"),
    )
    seen, is_seen = (
        rows_of("0011110000", "0000000000", "0000000000"),
        rows_of("0011000000", "0000000000", "1111111111"),
    )
    found = measure(heard, seen, is_heard, is_seen)
    # audio: class 0 has 3 hits and 2 misses, 6/8; class 1 2 false alarms, 0. The third is in neither.
    assert found["segment_audio"] == pytest.approx((6 / 8 + 0) / 2)
    # visual: class 0 has 2 hits and 2 false alarms, 4/6; class 2 10 misses.
    assert found["segment_visual"] == pytest.approx((4 / 6 + 0) / 2)
    # both: heard and seen is segment 2 of class 0, in truth 2 and 3: 1 hit, 1 miss, 2/3
    assert found["segment_audio_visual"] == pytest.approx(2 / 3)
    assert found["segment_type"] == pytest.approx((3 / 8 + 1 / 3 + 2 / 3) / 3)
    # together: class 0 has 5 hits, 2 false alarms, 2 misses: 10/14; the others have none right
    assert found["segment_event"] == pytest.approx(10 / 14 / 3)
    # events, audio: 3 of 5 segments are shared, which is one; class 1 is a false alarm
    assert found["event_audio"] == pytest.approx((1 + 0) / 2)
    # visual: 2 of 4 are shared, just enough; class 2 is missed
    assert found["event_visual"] == pytest.approx((1 + 0) / 2)
    assert found["event_audio_visual"] == pytest.approx(1)
    assert found["event_type"] == pytest.approx(2 / 3)
    assert found["event_event"] == pytest.approx(1 / 3)  # class 0: two of two; classes 1 and 2: none
    assert found["clips"] == 1 and found["left_out"] == 0
    assert measure(heard, seen, is_heard, is_seen, overlap=0.6)["event_visual"] == 0


def test_an_event_that_is_cut_in_two_is_one_hit_at_most():
    real, found = rows_of("1111111000"), rows_of("1111011000")
    result = measure(found, found, real, real)
    assert result["event_audio"] == pytest.approx(2 / 3)  # 4 of 7 are shared; the second piece is a false alarm
    assert result["segment_audio"] == pytest.approx(12 / 13)


def test_clips_without_any_event_are_right_and_clips_have_equal_weight():
    nothing, one = rows_of("0000"), rows_of("0011")
    four = {"audio_predictions": [nothing, one, nothing], "audio_references": [nothing, nothing, [[-100] * 4]]}
    four |= {"visual_predictions": [nothing, one, nothing], "visual_references": [nothing, one, nothing]}
    found = AudioVisualParsing(keep_in_memory=True).compute(**four)
    assert found["segment_audio"] == pytest.approx((1 + 0) / 2) and found["segment_visual"] == 1
    assert found["segment_audio_visual"] == pytest.approx(1 / 2)
    # in the second clip 2 hits and 2 false alarms together
    assert found["segment_event"] == pytest.approx((1 + 4 / 6) / 2)
    assert found["clips"] == 2 and found["left_out"] == 1


@pytest.mark.parametrize(
    ("heard", "is_heard", "options", "message"),
    [
        ([[2, 0]], [[0, 0]], {}, "audio_predictions must be 1 .* got 2"),
        ([[1, 0]], [[-100, 0]], {}, "no clip is left"),
        ([[1, 0, 1]], [[0, 0]], {}, "of one shape"),
        ([[1, 0]], [[0, 0]], {"overlap": 0.3}, "overlap must be between 0.5 and 1"),
    ],
)
def test_parsing_that_cannot_be(heard, is_heard, options, message):
    with pytest.raises(ValueError, match=message):
        measure(heard, [[0, 0]], is_heard, [[0, 0]], **options)


@pytest.mark.parametrize("name", ["segment_accuracy", "audio_visual_parsing"])
def test_files_stand_alone(name, tmp_path):
    metric = evaluate.load(str(FOLDER / f"{name}.py"), cache_dir=str(tmp_path))
    assert metric.inputs_description and metric.description
