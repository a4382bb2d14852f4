"""Tiny TimeSformer models of every kind of attention, shared by the tests."""

import torch
from tiny_xvit import sharpen
from transformers import TimesformerConfig, TimesformerForVideoClassification

from holovid import TimeSformerConfig, TimeSformerForVideoClassification

ATTENTION = ("divided_space_time", "joint_space_time", "space_only")
SIZES = {
    "patch_size": 8, "num_frames": 6, "hidden_size": 36, "num_hidden_layers": 3, "num_attention_heads": 3,
    "intermediate_size": 44, "num_labels": 5,
}  # fmt: skip


def tiny_config(**overrides) -> TimeSformerConfig:
    """Sizes differ from one another, so that a swapped axis cannot go unnoticed."""
    sizes = SIZES | {"image_size": (16, 24), "drop_path_rate": 0.0, "attn_implementation": "sdpa"}
    return TimeSformerConfig(**sizes | overrides)


def tiny(**overrides) -> TimeSformerForVideoClassification:
    return sharpen(TimeSformerForVideoClassification(tiny_config(**overrides))).eval()


def clips(config: TimeSformerConfig, batch: int = 2, frames: int = 6) -> torch.Tensor:
    return torch.randn(batch, frames, config.num_channels, *config.frame_size)


def tiny_of_transformers(**overrides) -> TimesformerForVideoClassification:
    """transformers' class takes square frames only, and drop path as a whole number."""
    config = TimesformerConfig(**SIZES | {"image_size": 24} | overrides)
    return sharpen(TimesformerForVideoClassification(config)).eval()
