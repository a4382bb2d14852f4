"""What holds for the models of every family, as its record makes them: a new family is tested by being there."""

import re

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.utils.flop_counter import FlopCounterMode
from toy_models import NAMES, toy
from transformers.video_utils import VideoMetadata

import holovid
from holovid import HolovidProcessor
from holovid.evaluation import mute, shuffle_frames
from holovid.facts import model_facts
from holovid.modeling.tasks import tasks_of
from holovid.publishing import build_card


@torch.no_grad()
def test_saved_and_loaded(variant, tmp_path):
    model, inputs = toy(variant)
    model.save_pretrained(tmp_path)
    HolovidProcessor.for_model(model).save_pretrained(tmp_path)
    again, processor = holovid.load(tmp_path)
    assert type(again) is type(model) and torch.equal(again(**inputs).logits, model(**inputs).logits)
    frames = torch.randint(0, 256, (4, 3, 64, 64), dtype=torch.uint8)
    sound = {"audio": torch.zeros(16_000), "sampling_rate": 16_000} if model.config.hears else {}
    facts = [VideoMetadata(total_num_frames=4, fps=4.0)]
    answer = again(**processor(frames, video_metadata=facts, return_tensors="pt", **sound))
    (task,) = tasks_of(model, model.config)
    assert answer.logits.shape == (1, model(**inputs).logits.shape[1])
    assert answer[task.scores].shape == ((1, len(NAMES)) if task.has_fields else (1,))

    told = model_facts(tmp_path)
    assert (told.family, told.parameters) == (variant.title, model.num_parameters())
    card = str(build_card(tmp_path, licence=variant.licence or "apache-2.0"))
    assert variant.about in card and all(paper.bibtex in card for paper in variant.papers)

    weights = load_file(tmp_path / "model.safetensors")
    weights.pop(lost := max(name for name in weights if name.startswith("classifier") and name.endswith(".weight")))
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=re.escape(lost)):
        holovid.load(tmp_path)


@pytest.mark.slow
@torch.no_grad()
def test_weights_on_a_disk(variant, tmp_path):
    """As of a model that does not fit into memory; what is computed beside the weights must not be there, too."""
    model, inputs = toy(variant)
    model.save_pretrained(tmp_path / "model")
    devices = {name: "disk" for name, _ in model.named_children()}
    offloaded = type(model).from_pretrained(
        tmp_path / "model", device_map=devices, offload_folder=tmp_path / "offloaded"
    )
    assert offloaded.device.type == "meta"
    torch.testing.assert_close(offloaded(**inputs).logits, model(**inputs).logits)
    if model.config.reads_times:
        times = {"frame_times": torch.arange(8.0).view(2, 4), "audio_span": torch.tensor([[0.0, 4.0], [3.0, 9.0]])}
        torch.testing.assert_close(offloaded(**inputs, **times).logits, model(**inputs, **times).logits)


@torch.no_grad()
def test_attention_is_computed_alike(variant):
    model, inputs = toy(variant)
    assert model.config._attn_implementation == "sdpa"
    fast = model(**inputs).logits
    model.set_attn_implementation("eager")
    torch.testing.assert_close(model(**inputs).logits, fast, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_operations_are_counted_in_every_mode(variant):
    """torch's counter puts hooks on what modules return."""
    model, inputs = toy(variant)
    model.set_attn_implementation("eager")  # of which every product is counted
    counts = set()
    for mode in (torch.enable_grad, torch.no_grad, torch.inference_mode):
        with mode(), FlopCounterMode(display=False) as counter:
            model(**inputs)
        counts.add(counter.get_total_flops())
    assert len(counts) == 1 and counts.pop() > 1e5


@torch.no_grad()
def test_each_clip_counts_and_only_itself(variant):
    model, inputs = toy(variant)
    logits = model(**inputs).logits
    alone = model(**{name: values[1:] for name, values in inputs.items()}).logits
    torch.testing.assert_close(alone, logits[1:], rtol=1e-4, atol=1e-5)
    assert (logits[0] - logits[1]).abs().max() > 1e-3
    if model.config.hears:
        assert (model(**mute(inputs)).logits - logits).abs().max() > 1e-3
    shuffled = shuffle_frames(inputs, torch.Generator().manual_seed(0))
    assert model(**shuffled).logits.isfinite().all()


def test_training_moves_every_part(variant):
    """Which single tensors get no gradient, the tests of each model say."""
    model, inputs = toy(variant)
    model.train()
    model(**inputs, labels=torch.tensor([0, 2])).loss.backward()
    learns = {
        name.split(".")[1] if name.startswith(model.base_model_prefix) else name.split(".")[0]
        for name, tensor in model.named_parameters()
        if tensor.grad is not None and tensor.grad.abs().sum() > 0
    }
    children = [*model.named_children(), *model.base_model.named_children()]
    parts = {name for name, child in children if child is not model.base_model and list(child.parameters())}
    assert learns >= parts
