"""The `holovid` command: what it prints and draws is what the library says; what it cannot do is one sentence."""

import csv
import json
import shutil
import subprocess
import sys

import pytest
import tiny_ca2st
import torch
from clips import write_clip
from golden_numbers import golden, golden_weights
from PIL import Image
from tiny_xvit import tiny
from transformers import AutoModelForVideoClassification, AutoProcessor, pipeline
from typer.testing import CliRunner

from holovid import HolovidProcessor, HolovidVideoProcessor
from holovid.cli import app
from holovid.data.dataset import load_clips
from holovid.data.synthetic import ClipSet, render_clips
from holovid.evaluation.evaluate import evaluate_clips
from holovid.evaluation.protocol import Protocol
from holovid.loading import load_classifier
from holovid.recipes import get_recipe


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli") / "model"
    torch.manual_seed(0)
    tiny(id2label={0: "left", 1: "right", 2: "up", 3: "down", 4: "still"}).save_pretrained(folder)
    HolovidVideoProcessor(size={"shortest_edge": 16}, crop_size=16, num_frames=6).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def clips(folder):
    return [str(write_clip(folder.parent / f"{seed}.mp4", seed=seed)) for seed in range(2)]


@pytest.fixture
def holovid():
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.parametrize(
    "command",
    [
        "train",
        "classify",
        "explain",
        "app",
        "convert",
        "evaluate",
        "info",
        "card",
        "push",
        "export",
        "watch",
        "timeline",
        "embed",
        "search",
        "probe",
        "data synth",
    ],
)
def test_help_has_an_example(holovid, command):
    assert f" holovid {command} " in holovid(*command.split(), "--help").output


def test_the_usage_of_train_has_clips(holovid):
    assert " train {data} [OPTIONS]" in holovid("train", "--help").output


def test_train_lists_what_can_be_given(holovid):
    listed = " ".join(holovid("train", "--options").stdout.split())
    for name in ("on_broken", "for clips that cannot be read.", "num_train_epochs,", "fsdp,"):
        assert name in listed


def test_classify_says_what_the_pipeline_says(holovid, folder, clips):
    result = holovid("classify", folder, *clips, "--top-k", 3, "--json")
    assert result.exit_code == 0, result.output
    want = [
        {"clip": clip, "answers": pipeline("video-classification", model=str(folder))(clip, top_k=3)} for clip in clips
    ]
    got = json.loads(result.stdout)
    assert [[a["label"] for a in g["answers"]] for g in got] == [[a["label"] for a in w["answers"]] for w in want]
    for ours, theirs in zip(got, want, strict=True):
        assert ours["clip"] == theirs["clip"]
        assert [a["score"] for a in ours["answers"]] == pytest.approx([a["score"] for a in theirs["answers"]])


def test_classify_draws(holovid, folder, clips, tmp_path):
    result = holovid("classify", folder, *clips, "--top-k", 2, "--picture", tmp_path / "sheet.png")
    assert result.exit_code == 0, result.output
    assert "label" in result.stdout and "sheet.png" in result.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width == 960


def test_data_synth(holovid, tmp_path):
    arguments = ("data", "synth", tmp_path / "set", "--train", 4, "--val", 2, "--motions", "grow, shrink")
    result = holovid(*arguments, "--sounds", "tone", "--size", 32, "--seconds", 0.5)
    assert result.exit_code == 0, result.output
    assert f"6 clips in {tmp_path / 'set'}" in result.stdout
    with open(tmp_path / "set" / "train" / "metadata.csv", newline="") as file:
        assert [row["label"] for row in csv.DictReader(file)] == [
            "disc-grow-tone", "disc-shrink-tone", "triangle-grow-tone", "triangle-shrink-tone",
        ]  # fmt: skip


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """Two sets of clips, and a model that hears them."""
    folder = tmp_path_factory.mktemp("labelled")
    for name, seed in (("one", 0), ("two", 1)):
        render_clips(folder / name, ClipSet(train=8, val=9, size=32, seconds=0.5, seed=seed), progress=False)
    names = load_clips(folder / "one")["train"].features["label"].names
    torch.manual_seed(0)
    model = tiny_ca2st.tiny(experts=tiny_ca2st.CA2ST, num_labels=8, id2label=dict(enumerate(names)))
    model.save_pretrained(folder / "model")
    HolovidProcessor.for_model(model.config, size={"shortest_edge": 28}).save_pretrained(folder / "model")
    return folder


