"""Evaluation: what it says is what averaging by hand says, whatever the batches, processes and interruptions."""

import csv
import importlib.util
import inspect
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.csv
import pyarrow.parquet
import pytest
import tiny_ca2st
import tiny_xvit
import torch
from datasets import Dataset, Features
from huggingface_hub import EvalResult, ModelCard, ModelCardData
from PIL import Image
from places import EXAMPLES

import holovid.evaluation.evaluate
from holovid import CA2STForActionRecognition, HolovidProcessor, HolovidVideoProcessor
from holovid.data.dataset import BrokenClipError, load_clips
from holovid.data.synthetic import ClipSet, render_clips
from holovid.evaluation.evaluate import ensemble_views, evaluate_clips, evaluate_sets
from holovid.evaluation.interventions import without_expert
from holovid.evaluation.prediction_log import PredictionLog
from holovid.evaluation.protocol import Protocol, recipe_protocol
from holovid.evaluation.tasks import LabelledSet, check_class_names, load_set, match_tasks
from holovid.families import families
from holovid.loading import load_classifier
from holovid.metrics.action_accuracy import ActionAccuracy
from holovid.metrics.top_k_accuracy import TopKAccuracy
from holovid.recipes import get_recipe, recipes

VIEWS = {"num_views": 2, "num_crops": 3}
NAMES = {"num_views": "views", "num_crops": "crops", "intervention": "interventions"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """17 clips of 8 labels, wider than high, with sound."""
    folder = tmp_path_factory.mktemp("clips") / "moving"
    return render_clips(folder, ClipSet(train=8, val=17, size=32, seconds=1), progress=False)


@pytest.fixture(scope="module")
def rows(folder):
    return load_clips(folder)["validation"]


@pytest.fixture(scope="module")
def actions(folder, tmp_path_factory):
    """The same clips; half of them twice, as two intervals."""
    paths = sorted(folder.glob("val/*/*.mp4"))
    table = tmp_path_factory.mktemp("tables") / "actions.csv"
    with open(table, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "start", "end", "verb", "noun"])
        for number, path in enumerate(paths):
            writer.writerow([path, 0.0, 0.5, number % 6, number % 7])
            if number % 2:
                writer.writerow([path, 0.25, 1.0, number % 5, number % 4])
    return load_clips(table, target=["verb", "noun"])["train"]


@pytest.fixture(scope="module")
def seer(rows):
    torch.manual_seed(0)
    names = rows.features["label"].names
    return tiny_xvit.tiny(num_labels=8, id2label=dict(enumerate(names)))


@pytest.fixture(scope="module")
def sight():
    return HolovidVideoProcessor(size={"shortest_edge": 20}, crop_size=16, num_frames=6)


@pytest.fixture(scope="module")
def hearer():
    torch.manual_seed(1)
    return tiny_ca2st.tiny(experts=tiny_ca2st.CA2ST, num_labels=8)


@pytest.fixture(scope="module")
def hearing(hearer):
    return HolovidProcessor.for_model(hearer.config, size={"shortest_edge": 28})


def evaluate(model, processor, rows, **options):
    """`evaluate_clips`; what is no parameter of it belongs to the protocol, or else to the processor."""
    parameters = inspect.signature(evaluate_clips).parameters
    work = {name: options.pop(name) for name in [*options] if name in parameters}
    asked = {NAMES.get(name, name): value for name, value in options.items()}
    own = {field.name: asked.pop(field.name) for field in fields(Protocol) if field.name in asked}
    protocol = Protocol(**{"processor_options": asked, **own})
    return evaluate_clips(model, processor, rows, protocol=protocol, progress=False, **work)


def logits_by_hand(model, processor, rows, **options):
    """(clips, views, classes), one view of one clip at a time."""
    with torch.no_grad():
        per_clip = []
        for row in rows:
            inputs = processor(row["video"], return_tensors="pt", **options)
            views = inputs["pixel_values_videos"].shape[1]
            views = [{name: value[:, view] for name, value in inputs.items()} for view in range(views)]
            per_clip.append(torch.cat([model(**view).logits for view in views]))
    return torch.stack(per_clip)


def comparable(results):
    """All but what differs from run to run."""
    return {name: value for name, value in results.items() if name not in ("seconds", "clips_per_second", "date")}


def predictions(output):
    return pyarrow.parquet.read_table(output / "predictions.parquet").to_pylist()


