"""Training on clips with several classes, and on numbers: from a table to a model that is far better than chance."""

import csv
import json
from pathlib import Path

import pytest
import torch
from training_runs import train, train_with_loop

from holovid.data.synthetic import ClipSet, render_clips
from holovid.evaluation import evaluate_clips
from holovid.evaluation.tasks import load_set
from holovid.loading import load
from holovid.training.arguments import parse_arguments
from holovid.training.preparation import prepare

CLIPS = ClipSet(train=48, val=16, size=48, frame_rate=8, seconds=1.0)


@pytest.fixture(scope="module")
def tables(tmp_path_factory) -> Path:
    """Rendered clips in two tables with the columns `tags`, such as disc|left, and `score`: 1 for discs, 3 for others,
    and a half more where they go right.
    """
    folder = render_clips(tmp_path_factory.mktemp("clips") / "clips", CLIPS, workers=1, progress=False)
    for split in ("train", "val"):
        with open(folder / split / "metadata.csv") as file:
            rows = list(csv.DictReader(file))
        with open(folder / f"{split}.csv", "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["path", "tags", "score"])
            for row in rows:
                score = (1 if row["shape"] == "disc" else 3) + (0.5 if row["motion"] == "right" else 0)
                place = f"{split}/{row['file_name']}"
                writer.writerow([place, f"{row['shape']}|{row['motion']}", score])
        (folder / split / "metadata.csv").unlink()
    return folder


def arguments(tables, target, problem_type, *more):
    sources = ["--data", tables / "train.csv", "--validation", tables / "val.csv"]
    asked = ["--target", target, "--problem_type", problem_type, "--flip", "false"]
    return ["--model", "xvit", "--recipe", "small", *sources, *asked, *more]


def prepared(*options):
    run, args = parse_arguments([*map(str, options), "--use_cpu", "true"])
    return prepare(run, args.seed)


@pytest.mark.slow
def test_several_classes_are_learned(tables, tmp_path):
    epochs = ["--num_train_epochs", "12", "--class_weights", "balanced", "--save_strategy", "no"]
    run = train(*arguments(tables, "tags", "multi_label_classification", *epochs), tmp_path / "run")
    model, processor = load(run)
    assert model.config.problem_type == "multi_label_classification"
    assert list(model.config.id2label.values()) == ["disc", "left", "right", "triangle"]
    data = load_set(model, tables / "val.csv", target="tags")
    results = evaluate_clips(model, processor, data.rows, target="tags", output=tmp_path / "out")
    assert results["metrics"]["mean_average_precision"] > 0.75  # by chance a half: each is shown by half of the clips
    assert results["per_class"]["label"]["disc"]["average_precision"] > 0.9
    logged = json.loads((run / "all_results.json").read_text())
    assert logged["eval_mean_average_precision"] == pytest.approx(
        results["metrics"]["mean_average_precision"], abs=0.02
    )


@pytest.mark.slow
def test_a_number_is_learned(tables, tmp_path):
    epochs = ["--num_train_epochs", "16", "--save_strategy", "no"]
    run = train(*arguments(tables, "score", "regression", *epochs), tmp_path / "run")
    model, processor = load(run)
    assert (model.config.problem_type, model.config.id2label) == ("regression", {0: "score"})
    data = load_set(model, tables / "val.csv", target="score")
    metrics = evaluate_clips(model, processor, data.rows, target="score", output=tmp_path / "out")["metrics"]
    assert metrics["pearson"] > 0.8 and metrics["spearman"] > 0.6
    assert metrics["mean_absolute_error"] < 0.7  # always the mean, 2.25, is wrong by 1
    read = json.loads((tmp_path / "out" / "results.json").read_text())
    assert read["metrics"] == metrics and read["holovid_evaluation"] == 1


@pytest.mark.slow
def test_a_loop_of_ones_own_learns_both(tables, tmp_path):
    for target, problem_type, metric in (
        ("tags", "multi_label_classification", "eval_mean_average_precision"),
        ("score", "regression", "eval_mean_absolute_error"),
    ):
        options = arguments(tables, target, problem_type, "--epochs", "1")
        weights = ["--class_weights", "balanced"] if target == "tags" else []
        train_with_loop(*options, *weights, tmp_path / target)
        model, _ = load(tmp_path / target)
        assert model.config.problem_type == problem_type
        logs = [json.loads(path.read_text()) for path in (tmp_path / target).glob("state-*/log.json")]
        assert metric in logs[0][-1]


def test_what_a_checkpoint_was_trained_on_is_the_default(tables, tmp_path):
    parts = prepared(*arguments(tables, "tags", "multi_label_classification"))
    parts.model.save_pretrained(tmp_path / "model")
    parts.processor.save_pretrained(tmp_path / "model")
    options = ["--recipe", "small", "--data", tables / "train.csv", "--validation", tables / "val.csv"]
    again = prepared("--model", tmp_path / "model", *options, "--target", "tags")
    assert again.train.kinds == {"tags": "multi_label"}
    weights = parts.model.state_dict()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in again.model.state_dict().items())
    assert "4 of tags" in again.summary(parse_arguments(["--data", "x", "--recipe", "small", "--use_cpu", "true"])[1])


def test_a_number_keeps_its_head_and_gets_a_name(tables, tmp_path):
    parts = prepared(*arguments(tables, "score", "regression"))
    assert parts.model.config.id2label == {0: "score"} and parts.train[0, 0]["labels"].shape == ()
    # 48 clips, half of them discs, half of them going right: the mean of 1, 1.5, 3 and 3.5
    assert parts.model.classifier.bias.item() == pytest.approx(2.25, abs=0.1)
    parts.model.save_pretrained(tmp_path / "model")
    parts.processor.save_pretrained(tmp_path / "model")
    options = ["--recipe", "small", "--data", tables / "train.csv", "--validation", tables / "val.csv"]
    again = prepared("--model", tmp_path / "model", *options, "--target", "score")
    assert torch.equal(again.model.classifier.weight, parts.model.classifier.weight)
    # and as classes it is another head
    other = prepared("--model", tmp_path / "model", *options, "--target", "score", "--problem_type", SINGLE)
    assert other.model.config.num_labels == 4 and other.model.config.problem_type == SINGLE


SINGLE = "single_label_classification"


@pytest.mark.parametrize(
    ("target", "problem_type", "more", "message"),
    [
        ("score", "regression", ["--class_weights", "balanced"], "class_weights are for classes, but 'score' is a"),
        ("tags", "regression", [], "in 'tags' that are not numbers"),
        ("score", "regression", ["--score_range", "0", "5"], "for models with a score range, but a xvit model"),
        ("score", SINGLE, ["--score_decoder", "grid"], "are for scores, but 'score' has classes"),
        ("tags", "several", [], "--problem_type.*invalid choice"),
        ("tags", SINGLE, ["--class_weights", "heavy"], "--class_weights.*invalid choice"),
    ],
)
def test_what_is_refused(tables, target, problem_type, more, message):
    with pytest.raises(ValueError, match=message):
        prepared(*arguments(tables, target, problem_type, *more))