def test_evaluate_says_what_the_function_says(holovid, labelled, tmp_path):
    arguments = ("evaluate", labelled / "model", labelled / "one", "--views", 2, "--crops", 3, "--batch-size", 4)
    result = holovid(
        *arguments, "--mute", "--drop-expert", "time", "--json", "--csv", "--output", tmp_path / "results"
    )
    assert result.exit_code == 0, result.output
    got = json.loads(result.stdout)
    assert got == json.loads((tmp_path / "results" / "results.json").read_text())
    model, processor = load_classifier(labelled / "model")
    want = evaluate_clips(
        model, processor, load_clips(labelled / "one")["validation"], progress=False,
        protocol=Protocol(views=2, crops=3, interventions=["mute", "without_time"]),
    )  # fmt: skip
    assert got["metrics"] == pytest.approx(want["metrics"]) and got["counts"] == want["counts"]
    assert got["protocol"] == want["protocol"] and got["protocol"]["ensemble"] == "probabilities"
    assert got["model"]["name"] == "model" and got["dataset"] == {"name": "one", "split": "validation"}
    assert {"results.json", "predictions.csv", "predictions.parquet", "confusion.png"} <= {
        path.name for path in (tmp_path / "results").iterdir()
    }
    again = holovid(*arguments, "--output", tmp_path / "results")
    assert again.exit_code == 2 and "holds another evaluation: protocol intervention was" in again.stderr


def test_evaluate_says_what_it_leaves_out(holovid, labelled, tmp_path):
    shutil.copytree(labelled / "one", tmp_path / "one")
    clip = min((tmp_path / "one" / "val").rglob("*.mp4"))
    clip.write_bytes(b"no video")
    result = holovid("evaluate", labelled / "model", tmp_path / "one", "--json")
    assert result.exit_code == 0 and json.loads(result.stdout)["counts"]["broken"] == 1
    assert "holovid: 1 clip is left out: " in result.stderr and clip.name in result.stderr


def test_evaluate_several_sets(holovid, labelled):
    arguments = ("evaluate", labelled / "model", labelled / "one", labelled / "two")
    result = holovid(*arguments, "--split", "train", "--shuffle-frames", "--static")
    assert result.exit_code == 0, result.output
    words = result.stdout.split()
    for word in ("one", "two", "harmonic", "top1", "top5", "evaluated"):
        assert word in words
    found = json.loads(holovid(*arguments, "--json").stdout)
    assert set(found) == {"sets", "harmonic_mean"} and set(found["sets"]) == {"one", "two"}
    assert [each["counts"]["clips"] for each in found["sets"].values()] == [9, 9]