@pytest.mark.parametrize("ensemble", ["logits", "probabilities"])
def test_views_are_averaged_as_by_hand(seer, sight, rows, tmp_path, ensemble):
    results = evaluate(seer, sight, rows, **VIEWS, ensemble=ensemble, batch_size=4, output=tmp_path)
    logits = logits_by_hand(seer, sight, rows, **VIEWS)
    assert logits.shape == (17, 6, 8)
    scores = logits.mean(1).softmax(-1) if ensemble == "logits" else logits.softmax(-1).mean(1)
    labels, names = torch.tensor(rows["label"][:]), rows.features["label"].names
    metric = TopKAccuracy(keep_in_memory=True)
    want = metric.compute(predictions=scores.numpy(), references=labels.numpy(), per_class=True)
    for name in ("top1", "top5", "mean_class_accuracy"):
        assert results["metrics"][name] == pytest.approx(want[name])
    assert {name: each["top1"] for name, each in results["per_class"]["label"].items()} == {
        name: share for name, share in zip(names, want["per_class"], strict=True) if share is not None
    }
    for row, score, label, given in zip(predictions(tmp_path), scores, labels, rows, strict=True):
        best = score.topk(5)
        assert [row[f"prediction_{place}"] for place in range(1, 6)] == [names[number] for number in best.indices]
        assert [row[f"score_{place}"] for place in range(1, 6)] == pytest.approx(best.values.tolist(), abs=1e-5)
        assert row["label"] == names[label] and row["correct"] == (best.indices[0] == label).item()
        assert row["path"] == given["file_name"] and row["broken"] is None


def test_the_two_averages_can_disagree():
    logits = torch.tensor([[[9.0, 0.0, 4.0], [-9.0, 0.0, 4.0], [9.0, 5.0, 4.0]]])
    summed, averaged = (ensemble_views(logits, name).exp() for name in ("logits", "probabilities"))
    torch.testing.assert_close(summed, logits.mean(1).softmax(-1))
    torch.testing.assert_close(averaged, logits.softmax(-1).mean(1))
    assert summed.argmax() != averaged.argmax()
    # of scores whose probabilities are all 0 in float32 the order is still known
    far = ensemble_views(torch.tensor([[[0.0, -200.0, -300.0]]]), "probabilities")
    assert far.exp()[0, 1] == far.exp()[0, 2] == 0 and far[0, 1] > far[0, 2]


@pytest.mark.parametrize("options", [{}, VIEWS])
def test_batches_do_not_matter(hearer, hearing, rows, tmp_path, options):
    """Neither to what is heard and seen nor to what is shuffled."""
    made = {}
    for batch_size, workers in ((1, 0), (5, 0), (64, 2 if options else 0)):
        output = tmp_path / str(batch_size)
        results = evaluate(
            hearer, hearing, rows.select(range(5)), **options, batch_size=batch_size, num_workers=workers,
            intervention="shuffle_frames", output=output,
        )  # fmt: skip
        made[batch_size] = comparable(results), predictions(output)
    for results, lines in made.values():
        assert results == made[1][0]
        for line, first in zip(lines, made[1][1], strict=True):
            assert line == {name: pytest.approx(value, abs=2e-5) for name, value in first.items()}


def test_each_family_is_averaged_as_in_its_paper(seer, sight, hearer, hearing, rows):
    few = rows.select(range(2))
    assert evaluate(seer, sight, few)["protocol"]["ensemble"] == "logits"
    assert evaluate(hearer, hearing, few)["protocol"]["ensemble"] == "probabilities"


@pytest.mark.parametrize("name", recipes())
def test_protocols_of_recipes(name):
    recipe = get_recipe(name)
    config = families()["ca2st" if recipe.family == "any" else recipe.family].config_class()
    assert recipe_protocol(recipe, config) == Protocol(
        views=recipe.num_views, crops=recipe.num_crops, ensemble=recipe.ensemble, flips=recipe.evaluation_flips,
        processor_options={name: value for name, value in recipe.processor_options().items() if name != "num_frames"},
    )  # fmt: skip
    if recipe.family != "any":
        other = tiny_ca2st.tiny_config() if recipe.family == "xvit" else tiny_xvit.tiny_config()
        with pytest.raises(ValueError, match=f"recipe '{name}' is for"):
            recipe_protocol(recipe, other)


