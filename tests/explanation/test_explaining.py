"""`explain`: relevance by hand, what is mixed goes back to where it came from, every variant, what is refused."""

from threading import Thread

import pytest
import torch
from tiny_avt import tiny as tiny_avt
from tiny_ca2st import tiny_config as tiny_ca2st_config
from tiny_time_sformer import tiny as tiny_time_sformer
from tiny_where_when import clips as where_when_clips
from tiny_where_when import tiny as tiny_where_when
from tiny_xvit import sharpen
from tiny_xvit import tiny_config as tiny_xvit_config
from torch.testing import assert_close
from toy_models import NAMES, toy
from transformers import VideoMAEConfig, VideoMAEForVideoClassification, ViTConfig, ViTForImageClassification

from holovid import CA2STForActionRecognition, XViTForVideoClassification
from holovid.explanation import explain, methods_of, occlude
from holovid.explanation.recorded import Attended, attention_recorded, shared_back
from holovid.explanation.scoring import scoring
from holovid.families.family import variants
from holovid.modeling.modeling_xvit import XViTSummary, XViTTimeMixing


@pytest.mark.parametrize("variant", variants().values(), ids=lambda variant: variant.name)
def test_every_variant_is_explained(variant):
    model, inputs = toy(variant)
    inputs["frame_times"] = torch.tensor([[0.0, 0.5, 1.0, 1.5], [3.0, 4.0, 5.0, 6.0]])
    if model.config.hears:
        inputs["audio_span"] = torch.tensor([[0.0, 2.0], [3.0, 7.0]])
    before = model.config._attn_implementation, model.training
    why = explain(model, inputs)
    assert (model.config._attn_implementation, model.training) == before
    assert all(parameter.grad is None for parameter in model.parameters())
    assert why.method == methods_of(model)[0] and why.where.isfinite().all() and (why.where >= 0).all()
    assert_close(why.where.sum((1, 2, 3)), torch.ones(2))
    assert_close(why.when_visual.sum(1), torch.ones(2))
    assert why.where.flatten(1).std(dim=1).min() > 1e-4  # flat maps say nothing
    assert why.frame_times.shape == why.when_visual.shape and (why.frame_times.diff(dim=1) > 0).all()
    assert (why.when_audio is not None) == model.config.hears == (why.heard is not None)
    if model.config.hears:
        assert_close(why.when_audio.sum(1), torch.ones(2))
        assert (
            (why.audio_times > inputs["audio_span"][:, :1]) & (why.audio_times < inputs["audio_span"][:, 1:])
        ).all()
        assert ((why.heard >= 0) & (why.heard <= 1)).all()
    alone = explain(model, {name: values[1:] for name, values in inputs.items()})
    assert_close(alone.where, why.where[1:], rtol=1e-3, atol=1e-6)
    other = explain(model, inputs, target=[(number + 1) % 3 for number in why.target.tolist()])
    assert not torch.equal(other.where, why.where) or why.method == "intrinsic"
    frozen = explain(model.requires_grad_(False), inputs)
    assert_close(frozen.where, why.where)


