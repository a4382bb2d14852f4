"""Tiny XViT models in every variant, shared by the tests."""

import torch
from torch import nn
from transformers import ViTConfig, ViTForImageClassification

from holovid import XViTConfig, XViTForVideoClassification

VARIANTS = {
    "released": {},
    "released, half mixed": {"mix_divisor": 4},
    "no mixing": {"mix_layers": []},
    "mixing in one layer": {"mix_layers": [1]},
    "groups": {"mix_group": 3},
    "window of two": {"mix_window": 2, "mix_divisor": 3},
    "past frames only": {"mix_direction": "past"},
    "two past frames": {"mix_direction": "past", "mix_window": 2, "mix_divisor": 3},
    "slices per head": {"mix_per_head": True, "mix_divisor": 4},
    "summary token": {"num_summary_tokens": 1},
    "three summary tokens, no mixing": {"num_summary_tokens": 3, "mix_layers": []},
    "mean pooling": {"pooling": "mean"},
    "deeper head": {"temporal_num_hidden_layers": 2, "temporal_num_attention_heads": 2, "pooler_output_size": 28},
    "oblong": {"image_size": (16, 24)},
}


def tiny_config(**overrides) -> XViTConfig:
    """Sizes differ from one another, so that a swapped axis cannot go unnoticed."""
    sizes = {
        "image_size": 16, "patch_size": 8, "num_frames": 6, "hidden_size": 36, "num_hidden_layers": 3,
        "num_attention_heads": 3, "intermediate_size": 44, "num_labels": 5, "attn_implementation": "sdpa",
    }  # fmt: skip
    return XViTConfig(**sizes | overrides)


def sharpen(model: nn.Module) -> nn.Module:
    """Weights large enough that attention is far from uniform."""
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    return model


def tiny(**overrides) -> XViTForVideoClassification:
    return sharpen(XViTForVideoClassification(tiny_config(**overrides))).eval()


def clips(config: XViTConfig, batch: int = 2, frames: int = 6) -> torch.Tensor:
    return torch.randn(batch, frames, 3, *config.frame_size)


def image_model(**overrides) -> ViTForImageClassification:
    sizes = {"image_size": 32, "patch_size": 8, "hidden_size": 36, "num_hidden_layers": 2, "num_attention_heads": 3}
    return sharpen(ViTForImageClassification(ViTConfig(**sizes | {"intermediate_size": 44} | overrides))).eval()