def test_evaluate_by_recipe(holovid, labelled):
    result = holovid("evaluate", labelled / "model", labelled / "one", "--recipe", "cast-ssv2", "--views", 1, "--json")
    assert result.exit_code == 0, result.output
    recipe = get_recipe("cast-ssv2")
    protocol = json.loads(result.stdout)["protocol"]
    assert (protocol["views"], protocol["crops"]) == (1, recipe.num_crops)
    assert (protocol["sampling"], protocol["ensemble"]) == (recipe.sampling, "probabilities")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("{new}", "{one}"), "there is no folder"),
        (("{model}", "{new}"), "there is no"),
        (("{model}", "{one}", "--split", "dev"), "the data has no split 'dev'; it has train, validation"),
        (("{model}", "{one}", "--target", "colour"), "'colour'"),
        (
            ("{model}", "{one}", "--target", "shape"),
            "'shape' of the data has 2 classes (disc, triangle) that the model",
        ),
        (("{model}", "{one}", "--drop-expert", "sound"), "no expert 'sound'; it has space, time, audio"),
        (("{model}", "{one}", "--ensemble", "votes"), "ensemble must be one of logits, probabilities"),
        (("{model}", "{one}", "--crops", "2"), "num_crops must be one of (1, 3)"),
        (("{model}", "{one}", "--recipe", "xvit-k400"), "recipe 'xvit-k400' is for xvit models"),
        (("{model}", "{one}", "--recipe", "cast-svs2"), "cast-ssv2"),
        (("{model}", "{one}", "{one}"), "sets of clips need different names, got one, one"),
        (("{model}", "{one}", "--output", "{one}"), "holds something else"),
    ],
)
def test_what_cannot_be_evaluated_is_one_sentence(holovid, labelled, tmp_path, arguments, message):
    places = {"new": tmp_path / "new", "model": labelled / "model", "one": labelled / "one"}
    result = holovid("evaluate", *(argument.format(**places) for argument in arguments))
    assert result.exit_code == 2
    assert result.stderr.startswith("holovid: ") and message in result.stderr
    assert result.stderr.count("\n") == 1 and not result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("data", "synth", "{new}", "--shapes", "cube"), "shapes must be different ones of disc"),
        (("data", "synth", "{new}", "--motions", ""), "motions must be different ones of right"),
        (("data", "synth", "{model}"), "exists already"),
        (("classify", "{new}", "{clip}"), "there is no folder"),
        (("classify", "{empty}", "{clip}"), "config.json"),
        (("classify", "{model}", "{new}.mp4"), "there is no video at"),
        (("classify", "{model}", "{model}/config.json"), "config.json"),
        (("classify", "{model}", "{clip}", "--picture", "{new}.txt"), "--picture must end in .png"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(holovid, folder, clips, tmp_path, arguments, message):
    (tmp_path / "empty").mkdir()
    places = {"new": tmp_path / "new", "empty": tmp_path / "empty", "model": folder, "clip": clips[0]}
    result = holovid(*(argument.format(**places) for argument in arguments))
    assert result.exit_code == 2
    assert result.stderr.startswith("holovid: ") and message in result.stderr
    assert result.stderr.count("\n") == 1 and not result.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


@pytest.mark.integration
@pytest.mark.slow
def test_as_a_process(clips, tmp_path):
    command = [sys.executable, "-c", "from holovid.cli import main; main()"]
    result = subprocess.run([*command, "classify", str(tmp_path / "no"), clips[0]], capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stderr.startswith("holovid: there is no folder") and "Traceback" not in result.stderr
    usage = subprocess.run([*command, "--help"], capture_output=True, text=True)
    assert usage.returncode == 0 and "classify" in usage.stdout and "data" in usage.stdout


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("convert") / "checkpoint.pyth"
    torch.save({"model_state": golden_weights(golden("xvit/tiny_div8_ta_sharp.json"))}, path)
    return path


def test_convert_writes_what_the_function_writes(holovid, checkpoint):
    output, labels = checkpoint.parent / "output", checkpoint.parent / "labels.txt"
    labels.write_text("a\nb\nc\nd\ne\n")
    result = holovid(
        "convert", checkpoint, "--family", "xvit", "--output", output, "--num-attention-heads", 4, "--num-frames", 8,
        "--mix-group", 4, "--mix-layers", "0, 2", "--labels", labels, "--sampling", "dense", "--frame-stride", 16,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    config = json.loads((output / "config.json").read_text())
    assert config["num_attention_heads"] == 4 and config["mix_layers"] == [0, 2] and config["id2label"]["4"] == "e"
    processor = json.loads((output / "processor_config.json").read_text())["video_processor"]
    assert (processor["num_frames"], processor["sampling"], processor["frame_stride"]) == (8, "dense", 16)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--family", "vit"], "unknown family 'vit'; choose from avt, starvqa, timesformer, xvit"),
        (["--family", "xvit", "--mix-layers", "0,x"], "--mix-layers takes whole numbers as in 0,1,2, got '0,x'"),
        (["--family", "xvit", "--num-attention-heads", "5"], "must be a multiple of num_attention_heads 5"),
        (["--family", "xvit", "--audio-frames", "5"], "xvit has no setting audio_frames; it takes image_size"),
        (["--family", "xvit", "--sampling", "sparse"], "sampling"),
        (["--family", "cast"], "this is not a complete cast checkpoint: it lacks clip_positional_embedding"),
    ],
)  # fmt: skip
def test_convert_says_what_cannot_be_done(holovid, checkpoint, tmp_path, arguments, sentence):
    result = holovid("convert", checkpoint, "--output", tmp_path / "output", *arguments)
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1 or "assumed" in result.stderr
    assert sentence in result.stderr
    assert not list(tmp_path.iterdir())


def test_convert_lists_and_reads_the_options_of_a_family(holovid, checkpoint, tmp_path):
    listed = holovid("convert", "--family", "xvit", "--options")
    assert listed.exit_code == 0 and "mix_divisor" in listed.output and "audio" not in listed.output
    own = ["--mix-group", 4, checkpoint, "--set", "num_attention_heads=4", "--set", "mix_layers=0,2"]
    made = ["--family", "xvit", "--output", tmp_path / "output", "--num-frames", 8]
    result = holovid("convert", *own, *made)
    assert result.exit_code == 0, result.output
    config = json.loads((tmp_path / "output" / "config.json").read_text())
    assert (config["mix_group"], config["num_attention_heads"], config["mix_layers"]) == (4, 4, [0, 2])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--set", "mix_group"], "--set takes name=value"),
        (["--set", "mix_group=4", "--set", "mix_group=2"], "--set takes name=value, each name at most once"),
        (["--set", "mix_groups=4"], "xvit has no setting mix_groups; it takes image_size"),
        (["--set", "mix_group=four"], "--mix-group takes a whole number, got 'four'"),
        (["--mix-group"], "--mix-group needs a value"),
        (["--mix-group", "4", "--set", "mix_group=2"], "mix_group is given twice"),
        (["--num-frames", "8", "--set", "num_frames=4"], "num_frames is given twice"),
        (["other.pyth"], "convert needs one checkpoint file"),
    ],
)
def test_convert_says_what_is_wrong_with_options(holovid, checkpoint, tmp_path, arguments, sentence):
    result = holovid("convert", checkpoint, "--family", "xvit", "--output", tmp_path / "output", *arguments)
    assert result.exit_code == 2 and sentence in result.stderr
    assert result.stderr.count("\n") == 1 and not list(tmp_path.iterdir())


def test_convert_makes_a_processor_that_hears(holovid, tmp_path):
    torch.save({"module": golden_weights(golden("ca2st/cava_tiny_time.json"))}, tmp_path / "cava.pt")
    result = holovid(
        "convert", tmp_path / "cava.pt", "--family", "cava", "--output", tmp_path / "cava", "--num-frames", 4,
        "--num-attention-heads", 4, "--num-mel-bins", 32, "--audio-frames", 64,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    clip = next(render_clips(tmp_path / "clips", ClipSet(train=4, val=4), progress=False).rglob("*.mp4"))
    batch = AutoProcessor.from_pretrained(tmp_path / "cava")(clip, return_tensors="pt")
    assert batch["input_values"].shape == (1, 64, 32) and batch["audio_mask"].tolist() == [True]
    model = AutoModelForVideoClassification.from_pretrained(tmp_path / "cava")
    with torch.no_grad():
        assert model(**batch).logits.isfinite().all()
