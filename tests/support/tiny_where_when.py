"""Tiny WhereWhen models, of frames and sound and of features, shared by the tests."""

import torch
from tiny_xvit import sharpen
from transformers import ASTConfig, ViTConfig

from holovid import WhereWhenConfig, WhereWhenForVideoClassification

FEATURES = {"visual_feature_size": 20, "audio_feature_size": 14, "num_audio_steps": 6}
GRID = (2, 3)


def tiny_config(**overrides) -> WhereWhenConfig:
    """Sizes differ from one another, so that a swapped axis cannot go unnoticed."""
    fields = {
        "num_frames": 5, "hidden_size": 36, "num_hidden_layers": 3, "num_attention_heads": 3, "intermediate_size": 44,
        "num_labels": 7, "modality_dropout": 0.0, "attn_implementation": "sdpa",
    }  # fmt: skip
    if "visual_feature_size" not in overrides and "visual_config" not in overrides:
        overrides["visual_config"] = ViTConfig(
            image_size=(16, 24), patch_size=8, hidden_size=30, num_hidden_layers=2, num_attention_heads=3,
            intermediate_size=40,
        )  # fmt: skip
    if "audio_feature_size" not in overrides and "audio_config" not in overrides:
        overrides["audio_config"] = ASTConfig(
            max_length=42, num_mel_bins=20, patch_size=6, time_stride=4, frequency_stride=5, hidden_size=28,
            num_hidden_layers=2, num_attention_heads=2, intermediate_size=34,
        )  # fmt: skip
    return WhereWhenConfig(**fields | overrides)


def tiny(**overrides) -> WhereWhenForVideoClassification:
    torch.manual_seed(0)
    return sharpen(WhereWhenForVideoClassification(tiny_config(**overrides))).eval()


def clips(config: WhereWhenConfig, batch: int = 2) -> dict[str, torch.Tensor]:
    """Frames and sound, or features, as the model takes them."""
    inputs = {}
    if config.visual_config is None:
        inputs["visual_features"] = torch.randn(batch, config.num_frames, *GRID, config.visual_width)
    else:
        inputs["pixel_values_videos"] = torch.randn(batch, config.num_frames, 3, *config.frame_size)
    if config.audio_config is None:
        inputs["audio_features"] = torch.randn(batch, config.num_audio_steps, config.audio_width)
    else:
        inputs["input_values"] = torch.randn(batch, config.audio_frames, config.num_mel_bins)
    return inputs
