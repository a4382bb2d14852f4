"""The recipe `finetune`: what it makes of few and of many clips, when it stops, and that it learns."""

import json
import math
from dataclasses import replace

import pytest
import torch
from PIL import Image
from tiny_xvit import tiny
from training_runs import checkpoint_to_start_from, log_of, rendered, train
from transformers import AutoModelForVideoClassification, TrainerControl, TrainerState, TrainingArguments

from holovid.families import families
from holovid.modeling.tasks import LABEL
from holovid.recipes import FINETUNE
from holovid.training.arguments import RunArguments, parse_arguments
from holovid.training.early_stop import EarlyStop, best_metric
from holovid.training.fitting import STEPS, fitted
from holovid.training.optimization import build_optimizer
from holovid.training.starting_points import find_start


@pytest.mark.parametrize(
    ("clips", "batch", "epochs", "mixes"),
    [(3, 3, 400, False), (40, 4, 40, False), (400, 32, 34, False), (999, 32, 13, False), (4000, 32, 10, True)],
)
def test_few_clips_and_many(clips, batch, epochs, mixes):
    recipe, (remark,) = fitted(FINETUNE, tiny(), clips, ["run", "jump"])
    assert (recipe.batch_size, recipe.epochs, recipe.mixup_alpha > 0) == (batch, epochs, mixes)
    assert recipe.epochs * (clips // batch) >= STEPS or epochs == 10
    assert recipe.warmup_epochs == pytest.approx(epochs / 10) and recipe.flip
    rate = 1e-3 * math.sqrt(batch / 32 * 768 / tiny().config.hidden_size)
    assert recipe.scaled_learning_rate(batch) == pytest.approx(rate)
    assert remark.startswith("finetune is holovid's own") and f"{epochs} epochs" in remark


@pytest.mark.parametrize(
    ("name", "is_direction"),
    [
        ("left", True), ("disc-Right-rise", True), ("turning something clockwise", True), ("step_leftwards", True),
        ("counter-clockwise", True), ("pushing from left to right", True),
        ("leftovers", False), ("copyright", False), ("upright", False), ("cleft", False), ("up", False),
    ],
)  # fmt: skip
def test_labels_that_name_directions_are_not_mirrored(name, is_direction):
    recipe, remarks = fitted(FINETUNE, tiny(), 100, ["jump", name])
    assert recipe.flip is not is_direction
    assert any(repr(name) in remark and "--flip true" in remark for remark in remarks) is is_direction


@pytest.mark.parametrize(
    "family", [each for each in families().values() if each.toy], ids=lambda each: each.model_type
)
def test_every_family_has_rates(family):
    """Which fall from the top of a model to its beginning, or from its head to all below."""
    config = family.config_class(**family.toy)
    model = AutoModelForVideoClassification.from_config(config)
    recipe, _ = fitted(FINETUNE, model, 100, [])
    rates = [group["lr"] for group in build_optimizer(model, recipe, 1e-3).param_groups]
    assert rates == sorted(rates) and rates[0] < rates[-1] / 2 and max(rates) == pytest.approx(1e-3)


def test_defaults_of_a_run():
    what = ["clips", "--model", "me/model", "--use_cpu"]
    recipe = replace(FINETUNE, batch_size=4, epochs=40)
    _, args = parse_arguments(what, recipe, metric_for_best_model="top1", greater_is_better=True)
    assert (args.num_train_epochs, args.train_batch_size, args.max_grad_norm) == (40, 4, 1.0)
    assert (args.load_best_model_at_end, args.metric_for_best_model, args.greater_is_better) == (True, "top1", True)
    assert args.learning_rate == pytest.approx(1e-3 / 8)
    _, args = parse_arguments([*what, "--eval_strategy", "no", "--num_train_epochs", "3"], recipe)
    assert (args.load_best_model_at_end, args.num_train_epochs) == (False, 3)
    _, args = parse_arguments([*what, "--recipe", "xvit-k400"])
    assert (args.load_best_model_at_end, args.max_grad_norm) == (False, 0.0)


@pytest.mark.parametrize(
    ("values", "times", "more_is_better", "stops"),
    [
        ([0.5, 0.6, 0.6, 0.6], 1, True, True), ([0.5, 0.6, 0.6, 0.7], 1, True, False),
        ([0.5, 0.6, 0.6], 1, True, False),
        ([0.5, 0.6, 0.7, 0.8], 1, False, True), ([0.5, 0.4, 0.7], 1, False, False), ([], 1, True, False),
        ([0.5, 0.6, 0.6, 0.6], 2, True, False), ([0.5, 0.6, 0.6, 0.6, 0.6, 0.6], 2, True, True),
    ],
)  # fmt: skip
def test_when_it_stops(tmp_path, values, times, more_is_better, stops):
    """After two epochs, in each of which there are so many evaluations."""
    args = TrainingArguments(tmp_path, metric_for_best_model="top1", greater_is_better=more_is_better, use_cpu=True)
    logged = [{"eval_top1": value, "epoch": number / times} for number, value in enumerate(values, 1)]
    state = TrainerState(log_history=[{"loss": 1.0}, *logged])
    control = TrainerControl()
    EarlyStop(2).on_evaluate(args, state, control)
    assert control.should_training_stop is stops


def test_by_what_a_checkpoint_is_the_best():
    assert best_metric([LABEL]) == ("top1", True)
    assert best_metric([replace(LABEL, kind="multi_label")]) == ("mean_average_precision", True)
    assert best_metric([replace(LABEL, kind="score")]) == ("mean_absolute_error", False)


def test_new_weights_are_refused():
    run = RunArguments("clips", model="xvit", recipe="finetune")
    with pytest.raises(ValueError, match="finetune needs trained weights, but xvit has none"):
        find_start(run, FINETUNE)


@pytest.mark.slow
def test_it_stops_early_and_keeps_the_best(tmp_path_factory, tmp_path, capsys):
    clips = rendered(tmp_path_factory)
    start = checkpoint_to_start_from(tmp_path / "start", "xvit", {"label": ["a", "b"]})
    run = train(str(clips), "--model", start, "--target", "motion", "--num_train_epochs", "30", tmp_path / "run")
    said = capsys.readouterr().out
    assert "finetune is holovid's own" in said and "not mirrored, because of the class 'left'" in said
    record = json.loads((run / "training.json").read_text())
    log = [entry["eval_top1"] for entry in log_of(run) if "eval_top1" in entry]
    assert (record["recipe"], record["total_batch_size"], record["epochs"]) == ("finetune", 4, len(log))
    assert len(log) < 30 and len(log) - 1 - log.index(max(log)) == 8  # a quarter of 30, rounded up
    results = json.loads((run / "all_results.json").read_text())
    assert results["eval_top1"] == max(log)
    with Image.open(run / "training.png") as picture:
        assert picture.size[0] > 500
    assert torch.isfinite(torch.tensor(log)).all()
