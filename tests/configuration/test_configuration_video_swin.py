"""Configurations of Video Swin: presets as released, refusals."""

import pytest
from huggingface_hub.errors import StrictDataclassError

from holovid import VideoSwinConfig


def test_presets_are_as_released():
    sizes = {
        "tiny": (96, [2, 2, 6, 2], [3, 6, 12, 24]),
        "small": (96, [2, 2, 18, 2], [3, 6, 12, 24]),
        "base": (128, [2, 2, 18, 2], [4, 8, 16, 32]),
        "large": (192, [2, 2, 18, 2], [6, 12, 24, 48]),
    }
    for name, (width, depths, heads) in sizes.items():
        config = getattr(VideoSwinConfig, name)(num_labels=7)
        assert (config.embed_dim, config.depths, config.num_heads, config.num_labels) == (width, depths, heads, 7)
        assert (config.patch_size, config.window_size, config.patch_norm) == ([2, 4, 4], [8, 7, 7], True)
        assert config.hidden_size == 8 * width and config.num_hidden_layers == sum(depths)
        assert config.shift == [4, 3, 3]
    assert VideoSwinConfig.base(window_size=(16, 7, 7)).window_size == [16, 7, 7]


def test_saved_and_loaded(tmp_path):
    config = VideoSwinConfig.small(out_indices=[1, 4], image_size=(64, 96))
    config.save_pretrained(tmp_path)
    loaded = VideoSwinConfig.from_pretrained(tmp_path)
    assert loaded.to_dict() | {"_name_or_path": None} == config.to_dict() | {"_name_or_path": None}
    assert loaded.out_features == ["stage1", "stage4"] and loaded.frame_size == (64, 96)
    assert VideoSwinConfig.from_pretrained(tmp_path, out_indices=[0, 2]).out_features == ["stem", "stage2"]
    assert VideoSwinConfig.from_pretrained(tmp_path, out_features=["stage3"]).out_indices == [3]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"patch_size": [2, 4]}, r"patch_size must be 3 numbers from 1 to .*along time, height, width, got \[2, 4\]"),
        ({"window_size": (8, 0, 7)}, r"window_size must be 3 numbers from 1"),
        ({"depths": ()}, r"depths must be 1 numbers from 1"),
        ({"num_heads": (3, 6)}, r"num_heads must be 4 numbers from 1 .*one for each of depths"),
        ({"num_heads": (3, 6, 12, 25)}, r"a stage of 768 channels cannot have 25 heads"),
        ({"depths": (1,) * 30, "num_heads": (1,) * 30}, r"30 stages make the last one wider"),
        ({"window_size": (64, 64, 64)}, r"is 262,144 tokens; the limit is 16,384"),
        ({"mlp_ratio": 0.001}, r"leaves no channel inside the MLPs"),
        ({"image_size": [224, 224, 3]}, r"one side or \(height, width\)"),
        ({"image_size": 0}, r"from 1 to .* a side, got 0"),
        ({"drop_path_rate": 1.5}, r"drop_path_rate must be between 0 and 1"),
        ({"qk_scale": 0.0}, r"qk_scale must be greater than 0"),
        ({"hidden_act": "gelo"}, r"hidden_act must be one of"),
        ({"window_sizes": (8, 7, 7)}, r"has no field 'window_sizes'"),
        ({"out_features": ["stage9"]}, r"out_features must be a subset"),
    ],
)
def test_what_cannot_be_is_a_sentence(fields, message):
    with pytest.raises((ValueError, StrictDataclassError), match=message):
        VideoSwinConfig(**fields)
