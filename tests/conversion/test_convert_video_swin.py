"""Video Swin against numbers of the released code, its checkpoints' layouts, and torchvision's."""

import json
from math import prod

import pytest
import torch
from golden_numbers import GOLDEN, VIDEO_SWIN_MODELS, golden, golden_input, video_swin_settings, video_swin_weights
from tiny_video_swin import of_torchvision
from torchvision.models.video import Swin3D_T_Weights, swin3d_t

from holovid import VideoSwinConfig, VideoSwinForVideoClassification
from holovid.conversion.convert import convert, from_reference
from holovid.conversion.from_video_swin import from_torchvision, videoswin
from holovid.modeling.layers_video_swin import relative_positions

TOLERANCE = 2e-6
KEYS = sorted(path.stem for path in (GOLDEN / "videoswin").glob("keys_*.json"))
STAGES = "stage_out (after merging, before final norm; B,C,D,H,W)"


def assert_first(ours: torch.Tensor, reference: dict) -> None:
    """Channels stand second in the released code."""
    ours = ours.movedim(-1, 1)
    assert list(ours.shape) == reference["shape"]
    first = torch.tensor(reference["first"])
    torch.testing.assert_close(ours.flatten()[: len(first)], first, rtol=0, atol=5 * TOLERANCE)
    assert ours.double().abs().sum().item() == pytest.approx(reference["abs_sum"], rel=1e-5)


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
@pytest.mark.parametrize("name", VIDEO_SWIN_MODELS)
@torch.no_grad()
def test_logits_and_stages_equal_the_reference(name, implementation):
    case = golden(f"videoswin/{name}.json")
    model = from_reference(video_swin_weights(case), "videoswin", **video_swin_settings(case))
    model.set_attn_implementation(implementation)
    outputs = model(golden_input(case).transpose(1, 2), output_hidden_states=True)
    expected = torch.tensor(case["logits"]["values"])
    torch.testing.assert_close(outputs.logits, expected, rtol=0, atol=TOLERANCE)
    extra, stages = case["extra"], model.video_swin.stages
    assert model.num_parameters() == extra["parameters"]
    assert_first(outputs.hidden_states[0], extra["patch_embed_out"])
    for number, reference in enumerate(extra[STAGES]):
        states = outputs.hidden_states[number + 1]
        # a stage of ours begins with the merging that theirs ends with
        states = states if number + 1 == len(stages) else stages[number + 1].merging(states)
        assert_first(states, reference)
    assert_first(
        model.video_swin(golden_input(case).transpose(1, 2)).last_hidden_state, extra["feature_map_after_norm"]
    )


@pytest.fixture(scope="module")
def case():
    return golden("videoswin/tiny_exact.json")


@pytest.fixture
def reference(case):
    """With its buffers, as released."""
    index = relative_positions((2, 3, 3), 18, torch.device("cpu"))
    return video_swin_weights(case) | {name: index.clone() for name in case["extra"]["kept_buffers"]}


LAYOUTS = {
    "released": lambda tensors: {"state_dict": tensors, "meta": {"epoch": 30}},
    "bare": lambda tensors: tensors,
    "parallel": lambda tensors: {"state_dict": {f"module.{name}": tensor for name, tensor in tensors.items()}},
    "without the prefix": lambda tensors: {name.removeprefix("backbone."): t for name, t in tensors.items()},
    "without buffers": lambda tensors: {name: t for name, t in tensors.items() if t.is_floating_point()},
}