def test_verbs_and_nouns(actions, tmp_path):
    model = tiny_ca2st.tiny_actions(experts=tiny_ca2st.CAST)
    processor = HolovidProcessor.for_model(model.config, size={"shortest_edge": 28})
    results = evaluate(model, processor, actions, **VIEWS, batch_size=6, output=tmp_path)
    scores = {"verb": [], "noun": []}
    with torch.no_grad():
        for row in actions:
            interval = {name: row[name] for name in ("start", "end")}
            views = processor(row["video"] | interval, return_tensors="pt", **VIEWS)["pixel_values_videos"][0]
            outputs = model(pixel_values_videos=views)
            for task in scores:
                scores[task].append(outputs[f"{task}_logits"].softmax(-1).mean(0))
    verbs, nouns = (torch.stack(scores[task]) for task in scores)
    verb_labels, noun_labels = (torch.tensor(actions[task][:]) for task in scores)
    want = ActionAccuracy(keep_in_memory=True).compute(
        verb_predictions=verbs, noun_predictions=nouns, verb_references=verb_labels, noun_references=noun_labels
    )
    for name in ("verb_top1", "noun_top1", "action_top1", "verb_top5", "noun_top5", "action_top5"):
        assert results["metrics"][name] == pytest.approx(want[name])
    found = CA2STForActionRecognition.action_in_top(verbs, nouns, verb_labels, noun_labels, 1)
    lines = predictions(tmp_path)
    assert [line["action_correct"] for line in lines] == found.tolist()
    assert [(line["start"], line["end"]) for line in lines] == list(zip(actions["start"], actions["end"], strict=True))
    assert {"verb_prediction_5", "noun_prediction_5", "verb_score_1", "verb_correct"} <= lines[0].keys()
    assert {path.name for path in tmp_path.glob("*.png")} == {"confusion_verb.png", "confusion_noun.png"}
    assert set(results["per_class"]) == set(results["most_confused"]) == {"verb", "noun"}


def test_verbs_and_nouns_are_matched_by_name_where_the_model_knows_them(folder, tmp_path):
    paths = sorted(folder.glob("val/*/*.mp4"))[:3]
    lines = [f"{path},{verb},{noun}\n" for path, verb, noun in zip(paths, ("wash", "cut", "cut"), "pan", strict=True)]
    (tmp_path / "table.csv").write_text("path,verb,noun\n" + "".join(lines))
    rows = load_clips(tmp_path / "table.csv", target=["verb", "noun"])["train"]
    names = {"id2verb": {0: "wash", 1: "take", 2: "cut"}, "id2noun": dict(enumerate("pqran"))}
    model = tiny_ca2st.tiny_actions(num_verbs=3, num_nouns=5, **names)
    model.save_pretrained(tmp_path / "model")
    saved = CA2STForActionRecognition.from_pretrained(tmp_path / "model")
    verb, noun = match_tasks(saved, rows)
    assert verb.classes == ["wash", "take", "cut"] and verb.labels == [0, 2, 2]
    assert noun.classes == [*"pqran"] and noun.labels == [0, 3, 4]
    with pytest.raises(
        ValueError, match="the model has 4 classes without names, but 'verb' of the data has 2 classes"
    ):
        match_tasks(tiny_ca2st.tiny_actions(num_verbs=4), rows)


def test_few_classes_have_no_top_five(sight, folder):
    rows = load_clips(folder, target="motion")["validation"]
    model = tiny_xvit.tiny(num_labels=2, id2label={0: "left", 1: "right"})
    results = evaluate(model, sight, rows, target="motion")
    assert set(results["metrics"]) == {"top1", "mean_class_accuracy"}
    assert 0 < results["clips_per_second"] == pytest.approx(17 / results["seconds"], rel=0.01)


def test_labels_are_matched_by_name(seer, sight, rows, tmp_path):
    names = rows.features["label"].names
    order = torch.randperm(8).tolist()
    other = tiny_xvit.tiny(num_labels=8, id2label={number: names[order[number]] for number in range(8)})
    state = seer.state_dict()
    for name in state:
        if name.startswith("classifier") and state[name].shape[0] == 8:
            state[name] = state[name][order]
    other.load_state_dict(state)
    with torch.no_grad():
        clips = tiny_xvit.clips(seer.config)
        torch.testing.assert_close(other(clips).logits, seer(clips).logits[:, order])
    want, got = (evaluate(model, sight, rows, output=tmp_path / str(id(model))) for model in (seer, other))
    assert got["metrics"] == want["metrics"] and got["per_class"]["label"].keys() == want["per_class"]["label"].keys()
    for one, two in zip(*(predictions(tmp_path / str(id(model))) for model in (seer, other)), strict=True):
        assert one == {name: pytest.approx(value, abs=1e-5) for name, value in two.items()}


