"""Scores over time become segments, by hand; and files that players and tables read."""

import csv
import io
import json
import os
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from holovid.inference import Segment, SegmentRules, Timeline, find_segments, read_truth, write_timeline
from holovid.inference.segments import around_peaks, check_threshold, highest_score, smooth


def over_time(scores: dict[str, list[float]], kind: str = "multi_label") -> Timeline:
    """Windows of two seconds, one a second: middles 1, 2, ..., and edges 0, 1.5, 2.5, ..., n + 1."""
    values = np.array(list(scores.values()), dtype=np.float32).T
    count = len(values)
    return Timeline("films/a.mp4", tuple(scores), kind, np.arange(count, dtype=float), 2.0, count + 1.0, values)


def spans(timeline: Timeline, **rules) -> list[tuple[float, float, str]]:
    return [(s.start, s.end, s.label) for s in find_segments(timeline, SegmentRules(**rules))]


def test_what_comes_next_stands_where_it_is():
    """Windows of 2 s, one a second, and what comes 3 s after each: moments 5, 6, 7 of a film of 4 s."""
    scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9]], np.float32)
    ahead = Timeline("film", ("a", "b"), "future", np.arange(3.0), 2.0, 4.0, scores, ahead=3.0)
    assert ahead.middles.tolist() == [5, 6, 7] and ahead.edges.tolist() == [4.5, 5.5, 6.5, 7.5]
    assert [(one.start, one.end, one.label) for one in find_segments(ahead)] == [(4.5, 6.5, "a"), (6.5, 7.5, "b")]
    assert ahead.best(4.0, 1) == [] == ahead.best(8.0, 1)
    assert [ahead.best(second, 1)[0]["label"] for second in (4.6, 7.4)] == ["a", "b"]
    alone = Timeline("film", ("a", "b"), "future", np.zeros(1), 2.0, 4.0, scores[:1], ahead=0.5)
    assert alone.edges.tolist() == [2.0, 3.0]


def test_cells_span_the_film():
    timeline = over_time({"run": [0.1, 0.2, 0.3]})
    assert timeline.middles.tolist() == [1, 2, 3]
    assert timeline.edges.tolist() == [0, 1.5, 2.5, 4]
    assert [float(timeline.at(second)[0]) for second in (0, 1.4, 1.6, 2.5, 9)] == pytest.approx(
        [0.1, 0.1, 0.2, 0.3, 0.3]
    )
    assert timeline.best(2.0, 5) == [{"label": "run", "score": pytest.approx(0.2)}]


def test_a_threshold():
    timeline = over_time({"run": [0.9, 0.2, 0.5, 0.6, 0.1, 0.7], "sit": [0.0, 0.0, 0.6, 0.0, 0.0, 0.0]})
    found = find_segments(timeline)
    assert [(s.start, s.end, s.label) for s in found] == [
        (0, 1.5, "run"), (2.5, 3.5, "sit"), (2.5, 4.5, "run"), (5.5, 7, "run"),
    ]  # fmt: skip
    assert [s.score for s in found] == pytest.approx([0.9, 0.6, 0.55, 0.7])
    assert spans(timeline, threshold=0.8) == [(0, 1.5, "run")]
    assert spans(timeline, threshold=1.1) == []


def test_the_highest_score_is_that_of_which_segments_are_made():
    timeline = over_time({"run": [0.1, 0.4, 0.1], "sit": [0.3, 0.3, 0.3]})
    assert highest_score(timeline, SegmentRules()) == (pytest.approx(0.4), "run")
    assert highest_score(timeline, SegmentRules(smooth=3.0)) == (pytest.approx(0.3), "sit")
    assert highest_score(timeline, SegmentRules(background=("run",))) == (pytest.approx(0.3), "sit")
    assert highest_score(timeline, SegmentRules(background=("run", "sit")))[1] == ""


def test_only_numbers_on_a_scale_have_other_thresholds_than_shares():
    for threshold in (-0.1, 1.1):
        check_threshold(SegmentRules(threshold), "score")
        for kind in ("class", "future", "multi_label"):
            with pytest.raises(ValueError, match="threshold must be between 0 and 1"):
                check_threshold(SegmentRules(threshold), kind)