@pytest.mark.parametrize("layout", LAYOUTS)
@torch.no_grad()
def test_every_layout_loads(layout, case, reference, tmp_path):
    path = tmp_path / "checkpoint.pth"
    torch.save(LAYOUTS[layout](reference), path)
    settings = {"window_size": (2, 3, 3)} if layout == "without buffers" else {}
    model = from_reference(path, "videoswin", **settings)
    assert model.config.window_size == [2, 3, 3]
    logits = model(golden_input(case).transpose(1, 2)).logits
    torch.testing.assert_close(logits, torch.tensor(case["logits"]["values"]), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("name", KEYS)
def test_released_keys_and_sizes(name):
    """Each released checkpoint by its names and shapes: every tensor has its place, the index tells the windows."""
    keys = json.loads((GOLDEN / "videoswin" / f"{name}.json").read_text())
    window = (16, 7, 7) if "w1677" in name else (8, 12, 12) if "w81212" in name else (8, 7, 7)
    index = relative_positions(window, prod(window), torch.device("cpu"))
    tensors = {
        key: index if dtype == "int64" else torch.empty(shape, device="meta") for key, (shape, dtype) in keys.items()
    }
    model_class, config, names, state_dict = videoswin(tensors)
    size = next(size for size in ("tiny", "small", "base", "large") if f"_{size}_" in name)
    expected = getattr(VideoSwinConfig, size)(window_size=window, num_labels=config.num_labels)
    assert config.to_dict() == expected.to_dict()
    with torch.device("meta"):
        own = {key: tensor.shape for key, tensor in model_class(config).state_dict().items()}
    assert state_dict.keys() == names.ours.keys() | names.unused
    assert sorted(sum(names.ours.values(), ())) == sorted(own)
    for key, ours in names.ours.items():
        for part, each in zip(tensors[key].chunk(len(ours)), ours, strict=True):
            assert part.shape == own[each]


INDEX = "backbone.layers.{}.blocks.0.attn.relative_position_index"
BROKEN = {
    "an index of other windows": (
        lambda t: t | {INDEX.format(1): torch.zeros(18, 18, dtype=torch.long)},
        {}, r"layers\.1.*is not the index of windows \(2, 3, 3\)",
    ),
    "an index of none": (
        lambda t: t | {INDEX.format(0): torch.zeros(18, 18, dtype=torch.long)},
        {}, "is not the index of any window",
    ),
    "windows that do not fit": (lambda t: t, {"window_size": (2, 3, 4)}, r"\(2, 3, 4\) does not fit: .*75 distances"),
    "no patches": (
        lambda t: {name: tensor for name, tensor in t.items() if "patch_embed.proj.weight" not in name},
        {}, r"not a complete videoswin checkpoint: it lacks 'patch_embed\.proj\.weight'",
    ),
    "a tensor too many": (lambda t: t | {"backbone.extra": torch.zeros(2)}, {}, r"does not use: backbone\.extra"),
    "a tensor too few": (
        lambda t: {name: tensor for name, tensor in t.items() if name != "backbone.norm.bias"},
        {}, r"no values for video_swin\.layernorm\.bias",
    ),
    "other classes": (lambda t: t, {"id2label": {0: "run"}}, "has 6 classes, but id2label names 1"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_wrong_is_one_sentence(kind, reference):
    change, settings, message = BROKEN[kind]
    with pytest.raises(ValueError, match=message):
        from_reference(change(reference), "videoswin", **settings)


def test_converted_folder_is_complete(case, reference, tmp_path):
    torch.save({"state_dict": reference}, tmp_path / "swin.pth")
    convert(tmp_path / "swin.pth", "videoswin", tmp_path / "out", image_size=24, num_frames=8)
    model = VideoSwinForVideoClassification.from_pretrained(tmp_path / "out")
    assert (model.config.image_size, model.config.num_frames) == (24, 8)
    with torch.no_grad():
        logits = model(golden_input(case).transpose(1, 2)).logits
    torch.testing.assert_close(logits, torch.tensor(case["logits"]["values"]), rtol=0, atol=TOLERANCE)


def fused(model: VideoSwinForVideoClassification) -> dict[str, torch.Tensor]:
    """Our tensors in order, queries, keys and values as one."""
    tensors = {}
    for name, tensor in model.state_dict().items():
        if ".q_proj." in name:
            parts = [model.state_dict()[name.replace(".q_proj.", f".{part}_proj.")] for part in "qkv"]
            tensors[name] = torch.cat(parts)
        elif ".k_proj." not in name and ".v_proj." not in name:
            tensors[name] = tensor
    return tensors


@torch.no_grad()
def test_torchvision_state_dicts_load_bit_for_bit(tmp_path):
    oracle = of_torchvision(depths=[2, 1, 2], num_heads=[2, 4, 8])
    torch.save(oracle.state_dict(), tmp_path / "swin.pth")
    for model in (from_torchvision(oracle), from_reference(tmp_path / "swin.pth", "videoswin")):
        theirs = [tensor for name, tensor in oracle.state_dict().items() if not name.endswith("index")]
        ours = list(fused(model).values())
        assert sum(tensor.numel() for tensor in ours) == sum(tensor.numel() for tensor in theirs)
        for tensor in theirs:
            assert any(tensor.shape == own.shape and torch.equal(tensor, own) for own in ours)
        clip = torch.randn(2, 9, 3, 40, 52)
        torch.testing.assert_close(model(clip).logits, oracle(clip.transpose(1, 2)), rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@torch.no_grad()
def test_torchvisions_tiny_by_its_name(monkeypatch):
    """The file that torchvision would fetch stands in for itself, with weights as new as its model's."""
    oracle = swin3d_t().eval()
    monkeypatch.setattr(Swin3D_T_Weights, "get_state_dict", lambda self, **_: oracle.state_dict())
    model = from_torchvision("swin3d_t")
    assert model.config.id2label[0] == "abseiling" and model.num_parameters() == 28_158_070
    clip = torch.randn(1, 4, 3, 64, 64)
    torch.testing.assert_close(model(clip).logits, oracle(clip.transpose(1, 2)), rtol=1e-5, atol=1e-5)


def test_other_models_of_torchvision_are_refused():
    with pytest.raises(ValueError, match=r"Video Swins are swin3d_b, swin3d_s, swin3d_t; got 'mvit_v1_b'"):
        from_torchvision("mvit_v1_b")
    with pytest.raises(ValueError, match="must be a SwinTransformer3d of torchvision, got a Linear"):
        from_torchvision(torch.nn.Linear(2, 2))
