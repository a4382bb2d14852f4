"""Many clips are labelled into a file; a run that was stopped goes on, and one of another model does not."""

import csv
import json
import shutil

import pyarrow.parquet
import pytest
import torch
from clips import write_clip
from tiny_xvit import tiny
from transformers import pipeline
from typer.testing import CliRunner

from holovid import HolovidVideoProcessor, VideoClassificationPipeline
from holovid.cli import app
from holovid.data.named_clips import NamedClip, named_clips
from holovid.inference.going_on import unfinished_answers
from holovid.inference.labelling import label_into


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labelling") / "model"
    torch.manual_seed(0)
    tiny(id2label={0: "left", 1: "right", 2: "up", 3: "down", 4: "still"}).save_pretrained(folder)
    HolovidVideoProcessor(size={"shortest_edge": 16}, crop_size=16, num_frames=6).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    (folder / "deeper").mkdir()
    for number, name in enumerate(("a.mp4", "b.mp4", "deeper/c.mp4")):
        write_clip(folder / name, seed=number)
    (folder / "notes.txt").write_text("no clip")
    return folder


def classify(*arguments):
    return CliRunner().invoke(app, ["classify", *map(str, arguments)])


def test_what_names_stand_for(films, tmp_path):
    table = tmp_path / "parts.csv"
    table.write_text(f"path,start,end\n{films / 'a.mp4'},0.1,0.4\n{films / 'b.mp4'},,\n")
    a, b, c = (str(films / name) for name in ("a.mp4", "b.mp4", "deeper/c.mp4"))
    assert named_clips([films]) == [NamedClip(a), NamedClip(b), NamedClip(c)]
    assert named_clips([table, a]) == [NamedClip(a, 0.1, 0.4), NamedClip(b), NamedClip(a)]
    assert named_clips(["https://host/table.csv"]) == [NamedClip("https://host/table.csv")]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="there are no clips in"):
        named_clips([tmp_path / "empty"])
    (tmp_path / "bare.csv").write_text("path,start,end\n")
    with pytest.raises(ValueError, match=r"bare\.csv has no clips"):
        named_clips([tmp_path / "bare.csv"])
    (tmp_path / "words.csv").write_text("path,start\na.mp4,soon\n")
    with pytest.raises(ValueError, match=r"words\.csv"):
        named_clips([tmp_path / "words.csv"])


@pytest.mark.parametrize("ending", ["csv", "json", "parquet"])
def test_a_folder_into_a_file(model, films, tmp_path, ending):
    target = tmp_path / "new" / f"answers.{ending}"
    result = classify(model, films, "--output", target, "--top-k", 2, "--batch-size", 2)
    assert result.exit_code == 0, result.output
    assert f"Predictions for 3 clips: {target}" in result.output.replace("\n", "")
    wanted = pipeline("video-classification", model=str(model), pipeline_class=VideoClassificationPipeline)(
        [str(films / name) for name in ("a.mp4", "b.mp4", "deeper/c.mp4")], top_k=2
    )
    if ending == "json":
        records = json.loads(target.read_text())
        found = [(entry["label"], entry["score"]) for record in records for entry in record["answers"]]
    else:
        rows = (
            pyarrow.parquet.read_table(target).to_pylist()
            if ending == "parquet"
            else list(csv.DictReader(target.read_text().splitlines()))
        )
        assert [int(row["rank"]) for row in rows] == [1, 2] * 3
        found = [(row["label"], float(row["score"])) for row in rows]
    assert [label for label, _ in found] == [entry["label"] for answer in wanted for entry in answer]
    scores = [entry["score"] for answer in wanted for entry in answer]
    assert [score for _, score in found] == pytest.approx(scores, abs=1e-6)
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_part_of_a_file(model, films, tmp_path):
    table = tmp_path / "parts.csv"
    table.write_text(f"path,start,end\n{films / 'a.mp4'},0.2,0.6\n")
    result = classify(model, table, "--json")
    part = {"path": str(films / "a.mp4"), "bytes": None, "start": 0.2, "end": 0.6}
    classifier = pipeline("video-classification", model=str(model), pipeline_class=VideoClassificationPipeline)
    (record,) = json.loads(result.stdout)
    assert record["clip"].endswith("a.mp4, 0.2 to 0.6 s")
    assert record["answers"][0]["score"] == pytest.approx(classifier(part)[0]["score"], abs=1e-6)


class Killed(BaseException):
    pass


def test_a_run_that_was_stopped_goes_on(tmp_path):
    clips, target = [NamedClip(f"{name}.mp4") for name in "abc"], tmp_path / "answers.json"
    asked: list[str] = []

    def answers_of(videos, killed_at=None):
        for video in map(videos.__getitem__, range(len(videos))):
            if video == killed_at:
                raise Killed
            asked.append(video)
            yield {"error": "no frames"} if video == "a.mp4" and killed_at else [{"label": video, "score": 1.0}]

    with pytest.raises(Killed):
        label_into(target, clips, lambda videos: answers_of(videos, "c.mp4"), {"model": "one"})
    assert not target.exists() and unfinished_answers(target).is_dir()
    with pytest.raises(ValueError, match=r"holds another run: model was one, now two; remove that folder, or write"):
        label_into(target, clips, answers_of, {"model": "two"})
    with pytest.raises(ValueError, match="holds another run: "):
        label_into(target, clips[:2], answers_of, {"model": "one"})
    told = []
    answers = label_into(target, clips, answers_of, {"model": "one"}, told.append)
    assert answers == [[{"label": clip.path, "score": 1.0}] for clip in clips]
    assert asked == ["a.mp4", "b.mp4", "a.mp4", "c.mp4"]  # what could not be read is tried again
    assert sum(told) == 3 and [path.name for path in tmp_path.iterdir()] == ["answers.json"]


def test_a_model_that_was_trained_on_does_not_go_on_with_the_answers_of_before(model, films, tmp_path):
    """Both have the same folder; what is kept of the first run are two answers, up to a clip that cannot be read."""
    place, broken, target = tmp_path / "model", tmp_path / "broken.mp4", tmp_path / "answers.csv"
    shutil.copytree(model, place)
    broken.write_bytes(b"no video")
    arguments = (place, films / "a.mp4", films / "b.mp4", broken, "--output", target)
    assert classify(*arguments).exit_code == 2 and unfinished_answers(target).is_dir()
    torch.manual_seed(1)
    tiny(id2label={0: "left", 1: "right", 2: "up", 3: "down", 4: "still"}).save_pretrained(place)
    refused = classify(*arguments)
    assert refused.exit_code == 2 and "holds another run: model was" in " ".join(refused.output.split())
    shutil.rmtree(place)
    shutil.copytree(model, tmp_path / "moved")
    gone_on = classify(tmp_path / "moved", *arguments[1:], "--on-broken", "skip")
    assert gone_on.exit_code == 1 and target.is_file()


def test_broken_clips_have_a_row(model, films, tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    target = tmp_path / "answers.csv"
    result = classify(model, films, tmp_path / "broken.mp4", "--output", target, "--on-broken", "skip", "--top-k", 1)
    assert result.exit_code == 1 and "1 of 4 clips could not be read" in result.output
    rows = list(csv.DictReader(target.read_text().splitlines()))
    assert [bool(row["error"]) for row in rows] == [False] * 3 + [True] and "broken.mp4" in rows[3]["error"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--output", "answers.txt"], "--output must end in .csv, .json or .parquet"), (["--device", "gpu"], "gpu")],
)
def test_slips(model, films, arguments, message):
    result = classify(model, films, *arguments)
    assert result.exit_code == 2 and message in result.output
