"""Fields of configurations that cannot be: a sentence when it is made, for each field of each family."""

import dataclasses
import json
import math

import pytest
from huggingface_hub.errors import StrictDataclassError
from tiny_ca2st import CA2ST, tiny_config
from transformers import AutoConfig, PreTrainedConfig, ViTConfig, ViTModel

from holovid import CA2STConfig, CA2STForVideoClassification, XViTConfig, XViTForVideoClassification

INHERITED = {field.name for field in dataclasses.fields(PreTrainedConfig)}
FIELDS = [
    (config_class, field.name)
    for config_class in (XViTConfig, CA2STConfig)
    for field in dataclasses.fields(config_class)
    if field.name not in INHERITED
]
ODD = [0, -1, 10**12, "x", None, math.nan, math.inf, -math.inf, [], {}, True, 2.5, -0.5, [0], b"x"]


def is_whole_number(config_class: type, name: str) -> bool:
    annotation = str(config_class.__annotations__.get(name))
    return "int" in annotation and "float" not in annotation and "list" not in annotation


@pytest.mark.parametrize(("config_class", "name"), FIELDS, ids=lambda value: getattr(value, "__name__", value))
def test_every_field_is_right_or_a_sentence(config_class, name):
    for value in ODD:
        try:
            config = config_class(**{name: value})
        except (StrictDataclassError, ValueError):
            continue
        if isinstance(value, float):
            assert math.isfinite(value), (name, value)
        if name != "feature_scale":
            assert value not in (-1, -0.5, 10**12), (name, value)
        config_class.from_dict(json.loads(config.to_json_string()))  # what is accepted can be saved and loaded


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_attention_heads": 0}, "num_attention_heads must be at least 1, got 0"),
        ({"mix_window": 0}, "mix_window must be at least 1, got 0"),
        ({"patch_size": 0}, "patch_size must be at least 1, got 0"),
        ({"hidden_act": "gelo"}, "hidden_act must be one of .*gelu.*, got 'gelo'"),
        ({"hidden_dropout_prob": 1.5}, "hidden_dropout_prob must be between 0 and 1, got 1.5"),
        ({"layer_norm_eps": 0.0}, "layer_norm_eps must be greater than 0 and at most 1, got 0.0"),
        ({"initializer_range": math.nan}, "initializer_range must be greater than 0 and at most 100, got nan"),
        ({"num_hidden_layers": 10**12}, "num_hidden_layers must be at most 1,048,576"),
    ],
)
def test_sentences(settings, message):
    with pytest.raises(StrictDataclassError, match=message):
        XViTConfig(**settings)


def test_how_far_features_are_scaled():
    for scale in (1e6, -1e6, 0.0):
        assert CA2STConfig(feature_scale=scale).feature_scale == scale
    for scale in (1e6 + 1, -1e6 - 1):
        with pytest.raises(StrictDataclassError, match="feature_scale must be"):
            CA2STConfig(feature_scale=scale)


@pytest.mark.parametrize(
    ("config_class", "slip", "field"),
    [
        (XViTConfig, "num_frame", "num_frames"),
        (XViTConfig, "mix_divisors", "mix_divisor"),
        (CA2STConfig, "image_sise", "image_size"),
        (CA2STConfig, "audio_frame", "audio_frames"),
    ],
)
def test_slips_name_the_field(tmp_path, config_class, slip, field):
    with pytest.raises(ValueError, match=f"has no field '{slip}'; did you mean '{field}'"):
        config_class(**{slip: 4})
    # a file of another version loads, whatever its fields are called
    settings = config_class().to_dict() | {slip: 4, "of_tomorrow": 5}
    (tmp_path / "config.json").write_text(json.dumps(settings))
    loaded = AutoConfig.from_pretrained(tmp_path)
    assert getattr(loaded, slip) == 4 and loaded.of_tomorrow == 5
    assert config_class(of_my_own=3).of_my_own == 3
    assert getattr(config_class(**{f"_{field}": 3}), f"_{field}") == 3  # private names are nobody's slip


def test_starting_points_refuse_unknown_fields():
    vit = ViTModel(ViTConfig(image_size=16, patch_size=8, hidden_size=24, num_hidden_layers=1, num_attention_heads=2,
                             intermediate_size=24), add_pooling_layer=False)  # fmt: skip
    for wrong, hint in (("num_frame", "did you mean 'num_frames'"), ("zebra", "its documentation lists the fields")):
        with pytest.raises(ValueError, match=rf"XViTConfig has no fields \['{wrong}'\]; {hint}"):
            XViTForVideoClassification.from_image_model(vit, **{wrong: 4})
        with pytest.raises(ValueError, match=rf"CA2STConfig has no fields \['{wrong}'\]"):
            CA2STForVideoClassification.from_experts(space="absent", time="absent", **{wrong: 4})
    model = XViTForVideoClassification.from_image_model(
        vit, num_labels=3, attn_implementation="eager", problem_type="single_label_classification"
    )
    assert model.config.num_labels == 3 and model.config._attn_implementation == "eager"


def test_presets_and_tiny_models_are_right():
    for config in (
        CA2STConfig.cast_base(),
        CA2STConfig.cava_base(),
        CA2STConfig.ca2st_base(),
        tiny_config(experts=CA2ST),
    ):
        assert CA2STConfig.from_dict(config.to_dict()).to_dict() == config.to_dict()