def recorded_support(attention: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    return (attention * gradient).clamp(min=0).sum(1)


def test_frames_without_mixing_by_hand():
    """One layer: the class token of a frame has read its patches, as gradient x attention of transformers' eager."""
    torch.manual_seed(0)
    config = tiny_xvit_config(num_hidden_layers=1, mix_layers=[], pooling="mean", num_labels=4)
    model = sharpen(XViTForVideoClassification(config)).eval()
    frames = torch.randn(2, 4, 3, *config.frame_size)
    why = explain(model, {"pixel_values_videos": frames}, target=[1, 3])
    model.set_attn_implementation("eager")
    outputs = model(frames, output_attentions=True)
    above = (outputs.logits - outputs.logits.mean(1, keepdim=True))[[0, 1], [1, 3]]
    (attention,) = outputs.attentions
    (gradient,) = torch.autograd.grad((above / above.detach().abs()).sum(), attention)
    read = recorded_support(attention, gradient)[:, 0, 1:].unflatten(0, (2, 4)).unflatten(-1, config.grid_size)
    assert_close(why.where, read / read.sum((1, 2, 3), keepdim=True))
    assert_close(why.score, outputs.logits.softmax(1)[[0, 1], [1, 3]])


def test_two_layers_by_hand():
    """Joint attention with loops over tokens: what a patch has is dealt out to what it had and to what it read."""
    torch.manual_seed(0)
    model = tiny_time_sformer(attention_type="joint_space_time", num_hidden_layers=2)
    config = model.config
    frames = torch.randn(1, 2, 3, *config.frame_size)
    why = explain(model, {"pixel_values_videos": frames}, target=0)
    model.set_attn_implementation("eager")
    layers, kept = model.base_model.layers, {}
    hooks = [
        norm.register_forward_pre_hook(lambda module, given: kept.__setitem__(module, given[0]))
        for layer in layers
        for norm in (layer.layernorm_before, layer.layernorm_after)
    ]
    outputs = model(frames, output_attentions=True)
    above = outputs.logits[0, 0] - outputs.logits[0].mean()
    after = [kept[layer.layernorm_after] for layer in layers]
    found = torch.autograd.grad(above / above.detach().abs(), [*outputs.attentions, *after])
    tokens = after[0].shape[1]
    relevance = torch.zeros(tokens)
    for index in (1, 0):
        support = recorded_support(outputs.attentions[index], found[index])[0].detach()
        had = (kept[layers[index].layernorm_before] * found[2 + index])[0].sum(-1).clamp(min=0).detach()
        new = torch.zeros(tokens)
        for reader in range(tokens):
            share = relevance[reader] / max(float(had[reader] + support[reader].sum()), 1e-30)
            new[reader] += share * had[reader]
            new += (1.0 if reader == 0 else share) * support[reader]
        relevance = new
    for hook in hooks:
        hook.remove()
    patches = relevance[1:].view(2, *config.grid_size)
    assert_close(why.where[0], (patches / patches.sum()).detach(), rtol=1e-3, atol=1e-6)


def call_with(values: torch.Tensor) -> Attended:
    """An attention whose |gradient x value| is `values` (batch, heads, S', d)."""
    weights = torch.zeros(*values.shape[:3], values.shape[2])
    return Attended(weights, values, weights, torch.ones_like(values))


def test_mixed_relevance_goes_back_in_time():
    """Three frames of a token with three channels: of the next frame, of the frame before, and of its own."""
    mixing = XViTTimeMixing(channels=1, offsets=(1, -1), slice_size=3, group=None)
    call = call_with(torch.tensor([0.6, 0.3, 0.1]).expand(3, 1, 1, 3))
    read = torch.tensor([[0.0, 1.0, 0.0]])[..., None]
    assert_close(shared_back(mixing, call, read, 1)[0, :, 0], torch.tensor([0.3, 0.1, 0.6]))
    # of a channel that is zero everywhere nothing came
    nothing = call_with(torch.tensor([0.0, 0.0, 5.0]).expand(3, 1, 1, 3))
    assert_close(shared_back(mixing, nothing, read, 1)[0, :, 0], torch.tensor([0.0, 1.0, 0.0]))


def test_relevance_of_summary_tokens_goes_to_their_patches():
    """Two frames of a class token and four patches; two summary tokens a frame, each the mean of two patches."""
    summary = XViTSummary(torch.nn.Identity(), 2)
    read = torch.zeros(1, 2, 5 + 2 * 2)
    read[0, 0, 5 + 2 + 1] = 1.0  # frame 0 has read the second summary token of frame 1
    found = shared_back(summary, call_with(torch.rand(2, 1, 9, 6) + 0.1), read, 5)
    expected = torch.zeros(1, 2, 5)
    expected[0, 1, 3:] = 0.5
    assert_close(found, expected)


def test_only_the_frame_that_is_read():
    """A model whose mixing takes all channels from the next frame is told by it: so is its map."""
    torch.manual_seed(0)
    config = tiny_xvit_config(num_hidden_layers=1, pooling="mean", num_labels=4)
    model = sharpen(XViTForVideoClassification(config)).eval()
    width = config.hidden_size
    model.base_model.layers[0].attention.context = XViTTimeMixing(width, (1,), width, None)
    why = explain(model, {"pixel_values_videos": torch.randn(1, 4, 3, *config.frame_size)})
    assert why.when_visual[0, 0] == 0 and (why.when_visual[0, 1:] > 0).all()


def test_experts_that_exchange_pass_on_sound():
    """Of a classifier that reads the picture alone, sound counts as far as the picture has read it."""
    torch.manual_seed(0)
    variant = variants()["cava"]
    model, inputs = toy(variant)
    why = explain(model, inputs)
    assert why.heard.min() > 0 and why.heard.max() < 1
    for layer in model.base_model.layers:
        for up in layer.up.values():
            torch.nn.init.zeros_(up.weight)
            torch.nn.init.zeros_(up.bias)
    torch.nn.init.zeros_(model.base_model.features["audio"].layernorm.weight)
    torch.nn.init.zeros_(model.base_model.features["audio"].layernorm.bias)
    assert explain(model, inputs).heard.max() == 0


def test_steps_before_and_features():
    model = tiny_avt(feature_size=20)
    with pytest.raises(ValueError, match="pixel_values_videos"):
        explain(model, {"features": torch.randn(2, 5, 20)})
    model = tiny_avt()
    why = explain(model, {"pixel_values_videos": torch.randn(2, 5, 3, *model.config.frame_size)})
    assert (why.when_visual > 0).all() and why.where.shape == (2, 5, 2, 3)
    assert_close(why.where.sum((2, 3)), why.when_visual)


def test_intrinsic_is_what_the_model_says():
    model = tiny_where_when()
    inputs = where_when_clips(model.config, 3) | {"audio_mask": torch.tensor([True, False, True])}
    why = explain(model, inputs)
    outputs = model(**inputs, output_maps=True)
    assert_close(why.when_visual, outputs.when_visual.detach())
    assert_close(why.where.sum((2, 3)), outputs.when_visual.detach())
    assert why.heard[1] == 0 and not why.when_audio[1].any()
    silent = explain(model, {"pixel_values_videos": inputs["pixel_values_videos"]})
    assert silent.when_audio is None and silent.heard is None


def test_of_two_tasks_one_is_meant():
    model = CA2STForActionRecognition(tiny_ca2st_config(experts=["space", "time"])).eval()
    inputs = {"pixel_values_videos": torch.randn(1, 8, 3, 24, 24)}
    with pytest.raises(ValueError, match="task must be one of verb, noun, got None"):
        explain(model, inputs)
    whys = [explain(model, inputs, task=task, target=0) for task in ("verb", "noun")]
    assert whys[0].score != whys[1].score


def test_targets():
    model, inputs = toy(variants()["xvit"])
    by_number, by_name = explain(model, inputs, target=2), explain(model, inputs, target=NAMES[2])
    assert torch.equal(by_number.where, by_name.where) and by_number.target.tolist() == [2, 2]
    assert explain(model, inputs, target=["up", "left"]).target.tolist() == [2, 0]
    assert torch.equal(explain(model, inputs, target=torch.tensor([2, 2])).where, by_number.where)
    for target, message in (
        ("rigth", "did you mean 'right'"),
        (3, "target must be a class, 0 to 2"),
        ([0, 1, 2], "one for each of 2 clips, got 3"),
    ):
        with pytest.raises(ValueError, match=message):
            explain(model, inputs, target=target)


def test_methods_that_cannot_explain():
    model, inputs = toy(variants()["videoswin"])
    with pytest.raises(
        ValueError, match=r"method='relevance' cannot explain a VideoSwin.*; gradients and occlusion can"
    ):
        explain(model, inputs, method="relevance")
    with pytest.raises(ValueError, match="did you mean 'occlusion'"):
        explain(model, inputs, method="oclusion")
    with pytest.raises(ValueError, match="one view of each clip"):
        explain(model, {"pixel_values_videos": inputs["pixel_values_videos"][:, None]})
    with pytest.raises(ValueError, match="options are for occlusion"):
        explain(model, inputs, cells=(2, 2))
    by_occlusion = explain(model, inputs, method="occlusion", cells=(2, 2), progress=False)
    assert torch.equal(by_occlusion.where, occlude(model, inputs, cells=(2, 2), progress=False).where)
    theirs = ViTForImageClassification(ViTConfig(hidden_size=12, num_hidden_layers=1, num_attention_heads=2))
    assert methods_of(theirs) == methods_of(lambda inputs: inputs) == ["occlusion"]


def test_attention_is_as_before_after_an_error():
    model, _ = toy(variants()["wherewhen"])
    model.train()
    inner = model.base_model.visual_encoder.model
    inner.set_attn_implementation("eager")
    with pytest.raises(RuntimeError), attention_recorded(model):
        assert inner.config._attn_implementation != "eager" and not model.training
        raise RuntimeError
    assert inner.config._attn_implementation == "eager" and model.config._attn_implementation == "sdpa"
    assert model.training


@torch.no_grad()
def test_models_that_read_times_are_asked_with_them():
    """A head of ours passes times on, whatever its own `forward` names: occlusion and curves ask with them too."""
    model = tiny_where_when()
    inputs = where_when_clips(model.config, 1)
    inputs |= {"frame_times": torch.arange(1.0, 6.0)[None], "audio_span": torch.tensor([[1.0, 5.0]])}
    expected = model(**inputs).logits.softmax(dim=1)
    assert not torch.allclose(model(**without_times(inputs)).logits.softmax(dim=1), expected)
    with scoring(model) as probabilities:
        assert_close(probabilities(inputs), expected)
    assert torch.equal(explain(model, inputs).frame_times, inputs["frame_times"])
    seen, clip = toy(variants()["xvit"])
    with scoring(seen) as probabilities:  # takes none
        assert_close(probabilities(clip | {"frame_times": torch.zeros(2, 4)}), seen(**clip).logits.softmax(dim=1))


@pytest.mark.parametrize("name", ["xvit", "videoswin", "cava"])
def test_in_inference_mode(name):
    """As a server runs: gradients are needed all the same, also for inputs that were made in that mode."""
    model, inputs = toy(variants()[name])
    with torch.inference_mode():
        given = {field: values.clone() for field, values in inputs.items()}
        why = explain(model, given)
    assert torch.equal(why.where, explain(model, inputs).where)
    assert torch.equal(explain(model, given).where, why.where)


@pytest.mark.parametrize("name", ["xvit", "videoswin"])
def test_several_threads_explain_one_model(name):
    """Each gets its own maps, another one's predictions are not recorded, and the model is as before."""
    model, inputs = toy(variants()[name])
    model.train()
    clips = [inputs, {field: values.flip(0) for field, values in inputs.items()}]
    expected = [explain(model, clip).where for clip in clips]
    found: list = []

    def work(number: int) -> None:
        for _ in range(8):
            if number == 2:  # asks for answers meanwhile
                model(**clips[0])
            else:
                found.append((number, explain(model, clips[number]).where))

    threads = [Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 16 and all(torch.equal(where, expected[number]) for number, where in found)
    assert model.config._attn_implementation == "sdpa" and all(module.training for module in model.modules())


@pytest.mark.parametrize("method", ["auto", "occlusion"])
def test_nothing_is_heard_in_a_clip_without_sound(method):
    model, inputs = toy(variants()["cava"])
    inputs["audio_mask"] = torch.tensor([False, True])
    why = explain(model, inputs, method=method, **({} if method == "auto" else {"progress": False, "cells": (1, 1)}))
    assert not why.when_audio[0].any() and why.heard[0] == 0
    assert_close(why.when_audio[1].sum(), torch.tensor(1.0))


def test_occlusion_of_one_of_two_tasks():
    model = CA2STForActionRecognition(tiny_ca2st_config(experts=["space", "time"])).eval()
    inputs = {"pixel_values_videos": torch.randn(1, 8, 3, 24, 24)}
    options = {"cells": (2, 2), "progress": False}
    why = explain(model, inputs, method="occlusion", task="noun", **options)
    by_hand = occlude(lambda given: model(**given).noun_logits, inputs, **options)
    assert torch.equal(why.where, by_hand.where) and torch.equal(why.score, by_hand.score)
    with pytest.raises(ValueError, match="task must be one of verb, noun, got None"):
        explain(model, inputs, method="occlusion", **options)


class Arrived(Exception):
    pass


def test_occlusion_brings_inputs_to_the_model():
    class Far(torch.nn.Module):
        device = torch.device("meta")

        def forward(self, pixel_values_videos):
            raise Arrived(pixel_values_videos.device.type)

    with pytest.raises(Arrived, match="meta"):
        explain(Far(), {"pixel_values_videos": torch.randn(1, 2, 3, 8, 8)}, progress=False)


def test_models_that_name_their_frames_otherwise():
    """As VideoMAE and ViViT of transformers do."""
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    model = VideoMAEForVideoClassification(VideoMAEConfig(**sizes, image_size=16, patch_size=8, num_frames=4)).eval()
    frames = torch.randn(2, 4, 3, 16, 16)
    options = {"cells": (2, 2), "progress": False}
    why = explain(model, {"pixel_values": frames}, **options)
    by_hand = occlude(
        lambda given: model(given["pixel_values_videos"]).logits, {"pixel_values_videos": frames}, **options
    )
    assert torch.equal(why.where, by_hand.where) and why.where.flatten(1).std(dim=1).min() > 0


def without_times(inputs):
    return {name: value for name, value in inputs.items() if name not in ("frame_times", "audio_span")}


@pytest.mark.parametrize("name", ["xvit", "videoswin", "wherewhen"])
def test_each_module_is_in_its_own_mode_afterwards(name):
    model, inputs = toy(variants()[name])
    model.train()
    model.classifier.eval()
    before = [module.training for module in model.modules()]
    explain(model, inputs)
    assert [module.training for module in model.modules()] == before
    inputs["pixel_values_videos"] = inputs["pixel_values_videos"][:, :, :2]
    with pytest.raises(ValueError, match="pixel_values_videos"):
        explain(model, inputs)
    assert [module.training for module in model.modules()] == before