def test_labels_of_a_model_without_names_are_numbers(sight, rows):
    torch.manual_seed(0)
    nameless = tiny_xvit.tiny(num_labels=8)
    named = tiny_xvit.tiny(num_labels=8, id2label=dict(enumerate(rows.features["label"].names)))
    named.load_state_dict(nameless.state_dict())
    assert evaluate(nameless, sight, rows)["metrics"] == evaluate(named, sight, rows)["metrics"]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"num_labels": 9}, "the model has 9 classes without names, but 'label' of the data has 8 classes"),
        (
            {"num_labels": 3, "id2label": dict(enumerate(["disc-left-fal", "b", "c"]))},
            "'label' of the data has 8 classes (disc-left-fall, disc-left-rise, disc-right-fall, ...) that the model "
            "does not have; is 'disc-left-fall' its 'disc-left-fal'?",
        ),
        (
            {"num_labels": 3, "id2label": dict(enumerate("abc"))},
            "that the model does not have; it has 3 classes (a, b, c)",
        ),
    ],
)
def test_classes_that_are_not_the_models(sight, rows, model, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        evaluate(tiny_xvit.tiny(**model), sight, rows)


def test_numbers_that_are_not_classes(sight, folder, tmp_path):
    paths = sorted(folder.glob("val/*/*.mp4"))[:2]
    (tmp_path / "list.txt").write_text("".join(f"{path} {label}\n" for path, label in zip(paths, (0, 6), strict=True)))
    rows = load_clips(tmp_path / "list.txt")["train"]
    with pytest.raises(ValueError, match="the model has 5 classes, but 'label' of the data has number 6"):
        evaluate(tiny_xvit.tiny(), sight, rows)
    named = tiny_xvit.tiny(num_labels=7, id2label=dict(enumerate("abcdefg")))
    assert set(evaluate(named, sight, rows)["per_class"]["label"]) == {"a", "g"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ensemble": "votes"}, "ensemble must be one of logits, probabilities, got 'votes'"),
        ({"autocast": "int8"}, "autocast must be one of None, bfloat16, float16, got 'int8'"),
        ({"on_broken": "mask"}, "on_broken must be one of skip, raise, got 'mask'"),
        ({"batch_size": 0}, "batch_size must be 1 or more, got 0"),
        ({"num_views": 0}, "num_views must be a whole number from 1 to 1,024, got 0"),
        ({"num_crops": 2}, "num_crops must be one of (1, 3), got 2"),
        ({"sampling": "segments", "num_views": 4}, "sampling='segments' has 3 views"),
        ({"num_frame": 3}, "the video processor has no options num_frame"),
        ({"intervention": "shuffle"}, "there is no intervention 'shuffle'; did you mean 'shuffle_frames'?"),
        ({"intervention": "mute"}, "there is no sound to mute"),
        ({"intervention": "without_audio"}, "this model has no expert 'audio'; xvit has no experts"),
        ({"processor_options": {"num_views": 2}}, "num_views is not a processor option of a protocol; pass views"),
        ({"target": ["verb", "noun"]}, "the model predicts one label, in one column; got the target verb, noun"),
        ({"target": "shape"}, "the data has no classes in a column 'shape' (there are label)"),
        ({"about": {"name": "x"}}, "about takes model, dataset, split and command, got name"),
    ],
)
def test_what_cannot_be_evaluated(seer, sight, rows, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        evaluate(seer, sight, rows, **options)


@pytest.mark.parametrize(
    ("processes", "options", "message"),
    [
        (2, {}, "several processes need a common folder"),
        (18, {"output": "results"}, "18 processes are too many for 17 clips"),
    ],
)
def test_too_many_processes(seer, sight, rows, tmp_path, monkeypatch, processes, options, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        holovid.evaluation.evaluate, "PartialState", lambda **_: SimpleNamespace(num_processes=processes)
    )
    with pytest.raises(ValueError, match=message):
        evaluate(seer, sight, rows, **options)
    assert not list(tmp_path.iterdir())


def test_actions_need_two_columns(actions):
    model = tiny_ca2st.tiny_actions()
    processor = HolovidProcessor.for_model(model.config)
    with pytest.raises(ValueError, match="a verb and a noun, in two columns; got the target verb"):
        evaluate(model, processor, actions, target="verb")


def test_clips_that_are_there_twice(seer, sight, rows):
    with pytest.raises(ValueError, match=r"the data holds 1 clip \(.*mp4\) more than once"):
        evaluate(seer, sight, rows.select([0, 1, 2, 1]))


def test_scores_that_are_not_numbers(seer, sight, rows):
    broken = tiny_xvit.tiny(num_labels=8)
    with torch.no_grad():
        next(broken.parameters()).fill_(float("nan"))
    with pytest.raises(ValueError, match="the model's logits are not finite"):
        evaluate(broken, sight, rows)


def test_interventions_are_those_of_the_library(hearer, hearing, rows, tmp_path):
    few = rows.select(range(4))

    def scores(name, *interventions):
        results = evaluate(hearer, hearing, few, intervention=interventions, output=tmp_path / name)
        assert results["protocol"]["intervention"] == list(interventions)
        return [line["score_1"] for line in predictions(tmp_path / name)]

    whole = scores("whole")
    muted, deaf = scores("muted", "mute"), scores("deaf", "without_audio")
    assert muted == pytest.approx(deaf, abs=1e-5) and muted != pytest.approx(whole, abs=1e-3)
    with torch.no_grad(), without_expert(hearer, "time"):
        want = [hearer(**hearing(row["video"], return_tensors="pt")).logits.softmax(-1).max().item() for row in few]
    assert scores("timeless", "without_time") == pytest.approx(want, abs=1e-5)
    assert scores("still", "hold_still") != pytest.approx(whole, abs=1e-3)
    assert scores("both", "shuffle_frames", "mute") != pytest.approx(muted, abs=1e-3)
    assert scores("again", "shuffle_frames") == scores("once more", "shuffle_frames")


def test_the_model_is_left_as_it_was(seer, sight, rows):
    seer.train()
    evaluate(seer, sight, rows.select(range(2)))
    assert seer.training
    seer.eval()


def test_autocast(seer, sight, rows, tmp_path):
    few = rows.select(range(3))
    for name in (None, "bfloat16"):
        evaluate(seer, sight, few, autocast=name, output=tmp_path / str(name))
    whole, half = ([line["score_1"] for line in predictions(tmp_path / name)] for name in ("None", "bfloat16"))
    assert whole != half and whole == pytest.approx(half, abs=0.1)


def test_results_are_ready_for_a_card(seer, sight, rows, folder, tmp_path):
    about = {"model": "someone/model", "dataset": "moving", "split": "validation", "command": "holovid evaluate"}
    results = evaluate(seer, sight, rows, **VIEWS, output=tmp_path, csv=True, about=about)
    text = (tmp_path / "results.json").read_text()
    assert results == json.loads(text)
    assert str(folder.parent) not in text and str(tmp_path) not in text
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", results["date"])
    assert results["model"] == {
        "name": "someone/model", "class": "XViTForVideoClassification", "model_type": "xvit", "revision": None,
        "parameters": seer.num_parameters(), "dtype": "float32", "device": "cpu",
    }  # fmt: skip
    assert results["protocol"] == {
        "views": 2, "crops": 3, "ensemble": "logits", "frames": 6, "sampling": "uniform", "frame_stride": 1,
        "fps": None, "resolution": {"height": 16, "width": 16}, "autocast": None, "intervention": [],
    }  # fmt: skip
    assert results["counts"] == {"clips": 17, "evaluated": 17, "broken": 0} and results["broken"] == []
    assert set(results["versions"]) >= {"python", "holovid", "torch", "transformers", "av"}
    confused = results["most_confused"]["label"]
    wrong = sum(line["correct"] is False for line in predictions(tmp_path))
    assert sum(pair["clips"] for pair in confused) == wrong
    assert pyarrow.csv.read_csv(tmp_path / "predictions.csv").to_pylist() == [
        {name: pytest.approx(value) for name, value in line.items()} for line in predictions(tmp_path)
    ]
    with Image.open(tmp_path / "confusion.png") as picture:
        assert min(picture.size) > 300
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != ".lock") == [
        "confusion.png", "evaluation.json", "predictions.0.jsonl", "predictions.csv", "predictions.parquet",
        "results.json",
    ]  # fmt: skip

    card = ModelCardData(
        model_name=results["model"]["name"],
        eval_results=[
            EvalResult(
                task_type=results["task"]["type"], task_name=results["task"]["name"], dataset_type="videofolder",
                dataset_name=results["dataset"]["name"], dataset_split=results["dataset"]["split"],
                metric_type="accuracy", metric_name=name, metric_value=value,
            )
            for name, value in results["metrics"].items()
        ],
    )  # fmt: skip
    assert ModelCard(f"---\n{card.to_yaml()}\n---\n").data.eval_results == card.eval_results


