"""The models that are compared, at their own settings: ours, and those of transformers and torchvision.

Weights are random, which costs as much as trained ones. Operations are counted on tensors without memory, with eager
attention, of which torch's FlopCounterMode sees every product; so attention counts alike whatever computes it, and
nothing that a backward pass computes again to save memory counts.

Alphabet: B clips, T frames, C channels, H, W pixels.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models.video.swin_transformer import SwinTransformer3d
from transformers import (
    PreTrainedConfig,
    PreTrainedModel,
    TimesformerConfig,
    TimesformerForVideoClassification,
    VideoMAEConfig,
    VideoMAEForVideoClassification,
    VivitConfig,
    VivitForVideoClassification,
    VJEPA2Config,
    VJEPA2ForVideoClassification,
)
from transformers.initialization import no_init_weights
from transformers.modeling_outputs import ImageClassifierOutput

from holovid import (
    AVTConfig,
    AVTForActionAnticipation,
    CA2STConfig,
    CA2STForVideoClassification,
    TimeSformerConfig,
    TimeSformerForVideoClassification,
    VideoSwinConfig,
    VideoSwinForVideoClassification,
    XViTConfig,
    XViTForVideoClassification,
)
from holovid.families import families

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 32, "num_frames": 4}
SMALL_VJEPA2 = {
    "crop_size": 32, "frames_per_clip": 4, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_pooler_layers": 1, "pred_hidden_size": 32, "pred_num_hidden_layers": 1, "pred_num_attention_heads": 2,
}  # fmt: skip


class TorchvisionVideoSwin(nn.Module):
    """torchvision's Video Swin with the inputs and outputs of ours."""

    main_input_name = "pixel_values_videos"

    def __init__(self, config: VideoSwinConfig):
        super().__init__()
        self.config = config
        self.swin = SwinTransformer3d(
            list(config.patch_size), config.embed_dim, list(config.depths), list(config.num_heads),
            list(config.window_size), config.mlp_ratio, stochastic_depth_prob=0.0, num_classes=config.num_labels,
        )  # fmt: skip

    def forward(self, pixel_values_videos: Tensor, labels: Tensor | None = None) -> ImageClassifierOutput:
        logits = self.swin(pixel_values_videos.transpose(1, 2))
        loss = None if labels is None else nn.functional.cross_entropy(logits, labels)
        return ImageClassifierOutput(loss=loss, logits=logits)


@dataclass(frozen=True)
class Subject:
    """A model: `config(**settings)` is its own setting, `config(**tiny)` one that runs in a moment."""

    name: str
    model_class: type[PreTrainedModel] | type[TorchvisionVideoSwin]
    config: Callable[..., PreTrainedConfig]
    settings: dict[str, Any] = field(default_factory=dict)
    tiny: dict[str, Any] = field(default_factory=lambda: SMALL)

    @property
    def ours(self) -> bool:
        return self.model_class.__module__.startswith("holovid.")

    def make_config(self, quick: bool = False) -> PreTrainedConfig:
        return self.config(**self.settings | (self.tiny if quick else {}))


def xvit(frames: int) -> Subject:
    """Released for 8 frames and for 16, the temporal embedding's length being 8 for both."""
    settings = {"num_frames": frames, "temporal_embedding_length": 8, "num_labels": 400}
    small = {name: value for name, value in families()["xvit"].toy.items() if name != "temporal_embedding_length"}
    return Subject("XViT-B/16", XViTForVideoClassification, XViTConfig, settings, small)


def video_swin(name: str, model_class: type) -> Subject:
    settings = {"num_labels": 400, "drop_path_rate": 0.0}
    return Subject(name, model_class, VideoSwinConfig, settings, dict(families()["video_swin"].toy))


def ca2st(name: str, config: Callable[..., PreTrainedConfig], labels: int) -> Subject:
    return Subject(name, CA2STForVideoClassification, config, {"num_labels": labels}, dict(families()["ca2st"].toy))


