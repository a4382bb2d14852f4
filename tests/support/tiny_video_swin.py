"""Tiny Video Swin models in every variant, shared by the tests, and torchvision's with the same weights."""

import torch
from tiny_xvit import sharpen
from torchvision.models.video.swin_transformer import SwinTransformer3d
from transformers import SwinConfig, SwinForImageClassification

from holovid import VideoSwinConfig, VideoSwinForVideoClassification

VARIANTS = {
    "as released": {},
    "windows larger than the clip": {"window_size": (16, 7, 7)},
    "wide in time": {"window_size": (8, 2, 2)},
    "patches of a frame": {"patch_size": (1, 4, 4)},
    "no norm, no bias": {"patch_norm": False, "qkv_bias": False},
    "own scale": {"qk_scale": 0.3},
    "three stages": {"depths": (1, 2, 1), "num_heads": (2, 4, 4)},
    "one layer": {"depths": (1,), "num_heads": (3,)},
    "oblong": {"image_size": (20, 30)},
}


def tiny_config(**overrides) -> VideoSwinConfig:
    """Sizes differ from one another, so that a swapped axis cannot go unnoticed; windows move along all axes."""
    sizes = {
        "image_size": 28, "num_frames": 9, "patch_size": (2, 4, 4), "embed_dim": 24, "depths": (2, 3),
        "num_heads": (2, 4), "window_size": (4, 3, 2), "mlp_ratio": 1.5, "num_labels": 5, "drop_path_rate": 0.0,
        "classifier_dropout": 0.0, "attn_implementation": "sdpa",
    }  # fmt: skip
    return VideoSwinConfig(**sizes | overrides)


def tiny(**overrides) -> VideoSwinForVideoClassification:
    return sharpen(VideoSwinForVideoClassification(tiny_config(**overrides))).eval()


def clips(config: VideoSwinConfig, batch: int = 2, frames: int = 9) -> torch.Tensor:
    return torch.randn(batch, frames, 3, *config.frame_size)


def of_torchvision(**sizes) -> SwinTransformer3d:
    """A model of torchvision with weights that make attention matter."""
    wanted = {
        "patch_size": [2, 4, 4], "embed_dim": 24, "depths": [2, 2], "num_heads": [2, 4], "window_size": [4, 3, 2],
        "num_classes": 5, "stochastic_depth_prob": 0.0,
    }  # fmt: skip
    model = SwinTransformer3d(**wanted | sizes)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model.eval()


def image_swin(**overrides) -> SwinForImageClassification:
    sizes = {
        "image_size": 48, "patch_size": 4, "embed_dim": 24, "depths": [2, 2], "num_heads": [2, 4], "window_size": 3,
        "drop_path_rate": 0.0,
    }  # fmt: skip
    return sharpen(SwinForImageClassification(SwinConfig(**sizes | overrides))).eval()
