"""`holovid explain`: what it says, prints and writes, and what it says of slips."""

import json

import pytest
import tiny_ca2st
import tiny_where_when
import tiny_xvit
import torch
from clips import write_clip
from sounding_clips import clicks, write_sounding_clip
from typer.testing import CliRunner

from holovid import CA2STForActionRecognition, HolovidProcessor, HolovidVideoProcessor
from holovid.cli import app


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """A model that sees, one that hears, and a clip with sound."""
    folder = tmp_path_factory.mktemp("explain")
    tiny_xvit.tiny(num_labels=2, id2label={0: "left", 1: "right"}).save_pretrained(folder / "sees")
    HolovidVideoProcessor(size={"shortest_edge": 16}, crop_size=16, num_frames=6).save_pretrained(folder / "sees")
    model = tiny_where_when.tiny(num_labels=2, id2label={0: "dog", 1: "cat"})
    model.save_pretrained(folder / "hears")
    HolovidProcessor.for_model(model.config).save_pretrained(folder / "hears")
    write_sounding_clip(folder / "clip.mp4", frames=20, sound=clicks(1.0, (0.4,)))
    return folder


@pytest.fixture
def explain(places):
    def run(model, *arguments):
        return CliRunner().invoke(app, ["explain", str(places / model), *map(str, arguments)])

    return run


def test_words(explain, places, tmp_path):
    result = explain("hears", places / "clip.mp4", "--output", tmp_path / "why.png")
    assert result.exit_code == 0, result.output
    answer, method, picture = result.stdout.splitlines()
    assert answer.startswith(("dog 0.", "cat 0.")) and ", because of seconds 0." in answer
    assert answer.endswith((", mostly the audio", ", mostly the video", "; video or audio alone is enough"))
    assert method == "Method: intrinsic" and picture == f"Picture: {tmp_path / 'why.png'}"
    assert [path.name for path in tmp_path.iterdir()] == ["why.png"]


def test_json(explain, places):
    result = explain("hears", places / "clip.mp4", "--json", "--target", "cat")
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    assert record["target"] == "cat" and record["method"] == "intrinsic" and 0 < record["score"] < 1
    assert len(record["times"]) == len(record["when_visual"]) == len(record["where"]) == 5
    assert [len(record["where"][0]), len(record["where"][0][0])] == [2, 3]
    assert len(record["when_audio"]) == len(record["audio_times"]) and 0 <= record["heard"] <= 1
    assert len(record["span"]) == 2 and record["span"][0] < record["span"][1] <= 1.0
    assert json.loads(explain("hears", places / "clip.mp4", "--json", "--target", 1).stdout) == record
    # a progress bar of occlusion would stand in the JSON
    hidden = json.loads(explain("sees", places / "clip.mp4", "--json", "--method", "occlusion").stdout)
    assert hidden["method"] == "occlusion" and hidden["when_audio"] is None


@pytest.mark.parametrize(
    "model, arguments, message",
    [
        ("sees", ("clip.mp4", "--output", "why.gif"), "must end in .png, .mp4 or .html, got why.gif"),
        ("sees", ("clip.mp4", "--method", "intrinsic"), "cannot explain a XViTForVideoClassification; relevance and"),
        ("sees", ("clip.mp4", "--method", "relevanse"), "did you mean 'relevance'?"),
        ("sees", ("clip.mp4", "--target", "lefd"), "there is no class 'lefd'; did you mean 'left'?"),
        ("sees", ("clip.mp4", "--target", "2"), "target must be a class, 0 to 1"),
        ("sees", ("clip.mp4", "--task", "verb"), "task must be one of label, got 'verb'"),
        ("sees", ("none.mp4",), "there is no video at"),
        ("sees", ("sees/config.json",), "cannot be read as a video"),
        ("none", ("clip.mp4",), "there is no folder"),
    ],
)
def test_slips(explain, places, model, arguments, message):
    result = explain(model, places / arguments[0], *arguments[1:])
    assert result.exit_code == 2 and message in result.stderr and result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_why_in_the_picture_of_classify(places, tmp_path):
    sheet = tmp_path / "sheet.png"
    command = ["classify", str(places / "sees"), str(places / "clip.mp4"), "--why"]
    assert "add --picture" in CliRunner().invoke(app, command).stderr
    plain, explained = tmp_path / "plain.png", tmp_path / "explained.png"
    for picture, arguments in ((plain, command[:-1]), (explained, command)):
        assert CliRunner().invoke(app, [*arguments, "--picture", str(picture)]).exit_code == 0
    assert plain.read_bytes() != explained.read_bytes() and not sheet.exists()


@pytest.mark.slow
def test_models_of_verbs_and_nouns(explain, places, tmp_path):
    model = tiny_ca2st.tiny_actions()
    model.save_pretrained(places / "actions")
    HolovidProcessor.for_model(model.config).save_pretrained(places / "actions")
    clip = write_clip(tmp_path / "clip.mp4")
    for method in ("relevance", "occlusion"):
        result = explain("actions", clip, "--task", "noun", "--method", method, "--json")
        assert result.exit_code == 0 and json.loads(result.stdout)["method"] == method, result.output
    assert "task must be one of verb, noun" in explain("actions", clip, "--task", "label").stderr


def test_without_a_task_the_first_is_explained(tmp_path):
    torch.manual_seed(0)
    model = CA2STForActionRecognition(tiny_ca2st.tiny_config(experts=["space", "time"]))
    model.save_pretrained(tmp_path / "model")
    HolovidProcessor.for_model(model).save_pretrained(tmp_path / "model")
    clip = str(write_clip(tmp_path / "clip.mp4"))
    arguments = ["explain", str(tmp_path / "model"), clip, "--json"]
    told, first, second = (
        json.loads(CliRunner().invoke(app, [*arguments, *more]).stdout)
        for more in ([], ["--task", "verb"], ["--task", "noun"])
    )
    assert told == first and told["target"].startswith("verb ") and second["target"].startswith("noun ")
