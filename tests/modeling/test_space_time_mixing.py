"""Mixing, summary tokens, temporal head: against the reference's numbers and slow loops from the paper."""

import pytest
import torch
from golden_numbers import golden, golden_input, golden_weights
from tiny_xvit import VARIANTS, tiny
from torch import nn

from holovid import XViTConfig
from holovid.conversion.vit_block import vit_block
from holovid.modeling.modeling_xvit import XViTAttention, XViTSummary, XViTTimeMixing, build_context


@pytest.mark.parametrize("name", ["attention_div4", "attention_div8", "attention_odd"])
def test_one_attention_equals_the_reference(name):
    case = golden(f"xvit/{name}.json")
    sizes = case["config"]
    config = XViTConfig(
        image_size=8, patch_size=8, hidden_size=sizes["hidden_size"], num_attention_heads=sizes["num_heads"],
        num_hidden_layers=1, mix_divisor=sizes["shift_div"], num_frames=sizes["shift_segment"],
        attn_implementation="eager",
    )  # fmt: skip
    attention = XViTAttention(config, sizes["num_heads"], True, build_context(config, 0))
    weights = golden_weights(case)
    for reference, ours in vit_block("block", "layer").items():
        if ".attn." in reference:
            for name, part in zip(ours, weights[reference.removeprefix("block.attn.")].chunk(len(ours)), strict=True):
                attention.get_parameter(name.removeprefix("layer.attention.")).data.copy_(part)

    hidden_states = golden_input(case).unflatten(0, (sizes["batch"], sizes["shift_segment"]))
    with torch.no_grad():
        output, _ = attention(hidden_states)
        key = attention.split_heads(attention.context(attention.k_proj(hidden_states)))
        value = attention.split_heads(attention.context(attention.v_proj(hidden_states)))
    torch.testing.assert_close(output.flatten(), torch.tensor(case["output"]), rtol=0, atol=5e-6)
    for tensor, expected in ((key, case["mixed_key"]), (value, case["mixed_value"])):
        assert list(tensor.shape) == expected["shape"]
        torch.testing.assert_close(tensor.flatten()[:16], torch.tensor(expected["first"]), rtol=0, atol=5e-6)
        torch.testing.assert_close(tensor.flatten()[-16:], torch.tensor(expected["last"]), rtol=0, atol=5e-6)


@pytest.mark.parametrize("index", range(len(golden("xvit/mix_exact.json")["cases"])))
def test_mixing_moves_exactly_the_reference_channels(index):
    case = golden("xvit/mix_exact.json")["cases"][index]
    frames, heads, head_dim = case["shift_segment"], case["num_heads"], case["head_dim"]
    shape = (case["groups"], frames, heads, case["tokens"], head_dim)
    by_head = torch.arange(torch.Size(shape).numel()).view(shape).float()
    mixing = XViTTimeMixing(case["fold"], offsets=(1, -1), slice_size=heads * head_dim, group=frames)
    mixed = mixing(by_head.transpose(2, 3).reshape(1, -1, case["tokens"], heads * head_dim))
    mixed = mixed.view(-1, case["tokens"], heads, head_dim).transpose(1, 2)
    assert mixed.flatten().tolist() == case["output"]


def test_temporal_head_equals_the_reference():
    case = golden("xvit/temporal_head.json")
    model = tiny(hidden_size=64, num_attention_heads=4)
    table = {"cls_token": ("pooler.cls_token",)}
    for number, ours in ((0, "pooler.layernorm"), (1, "pooler.dense"), (4, "classifier")):
        table |= {f"mlp_head.{number}.{kind}": (f"{ours}.{kind}",) for kind in ("weight", "bias")}
    table |= vit_block("temporal_encoder.0", "pooler.temporal_layers.0", qkv_bias=False)
    weights = golden_weights(case)
    assert {name.removeprefix("consensus.") for name in weights} == table.keys()
    for name, tensor in weights.items():
        names = table[name.removeprefix("consensus.")]
        for ours, part in zip(names, tensor.chunk(len(names)), strict=True):
            parent = model if ours.startswith("classifier") else model.xvit
            parent.get_parameter(ours).data = part
    with torch.no_grad():
        logits = model.classifier(model.xvit.pooler(golden_input(case)))
    torch.testing.assert_close(logits, torch.tensor(case["logits"]), rtol=0, atol=5e-5)


