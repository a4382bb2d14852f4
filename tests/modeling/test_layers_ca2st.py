"""Parts of the CA²ST family against the released ones (tests/golden/ca2st), and against loops that anyone can read."""

import math

import pytest
import torch
from golden_numbers import golden, golden_weights
from tiny_ca2st import CA2ST, CAST, sharpen, tiny_config
from torch import Tensor, nn

from holovid import CA2STConfig
from holovid.conversion.from_ca2st import ADAPTERS, LAYERS, Exchange, adapter, attention_names, linear
from holovid.modeling.layers_ca2st import (
    CA2STAdapter,
    CA2STLayer,
    CA2STReading,
    CA2STTimestamps,
    mean_update,
    quick_gelu,
    sinusoids,
)

NO_TIMESTAMPS = dict.fromkeys(CA2ST)
SHARP = pytest.mark.parametrize(("twin", "tolerance"), [("", 1e-5), ("_sharp", 2e-4)])
# the fixtures' layouts <-> ours, for two clips of two moments
OURS = {
    "space": lambda tokens: tokens.unflatten(1, (2, 2)).permute(1, 2, 0, 3),
    "time": lambda tokens: tokens.unflatten(1, (2, 4)),
    "audio": lambda tokens: tokens.transpose(0, 1),
}
THEIRS = {
    "space": lambda tokens: tokens.permute(2, 0, 1, 3).flatten(1, 2),
    "time": lambda tokens: tokens.flatten(1, 2),
    "audio": lambda tokens: tokens.transpose(0, 1),
}


def fixture_config(experts: list[str]) -> CA2STConfig:
    """2 moments of 4 patches, 6 audio patches."""
    return CA2STConfig(
        experts=experts, hidden_size=32, num_hidden_layers=1, num_attention_heads=4, image_size=16, patch_size=8,
        num_frames=4, num_mel_bins=12, audio_frames=16, audio_patch_size=8, audio_stride=4, audio_positions="learned",
        share_projections=False, attn_implementation="eager",
    )  # fmt: skip


def fill(module: nn.Module, names: dict[str, tuple[str, ...]], case: dict, whole: bool) -> None:
    """Load a fixture's weights into `module`; every one of them must have a place, and if `whole` the reverse."""
    weights, own, tensors = golden_weights(case), module.state_dict(), {}
    assert names.keys() == weights.keys()
    for reference, ours in names.items():
        for name, part in zip(ours, weights[reference].chunk(len(ours)), strict=True):
            tensors[name] = part.view(own[name].shape)
    missing, unexpected = module.load_state_dict(tensors, strict=False)
    assert not unexpected and not (whole and missing)


def inputs(case: dict) -> list[Tensor]:
    return [
        torch.randn(given["shape"], generator=torch.Generator().manual_seed(given["seed"]))
        for given in case["inputs"].values()
    ]


def check(case: dict, name: str, expert: str, ours: Tensor, tolerance: float) -> None:
    expected = torch.tensor(case["outputs"][name]).view(case["outputs"][f"{name}_shape"])
    torch.testing.assert_close(THEIRS[expert](ours), expected, rtol=0, atol=tolerance)


@SHARP
@pytest.mark.parametrize("skip", [True, False])
@torch.no_grad()
def test_adapter_equals_the_reference(skip, twin, tolerance):
    case = golden(f"ca2st/adapter_{'skip' if skip else 'noskip'}{twin}.json")
    module = CA2STAdapter(fixture_config(CAST))
    fill(module, {name.lstrip("."): (parts[0].lstrip("."),) for name, parts in adapter("", "").items()}, case, True)
    tokens = torch.randn(case["input_shape"], generator=torch.Generator().manual_seed(case["input_seed"]))
    expected = torch.tensor(case["logits"])
    torch.testing.assert_close(module(tokens) + (tokens if skip else 0), expected, rtol=0, atol=tolerance)


EXCHANGES = {
    "cast_bca_module": ("cast", ("space", "time"), ("delta_s", "delta_t")),
    "bca_s_audio": ("ca2st", ("space", "audio"), ("delta_l", "delta_r")),
    "bca_t_audio": ("ca2st", ("time", "audio"), ("delta_l", "delta_r")),
}