def test_several_sets_and_their_harmonic_mean(seer, sight, folder, tmp_path):
    sets = [load_set(seer, folder), load_set(seer, folder / "train", split="train")]
    assert [(each.name, each.split) for each in sets] == [("moving", "validation"), ("train", "train")]
    results = evaluate_sets(seer, sight, sets, output=tmp_path, progress=False)
    assert json.loads((tmp_path / "results.json").read_text()) == results
    one, two = (json.loads((tmp_path / name / "results.json").read_text()) for name in ("moving", "train"))
    assert results["sets"] == {"moving": one, "train": two}
    for name, mean in results["harmonic_mean"].items():
        values = [one["metrics"][name], two["metrics"][name]]
        assert mean == pytest.approx(2 * values[0] * values[1] / sum(values) if all(values) else 0)
    with pytest.raises(ValueError, match="sets of clips need different names, got moving, moving"):
        evaluate_sets(seer, sight, [sets[0], sets[0]], progress=False)
    with pytest.raises(ValueError, match="the data has no split 'test'; it has train, validation"):
        load_set(seer, folder, split="test")


@pytest.fixture
def counted(monkeypatch):
    """Numbers of the clips that are decoded."""
    seen = []
    read = holovid.evaluation.evaluate.ClipDataset.read
    monkeypatch.setattr(
        holovid.evaluation.evaluate.ClipDataset, "read",
        lambda self, index, epoch=None: (seen.append(index), read(self, index, epoch))[1],
    )  # fmt: skip
    return seen


