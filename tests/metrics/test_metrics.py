"""Metrics: by hand, against a slow loop and the model's own rule, in batches, loaded by path, across processes."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import holovid.metrics
from holovid import CA2STForActionRecognition
from holovid.metrics.action_accuracy import ActionAccuracy, action_accuracy
from holovid.metrics.harmonic_mean import HarmonicMean, harmonic_mean
from holovid.metrics.mean_average_precision import mean_average_precision
from holovid.metrics.top_k_accuracy import TopKAccuracy, label_ranks, top_k_accuracy

FOLDER = Path(holovid.metrics.__file__).parent


def test_errors_name_the_clip_as_it_was_given():
    """Not its place among the clips that are left."""
    rows, labels = [[1.0, 0.0], [1.0, 0.0], [np.nan, 0.0]], [-100, 0, 1]
    with pytest.raises(ValueError, match=r"scores of clip 2 \(counted"):
        top_k_accuracy(rows, labels)
    with pytest.raises(ValueError, match=r"verb_predictions of clip 2 \(counted"):
        action_accuracy(rows, [[1.0, 0.0]] * 3, labels, [0, 0, 1])
    with pytest.raises(ValueError, match=r"scores of clip 2 \(counted"):
        mean_average_precision(rows, [[-100, -100], [1, 0], [1, 0]])
    assert top_k_accuracy([[np.nan, 0.0], [1.0, 0.0]], [-100, 0], k=1)["top1"] == 1.0


def test_other_numbers_of_clips_are_refused():
    with pytest.raises(ValueError, match=r"must be \(clips, classes\) and labels \(clips,\), got \(2, 2\) and \(3,\)"):
        top_k_accuracy([[1.0, 0.0]] * 2, [0, 1, 1])
    with pytest.raises(ValueError, match=r"noun_predictions must be \(clips, nouns\) .*, got \(1, 2\) and \(2,\)"):
        action_accuracy([[1.0, 0.0]] * 2, [[1.0, 0.0]], [0, 1], [0, 1])


@pytest.fixture
def cache(tmp_path):
    return {"cache_dir": str(tmp_path)}


def scores(clips: int, classes: int, seed: int = 0) -> np.ndarray:
    """Some are equal, so that ties are tested too."""
    return np.random.default_rng(seed).integers(0, 3 * classes, (clips, classes)).astype(np.float32)


def test_top_k_by_hand(cache):
    predictions = [[0.1, 0.9, 0.0], [0.8, 0.1, 0.1], [0.2, 0.3, 0.5], [0.5, 0.5, 0.0]]
    got = TopKAccuracy(**cache).compute(predictions=predictions, references=[1, 1, 0, 1], k=(1, 2), per_class=True)
    # the tie of the last clip goes to class 0, as in argmax; of the second clip class 1 comes before 2
    assert got == {
        "top1": 0.25, "top2": 0.75, "clips": 4, "left_out": 0,
        "per_class": [0.0, 1 / 3, None], "mean_class_accuracy": pytest.approx(1 / 6),
    }  # fmt: skip


def test_top_k_against_a_slow_loop(cache):
    predictions, references = scores(60, 9), np.random.default_rng(1).integers(0, 9, 60)
    got = TopKAccuracy(**cache).compute(predictions=predictions, references=references, k=(1, 3, 9, 20))
    for k in (1, 3, 9, 20):
        hits = 0
        for row, label in zip(predictions, references, strict=True):
            best = sorted(range(9), key=lambda number: (-row[number], number))[:k]
            hits += label in best
        assert got[f"top{k}"] == hits / 60
    assert got["top1"] == (predictions.argmax(1) == references).mean()
    assert got["top9"] == got["top20"] == 1


def test_masked_clips_are_left_out_and_counted(cache):
    predictions, references = scores(8, 4), np.array([0, -100, 1, 2, -100, 3, 3, 0])
    kept = references != -100
    got = TopKAccuracy(**cache).compute(predictions=predictions, references=references, k=2, per_class=True)
    alone = TopKAccuracy(**cache).compute(predictions=predictions[kept], references=references[kept], k=2)
    assert got["top2"] == alone["top2"] and (got["clips"], got["left_out"]) == (6, 2)
    assert len(got["per_class"]) == 4


@pytest.mark.parametrize("memory", [False, True])
@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy, np.ndarray.tolist])
def test_in_batches(cache, kind, memory):
    predictions, references = scores(23, 6), np.random.default_rng(1).integers(0, 6, 23)
    metric = TopKAccuracy(keep_in_memory=memory, **cache)
    for start in range(0, 23, 5):
        metric.add_batch(
            predictions=kind(predictions[start : start + 5]), references=kind(references[start : start + 5])
        )
    whole = TopKAccuracy(keep_in_memory=True).compute(predictions=predictions, references=references)
    assert metric.compute() == whole


def test_actions_by_hand(cache):
    got = ActionAccuracy(**cache).compute(
        verb_predictions=[[0.9, 0.1, 0.0], [0.6, 0.4, 0.0], [0.1, 0.9, 0.0], [1.0, 0.0, 0.0]],
        noun_predictions=[[0.1, 0.9], [0.1, 0.9], [0.1, 0.9], [0.1, 0.9]],
        verb_references=[0, 1, 1, -100],
        noun_references=[1, 1, 0, 0],
        k=(1, 2),
    )
    assert got == pytest.approx({
        "verb_top1": 2 / 3, "noun_top1": 2 / 3, "action_top1": 1 / 3,
        "verb_top2": 1.0, "noun_top2": 1.0, "action_top2": 1.0, "clips": 3, "left_out": 1,
    })  # fmt: skip


def test_actions_are_what_the_model_says(cache):
    verbs, nouns = torch.randn(50, 7), torch.randn(50, 11)
    verb_labels, noun_labels = torch.randint(7, (50,)), torch.randint(11, (50,))
    got = ActionAccuracy(**cache).compute(
        verb_predictions=verbs, noun_predictions=nouns, verb_references=verb_labels, noun_references=noun_labels
    )
    for k in (1, 5):
        found = CA2STForActionRecognition.action_in_top(verbs, nouns, verb_labels, noun_labels, k)
        assert got[f"action_top{k}"] == pytest.approx(found.float().mean().item())
        alone = TopKAccuracy(**cache).compute(predictions=nouns, references=noun_labels)
        assert got[f"noun_top{k}"] == alone[f"top{k}"]


def test_harmonic_mean(cache):
    assert HarmonicMean(**cache).compute(values=[0.5, 1.0, 1.0]) == {"harmonic_mean": 0.75}
    assert harmonic_mean([0.3]) == pytest.approx(0.3) and harmonic_mean([0.0, 1.0]) == 0
    values = np.random.default_rng(0).uniform(0, 1, 9)
    assert harmonic_mean(values) == pytest.approx(1 / np.mean([1 / value for value in values]))
    assert harmonic_mean(100 * values) == pytest.approx(100 * harmonic_mean(values))
    for wrong in ([-0.1, 0.5], [np.nan], []):
        with pytest.raises(ValueError, match="numbers from 0 on"):
            harmonic_mean(wrong)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"references": [0, 3]}, r"labels must be in 0..2, as many as there are scores, got \[3\]"),
        ({"references": [0, -1]}, r"got \[-1\]"),
        ({"references": [-100, -100]}, "no clip is left to measure: all 2 are labelled -100"),
        ({"predictions": [[0, 1, 2], [0, np.nan, 1]]}, "the scores of clip 1 .* are not numbers"),
        ({"k": 0}, "k must be whole numbers from 1 on, got 0"),
        ({"k": ()}, "k must be whole numbers"),
    ],
)
def test_what_cannot_be_measured(changes, message):
    arguments = {"predictions": [[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]], "references": [0, 1]} | changes
    with pytest.raises(ValueError, match=message):
        TopKAccuracy(keep_in_memory=True).compute(**arguments)


def test_what_actions_cannot_be_measured():
    arguments = {
        "verb_predictions": [[0.0, 1.0]], "noun_predictions": [[0.0, 1.0]], "verb_references": [1],
        "noun_references": [1],
    }  # fmt: skip
    for changes, message in (
        ({"noun_references": [2]}, r"noun_references must be in 0..1, got \[2\]"),
        ({"verb_predictions": [[np.nan, 1.0]]}, "the verb_predictions of clip 0 .* are not numbers"),
        ({"noun_references": [-100]}, "all 1 are labelled -100"),
        ({"k": -1}, "k must be whole numbers"),
    ):
        with pytest.raises(ValueError, match=message):
            ActionAccuracy(keep_in_memory=True).compute(**arguments | changes)


def test_ranks_want_one_label_a_clip():
    with pytest.raises(ValueError, match=r"scores must be \(clips, classes\) and labels \(clips,\)"):
        label_ranks(np.zeros((2, 3)), np.zeros(3, dtype=int))


SHARE = """
import json, sys, warnings
warnings.simplefilter("error")
import evaluate, numpy as np
path, cache, process = sys.argv[1], sys.argv[2], int(sys.argv[3])
metric = evaluate.load(path, cache_dir=cache, num_process=2, process_id=process, experiment_id="shared")
predictions = np.random.default_rng(0).random((11, 7)).astype("float32")
references = np.random.default_rng(1).integers(0, 7, 11)
metric.add_batch(predictions=predictions[process::2], references=references[process::2])
print(json.dumps(metric.compute()))
"""


@pytest.mark.slow
def test_loaded_by_path_in_two_processes(tmp_path):
    """Offline, and without holovid: a metric is a file that stands alone."""
    environment = {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "PATH": "", "OMP_NUM_THREADS": "1"}
    path = str(FOLDER / "top_k_accuracy.py")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SHARE, path, str(tmp_path), str(number)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        )
        for number in range(2)
    ]  # fmt: skip
    outputs = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    predictions = np.random.default_rng(0).random((11, 7)).astype("float32")
    references = np.random.default_rng(1).integers(0, 7, 11)
    whole = TopKAccuracy(keep_in_memory=True).compute(predictions=predictions, references=references)
    assert [json.loads(stdout) for stdout, _ in outputs] == [whole, None]


@pytest.mark.slow
def test_every_metric_loads_by_path(tmp_path):
    paths = [str(path) for path in sorted(FOLDER.glob("*.py")) if path.name != "__init__.py"]
    assert len(paths) == 8
    code = "import evaluate, sys; print([evaluate.load(path).name for path in sys.argv[1:]])"
    environment = {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "PATH": ""}
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *paths], env=environment, text=True, capture_output=True
    )
    assert result.returncode == 0, result.stderr
    names = ["action_accuracy", "audio_visual_parsing", "harmonic_mean", "localisation", "mean_average_precision"]
    assert result.stdout.strip() == str([*names, "score_errors", "segment_accuracy", "top_k_accuracy"])
