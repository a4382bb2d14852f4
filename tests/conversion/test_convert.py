"""Our models against numbers that the released reference implementations produced (tests/golden/xvit/README.md)."""

import hashlib
import json
import pickle

import pytest
import torch
from golden_numbers import XVIT_MODELS, golden, golden_input, golden_weights, xvit_settings
from huggingface_hub.errors import StrictDataclassError
from safetensors.torch import save_file
from transformers import AutoModelForVideoClassification, AutoVideoProcessor

from holovid.conversion.checkpoint import unwrap
from holovid.conversion.convert import convert, from_reference
from holovid.conversion.from_xvit import xvit


def tolerance(case: dict) -> float:
    return {0.004: 1e-8, 0.05: 1e-5, 0.25: 5e-5}[case["fill_std"]]


@pytest.mark.parametrize("name", XVIT_MODELS)
def test_logits_equal_the_reference(name):
    case = golden(f"xvit/{name}.json")
    model = from_reference(golden_weights(case), "xvit", **xvit_settings(case))
    frames = golden_input(case).transpose(1, 2)  # the reference puts channels before time
    with torch.no_grad():
        outputs = model(frames, output_hidden_states=True)
    torch.testing.assert_close(outputs.logits, torch.tensor(case["logits"]), rtol=0, atol=tolerance(case))
    for ours, reference in zip(outputs.hidden_states[1:], case["extra"]["blocks"], strict=True):
        first = ours.flatten()[: len(reference["first"])]
        torch.testing.assert_close(first, torch.tensor(reference["first"]), rtol=0, atol=10 * tolerance(case))
        assert ours.double().abs().sum().item() == pytest.approx(reference["abs_sum"], rel=1e-5)


def test_double_precision_agrees_even_closer():
    case = golden("xvit/tiny_div8_ta_sharp.json")
    model = from_reference(golden_weights(case), "xvit", **xvit_settings(case)).double()
    with torch.no_grad():
        logits = model(golden_input(case).transpose(1, 2).double()).logits
    expected = torch.tensor(case["extra"]["logits_float64"], dtype=torch.float64)
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-10)


@pytest.fixture(scope="module")
def case():
    return golden("xvit/tiny_div8_ta_sharp.json")


@pytest.fixture(scope="module")
def reference(case):
    return golden_weights(case)


def bare(state_dict):
    return {name.removeprefix("base_model."): tensor for name, tensor in state_dict.items()}


