"""Tiny models of the CA²ST family, and tiny experts of transformers to build them from, shared by the tests."""

import torch
from torch import nn
from transformers import (
    ASTConfig,
    ASTForAudioClassification,
    CLIPConfig,
    CLIPModel,
    CLIPVisionConfig,
    CLIPVisionModel,
    PreTrainedModel,
    VideoMAEConfig,
    VideoMAEForPreTraining,
    VideoMAEModel,
)

from holovid import CA2STConfig, CA2STForActionRecognition, CA2STForVideoClassification

CAST, CAVA, CA2ST = ["space", "time"], ["space", "audio"], ["space", "time", "audio"]
VARIANTS = {
    "CAST": {"experts": CAST},
    "CAVA": {"experts": CAVA},
    "CA2ST": {"experts": CA2ST},
    "CA2ST in parallel": {"experts": CA2ST, "exchange_order": "parallel"},
    "CA2ST, own projections, tables": {
        "experts": CA2ST,
        "share_projections": False,
        "audio_positions": "learned",
        "exchange_layers": {"space_audio": [0, 1, 2], "time_audio": [0, 2]},
    },
    "CAVA, one function of seconds, aligned": {
        "experts": CAVA,
        "share_time_mlp": True,
        "audio_time_layout": "aligned",
    },
    "CAST, late, means of features": {
        "experts": CAST,
        "exchange_layers": {"space_time": [1]},
        "feature_adapter_skip": True,
        "feature_scale": 0.5,
    },
}
WIDTHS = {"hidden_size": 36, "num_hidden_layers": 3, "num_attention_heads": 3, "intermediate_size": 44}
FRAMES = {"image_size": 24, "patch_size": 8}  # 9 patches
SOUND = {"num_mel_bins": 24, "max_length": 64, "patch_size": 8, "frequency_stride": 6, "time_stride": 6}  # 3 x 10


def tiny_config(**overrides) -> CA2STConfig:
    """Sizes differ from one another, so that a swapped axis cannot go unnoticed."""
    sizes = {
        "num_frames": 8, "audio_frames": 40, "num_mel_bins": 24, "audio_patch_size": 8, "audio_stride": 6,
        "num_labels": 5, "num_verbs": 6, "num_nouns": 7, "attn_implementation": "sdpa",
    }  # fmt: skip
    return CA2STConfig(**WIDTHS | FRAMES | sizes | overrides)


def sharpen(model: nn.Module) -> nn.Module:
    """Weights large enough that attention is far from uniform."""
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    return model


def tiny(**overrides) -> CA2STForVideoClassification:
    return sharpen(CA2STForVideoClassification(tiny_config(**overrides))).eval()


def tiny_actions(**overrides) -> CA2STForActionRecognition:
    return sharpen(CA2STForActionRecognition(tiny_config(**overrides))).eval()


def clips(config: CA2STConfig, batch: int = 2) -> dict[str, torch.Tensor]:
    """What a processor gives for this many clips."""
    frames = torch.randn(batch, config.num_frames, config.num_channels, *config.frame_size)
    if "audio" not in config.experts:
        return {"pixel_values_videos": frames}
    start = torch.rand(batch, 1)
    return {
        "pixel_values_videos": frames,
        "input_values": torch.randn(batch, config.audio_frames, config.num_mel_bins),
        "audio_mask": torch.ones(batch, dtype=torch.bool),
        "frame_times": start + torch.rand(batch, config.num_frames).sort(1).values,
        "audio_span": start + torch.tensor([[0.1, 0.9]]),
    }


def tiny_clip(**overrides) -> CLIPVisionModel:
    return sharpen(CLIPVisionModel(CLIPVisionConfig(**WIDTHS | FRAMES | overrides))).eval()


def tiny_whole_clip() -> CLIPModel:
    text = {**WIDTHS, "vocab_size": 20, "max_position_embeddings": 7}
    return sharpen(CLIPModel(CLIPConfig(vision_config=WIDTHS | FRAMES, text_config=text, projection_dim=11))).eval()


def videomae_config(**overrides) -> VideoMAEConfig:
    decoder = {"decoder_hidden_size": 16, "decoder_num_attention_heads": 2, "decoder_num_hidden_layers": 1}
    norm = {"layer_norm_eps": 1e-6, "use_mean_pooling": False}  # the authors' epsilon, not that of transformers
    return VideoMAEConfig(**WIDTHS | FRAMES | {"num_frames": 8} | decoder | norm | overrides)


def tiny_videomae(model_class: type[PreTrainedModel] = VideoMAEModel, **overrides) -> PreTrainedModel:
    return sharpen(model_class(videomae_config(**overrides))).eval()


def tiny_ast(**overrides) -> ASTForAudioClassification:
    return sharpen(
        ASTForAudioClassification(ASTConfig(**WIDTHS | SOUND | {"layer_norm_eps": 1e-6} | overrides))
    ).eval()


__all__ = [name for name in globals() if name.startswith("tiny") or name.isupper()] + ["VideoMAEForPreTraining"]
