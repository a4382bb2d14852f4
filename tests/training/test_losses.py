"""Losses of clips with several classes and of numbers, weights of classes, and what training measures: by hand."""

import math

import numpy as np
import pytest
import torch
from datasets import ClassLabel, Dataset, Features, List, Value, Video
from tiny_ca2st import tiny_actions
from tiny_xvit import clips, tiny
from transformers import EvalPrediction, TrainingArguments

from holovid import HolovidVideoProcessor
from holovid.data import ClipDataset
from holovid.modeling.tasks import Task
from holovid.training.class_weights import balanced_weights, weighted_loss
from holovid.training.measuring import compute_metrics
from holovid.training.trainer import VideoTrainer

SEVERAL = Task("label", labels="labels", scores="logits", kind="multi_label")
NUMBER = Task("label", labels="labels", scores="logits", kind="score")


def answers(feature, values):
    """A data set with these answers, whose clips are not looked at."""
    features = Features({"video": Video(decode=False), "label": feature})
    videos = [{"path": f"{row}.mp4", "bytes": None} for row in range(len(values))]
    rows = Dataset.from_dict({"video": videos, "label": values}, features=features)
    return ClipDataset(rows, HolovidVideoProcessor(), target="label")


def asked(problem_type, num_labels=2, **settings):
    torch.manual_seed(0)
    model = tiny(problem_type=problem_type, num_labels=num_labels, **settings).eval()
    return model, {"pixel_values_videos": clips(model.config)}


def test_several_classes_are_so_many_questions():
    model, inputs = asked("multi_label_classification", 3)
    labels = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    outputs = model(**inputs, labels=labels)
    p = outputs.logits.sigmoid()
    want = -(labels * p.log() + (1 - labels) * (1 - p).log()).mean()
    torch.testing.assert_close(outputs.loss, want)
    left_out = labels.clone()
    left_out[1] = -100
    torch.testing.assert_close(
        model(**inputs, labels=left_out).loss,
        -(p[0] * 0 + labels[0] * p[0].log() + (1 - labels[0]) * (1 - p[0]).log()).mean(),
    )
    with pytest.raises(ValueError, match=r"0 or 1 for every class, shape \(2, 3\), got \(2,\)"):
        model(**inputs, labels=torch.tensor([0, 1]))


def test_the_loss_of_a_number_is_its_squared_error():
    model, inputs = asked("regression", 1)
    labels = torch.tensor([1.0, -2.0])
    outputs = model(**inputs, labels=labels)
    torch.testing.assert_close(outputs.loss, ((outputs.logits[:, 0] - labels) ** 2).mean())
    outputs = model(**inputs, labels=torch.tensor([1.0, math.nan]))
    torch.testing.assert_close(outputs.loss, (outputs.logits[0, 0] - 1) ** 2)
    outputs.loss.backward()
    assert model.classifier.weight.grad.isfinite().all()
    with pytest.raises(ValueError, match=r"one number per clip \(2,\), got \(1,\)"):
        model(**inputs, labels=torch.tensor([1.0]))


def test_class_numbers_of_any_integer_type():
    model, inputs = asked(None, 3)
    want = model(**inputs, labels=torch.tensor([2, 0])).loss
    for dtype in (torch.uint8, torch.int16, torch.int32):
        model.config.problem_type = None  # to be guessed
        assert torch.equal(model(**inputs, labels=torch.tensor([2, 0], dtype=dtype)).loss, want)
        assert model.config.problem_type == "single_label_classification"
    model.config.problem_type = None
    with pytest.raises(ValueError, match=r"0 or 1 for every class, shape \(2, 3\), got \(2,\)"):
        model(**inputs, labels=torch.tensor([2.0, 0.0]))
    assert model.config.problem_type is None  # refused labels decide nothing
    assert torch.equal(model(**inputs, labels=torch.tensor([2, 0])).loss, want)


def test_the_first_labels_are_left_out_like_later_ones():
    model, inputs = asked(None, 3)
    labels = torch.tensor([[1.0, 0.0, -100.0], [0.0, 1.0, 1.0]])
    assert torch.equal(model(**inputs, labels=labels).loss, model(**inputs, labels=labels).loss)
    model, inputs = asked(None, 1)
    labels = torch.tensor([1.0, math.nan])
    first = model(**inputs, labels=labels).loss
    assert first.isfinite() and torch.equal(first, model(**inputs, labels=labels).loss)


def test_a_batch_without_a_label_has_no_loss():
    """As of clips that could not be read; torch's mean of nothing is NaN, which would end the training."""
    model, inputs = asked("single_label_classification", 3)
    nothing = torch.tensor([-100, -100])
    loss = model(**inputs, labels=nothing).loss
    loss.backward()
    assert loss == 0 and not any(weight.grad.any() for weight in model.parameters() if weight.grad is not None)
    one = model(**inputs, labels=torch.tensor([1, -100]))
    torch.testing.assert_close(one.loss, -one.logits[0].log_softmax(-1)[1])
    weights = {"labels": torch.tensor([1.0, 3.0, 2.0])}
    assert weighted_loss(model, inputs | {"labels": nothing}, model.tasks, weights)[0] == 0

    model = tiny_actions(num_verbs=2, num_nouns=2).eval()
    config = model.config
    inputs = {"pixel_values_videos": torch.randn(2, config.num_frames, 3, config.image_size, config.image_size)}
    if config.hears:
        inputs["input_values"] = torch.randn(2, config.audio_frames, config.num_mel_bins)
    outputs = model(**inputs, verb_labels=nothing, noun_labels=torch.tensor([1, 0], dtype=torch.int32))
    logs = outputs.noun_logits.log_softmax(-1)
    torch.testing.assert_close(outputs.loss, -(logs[0, 1] + logs[1, 0]) / 2)
    for wrong, message in (
        (torch.tensor([0.0, 1.0]), r"soft verb_labels must have shape \(2, 2\), got \(2,\); class numbers"),
        (torch.tensor([0]), r"verb_labels must be one class number per clip \(2,\), got \(1,\)"),
    ):
        with pytest.raises(ValueError, match=message):
            model(**inputs, verb_labels=wrong, noun_labels=nothing)


