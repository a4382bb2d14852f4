"""Seconds reach the exchange with audio unrounded, whatever type the weights and the other inputs have.

bfloat16 counts in half seconds from second 64 on, float16 in sixteenths.
"""

import copy
import pickle

import numpy as np
import pytest
import torch
import transformers
from sounding_clips import FPS, write_sounding_clip
from tiny_ca2st import CA2ST, clips, tiny
from torch import nn
from transformers import Trainer, TrainingArguments, pipeline

from holovid import CA2STForVideoClassification, HolovidFeatureExtractor, HolovidProcessor, VideoClassificationPipeline
from holovid.evaluation.evaluate import view_logits
from holovid.processing.clip_features import ClipFeatures

SIXTEEN_BITS = [torch.bfloat16, torch.float16]
TIMES = ("frame_times", "audio_span")


def late_clips(model) -> ClipFeatures:
    """Two clips of neighbouring frames after two minutes."""
    inputs = clips(model.config)
    inputs["frame_times"] = 120 + torch.arange(8) / 25 + torch.tensor([[0.0], [0.6]])
    inputs["audio_span"] = torch.tensor([[119.87, 120.27], [120.47, 120.87]])
    return ClipFeatures(inputs)


@pytest.fixture
def model():
    return tiny(experts=CA2ST)


@pytest.fixture
def listening(model):
    """The model, and what its functions of seconds give, by name, of the last call."""
    return model, listen_to(model)


def listen_to(model: nn.Module) -> dict[str, torch.Tensor]:
    given = {}
    for name, function in model.ca2st.timestamps.items():
        function.register_forward_hook(lambda module, inputs, output, name=name: given.update({name: output.detach()}))
    return given


@pytest.mark.parametrize("dtype", SIXTEEN_BITS)
@pytest.mark.parametrize("arguments", ["dtype", "device and dtype", "keywords"])
def test_features_are_cast_but_for_their_times(model, dtype, arguments):
    inputs = late_clips(model)
    expected = {name: inputs[name].clone() for name in TIMES}
    args, keywords = {
        "dtype": ((dtype,), {}),
        "device and dtype": (("cpu", dtype), {}),
        "keywords": ((), {"dtype": dtype, "device": "cpu"}),
    }[arguments]
    cast = pickle.loads(pickle.dumps(copy.copy(inputs))).to(*args, **keywords)
    assert isinstance(cast, ClipFeatures)
    assert {name for name, value in cast.items() if value.dtype == dtype} == {"pixel_values_videos", "input_values"}
    for name, times in expected.items():
        torch.testing.assert_close(cast[name], times, rtol=0, atol=0)
    assert {value.device.type for value in inputs.to("meta").values()} == {"meta"}


def test_lists_of_times_are_not_cast_either():
    times = torch.tensor([120.04])
    cast = ClipFeatures({"frame_times": [times], "pixel_values_videos": [torch.rand(3)]}).to(torch.bfloat16)
    assert cast["pixel_values_videos"][0].dtype == torch.bfloat16
    torch.testing.assert_close(cast["frame_times"][0], times)


@pytest.mark.parametrize("kind", [list, tuple])
def test_lists_of_times_are_moved(kind):
    times = kind([torch.tensor([120.04]), torch.tensor([0.5, 1.5])])
    moved = ClipFeatures({"frame_times": times, "pixel_values_videos": [torch.rand(3)]}).to("meta")
    assert isinstance(moved["frame_times"], kind)
    assert [(each.device.type, each.dtype, len(each)) for each in moved["frame_times"]] == [
        ("meta", torch.float32, 1), ("meta", torch.float32, 2),
    ]  # fmt: skip


def test_the_feature_extractor_returns_such_features():
    extracted = HolovidFeatureExtractor(audio_frames=40)(np.ones(16_000), 16_000, 1.0, return_tensors="pt")
    span = extracted["audio_span"].clone()
    torch.testing.assert_close(extracted.to(torch.bfloat16)["audio_span"], span)


