"""Configurations that cannot work are refused with what is accepted."""

import pytest
from golden_numbers import golden, golden_weights
from tiny_xvit import tiny_config

from holovid import XViTConfig
from holovid.conversion.convert import from_reference


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden_size": 37}, "hidden_size 37 must be a multiple of num_attention_heads 3"),
        ({"temporal_num_attention_heads": 5}, "must be a multiple of temporal_num_attention_heads 5"),
        ({"image_size": 20}, "image_size 20 must be a multiple of patch_size 8"),
        ({"image_size": [16, 16, 16]}, "one side or .height, width."),
        ({"num_frames": 0}, "num_frames must be at least 1, got 0"),
        ({"mix_divisor": 1}, "mix_divisor must be at least 2 .*, got 1"),
        ({"mix_divisor": 40}, "leave no channel to mix"),
        ({"mix_window": 6}, "leave no channel to mix"),
        ({"mix_layers": [0, 3]}, r"mix_layers \[3\] do not exist; the model has layers 0 to 2"),
        ({"mix_group": 0}, "mix_group must be at least 1, or None"),
        ({"num_summary_tokens": -1}, "num_summary_tokens must be 0 or more"),
        ({"mix_direction": "past", "num_summary_tokens": 1}, "hides later frames"),
        ({"mix_direction": "future"}, "mix_direction"),
        ({"pooling": "mean", "pooler_output_size": 20}, "pooler_output_size must be hidden_size 36, got 20"),
        ({"pooling": "max"}, "pooling"),
        ({"hidden_size": "wide"}, "hidden_size"),
    ],
)
def test_bad_configurations_say_what_is_accepted(settings, message):
    with pytest.raises(Exception, match=message) as error:
        tiny_config(**settings)
    assert isinstance(error.value, (ValueError, TypeError)) or "Strict" in type(error.value).__name__


def test_released_defaults():
    config = XViTConfig()
    assert (config.mix_channels, config.mix_slice_size, config.temporal_embedding_length) == (96, 768, 8)
    model = from_reference(golden_weights(golden("xvit/tiny_avg.json")), "xvit", num_attention_heads=4)
    assert model.config.pooling == "mean"
