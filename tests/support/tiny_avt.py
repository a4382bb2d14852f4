"""Tiny AVT models, of frames and of features, shared by the tests."""

import torch
from tiny_xvit import sharpen
from transformers import ViTConfig

from holovid import AVTConfig, AVTForActionAnticipation

CLASSES = 7
HEAD = {
    "num_frames": 5, "head_hidden_size": 24, "head_num_hidden_layers": 3, "head_num_attention_heads": 2,
    "head_intermediate_size": 44, "max_position_embeddings": 32, "num_labels": CLASSES,
    "attn_implementation": "sdpa",
}  # fmt: skip


def tiny_config(**overrides) -> AVTConfig:
    """Sizes differ from one another, so that a swapped axis cannot go unnoticed."""
    if "feature_size" not in overrides and "backbone_config" not in overrides:
        overrides["backbone_config"] = ViTConfig(
            image_size=(16, 24), patch_size=8, hidden_size=36, num_hidden_layers=2, num_attention_heads=3,
            intermediate_size=40,
        )  # fmt: skip
    return AVTConfig(**HEAD | overrides)


def tiny(**overrides) -> AVTForActionAnticipation:
    torch.manual_seed(0)
    return sharpen(AVTForActionAnticipation(tiny_config(**overrides))).eval()


def clips(config: AVTConfig, batch: int = 2, frames: int = 5) -> torch.Tensor:
    return torch.randn(batch, frames, config.num_channels, *config.frame_size)
