"""examples/sweep.py with two trials, and what VideoTrainer does with a `model_init`."""

import json
import shlex
import sys

import pytest
import torch
from tiny_xvit import tiny_config
from training_runs import PLAIN, rendered, script
from transformers import TrainingArguments

from holovid import XViTForVideoClassification
from holovid.training.run_options import check_run
from holovid.training.trainer import VideoTrainer


@pytest.mark.slow
def test_two_trials_and_a_command(tmp_path, tmp_path_factory, capsys):
    clips = rendered(tmp_path_factory)
    words = [str(clips), "--model", "xvit", "--recipe", "small", "--target", "motion", "--num_train_epochs", "1"]
    words += ["--per_device_train_batch_size", "8"]
    script("sweep")(["--trials", "2", *words, "--output", str(tmp_path), *PLAIN])
    said, command = capsys.readouterr().out.splitlines()[-2:]
    assert said.startswith("The best of 2 is trial ")
    rates, firsts = [], []
    for trial in (0, 1):
        (state,) = (tmp_path / f"run-{trial}").glob("checkpoint-*/trainer_state.json")
        log = json.loads(state.read_text())["log_history"]
        rates.append(max(entry["learning_rate"] for entry in log if "loss" in entry))
        firsts.append(next(entry["loss"] for entry in log if "loss" in entry))
    assert rates[0] != rates[1]
    assert firsts[0] == firsts[1]  # both start from the same weights and clips
    program, name, *best = shlex.split(command)
    assert (program, name) == ("holovid", "train") and "--learning_rate" in best and "--weight_decay" in best
    check_run(best)


def test_a_sweep_says_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError, match=r'pip install "holovid\[sweep\]"'):
        script("sweep")([str(tmp_path), "--trials", "1"])
    with pytest.raises(ValueError, match="--trials must be 1 or more, got 0"):
        script("sweep")([str(tmp_path), "--trials", "0"])


def trainer_of_new_models(folder, config, **options) -> VideoTrainer:
    args = TrainingArguments(str(folder), per_device_train_batch_size=2, use_cpu=True, report_to="none")
    clips = [{"pixel_values_videos": torch.zeros(6, 3, 16, 16), "labels": torch.tensor(index)} for index in range(4)]
    return VideoTrainer(
        None, args, train_dataset=clips, model_init=lambda: XViTForVideoClassification(config), **options
    )


def test_a_model_of_each_trial_is_looked_at(tmp_path):
    run = trainer_of_new_models(tmp_path, tiny_config(), recipe="small")
    assert run.label_names == ["labels"] and [task.labels for task in run.tasks] == ["labels"]
    with pytest.raises(ValueError, match="is for ca2st models"):
        trainer_of_new_models(tmp_path, tiny_config(), recipe="cast-ssv2")
    with pytest.raises(ValueError, match="ema_decay averages the weights of one model"):
        trainer_of_new_models(tmp_path, tiny_config(), recipe="small", ema_decay=0.9)
    run.args.optim = "adafactor"  # as a search might, after the trainer was made
    with pytest.raises(ValueError, match="optim: the recipe decides"):
        run.create_optimizer()