def test_gaps_are_closed_before_short_ones_are_left_out():
    timeline = over_time({"run": [0.9, 0.2, 0.5, 0.6, 0.1, 0.1, 0.7]})
    assert spans(timeline, gap=1.0) == [(0, 4.5, "run"), (6.5, 8, "run")]
    assert spans(timeline, gap=2.0) == [(0, 8, "run")]
    assert spans(timeline, gap=0.99) == [(0, 1.5, "run"), (2.5, 4.5, "run"), (6.5, 8, "run")]
    assert spans(timeline, shortest=2.0) == [(2.5, 4.5, "run")]
    assert spans(timeline, gap=1.0, shortest=2.0) == [(0, 4.5, "run")]


def test_scores_are_smoothed():
    assert smooth(np.array([1.0, 2.0, 6.0]), 1).tolist() == [1, 2, 6]
    assert smooth(np.array([1.0, 2.0, 6.0]), 5).tolist() == [3, 3, 3]
    timeline = over_time({"run": [0.0, 0.9, 0.0, 0.9, 0.0, 0.0]})
    # of three moments each: 0.45, 0.3, 0.6, 0.3, 0.3, 0
    assert spans(timeline, smooth=3.0, threshold=0.4) == [(0, 1.5, "run"), (2.5, 3.5, "run")]
    assert spans(timeline, smooth=2.9, threshold=0.4) == spans(timeline, smooth=2.0, threshold=0.4)
    assert spans(timeline, smooth=1.9, threshold=0.4) == spans(timeline, threshold=0.4)


def test_peaks_part_what_a_threshold_joins():
    assert around_peaks(np.array([0.9, 0.6, 0.8, 0.2, 0.1]), 0.5) == [(0, 0), (2, 2)]
    assert around_peaks(np.array([0.1, 0.2]), 0.5) == []
    assert around_peaks(np.array([0.7]), 0.5) == [(0, 0)]
    assert around_peaks(np.array([0.2, 0.8, 0.8, 0.5, 0.3]), 0.5) == [(1, 3)]  # a plateau is one
    timeline = over_time({"run": [0.2, 0.6, 0.9, 0.5, 0.5, 0.8, 0.3]})
    assert spans(timeline, threshold=0.5) == [(1.5, 6.5, "run")]
    assert spans(timeline, threshold=0.5, peaks=True) == [(1.5, 3.5, "run"), (4.5, 6.5, "run")]


def test_background_has_no_segments():
    timeline = over_time({"run": [0.3, 0.7], "nothing": [0.7, 0.3]}, "class")
    assert spans(timeline, background=("nothing",)) == [(1.5, 3, "run")]
    with pytest.raises(ValueError, match="background 'sit' is not a class; classes are run, nothing"):
        find_segments(timeline, SegmentRules(background=("sit",)))


@pytest.mark.parametrize(("name", "value"), [("gap", -1.0), ("smooth", float("nan")), ("threshold", float("inf"))])
def test_rules_that_cannot_be(name, value):
    with pytest.raises(ValueError, match=f"^{name} must be"):
        SegmentRules(**{name: value})


SEGMENTS = [Segment(0.0, 1.25, "cut <b> & stir", 0.9), Segment(3599.5, 3601.0, "wash\nup", 0.5)]
TIMELINE = over_time({"cut <b> & stir": [0.9, 0.2], "wash\nup": [0.1, 0.5], "$x_1$": [0.0, 0.1]})


@pytest.mark.parametrize("suffix", [".vtt", ".srt"])
def test_a_player_reads_the_subtitles(tmp_path, suffix):
    write_timeline(TIMELINE, SEGMENTS, tmp_path / f"film{suffix}")
    with av.open(str(tmp_path / f"film{suffix}")) as file:
        cues = [
            (float(packet.pts * packet.time_base), float(packet.duration * packet.time_base), bytes(packet).decode())
            for packet in file.demux(file.streams.subtitles[0])
            if packet.size
        ]
    words = [cue[2] for cue in cues]
    assert np.array([cue[:2] for cue in cues]) == pytest.approx(np.array([(0.0, 1.25), (3599.5, 1.5)]))
    if suffix == ".vtt":
        assert words == ["cut &lt;b&gt; &amp; stir 0.90", "wash up 0.50"]
    else:
        assert words == ["cut \u2039b\u203a & stir 0.90", "wash up 0.50"]


def test_no_segments_are_subtitles_too(tmp_path):
    write_timeline(TIMELINE, [], tmp_path / "film.vtt")
    assert (tmp_path / "film.vtt").read_text() == "WEBVTT\n"