@SHARP
@pytest.mark.parametrize("name", EXCHANGES)
@torch.no_grad()
def test_exchange_equals_the_reference(name, twin, tolerance):
    family, pair, outputs = EXCHANGES[name]
    case = golden(f"ca2st/{name}{twin}.json")
    layer = CA2STLayer(fixture_config(CA2ST), 0)
    exchange, names = Exchange(family, pair), {}
    names |= exchange.names("", "", learned_positions=True)
    for expert in pair:
        for way in ("down", "up"):
            names |= linear(exchange.projection(expert, way), f".{way}.{'_'.join(pair)}_{expert}")
    names = {
        reference.removeprefix(exchange.prefix): tuple(part.removeprefix(".") for part in ours)
        for reference, ours in names.items()
    }
    fill(layer, names, case, whole=False)
    states = {expert: OURS[expert](tokens) for expert, tokens in zip(pair, inputs(case), strict=True)}
    module = layer.exchanges["_".join(pair)]
    narrow = {expert: layer.down[f"{'_'.join(pair)}_{expert}"](tokens) for expert, tokens in states.items()}
    for output, (expert, read) in zip(outputs, module(narrow, NO_TIMESTAMPS).items(), strict=True):
        check(case, output, expert, layer.up[f"{'_'.join(pair)}_{expert}"](read), tolerance)


@SHARP
@torch.no_grad()
def test_layer_equals_the_reference(twin, tolerance):
    case = golden(f"ca2st/cast_layer{twin}.json")
    layer = CA2STLayer(fixture_config(CAST), 0)
    exchange, names = Exchange("cast", ("space", "time")), {}
    names |= exchange.names("", "", learned_positions=True)
    for expert, prefix in ADAPTERS["cast"].items():
        norm1, norm2, fc1, fc2 = LAYERS[expert]
        names |= adapter(f"{prefix}Adapter", f".attentions.{expert}.adapter")
        names |= adapter(f"{prefix}MLP_Adapter", f".mlps.{expert}.adapter")
        names |= attention_names(expert, "", f".attentions.{expert}.attention")
        names |= linear(norm1, f".attentions.{expert}.layernorm") | linear(norm2, f".mlps.{expert}.layernorm")
        names |= linear(fc1, f".mlps.{expert}.fc1") | linear(fc2, f".mlps.{expert}.fc2")
        for way in ("down", "up"):
            names |= linear(exchange.projection(expert, way), f".{way}.space_time_{expert}")
    fill(layer, {name: tuple(p.removeprefix(".") for p in ours) for name, ours in names.items()}, case, whole=True)
    space, time, _ = layer(*(OURS[expert](tokens) for expert, tokens in zip(CAST, inputs(case), strict=True)), None)
    for output, expert, tokens in (("s_x", "space", space), ("t_x", "time", time)):
        check(case, output, expert, tokens, tolerance)


def attend(reading: CA2STReading, query: Tensor, source: Tensor, config: CA2STConfig) -> Tensor:
    """One reader (d,), its sources (length, d), head after head."""
    attention, size = reading.attention, config.bottleneck_size // config.num_attention_heads
    query, keys, values = attention.q_proj(query), attention.k_proj(source), attention.v_proj(source)
    heads = []
    for start in range(0, config.bottleneck_size, size):
        part = slice(start, start + size)
        weights = torch.stack([query[part] @ key[part] / size**0.5 for key in keys]).softmax(0)
        heads.append(sum(weight * value[part] for weight, value in zip(weights, values, strict=True)))
    return attention.o_proj(torch.cat(heads))


