"""CAST, CAVA and CA²ST against numbers of the released implementation (tests/golden/ca2st/README.md)."""

import pytest
import torch
from golden_numbers import (
    CA2ST_MODELS,
    GOLDEN,
    ca2st_inputs,
    converter_settings,
    golden,
    golden_weights,
    logit_pairs,
)

from holovid.conversion.checkpoint import load_converted
from holovid.conversion.convert import from_reference
from holovid.conversion.from_ca2st import ca2st_family


@pytest.mark.parametrize("name", CA2ST_MODELS)
@torch.no_grad()
def test_logits_equal_the_reference(name):
    case = golden(f"ca2st/{name}.json")
    model = from_reference(golden_weights(case), case["config"]["model"], **converter_settings(case))
    tolerance = 2e-4 if name.endswith("_sharp") else 1e-5
    for ours, reference in logit_pairs(case, model(**ca2st_inputs(case))):
        torch.testing.assert_close(ours, reference, rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", [name for name in CA2ST_MODELS if name.endswith("_sharp")])
@torch.no_grad()
def test_states_of_every_layer_equal_the_reference(name):
    """The reference lays space out as (tokens, B * T, D) and sound as (B, tokens, D), time as (B, T * S, D)."""
    case = golden(f"ca2st/{name}.json")
    model = from_reference(golden_weights(case), case["config"]["model"], **converter_settings(case))
    outputs = model(**ca2st_inputs(case), output_hidden_states=True)
    as_reference = {
        "space": lambda tokens: tokens.flatten(0, 1).transpose(0, 1),
        "time": lambda tokens: tokens.flatten(1, 2),
        "audio": lambda tokens: tokens,
    }
    order = {"cast": ["space", "time"], "cava": ["audio", "space"], "ca2st": ["space", "time", "audio"]}
    for layer, trace in enumerate(case["extra"]["block_trace"]):
        for when, index in (("in", layer), ("out", layer + 1)):
            for expert, expected in zip(order[case["config"]["model"]], trace[when], strict=True):
                tokens = as_reference[expert](outputs[f"{expert}_hidden_states"][index])
                assert list(tokens.shape) == expected["shape"]
                first = torch.tensor(expected["first"])
                torch.testing.assert_close(tokens.flatten()[: len(first)], first, rtol=1e-4, atol=1e-4)
                assert tokens.double().abs().sum().item() == pytest.approx(expected["abs_sum"], rel=1e-5)


@pytest.mark.parametrize("path", sorted((GOLDEN / "ca2st").glob("keys_*.json")), ids=lambda path: path.stem)
def test_released_names_and_shapes_fit(path):
    family = path.stem.split("_")[1]
    keys = golden(f"ca2st/{path.name}")
    shapes = keys.get("state_dict", keys)
    state_dict = {name: torch.zeros(1).expand(shape) for name, shape in shapes.items()}  # numbers that take no memory
    model_class, config, names, _ = ca2st_family(family, state_dict)
    with torch.device("meta"):
        expected = {name: tensor.shape for name, tensor in model_class(config).state_dict().items()}
    assert {part for parts in names.ours.values() for part in parts} == expected.keys()
    assert names.ours.keys() <= shapes.keys() <= names.ours.keys() | names.unused
    assert config.share_projections == bool(keys.get("tied"))


@torch.no_grad()
def test_deepspeed_file_in_half_precision(tmp_path):
    case = golden("ca2st/cast_tiny_sharp.json")
    half = {name: tensor.half() for name, tensor in golden_weights(case).items()}
    torch.save({"module": half, "epoch": 3}, tmp_path / "mp_rank_00_model_states.pt")
    model = from_reference(tmp_path / "mp_rank_00_model_states.pt", "cast", **converter_settings(case))
    assert model.dtype == torch.float32
    torch.testing.assert_close(model(**ca2st_inputs(case)).logits, torch.tensor(case["logits"]), rtol=0, atol=0.05)


def test_tied_tensors_that_differ_are_refused():
    case = golden("ca2st/ca2st_tiny_time_share.json")
    weights = golden_weights(case)
    weights["blocks.1.t_audio_b_cast.cross_r_up.weight"] = weights["blocks.1.t_audio_b_cast.cross_r_up.weight"] + 1
    with pytest.raises(ValueError, match="differs from the tensor that it is tied to"):
        load_converted(*ca2st_family("ca2st", weights, **converter_settings(case)))


BROKEN = {
    "another family": ("ca2st_tiny_learned_seq", "cast", lambda w: w, {}, "not a (complete )?cast checkpoint"),
    "missing": ("cast_tiny", "cast", lambda w: {n: w[n] for n in w if n != "blocks.1.T_Adapter.D_fc1.bias"}, {},
                r"lacks 1 tensors: blocks\.1\.T_Adapter\.D_fc1\.bias"),
    "unknown": ("cast_tiny", "cast", lambda w: w | {"extra": torch.zeros(1)}, {}, "the model does not use: extra"),
    "sound for CAST": ("cast_tiny", "cast", lambda w: w, {"audio_frames": 400}, "cast has no setting audio_frames"),
    "other frames": ("cast_tiny", "cast", lambda w: w, {"num_frames": 8}, "is for 4 frames, got num_frames=8"),
    "names of actions": ("cast_tiny_compo", "cast", lambda w: w, {"id2label": {0: "take"}},
                         "has verbs and nouns, which one list of labels does not name"),
    "other mel bins": ("cava_tiny_time", "cava", lambda w: w, {"num_mel_bins": 48, "audio_frames": None},
                       "10 audio patches do not fit num_mel_bins=48"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
def test_bad_checkpoints_and_settings(kind):
    name, family, change, overrides, message = BROKEN[kind]
    case = golden(f"ca2st/{name}.json")
    given = converter_settings(case) if family == case["config"]["model"] else {}
    with pytest.raises(ValueError, match=message):
        from_reference(change(golden_weights(case)), family, **given | overrides)