SUBJECTS = {
    "xvit-8": xvit(8),
    "xvit-16": xvit(16),
    "cast": ca2st("CAST-B/16", CA2STConfig.cast_base, 174),
    "cava": ca2st("CAVA-B/16", CA2STConfig.cava_base, 44),
    "ca2st": ca2st("CA²ST-B/16", CA2STConfig.ca2st_base, 174),
    "timesformer": Subject(
        "TimeSformer-B/16",
        TimeSformerForVideoClassification,
        TimeSformerConfig,
        {"num_labels": 400, "drop_path_rate": 0.0},
    ),
    "timesformer-transformers": Subject(
        "TimeSformer-B/16 of transformers", TimesformerForVideoClassification, TimesformerConfig, {"num_labels": 400}
    ),
    "video-swin-t": video_swin("Video Swin-T", VideoSwinForVideoClassification),
    "video-swin-t-torchvision": video_swin("Video Swin-T of torchvision", TorchvisionVideoSwin),
    "avt": Subject("AVT-b", AVTForActionAnticipation, AVTConfig, {"num_labels": 3806}, dict(families()["avt"].toy)),
    "videomae": Subject("VideoMAE-B/16", VideoMAEForVideoClassification, VideoMAEConfig),
    "vivit": Subject("ViViT-B/16x2", VivitForVideoClassification, VivitConfig),
    "vjepa2": Subject("V-JEPA 2 ViT-L/16", VJEPA2ForVideoClassification, VJEPA2Config, {}, SMALL_VJEPA2),
}
# whose rate stands beside that of which: of the same model where there is one, else of one like it
PEERS = dict.fromkeys(("xvit-8", "xvit-16", "cast", "cava", "ca2st", "avt"), "videomae") | {
    "timesformer": "timesformer-transformers",
    "video-swin-t": "video-swin-t-torchvision",
}


def clip_shape(config: PreTrainedConfig) -> tuple[int, int, int, int]:
    """(T, C, H, W) of what a model of this configuration sees."""
    frames = getattr(config, "num_frames", None) or config.frames_per_clip
    size = getattr(config, "image_size", None) or config.crop_size
    height, width = (size, size) if isinstance(size, int) else size
    return frames, getattr(config, "num_channels", 3), height, width


def make_inputs(
    model_class: type[PreTrainedModel],
    config: PreTrainedConfig,
    batch: int = 1,
    dtype: torch.dtype = torch.float32,
    labels: bool = False,
) -> dict[str, Tensor]:
    """Noise in the shape of `batch` clips, their sound for models that hear, and the classes to learn if asked.

    On the device that is torch's default at the time.
    """
    inputs = {model_class.main_input_name: torch.randn(batch, *clip_shape(config), dtype=dtype)}
    if "audio" in getattr(config, "experts", ()):
        inputs["input_values"] = torch.randn(batch, config.audio_frames, config.num_mel_bins, dtype=dtype)
    if labels:
        inputs["labels"] = torch.zeros(batch, dtype=torch.long)
    return inputs


def make_model(
    subject: Subject, config: PreTrainedConfig, training: bool = False, recompute: bool = True
) -> PreTrainedModel:
    """The model on torch's default device; for training, the experts of the CA²ST family are frozen, as in the papers.

    `recompute` goes to their `freeze_experts`.
    """
    with no_init_weights():
        model = subject.model_class(config).train(training)
    with torch.no_grad():  # quicker than what a model starts from, and as good to multiply
        for parameter in model.parameters():
            parameter.uniform_(-0.02, 0.02)
    if training and hasattr(model, "freeze_experts"):
        model.freeze_experts(recompute)
    return model


def count_gflop(subject: Subject, config: PreTrainedConfig, training: bool = False) -> float:
    """10^9 operations of one clip, two for each multiply-add: of the forward pass, or also of the backward pass."""
    config = copy.deepcopy(config)
    config._attn_implementation = "eager"
    with torch.device("meta"):
        model = make_model(subject, config, training, recompute=False)
        inputs = make_inputs(subject.model_class, config, labels=training)
    with FlopCounterMode(display=False) as counter, torch.set_grad_enabled(training):
        outputs = model(**inputs)
        if training:
            outputs.loss.backward()
    return counter.get_total_flops() / 1e9


def describe(subject: Subject, config: PreTrainedConfig, model: PreTrainedModel | None = None) -> dict[str, Any]:
    """The fields of a row that say what ran."""
    frames, _, height, width = clip_shape(config)
    row = {"model": subject.name, "ours": subject.ours, "frames": frames, "size": [height, width]}
    return row if model is None else row | {"attention": model.config._attn_implementation}


def clip_text(row: dict[str, Any]) -> str:
    """ "8 x 224²"."""
    height, width = row["size"]
    return f"{row['frames']} x " + (f"{height}²" if height == width else f"{height} x {width}")