def test_a_table_and_json(tmp_path):
    write_timeline(TIMELINE, SEGMENTS, tmp_path / "new" / "film.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "new" / "film.csv").read_text())))
    assert rows[1] == {
        "path": "films/a.mp4", "start": "3599.500", "end": "3601.000", "label": "wash\nup", "score": "0.5000",
    }  # fmt: skip
    write_timeline(TIMELINE, SEGMENTS, tmp_path / "film.JSON")
    record = json.loads((tmp_path / "film.JSON").read_text())
    assert record["labels"] == list(TIMELINE.labels) and record["kind"] == "multi_label"
    assert record["segments"][0] == {"start": 0.0, "end": 1.25, "label": "cut <b> & stir", "score": 0.9}
    assert record["windows"][1]["start"] == 1 and record["windows"][1]["end"] == 3
    assert record["windows"][1]["scores"] == pytest.approx([0.2, 0.5, 0.1])


def bar_pixels(path) -> np.ndarray:
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    return (np.abs(pixels - (0x2F, 0x6F, 0xDE)).sum(-1) < 8).sum(axis=0)


def test_a_picture_shows_when(tmp_path):
    timeline = over_time({"run": [0.9, 0.9, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1], "sit": [0.1] * 9})
    write_timeline(timeline, find_segments(timeline), tmp_path / "early.png")
    write_timeline(timeline, [Segment(7.5, 10.0, "sit", 0.9)], tmp_path / "late.png")
    early, late = bar_pixels(tmp_path / "early.png"), bar_pixels(tmp_path / "late.png")
    assert early.any() and late.any()
    assert np.flatnonzero(early).max() < len(early) / 2 < np.flatnonzero(late).min()


def test_a_picture_of_a_number_and_of_many_classes(tmp_path):
    write_timeline(over_time({"quality": [40.0, 60.0, 60.0]}, "score"), [], tmp_path / "quality.png")
    many = over_time({f"class {number}": [number / 50, 0.0] for number in range(50)})
    write_timeline(many, [Segment(0.0, 1.0, "class 3", 0.5)], tmp_path / "many.png")
    with Image.open(tmp_path / "many.png") as picture, Image.open(tmp_path / "quality.png") as low:
        assert picture.height > 5 * low.height and picture.width == low.width


@pytest.mark.parametrize("seconds", [0.5, 4.0, 9000.0])
def test_each_time_below_the_picture_is_told_once(seconds):
    from holovid.inference.timeline_picture import draw_timeline

    figure = draw_timeline(replace(TIMELINE, seconds=seconds), [])
    figure.draw_without_rendering()
    told = [text.get_text() for text in figure.axes[-1].get_xticklabels()]
    assert told and len(set(told)) == len(told)


def test_other_endings_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"the file of a timeline must end in \.csv, .* or \.mp4, got"):
        write_timeline(TIMELINE, SEGMENTS, tmp_path / "film.txt")
    with pytest.raises(ValueError, match="pass film as well"):
        write_timeline(TIMELINE, SEGMENTS, tmp_path / "film.mp4")


def test_a_film_is_not_replaced_by_what_is_made_of_it(tmp_path):
    film = tmp_path / "film.mp4"
    film.write_bytes(b"a film")
    with pytest.raises(ValueError, match=r"film.mp4 is the video itself, which would be replaced; name another file"):
        write_timeline(TIMELINE, SEGMENTS, tmp_path / ".." / tmp_path.name / "film.mp4", film)
    assert film.read_bytes() == b"a film"


def test_paths_of_the_table_start_at_its_folder(tmp_path, monkeypatch):
    """So that it is a table of clips wherever it is."""
    for name in ("films/a.mp4", "a.mp4", "found/deep/films/a.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    for table, path in (("a.csv", "films/a.mp4"), ("found/deep/a.csv", "../../films/a.mp4")):
        write_timeline(TIMELINE, SEGMENTS, table)
        assert {row["path"] for row in csv.DictReader(io.StringIO(Path(table).read_text()))} == {path}
        assert {os.path.realpath(film) for film in read_truth(table)} == {os.path.realpath("films/a.mp4")}
    whole = str(tmp_path / "films" / "a.mp4")
    write_timeline(replace(TIMELINE, name=whole), SEGMENTS, "found/whole.csv")
    assert {row["path"] for row in csv.DictReader(io.StringIO(Path("found/whole.csv").read_text()))} == {whole}