def test_a_rare_class_weighs_more():
    weights = balanced_weights(answers(ClassLabel(names=["a", "b", "c"]), [0, 0, 0, 1]))
    # 4 clips, 2 classes that have some: 4 / (2 * 3) and 4 / (2 * 1)
    torch.testing.assert_close(weights["labels"], torch.tensor([2 / 3, 2.0, 1.0]))
    several = answers(List(ClassLabel(names=["a", "b", "c", "d"])), [[0, 2], [2], [1, 2], [2], [0, 2]])
    # 3 absent for 2 that show it; 4 for 1; each shows c, none d
    torch.testing.assert_close(balanced_weights(several)["labels"], torch.tensor([1.5, 4.0, 1.0, 1.0]))
    with pytest.raises(ValueError, match="class_weights are for classes, but 'label' is a number"):
        balanced_weights(answers(Value("float64"), [1.0, 2.0]))


def test_weights_in_the_loss():
    model, inputs = asked("single_label_classification")
    inputs["labels"] = torch.tensor([0, 1])
    loss, outputs = weighted_loss(
        model, inputs, [Task("label", "labels", "logits")], {"labels": torch.tensor([1.0, 3.0])}
    )
    logs = outputs.logits.log_softmax(-1)
    torch.testing.assert_close(loss, -(logs[0, 0] + 3 * logs[1, 1]) / 4)
    model, inputs = asked("multi_label_classification")
    inputs["labels"] = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    loss, outputs = weighted_loss(model, inputs, [SEVERAL], {"labels": torch.tensor([1.0, 3.0])})
    yes, no = outputs.logits.sigmoid().log(), (-outputs.logits).sigmoid().log()
    torch.testing.assert_close(loss, -(yes[0, 0] + no[0, 1] + no[1, 0] + 3 * yes[1, 1]) / 4)


def test_weights_of_verbs_and_nouns():
    torch.manual_seed(0)
    model = tiny_actions(num_verbs=2, num_nouns=2).eval()
    config = model.config
    inputs = {"pixel_values_videos": torch.randn(2, config.num_frames, 3, config.image_size, config.image_size)}
    if config.hears:
        inputs["input_values"] = torch.randn(2, config.audio_frames, config.num_mel_bins)
    labels = {"verb_labels": torch.tensor([0, 1]), "noun_labels": torch.tensor([1, 1])}
    even = {name: torch.ones(2) for name in labels}
    loss, _ = weighted_loss(model, inputs | labels, model.tasks, even)
    torch.testing.assert_close(loss, model(**inputs, **labels).loss)


def test_trainer_trains_with_weights_and_validates_without(tmp_path):
    model, inputs = asked("single_label_classification", classifier_dropout=0.0)
    inputs["labels"] = torch.tensor([0, 1])
    args = TrainingArguments(str(tmp_path), use_cpu=True, report_to="none")
    weights = {"labels": torch.tensor([1.0, 3.0])}
    trainer = VideoTrainer(model, args, recipe="small", class_weights=weights)
    model.train()
    want, _ = weighted_loss(model, inputs, trainer.tasks, weights)
    torch.testing.assert_close(trainer.compute_loss(model, dict(inputs)), want)
    model.eval()
    torch.testing.assert_close(trainer.compute_loss(model, dict(inputs)), model(**inputs).loss)


def test_what_training_measures_of_several_classes():
    logits = np.array([[2.0, -1.0], [1.0, 1.0], [0.0, 0.0]], dtype=np.float32)
    labels = np.array([[1, 0], [0, 1], [-100, -100]], dtype=np.float32)
    found = compute_metrics(EvalPrediction(predictions=logits, label_ids=labels), [SEVERAL])
    assert found["mean_average_precision"] == 1.0 and found["top1"] == 0.5 and found["left_out"] == 1
    p = 1 / (1 + np.exp(-logits[:2]))
    assert found["loss"] == pytest.approx(-np.mean(np.log(np.where(labels[:2] == 1, p, 1 - p))), rel=1e-5)
    assert all(isinstance(value, (int, float)) for value in found.values())


def test_what_training_measures_of_numbers():
    labels = np.array([1.0, 3.0, np.nan], dtype=np.float32)
    prediction = EvalPrediction(predictions=np.array([[2.0], [3.0], [9.0]], dtype=np.float32), label_ids=labels)
    found = compute_metrics(prediction, [NUMBER])
    assert (found["loss"], found["mean_absolute_error"], found["pearson"]) == (0.5, 0.5, pytest.approx(1))
    assert (found["clips"], found["left_out"]) == (2, 1)
