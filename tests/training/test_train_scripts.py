"""The training scripts as a user runs them; and both take the same steps, number for number."""

import json
import shlex
import shutil
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from PIL import Image
from training_runs import (
    PLAIN,
    assert_same_weights,
    checkpoint_to_start_from,
    log_of,
    losses_of,
    rendered,
    script,
    train,
    train_with_loop,
)
from transformers import AutoModelForVideoClassification, pipeline

from holovid.records import read_records

SMALL = ["--recipe", "small", "--target", "motion"]


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> Path:
    return rendered(tmp_path_factory)


@pytest.mark.slow
@pytest.mark.parametrize("model", [pytest.param("xvit", marks=pytest.mark.integration), "ca2st"])
def test_one_command(clips, tmp_path, model, capsys):
    batch = ["--per_device_train_batch_size", "8", "--num_train_epochs", "2"]
    run = train("--model", model, "--data", clips, *SMALL, *batch, "--save_steps", "1", tmp_path / "run")
    said = capsys.readouterr().out
    assert "16 training clips, 6 validation clips; classes: 2 of motion" in said
    assert f"The {model} starts from scratch, in a tiny size" in said
    *_, last = said.splitlines()
    assert last.startswith(f"Now try: holovid classify {run} ") and (Path.cwd() / shlex.split(last)[-1]).is_file()
    command = json.loads((run / "training.json").read_text())["command"]
    assert command.startswith(f"holovid train --model {model} --data training-clips --recipe small")
    results = json.loads((run / "all_results.json").read_text())
    assert results["eval_clips"] == 6 and 0 <= results["eval_top1"] <= 1 and results["train_broken_clips"] == 0
    with Image.open(run / "training.png") as picture:
        assert picture.size[0] > 500
    logged = [entry for entry in log_of(run) if "loss" in entry]
    assert len(logged) == 4 and all(entry["clips_per_second"] > 0 for entry in logged)
    label = pipeline("video-classification", model=AutoModelForVideoClassification.from_pretrained(run),
                     video_processor=str(run))(str(next((clips / "val").glob("*/*.mp4"))))  # fmt: skip
    assert {answer["label"] for answer in label} == {"left", "right"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "recipe", "batches"),
    [("xvit", "small", 2), ("xvit", "xvit-k400", 2), ("ca2st", "cast-ssv2", 2), ("xvit", "finetune", 3)],
    ids=str,
)
def test_both_scripts_take_the_same_steps(clips, tmp_path, family, recipe, batches):
    """Exactly, on CPUs: with dropout, augmentation, mixing, layer decay and clipped gradients too, if the recipe
    has them, and where the last step of an epoch has fewer batches."""
    settings = {"experts": ["space", "time"], "drop_path_rate": 0.1} if family == "ca2st" else {}
    start = checkpoint_to_start_from(tmp_path / "start", family, {"label": ["a", "b"]}, **settings)
    what = ["--model", start, "--recipe", recipe, "--data", clips, "--target", "motion"]
    batch = ["--per_device_train_batch_size", "4", "--num_train_epochs", "2", "--gradient_accumulation_steps", batches]
    if recipe == "finetune":  # the loop keeps the last weights, and has a rate in proportion to the batch
        batch += ["--load_best_model_at_end", "false", "--learning_rate", "0.001"]
        what += ["--learning_rate", "0.001"]
    of_trainer = train(*what[:8], *batch, tmp_path / "trainer")
    of_loop = train_with_loop(*what, "--batch_size", "4", "--epochs", "2", "--accumulate", batches, tmp_path / "loop")
    log = json.loads((of_loop / "log.json").read_text())
    parts = [part for epoch in log for part in torch.tensor(epoch["losses"]).split(batches)]
    losses = torch.stack([part.mean() for part in parts])
    torch.testing.assert_close(losses, torch.tensor(losses_of(of_trainer)), rtol=1e-6, atol=0)  # means of two, printed
    assert_same_weights(of_trainer, of_loop)
    assert log[-1]["eval_loss"] == [entry["eval_loss"] for entry in log_of(of_trainer) if "eval_loss" in entry][-1]
    for name in ("training.json", "all_results.json"):
        one, other = (json.loads((run / name).read_text()) for run in (of_trainer, of_loop))
        differ = {"hours", "command"} if name == "training.json" else one.keys() - other.keys()
        differ |= {"train_loss", "epoch"} & one.keys() if name == "all_results.json" else set()
        assert {key: one[key] for key in one.keys() - differ} == {key: other[key] for key in other.keys() - differ}
    assert read_records(of_loop).evaluations == []


@pytest.mark.slow
def test_the_loop_is_resumed_after_an_epoch(clips, tmp_path, monkeypatch):
    start = checkpoint_to_start_from(tmp_path / "start", "xvit", {"label": ["a", "b"]})
    what = ["--model", start, "--recipe", "xvit-k400", "--data", clips, "--target", "motion", "--batch_size", "4"]
    whole = train_with_loop(*what, "--epochs", "3", tmp_path / "whole")
    stopped, save, saves = tmp_path / "stopped", Accelerator.save_state, []

    def save_once(self, folder):
        save(self, folder)
        saves.append(folder)
        if len(saves) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Accelerator, "save_state", save_once)
        train_with_loop(*what, "--epochs", "3", stopped)
    assert [path.name for path in stopped.glob("state-*")] == ["state-1"]
    with pytest.raises(ValueError, match="holds an earlier run"):
        train_with_loop(*what, "--epochs", "3", stopped)
    train_with_loop(*what, "--epochs", "3", "--resume", stopped)
    assert_same_weights(whole, stopped)
    assert [path.name for path in stopped.glob("state-*")] == ["state-3"]


@pytest.mark.slow
def test_other_ways_to_train(clips, tmp_path):
    """bf16, activation checkpointing, averaged weights, skipped clips, all at once, and from a file of arguments."""
    broken = tmp_path / "clips"
    shutil.copytree(clips, broken)
    next((broken / "train").glob("*/*.mp4")).write_bytes(b"no video")
    next((broken / "val").glob("*/*.mp4")).write_bytes(b"no video")
    file = tmp_path / "run.yaml"
    file.write_text(
        f"data: {broken}\nrecipe: small\nmodel: cava\ntarget: sound\nnum_train_epochs: 1\nbf16: true\n"
        "per_device_train_batch_size: 8\nactivation_checkpointing: true\nema_decay: 0.9\non_broken: skip\n"
    )
    run = tmp_path / "run"
    script("train")([str(file), "--output_dir", str(run), *PLAIN])
    results = json.loads((run / "all_results.json").read_text())
    assert (results["train_broken_clips"], results["eval_broken_clips"]) == (1, 1)
    assert (results["eval_clips"], results["eval_left_out"]) == (5, 1)