def test_a_mistake_in_the_last_set_is_found_before_the_first_clip(seer, sight, folder, rows, tmp_path, counted):
    first = load_set(seer, folder)
    twice = LabelledSet("twice", "validation", rows.select([0, 1, 0]))
    with pytest.raises(ValueError, match=r"the data holds 1 clip .* more than once"):
        evaluate_sets(seer, sight, [first, twice], output=tmp_path, progress=False)
    strange = LabelledSet("strange", "validation", rows.rename_column("label", "form"))
    with pytest.raises(ValueError, match="the data has no classes in a column 'label'"):
        evaluate_sets(seer, sight, [first, strange], output=tmp_path, progress=False)
    assert counted == [] and not list(tmp_path.iterdir())


def test_an_interrupted_evaluation_goes_on(seer, sight, rows, tmp_path, counted):
    whole = evaluate(seer, sight, rows, **VIEWS, output=tmp_path / "whole")
    assert sorted(counted) == list(range(17))
    evaluate(seer, sight, rows, **VIEWS, output=tmp_path / "part")
    log = tmp_path / "part" / "predictions.0.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    # what a kill leaves: some lines, the last one torn, no results; some more from a second process
    log.write_text("".join(lines[:6]) + lines[6][:20])
    (tmp_path / "part" / "predictions.3.jsonl").write_text("".join(lines[10:12]))
    for name in ("results.json", "predictions.parquet", "confusion.png"):
        (tmp_path / "part" / name).unlink()
    counted.clear()
    resumed = evaluate(seer, sight, rows, **VIEWS, output=tmp_path / "part")
    assert counted == [6, 7, 8, 9, 12, 13, 14, 15, 16]
    assert comparable(resumed) == comparable(whole)
    assert predictions(tmp_path / "part") == predictions(tmp_path / "whole")
    counted.clear()
    assert comparable(evaluate(seer, sight, rows, **VIEWS, output=tmp_path / "part")) == comparable(whole)
    assert not counted


def test_another_evaluation_does_not_mix_with_it(seer, sight, rows, tmp_path):
    evaluate(seer, sight, rows, output=tmp_path)
    other = tiny_xvit.tiny(num_labels=8, id2label=seer.config.id2label)
    for model, processor, clips, options, message in (
        (seer, sight, rows, {"num_views": 2}, "protocol views was 1, now 2"),
        (seer, sight, rows, {"intervention": "shuffle_frames"}, "protocol intervention was"),
        (seer, sight, rows, {"short_video": "error"}, "fingerprints processor was"),
        (seer, sight, rows.select(range(5)), {}, "fingerprints data was"),
        (other, sight, rows, {}, "fingerprints model was"),
    ):
        with pytest.raises(ValueError, match=f"holds another evaluation: .*{message}.*; name a new folder"):
            evaluate(model, processor, clips, output=tmp_path, **options)


def test_a_folder_of_something_else(seer, sight, rows, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"holds something else \(notes.txt\); name a new or an empty folder"):
        evaluate(seer, sight, rows, output=tmp_path)
    (tmp_path / "notes.txt").unlink()
    (tmp_path / "evaluation.json").write_text("{")
    with pytest.raises(ValueError, match=r"evaluation\.json is damaged"):
        evaluate(seer, sight, rows, output=tmp_path)


def test_logs_that_cannot_be_trusted(tmp_path):
    log = PredictionLog(tmp_path)
    log.claim({"protocol": 1})
    with pytest.raises(ValueError, match="another evaluation is writing to"):
        PredictionLog(tmp_path).claim({"protocol": 1})
    log.add([{"clip": 0, "broken": "torn"}, {"clip": 1, "label": 3}])
    PredictionLog(tmp_path, process=1).add([{"clip": 0, "label": 2}])
    assert log.read() == {0: {"clip": 0, "label": 2}, 1: {"clip": 1, "label": 3}}, "a prediction replaces a failure"
    PredictionLog(tmp_path, process=1).add([{"clip": 1, "label": 3}])
    with pytest.raises(ValueError, match=r"clip 1 was predicted twice, the second time in line 2 of .*predictions.1"):
        log.read()
    (tmp_path / "predictions.1.jsonl").write_text("{}\n")
    with pytest.raises(ValueError, match=r"predictions\.1\.jsonl is damaged in line 1"):
        log.read()
    log.release()
    PredictionLog(tmp_path).claim({"protocol": 1})


