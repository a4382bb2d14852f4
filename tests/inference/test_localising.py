"""Films of a table are scored and their segments measured; tables that cannot be are refused in a sentence."""

import json

import pytest
import torch
from sounding_clips import write_sounding_clip
from streams import tiny
from typer.testing import CliRunner

from holovid import HolovidVideoProcessor
from holovid.cli import app
from holovid.inference import Segment, SegmentRules, find_segments, localise, read_truth, timeline
from holovid.metrics.localisation import localisation

SMALL = {"size": {"shortest_edge": 16}, "crop_size": 16, "num_frames": 6}
LABELS = {0: "left", 1: "right", 2: "up", 3: "down", 4: "still"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two films, a table of what happens in them, and a model."""
    folder = tmp_path_factory.mktemp("films")
    (folder / "films").mkdir()
    write_sounding_clip(folder / "films" / "a.mp4", 120, size=(16, 16))
    write_sounding_clip(folder / "films" / "b.mp4", 80, size=(16, 16))
    torch.manual_seed(0)
    model = tiny(id2label=LABELS)
    model.save_pretrained(folder / "model")
    processor = HolovidVideoProcessor(**SMALL)
    processor.save_pretrained(folder / "model")
    best = timeline(model, processor, folder / "films" / "a.mp4", 2.0, 0.5, progress=False).best(3.0, 1)[0]["label"]
    other = next(label for label in LABELS.values() if label != best)
    lines = [
        "path,start,end,label",
        f"films/a.mp4,1.0,4.5,{best}",
        f"films/b.mp4,0,1,{other}",
        f"films/b.mp4,1,4,{best}",
    ]
    (folder / "truth.csv").write_text("\n".join([*lines, ""]))
    return folder, model, processor, other


def test_truth_is_read(folder):
    path, *_, other = folder
    truth = read_truth(path / "truth.csv")
    assert [len(some) for some in truth.values()] == [1, 2]
    assert truth[str(path / "films" / "b.mp4")][0] == Segment(0.0, 1.0, other, 1.0)
    assert list(read_truth(path / "truth.csv", root="/elsewhere")) == [
        "/elsewhere/films/a.mp4",
        "/elsewhere/films/b.mp4",
    ]


def test_a_film_with_two_paths_is_one_film(tmp_path):
    (tmp_path / "link.mp4").symlink_to(tmp_path / "a.mp4")
    paths = ("a.mp4", "./a.mp4", tmp_path / "a.mp4", "link.mp4", "b.mp4")
    rows = [f"{path},{second},{second + 1},run" for second, path in enumerate(paths)]
    (tmp_path / "truth.csv").write_text("\n".join(["path,start,end,label", *rows]))
    truth = read_truth(tmp_path / "truth.csv")
    assert {film: len(some) for film, some in truth.items()} == {
        str(tmp_path / "a.mp4"): 4, str(tmp_path / "b.mp4"): 1,
    }  # fmt: skip


def test_films_are_scored_and_measured(folder):
    path, model, processor, other = folder
    truth, rules = read_truth(path / "truth.csv"), SegmentRules(threshold=0.25)
    got = localise(model, processor, truth, rules, stride=0.5, progress=False)
    found = []
    for film in truth:
        scores = timeline(model, processor, film, 2.0, 0.5, progress=False)
        assert got.segments[film] == find_segments(scores, rules)
        found += [vars(segment) | {"film": film} for segment in got.segments[film]]
    want = [vars(segment) | {"film": film} for film, some in truth.items() for segment in some]
    assert got.metrics == localisation(found, want)
    assert got.metrics["segments"] == 3 and 0 < got.metrics["map_at_0.3"] < 1

    without = localise(model, processor, truth, SegmentRules(0.25, background=(other,)), progress=False).metrics
    assert without["segments"] == 2 and other not in without["per_class"]


def test_the_command_says_the_same(folder, tmp_path):
    path, model, processor, _ = folder
    arguments = [str(path / "model"), "--truth", str(path / "truth.csv"), "--threshold", "0.25"]
    outputs = ["--output", str(tmp_path / "found.csv"), "--output", str(tmp_path / "found.json")]
    result = CliRunner().invoke(app, ["timeline", *arguments, *outputs])
    assert result.exit_code == 0, result.output
    want = localise(
        model, processor, read_truth(path / "truth.csv"), SegmentRules(threshold=0.25), stride=0.5, progress=False
    )
    record = json.loads((tmp_path / "found.json").read_text())
    assert record["metrics"]["map_at_0.5"] == pytest.approx(want.metrics["map_at_0.5"])
    assert f"{want.metrics['mean_average_precision']:.3f}" in result.stdout
    assert [film["film"] for film in record["films"]] == list(want.segments)
    again = read_truth(tmp_path / "found.csv")  # what was found is a table of the same kind
    assert {film: len(some) for film, some in again.items()} == {
        film: len(some) for film, some in want.segments.items() if some
    }


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("path,start,end\na.mp4,0,1\n", "has no column 'label'"),
        ("path,start,end,label\na.mp4,0,,run\n", "row 0 of .* lacks a start, an end or a label"),
        ("path,start,end,label\na.mp4,0,1,run\na.mp4,2,2,run\n", "row 1 of .* goes from 2 s to 2 s"),
        ("start,end,label\n0,1,run\n", "has no column of clips"),
    ],
)
def test_tables_that_cannot_be(tmp_path, table, message):
    (tmp_path / "truth.csv").write_text(table)
    with pytest.raises(ValueError, match=message):
        read_truth(tmp_path / "truth.csv")


def test_labels_that_no_class_has(folder):
    path, model, processor, _ = folder
    truth = {str(path / "films" / "a.mp4"): [Segment(0, 1, "jump", 1.0)]}
    with pytest.raises(
        ValueError, match="the table has the label 'jump', which is not a class; classes are left, right"
    ):
        localise(model, processor, truth, progress=False)
