"""TimeSformer checkpoints: the released numbers, every released layout, and transformers' class beside them."""

import pytest
import torch
from golden_numbers import TIMESFORMER_MODELS, golden, golden_input, golden_weights, timesformer_settings
from transformers import TimesformerConfig, TimesformerForVideoClassification

from holovid import TimeSformerForVideoClassification
from holovid.conversion.convert import from_reference
from holovid.conversion.from_timesformer import timesformer

TOLERANCE = {"rtol": 0, "atol": 2e-6}
KEYS = golden("timesformer/keys.json")
TOTALS = {"base_k400": 121_566_352, "hr_k400": 122_024_080, "long_k400": 121_633_936, "joint_k400": 86_112_400,
          "space_only_k400": 86_106_256}  # fmt: skip


def converted(name: str, **weights) -> tuple[TimeSformerForVideoClassification, torch.Tensor, dict]:
    case = golden(f"timesformer/{name}.json")
    model = from_reference(golden_weights(case) | weights, "timesformer", **timesformer_settings(case))
    return model, golden_input(case).transpose(1, 2), case


@pytest.mark.parametrize("name", TIMESFORMER_MODELS)
@torch.no_grad()
def test_logits_equal_the_reference(name):
    model, frames, case = converted(name)
    assert model.config.attention_type == case["config"]["attention_type"]
    assert model.num_parameters() == case["extra"]["parameters"]
    outputs = model.time_sformer(frames, interpolate_pos_encoding=True)
    torch.testing.assert_close(model.classifier(outputs.pooler_output), torch.tensor(case["logits"]["values"]),
                               **TOLERANCE)  # fmt: skip
    feature = case["extra"]["cls_feature_after_final_norm"]["values"]
    torch.testing.assert_close(outputs.pooler_output, torch.tensor(feature), rtol=0, atol=2e-5)


@pytest.mark.parametrize("frames", ["tiny_divided_time_interp", "tiny_divided_time_interp_down"])
@torch.no_grad()
def test_transformers_is_wrong_at_another_number_of_frames(frames):
    """Its layers count with the number of frames that it was made for (transformers issue 38027); ours do not."""
    model, clip, case = converted(frames)
    expected, config = torch.tensor(case["logits"]["values"]), case["config"]
    theirs = TimesformerForVideoClassification(
        TimesformerConfig(
            image_size=config["img_size"], patch_size=config["patch_size"], num_frames=config["num_frames"],
            hidden_size=config["embed_dim"], num_hidden_layers=config["depth"],
            num_attention_heads=config["num_heads"], intermediate_size=4 * config["embed_dim"],
            num_labels=config["num_classes"], layer_norm_eps=1e-6,
        )
    ).eval()  # fmt: skip
    loaded = {}
    for name, tensor in theirs.state_dict().items():
        same = name.replace("timesformer.encoder.layer.", "blocks.").replace("timesformer.", "")
        for ours, released in THEIR_NAMES:
            same = same.replace(ours, released)
        loaded[name] = golden_weights(case)[f"model.{same}"].view_as(tensor)
    theirs.load_state_dict(loaded)
    torch.testing.assert_close(model(clip).logits, expected, **TOLERANCE)
    try:
        wrong = theirs(clip).logits
    except RuntimeError:  # 18 x 3 patches cannot be laid out as 4 frames
        assert clip.shape[1] < config["num_frames"]
    else:
        assert (wrong - expected).abs().max() > 1e-3
    same = TimeSformerForVideoClassification.from_transformers(theirs)
    torch.testing.assert_close(same(clip).logits, expected, **TOLERANCE)


THEIR_NAMES = (
    ("embeddings.cls_token", "cls_token"), ("embeddings.position_embeddings", "pos_embed"),
    ("embeddings.time_embeddings", "time_embed"), ("embeddings.patch_embeddings.projection", "patch_embed.proj"),
    ("temporal_attention.attention.qkv", "temporal_attn.qkv"),
    ("temporal_attention.output.dense", "temporal_attn.proj"),
    ("attention.attention.qkv", "attn.qkv"), ("attention.output.dense", "attn.proj"),
    ("temporal_dense", "temporal_fc"), ("temporal_layernorm", "temporal_norm1"), ("layernorm_before", "norm1"),
    ("layernorm_after", "norm2"), ("intermediate.dense", "mlp.fc1"), ("output.dense", "mlp.fc2"),
    ("layernorm", "norm"), ("classifier", "head"),
)  # fmt: skip


def shapes_of(name: str) -> dict[str, list[int]]:
    base = KEYS["base_k400"]
    if name == "base_k400":
        return base
    kept = {key: shape for key, shape in base.items() if key not in KEYS[name]["lacks"]}
    return kept | KEYS[name]["differs"]