def test_a_log_goes_on_after_its_last_whole_line(tmp_path):
    log = PredictionLog(tmp_path)
    log.claim({"protocol": 1})
    log.add([{"clip": 0, "label": 2}])
    log.release()
    with open(tmp_path / "predictions.0.jsonl", "a") as file:
        file.write('{"clip": 1, "la')
    log.claim({"protocol": 1})
    assert log.read() == {0: {"clip": 0, "label": 2}}
    with pytest.raises(ValueError, match="not JSON compliant"):
        log.add([{"clip": 1, "score": float("nan")}])
    log.release()


def test_classes_of_data_are_the_models_numbers():
    named = tiny_xvit.tiny(num_labels=3, id2label=dict(enumerate("abc"))).config
    unnamed = tiny_xvit.tiny(num_labels=3).config
    actions = tiny_ca2st.tiny_actions(num_verbs=2, num_nouns=2, id2verb=dict(enumerate("ab"))).config
    for config, names in (
        (named, {"label": ["a", "b", "c"]}),
        (named, {"motion": ["a", "b"]}),  # one column, whatever it is called
        (named, {"label": ["0", "1", "2"]}),
        (unnamed, {"label": ["b", "a"]}),
        (actions, {"verb": ["a", "b"], "noun": ["x", "y"]}),
    ):
        check_class_names(config, names)
    for config, names in (
        (named, {"label": ["b", "a", "c"]}),
        (named, {"motion": ["b", "a"]}),
        (named, {"label": ["a", "b", "c", "d"]}),
        (unnamed, {"label": ["a", "b", "c", "d"]}),
        (actions, {"verb": ["b", "a"], "noun": ["x", "y"]}),
        (actions, {"verb": ["a", "b"], "noun": ["x", "y", "z"]}),
    ):
        with pytest.raises(ValueError, match=r"(of|in) the data"):
            check_class_names(config, names)


@pytest.fixture
def damaged(folder, tmp_path):
    """Five clips of which two cannot be read."""
    paths = sorted(folder.glob("val/*/*.mp4"))[:5]
    for number, path in enumerate(paths):
        place = tmp_path / "clips" / path.parent.name / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(path.read_bytes() if number not in (1, 3) else b"not a video" * 9)
    return tmp_path / "clips"


def test_broken_clips_are_listed(seer, sight, folder, damaged, tmp_path, counted):
    rows = load_clips(damaged, names={"label": seer.config.id2label.values()})["train"]
    output = tmp_path / "output"
    results = evaluate(seer, sight, rows, output=output)
    names = sorted(str(path.relative_to(damaged)) for path in damaged.glob("*/*.mp4"))
    assert results["counts"] == {"clips": 5, "evaluated": 3, "broken": 2}
    assert [each["clip"] for each in results["broken"]] == [names[1], names[3]]
    assert all(each["reason"].startswith(f"'{each['clip']}' ") for each in results["broken"])  # the file is named once
    assert str(tmp_path) not in (output / "results.json").read_text()
    lines = predictions(output)
    assert [line["prediction_1"] is None for line in lines] == [False, True, False, True, False]
    assert [line["broken"] is None for line in lines] == [True, False, True, False, True]
    with pytest.raises(BrokenClipError, match=Path(names[1]).name) as raised:
        evaluate(seer, sight, rows, on_broken="raise")
    assert raised.value.path == str(damaged / names[1])
    assert raised.value.reason.replace(f"{damaged}/", "") == results["broken"][0]["reason"]
    counted.clear()
    # mended, they are all that is left to do
    (damaged / names[1]).write_bytes((folder / "val" / names[1]).read_bytes())
    again = evaluate(seer, sight, rows, output=output)
    assert counted == [1, 3] and again["counts"] == {"clips": 5, "evaluated": 4, "broken": 1}


def test_a_reason_that_does_not_name_the_file_stands_alone(seer, sight, rows):
    clips = rows.select_columns(["video", "label"]).to_list()
    for number, clip in enumerate(clips):
        clip["video"] = {"path": f"clip {number}", "bytes": Path(clip["video"]["path"]).read_bytes()}
    clips[1]["video"]["bytes"] = b"not a video" * 9
    rows = Dataset.from_list(clips, features=Features({name: rows.features[name] for name in clips[0]}))
    (broken,) = evaluate(seer, sight, rows)["broken"]
    assert broken["clip"] == "clip 1"
    assert broken["reason"].startswith("the video of 99 bytes cannot be read as a video: ")
    with pytest.raises(BrokenClipError, match=re.escape(f"clip 1: {broken['reason']}")):
        evaluate(seer, sight, rows, on_broken="raise")


