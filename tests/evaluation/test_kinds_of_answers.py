"""Evaluations of clips with several classes, and of numbers: against the outputs of the model itself."""

import json
import math

import numpy as np
import pyarrow.parquet
import pytest
import torch
from clips import write_clip
from scipy.stats import kendalltau
from tiny_xvit import tiny
from typer.testing import CliRunner

from holovid import HolovidProcessor, VideoClassificationPipeline
from holovid.commands.app import app
from holovid.data import load_clips
from holovid.evaluation.evaluate import evaluate_clips, evaluate_sets
from holovid.evaluation.protocol import Protocol
from holovid.evaluation.tasks import LabelledSet, load_set, match_tasks
from holovid.facts import model_facts
from holovid.inference.export import export
from holovid.loading import load
from holovid.metrics.mean_average_precision import average_precision
from holovid.publishing.card import build_card

TAGS = ["clap", "jump", "run"]
CELLS = ["run|jump", "clap", "", "jump"]
SCORES = [1.5, -2.0, 0.0, 3.25]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A table of four clips, with tags and numbers."""
    folder = tmp_path_factory.mktemp("clips")
    lines = ["path,tags,score"]
    for number, (cell, score) in enumerate(zip(CELLS, SCORES, strict=True)):
        write_clip(folder / f"{number}.mp4", seed=number)
        lines.append(f"{number}.mp4,{cell},{score}")
    (folder / "clips.csv").write_text("\n".join(lines) + "\n")
    return folder


def saved(folder, problem_type, names):
    torch.manual_seed(0)
    model = tiny(problem_type=problem_type, id2label=dict(enumerate(names)), num_labels=len(names)).eval()
    processor = HolovidProcessor.for_model(model.config)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return model, processor


@pytest.fixture(scope="module")
def tagger(tmp_path_factory):
    place = tmp_path_factory.mktemp("tagger")
    return place, *saved(place, "multi_label_classification", TAGS)


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    place = tmp_path_factory.mktemp("judge")
    return place, *saved(place, "regression", ["quality"])


def logits_of(model, processor, folder, views=1):
    found = []
    for number in range(len(CELLS)):
        inputs = processor(str(folder / f"{number}.mp4"), num_views=views, return_tensors="pt")
        with torch.no_grad():
            found.append(
                model(
                    pixel_values_videos=inputs["pixel_values_videos"].reshape(
                        views, *inputs["pixel_values_videos"].shape[-4:]
                    )
                ).logits
            )
    return torch.stack(found)


def predictions(folder):
    return pyarrow.parquet.read_table(folder / "predictions.parquet").to_pylist()


@pytest.mark.parametrize("ensemble", ["logits", "probabilities"])
def test_several_classes(tagger, folder, tmp_path, ensemble):
    _, model, processor = tagger
    rows = load_set(model, folder / "clips.csv", target="tags").rows
    protocol = Protocol(views=2, ensemble=ensemble)
    results = evaluate_clips(model, processor, rows, protocol=protocol, target="tags", output=tmp_path / "out")
    logits = logits_of(model, processor, folder, views=2)
    scores = logits.mean(1).sigmoid() if ensemble == "logits" else logits.sigmoid().mean(1)
    shown = np.array([[tag in cell.split("|") for tag in TAGS] for cell in CELLS])
    each = [average_precision(scores[:, number].numpy(), shown[:, number]) for number in range(3)]
    assert results["metrics"]["mean_average_precision"] == pytest.approx(np.mean(each))
    best = scores.argmax(-1).tolist()
    assert results["metrics"]["top1"] == np.mean([shown[row, best[row]] for row in (0, 1, 3)])
    assert set(results["metrics"]) == {"mean_average_precision", "top1"}  # of three classes there is no top-5
    assert results["per_class"] == {
        "label": {
            tag: {"clips": int(shown[:, number].sum()), "average_precision": pytest.approx(each[number])}
            for number, tag in enumerate(TAGS)
        }
    }
    lines = predictions(tmp_path / "out")
    assert [line["label"] for line in lines] == [["run", "jump"], ["clap"], [], ["jump"]]
    assert [line["prediction_1"] for line in lines] == [TAGS[number] for number in best]
    assert [line["score_1"] for line in lines] == pytest.approx(scores.max(-1).values.tolist(), abs=2e-6)
    assert json.loads((tmp_path / "out" / "results.json").read_text())["metrics"] == results["metrics"]
    assert not list((tmp_path / "out").glob("*.png")) and results["most_confused"] == {"label": []}


def test_numbers(judge, folder, tmp_path):
    _, model, processor = judge
    rows = load_set(model, folder / "clips.csv", target="score").rows
    results = evaluate_clips(
        model, processor, rows, protocol=Protocol(views=2), target="score", output=tmp_path / "out", csv=True
    )
    predicted = logits_of(model, processor, folder, views=2)[..., 0].mean(1).double().numpy()
    errors = predicted - np.array(SCORES)
    metrics = results["metrics"]
    assert metrics["mean_absolute_error"] == pytest.approx(np.abs(errors).mean(), rel=1e-5)
    assert metrics["root_mean_squared_error"] == pytest.approx(math.sqrt((errors**2).mean()), rel=1e-5)
    assert metrics["pearson"] == pytest.approx(np.corrcoef(predicted, SCORES)[0, 1], rel=1e-4)
    orders = [np.argsort(np.argsort(values)) for values in (predicted, SCORES)]
    assert metrics["spearman"] == pytest.approx(np.corrcoef(*orders)[0, 1], rel=1e-5)
    assert metrics["kendall"] == pytest.approx(kendalltau(predicted, SCORES).statistic)
    assert metrics["pearson_fitted"] is None  # a curve is fitted to five clips or more
    assert results["per_class"] == {"label": {}}
    assert [path.name for path in (tmp_path / "out").glob("*.png")] == ["scores.png"]
    lines = predictions(tmp_path / "out")
    assert [line["label"] for line in lines] == SCORES
    assert [line["prediction"] for line in lines] == pytest.approx(predicted.tolist(), rel=1e-5)


def test_means_over_sets_are_of_shares_alone(judge, folder):
    _, model, processor = judge
    rows = load_set(model, folder / "clips.csv", target="score").rows
    sets = [LabelledSet("one", "train", rows), LabelledSet("two", "train", rows.select([0, 1, 2]))]
    assert evaluate_sets(model, processor, sets, target="score")["harmonic_mean"] == {}


def test_answers_of_another_kind(tagger, judge, folder):
    rows = load_clips(folder / "clips.csv", target="score")["train"]  # as names of classes
    with pytest.raises(ValueError, match=r"the data has no lists of classes in a column 'score' \(there are none\)"):
        match_tasks(tagger[1], rows, "score")
    with pytest.raises(ValueError, match="the data has no numbers in a column 'score'"):
        match_tasks(judge[1], rows, "score")
    several = load_clips(folder / "clips.csv", target="tags", problem_type="multi_label_classification")["train"]
    with pytest.raises(ValueError, match="the data has no classes in a column 'tags'"):
        match_tasks(tiny(num_labels=3), several, "tags")
    other = tiny(
        problem_type="multi_label_classification", id2label=dict(enumerate(["clap", "jump", "rum"])), num_labels=3
    )
    with pytest.raises(ValueError, match=r"1 class \(run\) that the model does not have; is 'run' its 'rum'\?"):
        match_tasks(other, several, "tags")
    with pytest.raises(ValueError, match="the model predicts 2 numbers a clip, but only one can be evaluated"):
        numbers = load_clips(folder / "clips.csv", target="score", problem_type="regression")["train"]
        match_tasks(tiny(problem_type="regression", num_labels=2), numbers, "score")


def test_the_pipeline_gives_shares_or_the_number(tagger, judge, folder):
    clip = str(folder / "1.mp4")
    _, model, processor = tagger
    answers = VideoClassificationPipeline(model=model, video_processor=processor.video_processor)(clip)
    want = logits_of(model, processor, folder)[1, 0].sigmoid()
    assert {answer["label"]: answer["score"] for answer in answers} == pytest.approx(
        dict(zip(TAGS, want.tolist(), strict=True))
    )
    _, model, processor = judge
    (answer,) = VideoClassificationPipeline(model=model, video_processor=processor.video_processor)(clip)
    assert answer == {"label": "quality", "score": pytest.approx(logits_of(model, processor, folder)[1, 0, 0].item())}


def ran(*arguments):
    result = CliRunner().invoke(app, list(map(str, arguments)))
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize(("kind", "target"), [("tagger", "tags"), ("judge", "score")])
def test_commands(request, folder, tmp_path, kind, target):
    place, _, _ = request.getfixturevalue(kind)
    told = ran("evaluate", place, folder / "clips.csv", "--target", target, "--output", tmp_path / "out")
    assert ("mean average precision" if kind == "tagger" else "mean absolute error") in told
    answers = json.loads(ran("classify", place, folder / "0.mp4", "--json", "--picture", tmp_path / "sheet.png"))
    assert [answer["label"] for answer in answers[0]["answers"]] == (
        ["quality"]
        if kind == "judge"
        else sorted(TAGS, key=[answer["label"] for answer in answers[0]["answers"]].index)
    )
    told = "3 (label, any number of them per clip)" if kind == "tagger" else "none: it predicts a number (label)"
    assert told in ran("info", place)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["tagger", "judge"])
def test_both_are_exported(request, tmp_path, kind):
    place, _, _ = request.getfixturevalue(kind)
    exported = export(place, tmp_path / "out", format="torch")
    assert exported.outputs == ["logits"] and max(exported.differences.values()) < 1e-4


def test_cards_say_what_the_scores_are(tagger, judge, folder, tmp_path):
    for (place, model, processor), target in ((tagger, "tags"), (judge, "score")):
        rows = load_set(model, folder / "clips.csv", target=target).rows
        loaded, _ = load(place)
        evaluate_clips(loaded, processor, rows, target=target, output=tmp_path / target)
        (place / "results.json").write_bytes((tmp_path / target / "results.json").read_bytes())
    text = str(build_card(tagger[0], licence="apache-2.0"))
    assert "predicts which of 3 classes a short video clip shows, any number of them" in text
    assert "Classes: clap, jump, run." in text
    assert "In percent. mAP" in text and "| mAP |" in text and "one of its classes" not in text
    assert "type: mean_average_precision" in text
    text = str(build_card(judge[0], licence="apache-2.0"))
    assert "predicts quality for a short video clip" in text and "Classes:" not in text and "one of" not in text
    assert "| MAE | RMSE | Pearson | Spearman |" in text and "type: mae" in text and "print(logits.item())" in text
    assert [task.kind for task in model_facts(judge[0]).tasks] == ["score"]
