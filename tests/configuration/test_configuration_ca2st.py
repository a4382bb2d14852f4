"""Configurations of the CA²ST family: presets, released defaults, refusals."""

import pytest
from huggingface_hub.errors import StrictDataclassError
from tiny_ca2st import CA2ST, CAST, CAVA, tiny_config

from holovid import CA2STConfig


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"experts": ["time", "audio"]}, r"experts must be \['space', 'time'\], .*, got \['time', 'audio'\]"),
        ({"experts": ["time", "space"]}, r"got \['time', 'space'\]"),
        ({"experts": ["space", "sound"]}, r"got \['space', 'sound'\]"),
        ({"experts": ["space"]}, r"got \['space'\]"),
        ({"hidden_size": 37}, "hidden_size 37 must be a multiple of num_attention_heads 3"),
        ({"bottleneck_ratio": 0.2}, "bottleneck_size 7 must be a multiple of num_attention_heads 3"),
        ({"bottleneck_ratio": 0.01}, "bottleneck_size must be at least 1, got 0"),
        ({"adapter_ratio": 0}, "adapter_size must be at least 1, got 0"),
        ({"image_size": 20}, "image_size 20 must be a multiple of patch_size 8"),
        ({"num_frames": 7}, "num_frames 7 must be a multiple of tubelet_size 2"),
        ({"num_frames": 0}, "num_frames must be at least 1, got 0"),
        ({"experts": CAVA, "audio_frames": 7}, "a spectrogram of 7 frames of 24 mel bins has no patch of 8 x 8"),
        ({"exchange_layers": {"space_audio": [0]}}, "names 'space_audio'; these experts have space_time"),
        ({"exchange_layers": {"space_time": [1, 3]}}, r"\['space_time'\] \[3\] do not exist; .* layers 0 to 2"),
        ({"exchange_order": "both"}, "exchange_order"),
        ({"audio_positions": "sines"}, "audio_positions"),
        ({"hidden_size": "wide"}, "hidden_size"),
    ],
)  # fmt: skip
def test_bad_configurations_say_what_is_accepted(settings, message):
    with pytest.raises(StrictDataclassError, match=message):
        tiny_config(**settings)


def test_presets_are_as_released():
    cast, cava, ca2st = CA2STConfig.cast_base(), CA2STConfig.cava_base(), CA2STConfig.ca2st_base()
    assert (cast.experts, cava.experts, ca2st.experts) == (CAST, CAVA, CA2ST)
    for config in (cast, cava, ca2st):
        assert (config.hidden_size, config.num_hidden_layers, config.num_attention_heads) == (768, 12, 12)
        assert (config.num_slots, config.num_patches, config.frame_size) == (8, 196, (224, 224))
        assert (config.bottleneck_size, config.adapter_size, config.audio_grid) == (384, 192, (12, 39))
        assert (config.exchange_order, config.audio_time_layout) == ("sequential", "official")
        assert (config.audio_positions, config.share_time_mlp) == ("timestamps", False)
    assert [config.share_projections for config in (cast, cava, ca2st)] == [False, False, True]
    assert [config.feature_adapter_skip for config in (cast, cava, ca2st)] == [False, True, False]
    assert [config.space_feature_layer_norm_eps for config in (cast, cava, ca2st)] == [1e-5, 1e-6, 1e-5]
    everywhere, late = list(range(12)), [9, 10, 11]
    assert cava.exchange_layers == {"space_audio": everywhere}
    assert ca2st.exchange_layers == {"space_time": everywhere, "space_audio": late, "time_audio": late}
    assert CA2STConfig.cava_base(audio_frames=1024).audio_grid == (12, 101)
    assert CA2STConfig.ca2st_base(share_projections=False).share_projections is False


def test_a_pair_that_is_left_out_keeps_its_default():
    config = tiny_config(experts=CA2ST, num_hidden_layers=5, exchange_layers={"time_audio": [0]})
    assert config.exchange_layers == {"space_time": [0, 1, 2, 3, 4], "space_audio": [2, 3, 4], "time_audio": [0]}
    assert CA2STConfig.from_dict(config.to_dict()).to_dict() == config.to_dict()


def test_ratios_of_widths_give_the_widths_back():
    for width in range(1, 50):
        assert tiny_config(hidden_size=49, num_attention_heads=1, adapter_ratio=width / 49).adapter_size == width