LAYOUTS = {
    "training checkpoint": lambda sd: {"epoch": 3, "model_state": sd, "optimizer_state": {"state": {}}, "cfg": "A: 1"},
    "model": lambda sd: {"model": sd},
    "model without prefix": lambda sd: {"model": bare(sd)},
    "averaged weights": lambda sd: {"state_dict_ema": bare(sd), "state_dict": {}},
    "flat": lambda sd: sd,
    "flat without prefix": bare,
    "distributed": lambda sd: {"model_state": {f"module.{name}": tensor for name, tensor in sd.items()}},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_file_layout_loads(layout, case, reference, tmp_path):
    path = tmp_path / "checkpoint.pyth"
    torch.save(LAYOUTS[layout](reference), path)
    model = from_reference(path, "xvit", **xvit_settings(case))
    with torch.no_grad():
        logits = model(golden_input(case).transpose(1, 2)).logits
    torch.testing.assert_close(logits, torch.tensor(case["logits"]), rtol=0, atol=tolerance(case))


def test_safetensors_file_loads(case, reference, tmp_path):
    save_file(reference, tmp_path / "model.safetensors")
    assert from_reference(tmp_path / "model.safetensors", "xvit", **xvit_settings(case)).num_labels == 5


def test_sizes_come_from_the_released_tensors():
    keys = golden("xvit/keys_xvit_b16.json")
    for data, parameters in (("k400", 93_790_864), ("k600", 93_944_664), ("ssv2", 93_617_070)):
        shapes = keys["state_dict_k400"] | keys.get(f"shapes_that_differ_{data}", {})
        with torch.device("meta"):
            state_dict = {name: torch.empty(shape) for name, shape in shapes.items()}
        model_class, config, names, _ = xvit(state_dict, num_frames=16, mix_group=8)
        with torch.device("meta"):
            model = model_class(config)
        assert sum(parameter.numel() for parameter in model.parameters()) == parameters
        assert names.ours.keys() | names.unused == state_dict.keys()
        assert (config.temporal_embedding_length, config.image_size, config.num_attention_heads) == (8, 224, 12)


class Code:
    def __reduce__(self):
        return (print, ("this must never be printed",))


def broken(kind, reference, tmp_path):
    path = tmp_path / "file.pth"
    if kind == "code":
        with open(path, "wb") as file:
            pickle.dump({"model_state": Code()}, file, protocol=2)
    elif kind == "code in a torch file":
        torch.save({"model_state": reference, "extra": Code()}, path)
    elif kind == "text":
        path.write_text("not a checkpoint")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "cut":
        torch.save(reference, path)
        path.write_bytes(path.read_bytes()[:5000])
    elif kind == "bad safetensors":
        path = path.with_suffix(".safetensors")
        path.write_bytes(b"1234567890")
    elif kind == "a list":
        torch.save([1, 2], path)
    elif kind == "no tensors":
        torch.save({"epoch": 3}, path)
    elif kind == "missing file":
        path = tmp_path / "nothing.pth"
    elif kind == "missing key":
        torch.save({n: t for n, t in reference.items() if n != "base_model.blocks.2.attn.proj.bias"}, path)
    elif kind == "unknown key":
        torch.save(reference | {"base_model.blocks.2.gamma": torch.zeros(3)}, path)
    elif kind == "wrong shape":
        torch.save(reference | {"base_model.norm.weight": torch.zeros(63)}, path)
    elif kind == "another family":
        torch.save({"visual.conv1.weight": torch.zeros(8, 3, 4, 4)}, path)
    elif kind == "no classifier":
        torch.save({n: t for n, t in reference.items() if n.startswith("base_model.")}, path)
    return path


BROKEN = {
    "code": "is not unpickled: .*print",
    "code in a torch file": "is not unpickled: .*print",
    "text": "is not a checkpoint",
    "empty": "is not a checkpoint: EOFError$",
    "cut": "is not a checkpoint",
    "bad safetensors": "is not a checkpoint",
    "a list": "holds a list",
    "no tensors": "no state dict found",
    "missing file": "is not a file",
    "missing key": r"lacks 1 tensors: base_model\.blocks\.2\.attn\.proj\.bias",
    "unknown key": r"has 1 tensors that the model does not use: base_model\.blocks\.2\.gamma",
    "wrong shape": r"base_model\.norm\.weight gives xvit\.layernorm\.weight shape \(63,\), not \(64,\)",
    "another family": r"not a complete xvit checkpoint: it lacks .*pos_embed.*; it has .*visual\.conv1\.weight",
    "no classifier": r"it lacks new_fc\.weight",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_bad_input_is_one_error_and_writes_nothing(kind, case, reference, tmp_path, capfd):
    path = broken(kind, reference, tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ValueError, match=BROKEN[kind]):
        convert(path, "xvit", tmp_path / "output", **xvit_settings(case))
    assert sorted(tmp_path.iterdir()) == before
    assert "must never be printed" not in capfd.readouterr().out


def test_unknown_family(reference):
    with pytest.raises(ValueError, match=r"unknown family 'xvitt'; choose from .*xvit"):
        from_reference(reference, "xvitt")


def test_settings_that_do_not_fit(reference, case):
    with pytest.raises(ValueError, match="xvit has no setting frames; it takes image_size, num_frames"):
        from_reference(reference, "xvit", frames=3)
    with pytest.raises(ValueError, match="has 5 classes, but id2label names 1"):
        from_reference(reference, "xvit", **xvit_settings(case), id2label={0: "wave"})
    with pytest.raises(StrictDataclassError, match="multiple of num_attention_heads 5"):
        from_reference(reference, "xvit", num_attention_heads=5)


def test_labels_are_kept(reference, case):
    labels = dict(enumerate("abcde"))
    assert from_reference(reference, "xvit", **xvit_settings(case), id2label=labels).config.label2id["e"] == 4


def test_what_is_assumed_is_said(reference, caplog):
    with caplog.at_level("WARNING", logger="transformers"):
        from_reference(reference, "xvit", num_attention_heads=4)
    assert "assumed: {'num_frames': 4, 'mix_divisor': 8, 'mix_group': None}" in caplog.text


def test_state_dicts_are_not_unwrapped_by_accident(reference):
    assert unwrap(reference).keys() == reference.keys()


def test_converted_folder_is_complete(case, reference, tmp_path):
    torch.save({"model_state": reference}, tmp_path / "reference.pyth")
    labels = {index: f"class {index}" for index in range(5)}
    model = convert(tmp_path / "reference.pyth", "xvit", tmp_path / "output", **xvit_settings(case), id2label=labels)
    loaded = AutoModelForVideoClassification.from_pretrained(tmp_path / "output")
    processor = AutoVideoProcessor.from_pretrained(tmp_path / "output")
    video = torch.randint(0, 256, (9, 48, 64, 3), dtype=torch.uint8)
    batch = processor(video, return_tensors="pt")
    assert batch.pixel_values_videos.shape == (1, 4, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(loaded(**batch).logits, model(**batch).logits, rtol=1e-5, atol=1e-5)
    for (name, ours), theirs in zip(model.state_dict().items(), loaded.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs), name
    assert loaded.config.id2label == labels
    assert (tmp_path / "output" / "model.safetensors").is_file()
    with pytest.raises(ValueError, match="exists already"):
        convert(tmp_path / "reference.pyth", "xvit", tmp_path / "output", **xvit_settings(case))


def test_origin_of_a_conversion_is_recorded_without_its_place(case, reference, tmp_path):
    source = tmp_path / "k600.pyth"
    torch.save({"model_state": reference}, source)
    labels = {index: f"class {index}" for index in range(5)}
    convert(source, "xvit", tmp_path / "output", {"sampling": "dense"}, **xvit_settings(case), id2label=labels)
    text = (tmp_path / "output" / "conversion.json").read_text()
    assert str(tmp_path) not in text
    origin = json.loads(text)
    assert origin.pop("holovid")
    assert origin == {
        "holovid_conversion": 1,
        "family": "xvit",
        "source": "k600.pyth",
        "sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
        "settings": xvit_settings(case),
        "processor": {"sampling": "dense"},
    }
    convert(reference, "xvit", tmp_path / "of tensors", **xvit_settings(case))
    origin = json.loads((tmp_path / "of tensors" / "conversion.json").read_text())
    assert origin["source"] is None and origin["sha256"] is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors: {0: torch.zeros(1)}, "no state dict found, .*; found 0"),
        (lambda tensors: tensors | {("a", 1): torch.zeros(1), None: torch.zeros(1)}, r"found \('a', 1\), None"),
        (lambda tensors: {"model": tensors | {7: torch.zeros(1)}}, "found 7"),
        (
            lambda tensors: dict.fromkeys(tensors, torch.zeros(())),
            "not a xvit checkpoint: its tensors have other shapes",
        ),
        (lambda tensors: tensors | {"new_fc.weight": torch.zeros(())}, "shape"),
        (lambda tensors: tensors | {"base_model.blocks.0.attn.qkv.weight": torch.zeros(())}, "shape"),
        (lambda tensors: tensors | {"base_model.norm.weight": torch.zeros(())}, "shape"),
        (lambda tensors: tensors | {"base_model.norm.weight": torch.zeros(36, dtype=torch.int64)}, "holds int64"),
        (
            lambda tensors: tensors | {"base_model.norm.weight": torch.zeros(36, dtype=torch.complex64)},
            "holds complex64",
        ),
    ],
)
def test_odd_names_and_tensors_are_one_sentence(tmp_path, change, message):
    case = golden("xvit/tiny_avg.json")
    torch.save(change(golden_weights(case)), tmp_path / "odd.pt")
    with pytest.raises(ValueError, match=message) as raised:
        from_reference(tmp_path / "odd.pt", "xvit", num_attention_heads=4)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_refused(value, tmp_path):
    case = golden(f"xvit/{XVIT_MODELS[0]}.json")
    weights = golden_weights(case)
    name = sorted(weights)[3]
    weights[name].flatten()[0] = value
    with pytest.raises(ValueError, match=f"1 tensors of the checkpoint have NaN or infinite values: {name}"):
        convert(weights, "xvit", tmp_path / "new", **xvit_settings(case))
    assert not list(tmp_path.iterdir())