@pytest.mark.parametrize("dtype", SIXTEEN_BITS)
@pytest.mark.parametrize("way", ["to", "half or bfloat16", "loaded", "from the configuration", "autocast"])
@torch.no_grad()
def test_the_model_is_exact_in_any_type(model, dtype, way, tmp_path):
    inputs, expected = late_clips(model), listen_to(model)
    model(**inputs)
    if way == "loaded":
        model.save_pretrained(tmp_path)
        changed = CA2STForVideoClassification.from_pretrained(tmp_path, dtype=dtype)
    elif way == "from the configuration":
        changed = CA2STForVideoClassification._from_config(model.config, dtype=dtype)
        changed.load_state_dict(model.state_dict())
    else:
        changed = copy.deepcopy(model)
        for function in changed.ca2st.timestamps.values():
            function._forward_hooks.clear()
    if way == "to":
        changed.to(dtype)
    elif way == "half or bfloat16":
        changed.half() if dtype == torch.float16 else changed.bfloat16()
    assert (changed.classifier.weight.dtype == dtype) == (way != "autocast")
    given = listen_to(changed)
    with torch.autocast("cpu", dtype, enabled=way == "autocast"):
        logits = changed(**late_clips(model).to(changed.dtype)).logits
    assert logits.dtype == dtype
    frames = given["frames"]
    assert frames.dtype == torch.float32 and frames[0, 0].dist(frames[0, 1]) > 0
    for name, vectors in expected.items():
        torch.testing.assert_close(given[name], vectors, rtol=0, atol=0)


def test_all_of_a_model_becomes_float64(model):
    model.double()
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float64}
    assert model(**late_clips(model)).logits.dtype == torch.float64


def test_training_in_16_bits(listening, tmp_path):
    """By Trainer's autocast."""
    model, given = listening
    inputs, expected = late_clips(model), {}
    rows = [{name: value[row] for name, value in inputs.items()} | {"labels": row} for row in range(2)]
    with torch.no_grad():
        model(**inputs)
    expected |= given
    arguments = TrainingArguments(
        tmp_path, per_device_train_batch_size=2, max_steps=1, bf16=True, use_cpu=True, report_to=[],
        save_strategy="no", dataloader_pin_memory=False, remove_unused_columns=False, disable_tqdm=True,
    )  # fmt: skip
    trainer = Trainer(model, arguments, train_dataset=rows)
    before = model.ca2st.timestamps["frames"].layers[0].weight.detach().clone()
    trainer.train()
    assert not torch.equal(before, model.ca2st.timestamps["frames"].layers[0].weight)
    order = [0, 1] if torch.equal(given["frames"][0], expected["frames"][0]) else [1, 0]  # rows are drawn
    torch.testing.assert_close(given["frames"][order], expected["frames"], rtol=0, atol=0)


@pytest.mark.parametrize("dtype", SIXTEEN_BITS)
def test_evaluation_does_not_cast_times(listening, dtype):
    model, given = listening
    with torch.no_grad():
        model(**late_clips(model))
        expected = dict(given)
        view_logits(model.to(dtype), late_clips(model), ["logits"], batch_size=2)
    for name, vectors in expected.items():
        torch.testing.assert_close(given[name], vectors, rtol=0, atol=0)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A model that hears, its processor, and a clip of 130 seconds whose middle it sees."""
    folder = tmp_path_factory.mktemp("seconds")
    torch.manual_seed(0)
    model = tiny(experts=CA2ST)
    model.save_pretrained(folder / "model")
    HolovidProcessor.for_model(model.config, sampling="strided", frame_stride=2).save_pretrained(folder / "model")
    noise = np.random.default_rng(0).normal(0, 0.1, (1, 130 * 16_000)).astype(np.float32)
    write_sounding_clip(folder / "long.mp4", frames=130 * FPS, sound=noise)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("pipeline_class", [transformers.VideoClassificationPipeline, VideoClassificationPipeline])
@pytest.mark.parametrize("dtype", SIXTEEN_BITS)
def test_pipelines_give_exact_times(saved, pipeline_class, dtype):
    expected = HolovidProcessor.from_pretrained(saved / "model")(str(saved / "long.mp4"), return_tensors="pt")
    assert expected["frame_times"].min() > 64
    classify = pipeline("video-classification", str(saved / "model"), dtype=dtype, pipeline_class=pipeline_class)
    given = {}
    classify.model.register_forward_pre_hook(lambda module, args, kwargs: given.update(kwargs), with_kwargs=True)
    assert len(classify(str(saved / "long.mp4"))) == 5
    assert given["pixel_values_videos"].dtype == dtype
    for name in TIMES:
        torch.testing.assert_close(given[name], expected[name], rtol=0, atol=0)