def test_nothing_but_broken_clips(seer, sight, damaged):
    rows = load_clips(damaged, names={"label": seer.config.id2label.values()})["train"]
    with pytest.raises(ValueError, match=r"none of the 1 clips could be read; .*mp4: "):
        evaluate(seer, sight, rows.select([1]))


def test_load_classifier(seer, sight, hearer, tmp_path):
    for name, model in (("seer", seer), ("actions", tiny_ca2st.tiny_actions()), ("base", hearer.base_model)):
        model.save_pretrained(tmp_path / name)
        sight.save_pretrained(tmp_path / name)
    assert type(load_classifier(tmp_path / "seer")[0]) is type(seer)
    model, processor = load_classifier(str(tmp_path / "actions"))
    assert type(model) is CA2STForActionRecognition and type(processor) is HolovidVideoProcessor
    with pytest.raises(ValueError, match="base holds a CA2STModel, which has no classification head"):
        load_classifier(tmp_path / "base")
    with pytest.raises(ValueError, match="there is no folder"):
        load_classifier(tmp_path / "none")


def test_no_example_hides_a_library():
    """A script's folder comes first where Python looks for modules: evaluate.py would be taken for the library."""
    specs = {path: importlib.util.find_spec(path.stem) for path in EXAMPLES.glob("*.py")}
    # other tests may have imported the script itself
    assert not [path.name for path, spec in specs.items() if spec and spec.origin != str(path)]


@pytest.fixture(scope="module")
def saved(seer, sight, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "model"
    seer.save_pretrained(folder)
    sight.save_pretrained(folder)
    return folder


def script(*arguments, processes=1):
    launcher = [sys.executable]
    if processes > 1:
        launcher += ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    return [*launcher, str(EXAMPLES / "evaluate_clips.py"), *map(str, arguments)], environment


@pytest.mark.slow
def test_two_processes_share_the_clips(seer, sight, rows, saved, folder, tmp_path):
    """17 clips, an odd number: each once, none padded."""
    arguments = (saved, folder, "--views", 2, "--crops", 3, "--output", tmp_path / "two")
    command, environment = script(*arguments, processes=2)
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    one = evaluate(seer, sight, rows, **VIEWS, output=tmp_path / "one", about={"dataset": "moving"})
    two = json.loads((tmp_path / "two" / "results.json").read_text())
    assert two["metrics"] == one["metrics"] and two["counts"] == one["counts"]
    assert two["fingerprints"] == one["fingerprints"]
    assert two["command"].startswith("python evaluate_clips.py model moving --views 2")
    shares = [len((tmp_path / "two" / f"predictions.{process}.jsonl").read_text().splitlines()) for process in (0, 1)]
    assert shares == [9, 8]
    for line, want in zip(predictions(tmp_path / "two"), predictions(tmp_path / "one"), strict=True):
        assert line == {name: pytest.approx(value, abs=2e-5) for name, value in want.items()}
    assert '"evaluated": 17' in result.stdout and result.stdout.count("top1") == 1


@pytest.mark.slow
@pytest.mark.linux
def test_killed_and_started_again(seer, sight, rows, saved, folder, tmp_path):
    output = tmp_path / "killed"
    command, environment = script(saved, folder, "--views", 3, "--crops", 3, "--batch-size", 1, "--output", output)
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    log, deadline = output / "predictions.0.jsonl", time.monotonic() + 120
    while time.monotonic() < deadline and (not log.exists() or log.read_bytes().count(b"\n") < 4):
        assert process.poll() is None, "it was to be killed before it is done"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = log.read_bytes()
    assert not (output / "results.json").exists() and 4 <= kept.count(b"\n") < 17
    resumed = evaluate(
        seer, sight, rows, num_views=3, num_crops=3, batch_size=1, output=output,
        about={"model": "model", "dataset": "moving", "split": "validation"},
    )  # fmt: skip
    assert log.read_bytes().startswith(kept[: kept.rfind(b"\n") + 1])
    whole = evaluate(
        seer, sight, rows, num_views=3, num_crops=3, batch_size=1, output=tmp_path / "whole",
        about={"model": "model", "dataset": "moving", "split": "validation"},
    )  # fmt: skip
    assert comparable(resumed) == comparable(whole)
    for line, want in zip(predictions(output), predictions(tmp_path / "whole"), strict=True):
        assert line == {name: pytest.approx(value, abs=2e-5) for name, value in want.items()}
    assert np.all([line["broken"] is None for line in predictions(output)])