@pytest.mark.parametrize("name", KEYS)
def test_every_released_checkpoint_is_understood(name):
    shapes = shapes_of(name)
    with torch.device("meta"):
        state_dict = {key: torch.empty(shape) for key, shape in shapes.items()}
        model_class, config, names, bare = timesformer(state_dict)
        model = model_class(config)
    assert names.ours.keys() == bare.keys() and len(bare) == len(shapes)
    for reference, ours in names.ours.items():
        parts = [model.get_parameter(name) for name in ours]
        assert sum(part.shape[0] for part in parts) == bare[reference].shape[0]
        assert all(part.shape[1:] == bare[reference].shape[1:] for part in parts)
    assert {name for each in names.ours.values() for name in each} == model.state_dict().keys()
    size, kind = name.rpartition("_")[0], {"joint": "joint_space_time", "space_only": "space_only"}
    assert config.attention_type == kind.get(size, "divided_space_time")
    assert config.image_size == (448 if size == "hr" else 224)
    assert config.num_labels == {"k400": 400, "k600": 600, "ssv2": 174}[name.rpartition("_")[2]]
    assert config.num_frames == shapes.get("model.time_embed", [1, 8])[1] and config.num_attention_heads == 12
    if name in TOTALS:
        assert model.num_parameters() == TOTALS[name]


def test_layouts_and_settings(caplog):
    case = golden("timesformer/tiny_space_only.json")
    weights = golden_weights(case)
    bare = {name.removeprefix("model."): tensor for name, tensor in weights.items()}
    frames = golden_input(case).transpose(1, 2)
    for layout in (weights, bare, {"model_state": weights}, {"cfg": "A: 1", "epoch": 3, "model_state": weights},
                   {"model": {f"module.{name}": tensor for name, tensor in weights.items()}}):  # fmt: skip
        model = from_reference(layout, "timesformer", num_attention_heads=4, num_frames=3)
        with torch.no_grad():
            torch.testing.assert_close(model(frames).logits, torch.tensor(case["logits"]["values"]), **TOLERANCE)
        assert model.config.num_frames == 3
    assert "assumed" not in caplog.text
    model = from_reference(weights, "timesformer", num_attention_heads=4)
    assert model.config.num_frames == 8 and "'num_frames': 8" in caplog.text
    names = {index: f"class {index}" for index in range(7)}
    assert from_reference(weights, "timesformer", num_attention_heads=4, id2label=names).config.id2label == names


@pytest.mark.parametrize("name", ["tiny_divided_space_interp", "tiny_divided_time_interp", "tiny_joint_both_interp"])
@torch.no_grad()
def test_for_another_size_and_number_of_frames(name):
    """What the released code does to positions whenever a clip comes can be done once, in conversion."""
    case = golden(f"timesformer/{name}.json")
    frames = golden_input(case).transpose(1, 2)
    settings = {"num_frames": frames.shape[1], "image_size": tuple(frames.shape[-2:])}
    model = from_reference(golden_weights(case), "timesformer", num_attention_heads=4, **settings)
    torch.testing.assert_close(model(frames).logits, torch.tensor(case["logits"]["values"]), **TOLERANCE)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_size": 30}, "multiple of patch_size"),
        ({"num_frames": -1}, "num_frames must be at least 1"),
        ({"num_attention_heads": 5}, "multiple of num_attention_heads 5"),
        ({"id2label": {0: "one"}}, "has 7 classes, but id2label names 1"),
        ({"mix_group": 8}, "timesformer has no setting mix_group"),
    ],
)
def test_settings_that_do_not_fit(change, message):
    weights = golden_weights(golden("timesformer/tiny_divided_space_time.json"))
    with pytest.raises(Exception, match=message):
        from_reference(weights, "timesformer", **{"num_attention_heads": 4} | change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda sd: sd.pop("model.head.weight"), "lacks head.weight"),
        (lambda sd: sd.pop("model.blocks.1.temporal_fc.bias"), r"lacks 1 tensors: blocks\.1\.temporal_fc\.bias"),
        (lambda sd: sd.update({"model.extra": torch.zeros(2)}), "1 tensors that the model does not use: extra"),
        (lambda sd: sd.update({"model.pos_embed": torch.zeros(1, 19, 32)}), "position_embeddings"),
        (
            lambda sd: sd.update({"model.norm.weight": torch.full((32,), torch.nan)}),
            "NaN or infinite values: norm.weight",
        ),
    ],
)
def test_files_that_are_not_whole(change, message):
    weights = golden_weights(golden("timesformer/tiny_divided_space_time.json"))
    change(weights)
    with pytest.raises(ValueError, match=message):
        from_reference(weights, "timesformer", num_attention_heads=4)