@torch.no_grad()
def test_space_reads_time_at_its_own_place_and_time_reads_space_at_its_own_moment():
    config = tiny_config(experts=CAST, num_frames=6)
    width, slots, patches = config.bottleneck_size, config.num_slots, config.num_patches
    narrow = {"space": torch.randn(2, slots, 1 + patches, width), "time": torch.randn(2, slots, patches, width)}

    reading = sharpen(CA2STReading(config, "space", "time"))
    reader, source = (module.time[:, 0] for module in (reading.reader_positions, reading.source_positions))
    expected = narrow["space"].clone()
    for clip in range(2):
        for place in range(patches):
            column = narrow["time"][clip, :, place] + source
            for moment in range(slots):
                query = narrow["space"][clip, moment, 1 + place] + reader[moment]
                expected[clip, moment, 1 + place] = attend(reading, query, column, config)
    torch.testing.assert_close(reading(narrow, NO_TIMESTAMPS), expected, rtol=1e-4, atol=1e-4)

    reading = sharpen(CA2STReading(config, "time", "space"))
    reader, source = (module.space for module in (reading.reader_positions, reading.source_positions))
    expected = narrow["time"].clone()
    for clip in range(2):
        for moment in range(slots):
            frame = narrow["space"][clip, moment, 1:] + source
            for place in range(patches):
                query = narrow["time"][clip, moment, place] + reader[place]
                expected[clip, moment, place] = attend(reading, query, frame, config)
    torch.testing.assert_close(reading(narrow, NO_TIMESTAMPS), expected, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_sound_is_read_by_the_whole_clip_and_reads_all_of_it():
    config = tiny_config(experts=CA2ST, num_frames=4, audio_frames=20)
    width, slots, patches = config.bottleneck_size, config.num_slots, config.num_patches
    rows, columns = config.audio_grid
    narrow = {"time": torch.randn(2, slots, patches, width), "audio": torch.randn(2, 2 + rows * columns, width)}
    timestamps = {"time": torch.randn(2, slots, 1, width), "audio": torch.randn(2, rows * columns, width)}
    placed = {
        "time": (narrow["time"] + timestamps["time"]).flatten(1, 2),
        "audio": narrow["audio"][:, 2:] + timestamps["audio"],
    }
    for reader, source in (("time", "audio"), ("audio", "time")):
        reading = sharpen(CA2STReading(config, reader, source))
        expected = torch.stack([
            torch.stack([attend(reading, query, placed[source][clip], config) for query in placed[reader][clip]])
            for clip in range(2)
        ])  # fmt: skip
        given = reading(narrow, timestamps)
        if reader == "audio":
            assert torch.equal(given[:, :2], narrow["audio"][:, :2])  # special tokens pass through
            given = given[:, 2:]
        torch.testing.assert_close(given.view(expected.shape), expected, rtol=1e-4, atol=1e-4)


def test_sinusoids():
    table = sinusoids(3, 4, 10)
    assert table.shape == (3, 4, 10) and table.dtype == torch.float32
    for place, row in enumerate(table.flatten(0, 1)):
        for channel, value in enumerate(row.tolist()):
            angle = place / 10000 ** (2 * (channel // 2) / 10)
            assert value == pytest.approx(math.cos(angle) if channel % 2 else math.sin(angle), abs=1e-7)


@torch.no_grad()
def test_autocast_leaves_seconds_alone():
    timestamps = sharpen(CA2STTimestamps(fixture_config(CA2ST)))
    seconds = torch.tensor([[119.96, 120.0], [120.0, 120.04]])
    expected = timestamps(seconds)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(timestamps(seconds), expected)


def test_mean_of_updates_counts_the_pairs_that_were_heard():
    one, two, three = torch.randn(3, 2, 4, 5)
    every = {"space_time": one, "space_audio": two, "time_audio": three}
    torch.testing.assert_close(mean_update(every, None), (one + two + three) / 3)
    all_heard, second_silent = torch.tensor([True, True]), torch.tensor([True, False])
    torch.testing.assert_close(mean_update(every, all_heard), (one + two + three) / 3)
    expected = torch.stack(((one + two + three)[0] / 3, one[1]))
    torch.testing.assert_close(mean_update(every, second_silent), expected)
    silent = torch.stack(((two + three)[0] / 2, torch.zeros(4, 5)))
    torch.testing.assert_close(mean_update({"space_audio": two, "time_audio": three}, second_silent), silent)
    torch.testing.assert_close(mean_update({"space_time": one}, second_silent), one)


def test_quick_gelu():
    x = torch.linspace(-30, 30, 601, dtype=torch.float64)
    expected = x * torch.sigmoid(1.702 * x)
    torch.testing.assert_close(quick_gelu(x.clone()), expected, rtol=0, atol=1e-14)
    x.requires_grad_()
    before = x.detach().clone()
    torch.testing.assert_close(quick_gelu(x), expected, rtol=0, atol=1e-14)
    assert torch.equal(x, before)  # written over only where no gradients are asked for
    assert torch.autograd.gradcheck(quick_gelu, x[::20])