def slow_context(tensor: torch.Tensor, config: XViTConfig, layer: int, clip_frame: int) -> torch.Tensor:
    """Keys (or values) (T, S, D) of one clip -> what frame `clip_frame` attends to, (S', D)."""
    frames = tensor.shape[0]
    group = config.mix_group or frames
    first = clip_frame // group * group
    result = tensor[clip_frame].clone()
    if config.mix_layers is None or layer in config.mix_layers:
        slices = config.num_attention_heads if config.mix_per_head else 1
        width = tensor.shape[-1] // slices
        share = width // config.mix_divisor // config.mix_window
        for index in range(slices):
            channel = index * width
            for distance in range(1, config.mix_window + 1):
                later = clip_frame + distance if config.mix_direction == "both" else clip_frame - distance
                for neighbour in (later, clip_frame - distance):
                    for token in range(tensor.shape[1]):
                        inside = first <= neighbour < first + group
                        result[token, channel : channel + share] = (
                            tensor[neighbour, token, channel : channel + share] if inside else 0.0
                        )
                    channel += share
    for frame in range(frames):
        patches = tensor[frame, 1:]
        for index in range(config.num_summary_tokens):
            start = index * len(patches) // config.num_summary_tokens
            stop = -(-(index + 1) * len(patches) // config.num_summary_tokens)
            result = torch.cat((result, patches[start:stop].mean(0, keepdim=True)))
    return result


def slow_attention(attention: XViTAttention, hidden_states: torch.Tensor, layer: int) -> torch.Tensor:
    config, size = attention.config, attention.head_dim
    output = torch.empty_like(hidden_states)
    for clip in range(hidden_states.shape[0]):
        queries, keys, values = (
            projection(hidden_states[clip]) for projection in (attention.q_proj, attention.k_proj, attention.v_proj)
        )
        for frame in range(hidden_states.shape[1]):
            key = slow_context(keys, config, layer, frame)
            value = slow_context(values, config, layer, frame)
            heads = []
            for head in range(config.num_attention_heads):
                channels = slice(head * size, (head + 1) * size)
                weights = (queries[frame, :, channels] @ key[:, channels].T / size**0.5).softmax(-1)
                heads.append(weights @ value[:, channels])
            output[clip, frame] = attention.o_proj(torch.cat(heads, dim=-1))
    return output


@pytest.mark.parametrize("variant", VARIANTS)
def test_attention_equals_a_slow_loop(variant):
    model = tiny(**VARIANTS[variant])
    for index, layer in enumerate(model.xvit.layers):
        hidden_states = torch.randn(2, 6, 7, 36)
        with torch.no_grad():
            fast, _ = layer.attention(hidden_states)
            slow = slow_attention(layer.attention, hidden_states, index)
        torch.testing.assert_close(fast, slow, rtol=1e-4, atol=1e-5)


def test_window_longer_than_the_clip_reads_zeros():
    mixing = XViTTimeMixing(channels=1, offsets=(1, -1, 2, -2, 3, -3), slice_size=7, group=None)
    mixed = mixing(torch.ones(1, 2, 1, 7))[0, :, 0]
    assert mixed.tolist() == [[1, 0, 0, 0, 0, 0, 1], [0, 1, 0, 0, 0, 0, 1]]


@pytest.mark.parametrize("settings", [{}, {"mix_window": 2}, {"mix_per_head": True}, {"mix_group": 3}])
def test_nothing_of_the_past_depends_on_later_frames_and_all_of_it_is_read(settings):
    model = tiny(mix_direction="past", **settings).xvit
    clip = torch.randn(2, 6, 3, 16, 16)
    changed = clip.clone()
    changed[:, 3] += 1.0
    with torch.no_grad():
        before, after = model(clip).last_hidden_state, model(changed).last_hidden_state
    differs = (before - after).abs().amax(dim=(0, 2, 3)) > 1e-6
    assert differs.tolist() == [False, False, False, True, True, True]


def test_one_summary_token_is_the_mean_of_the_patches():
    hidden_states = torch.randn(2, 3, 5, 4)
    summary = XViTSummary(nn.Identity(), 1)(hidden_states)[:, :, 5:]
    expected = hidden_states[:, :, 1:].mean(2)
    for frame in range(3):
        torch.testing.assert_close(summary[:, frame], expected)
