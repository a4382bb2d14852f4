# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Video Swin: attention inside shifted windows of space and time (Liu et al. 2021, arXiv:2106.13230).

clip (B, T, C, H, W) -> tokens (B, T', H', W', D) -> stages, each with half as many rows and columns, twice as wide ->
map (B, T', H", W", D") -> its mean (B, D") -> logits
B clips, T frames, C colour channels, T' x H' x W' tokens of a clip, D width. Classes stand in the order the tensor
flows; attention is in layers_video_swin.py. "Departs:" marks where we differ from the released code.
"""

import os
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.ops import StochasticDepth
from transformers import initialization as init
from transformers.backbone_utils import BackboneMixin, filter_output_hidden_states
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import BackboneOutput, BaseModelOutputWithPooling, ImageClassifierOutput
from transformers.modeling_utils import PreTrainedModel
from transformers.processing_utils import Unpack
from transformers.utils import TransformersKwargs
from transformers.utils.generic import can_return_tuple, merge_with_config_defaults
from transformers.utils.output_capturing import OutputRecorder, capture_outputs

from holovid.configuration.configuration_video_swin import VideoSwinConfig
from holovid.configuration.field_checks import check_field_names
from holovid.modeling.image_vit import start_from
from holovid.modeling.inflation_video_swin import TIME_PATCH, TIME_WINDOW, image_swin, inflate
from holovid.modeling.layers_video_swin import VideoSwinAttention
from holovid.modeling.model_inputs import check_pixels
from holovid.modeling.modeling_common import (
    HolovidPreTrainedModel,
    init_as_torch,
    states_of,
    video_classification_loss,
)
from holovid.modeling.tasks import LABEL
from holovid.modeling.vit_parts import MLP
from holovid.modeling.weight_files import some

CLASSIFIER_STD = 0.01  # of its initial weights, as released


def fill_up(hidden_states: Tensor, multiples: Sequence[int]) -> Tensor:
    """Pad the last axes with zeros at their end, to these multiples."""
    sizes = hidden_states.shape[-len(multiples) :]
    missing = [-size % multiple for size, multiple in zip(sizes, multiples, strict=True)]
    if not any(missing):
        return hidden_states
    return nn.functional.pad(hidden_states, [side for count in reversed(missing) for side in (0, count)])


class VideoSwinPatchEmbeddings(nn.Module):
    """Frames (B, T, C, H, W) -> patches (B, T', H', W', D); incomplete patches are padded with zeros."""

    def __init__(self, config: VideoSwinConfig):
        super().__init__()
        self.patch_size = tuple(config.patch_size)
        self.projection = nn.Conv3d(config.num_channels, config.embed_dim, self.patch_size, stride=self.patch_size)

    def forward(self, pixel_values_videos: Tensor) -> Tensor:
        clips = pixel_values_videos.transpose(1, 2).to(self.projection.weight.dtype)
        return self.projection(fill_up(clips, self.patch_size)).permute(0, 2, 3, 4, 1)


class VideoSwinEmbeddings(nn.Module):
    """Frames (B, T, C, H, W) -> tokens (B, T', H', W', D), without positions: attention has biases for distances."""

    def __init__(self, config: VideoSwinConfig):
        super().__init__()
        self.patch_embeddings = VideoSwinPatchEmbeddings(config)
        self.norm = nn.LayerNorm(config.embed_dim, eps=config.layer_norm_eps) if config.patch_norm else nn.Identity()
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, pixel_values_videos: Tensor) -> Tensor:
        return self.dropout(self.norm(self.patch_embeddings(pixel_values_videos)))


class VideoSwinPatchMerging(nn.Module):
    """Merge 2 x 2 neighbouring tokens into one, twice as wide: (B, T, H, W, D) -> (B, T, H / 2, W / 2, 2 D)."""

    def __init__(self, config: VideoSwinConfig, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(4 * width, eps=config.layer_norm_eps)
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, hidden_states: Tensor) -> Tensor:
        odd_height, odd_width = hidden_states.shape[2] % 2, hidden_states.shape[3] % 2
        if odd_height or odd_width:
            hidden_states = nn.functional.pad(hidden_states, (0, 0, 0, odd_width, 0, odd_height))
        # (B, T, H / 2, row, W / 2, column, D): rows of a column become neighbours
        squares = hidden_states.unflatten(3, (-1, 2)).unflatten(2, (-1, 2))
        return self.reduction(self.norm(squares.permute(0, 1, 2, 4, 5, 3, 6).flatten(4)))


class VideoSwinLayer(GradientCheckpointingLayer):
    """Pre-norm transformer layer, (B, T, H, W, D) -> the same. Drop path drops whole clips."""

    def __init__(
        self, config: VideoSwinConfig, width: int, num_heads: int, shift: Sequence[int], drop_path_rate: float
    ):
        super().__init__()
        self.layernorm_before = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.attention = VideoSwinAttention(config, width, num_heads, shift)
        self.layernorm_after = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.mlp = MLP(width, int(width * config.mlp_ratio), config.hidden_act, config.hidden_dropout_prob)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.drop_path = StochasticDepth(drop_path_rate, mode="row") if drop_path_rate else nn.Identity()

    def forward(self, hidden_states: Tensor, **kwargs: Unpack[TransformersKwargs]) -> Tensor:
        attended, _ = self.attention(self.layernorm_before(hidden_states), **kwargs)
        hidden_states = hidden_states + self.drop_path(self.dropout(attended))
        return hidden_states + self.drop_path(self.dropout(self.mlp(self.layernorm_after(hidden_states))))


class VideoSwinStage(nn.Module):
    """Merging (not in the first stage), then layers of which every other one shifts its windows."""

    def __init__(self, config: VideoSwinConfig, number: int, drop_path_rates: Sequence[float]):
        super().__init__()
        width, still = config.widths[number], (0, 0, 0)
        self.merging = VideoSwinPatchMerging(config, width // 2) if number else nn.Identity()
        self.layers = nn.ModuleList(
            VideoSwinLayer(config, width, config.num_heads[number], config.shift if index % 2 else still, rate)
            for index, rate in enumerate(drop_path_rates)
        )

    def forward(self, hidden_states: Tensor, **kwargs: Unpack[TransformersKwargs]) -> Tensor:
        hidden_states = self.merging(hidden_states)
        for layer in self.layers:
            hidden_states = layer(hidden_states, **kwargs)
        return hidden_states


class VideoSwinPreTrainedModel(HolovidPreTrainedModel):
    config: VideoSwinConfig
    base_model_prefix = "video_swin"
    input_modalities = ("video",)
    supports_gradient_checkpointing = True
    _no_split_modules = ["VideoSwinEmbeddings", "VideoSwinLayer", "VideoSwinPatchMerging"]  # noqa: RUF012
    _supports_sdpa = True
    _can_compile_fullgraph = True
    _can_record_outputs = {  # noqa: RUF012
        "hidden_states": OutputRecorder(VideoSwinStage, layer_name="stages", num_hidden_layers_key="num_stages"),
        "attentions": OutputRecorder(VideoSwinAttention, index=1),
    }
    _input_embed_layer = "patch_embeddings"

    @torch.no_grad()
    def _init_weights(self, module: nn.Module):
        """As released: truncated normal in the backbone, torch's own values in the patch convolution."""
        super()._init_weights(module)
        std = self.config.initializer_range
        if module is getattr(self, "classifier", None):
            init.normal_(module.weight, std=CLASSIFIER_STD)
        elif isinstance(module, nn.Conv3d):
            init_as_torch(module)
        elif isinstance(module, nn.Linear):
            init.trunc_normal_(module.weight, std=std)
        elif isinstance(module, VideoSwinAttention):
            init.trunc_normal_(module.relative_position_bias_table, std=std)


class VideoSwinModel(VideoSwinPreTrainedModel):
    """Video Swin without a head: a feature map of space and time, and its mean."""

    def __init__(self, config: VideoSwinConfig):
        super().__init__(config)
        self.embeddings = VideoSwinEmbeddings(config)
        last = max(config.num_hidden_layers - 1, 1)
        rates = iter([config.drop_path_rate * index / last for index in range(config.num_hidden_layers)])
        self.stages = nn.ModuleList(
            VideoSwinStage(config, number, [next(rates) for _ in range(depth)])
            for number, depth in enumerate(config.depths)
        )
        self.layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.post_init()

    def check_clip(self, pixel_values_videos: Any):
        channels = self.config.num_channels
        check_pixels(pixel_values_videos, channels, f"(clips, frames, {channels}, height, width)")
        if 0 in pixel_values_videos.shape[1:]:
            raise ValueError(
                "a clip must have at least one frame and one pixel, got pixel_values_videos "
                f"{tuple(pixel_values_videos.shape)}"
            )

    @merge_with_config_defaults
    @capture_outputs(tie_last_hidden_states=False)
    def forward(
        self, pixel_values_videos: Tensor | None = None, **kwargs: Unpack[TransformersKwargs]
    ) -> BaseModelOutputWithPooling:
        r"""
        pixel_values_videos (`Tensor` of shape (B, T, C, H, W)):
            Normalised frames, any number of any size.

        Returns `last_hidden_state` (B, T', H', W', D), after the final norm, and `pooler_output` (B, D), its mean.
        `hidden_states` are the tokens of the embeddings and of each stage, (B, T', H', W', D) with sizes of their own,
        before the final norm; `attentions` (B * G, N, S, S) of each layer, over the S tokens of the G windows of a
        clip, see [`VideoSwinAttention`].
        """
        self.check_clip(pixel_values_videos)
        hidden_states = self.embeddings(pixel_values_videos)
        for stage in self.stages:
            hidden_states = stage(hidden_states, **kwargs)
        hidden_states = self.layernorm(hidden_states)
        return BaseModelOutputWithPooling(
            last_hidden_state=hidden_states, pooler_output=hidden_states.mean(dim=(1, 2, 3))
        )

    def frame_features(self, pixel_values_videos: Tensor) -> Tensor:
        """The mean (B, T, D) over each frame's places. Frames of one patch, two as released, share a feature."""
        means = self(pixel_values_videos).last_hidden_state.mean(dim=(2, 3))
        return means.repeat_interleave(self.config.patch_size[0], dim=1)[:, : pixel_values_videos.shape[1]]

    def feature_map(self, pixel_values_videos: Tensor, **kwargs: Any) -> Tensor:
        return self(pixel_values_videos, **kwargs).last_hidden_state


class VideoSwinBackbone(BackboneMixin, VideoSwinPreTrainedModel):
    """Feature maps of stages, for detection heads in space and time.

    `config.out_indices` (or `out_features`) chooses stages: 0 is the "stem", the embeddings, and i the end of stage i;
    the default is the last. Each map has a new norm, which the head must train. Weights of [`VideoSwinModel`] and of
    the classifier load unchanged.
    """

    def __init__(self, config: VideoSwinConfig):
        super().__init__(config)
        self.num_features = [config.embed_dim, *config.widths]
        self.video_swin = VideoSwinModel(config)
        self.hidden_states_norms = nn.ModuleDict(
            {
                stage: nn.LayerNorm(channels, eps=config.layer_norm_eps)
                for stage, channels in zip(self.out_features, self.channels, strict=True)
            }
        )
        self.post_init()

    @can_return_tuple
    @filter_output_hidden_states
    def forward(
        self, pixel_values_videos: Tensor | None = None, **kwargs: Unpack[TransformersKwargs]
    ) -> BackboneOutput:
        r"""
        pixel_values_videos (`Tensor` of shape (B, T, C, H, W)):
            Normalised frames, any number of any size.

        Returns:
            [`BackboneOutput`]: `feature_maps`, a tensor (B, D, T', H', W') for each of `out_features`, with sizes of
            its own.

        Example:

        >>> import torch
        >>> from holovid import VideoSwinBackbone, VideoSwinConfig
        >>> sizes = {"image_size": 32, "patch_size": (2, 4, 4), "embed_dim": 24, "depths": (2, 2), "num_heads": (2, 4)}
        >>> model = VideoSwinBackbone(VideoSwinConfig(**sizes, window_size=(4, 4, 4), out_indices=[1, 2]))
        >>> [tuple(each.shape) for each in model(torch.randn(1, 8, 3, 32, 32)).feature_maps]
        [(1, 24, 4, 8, 8), (1, 48, 4, 4, 4)]
        """
        outputs = self.video_swin(pixel_values_videos, **kwargs)
        feature_maps = tuple(
            self.hidden_states_norms[stage](states).permute(0, 4, 1, 2, 3)
            for stage, states in zip(self.stage_names, outputs.hidden_states, strict=True)
            if stage in self.out_features
        )
        return BackboneOutput(feature_maps=feature_maps, **states_of(outputs))


class VideoSwinForVideoClassification(VideoSwinPreTrainedModel):
    """Video Swin with a linear classifier on the clip's feature."""

    tasks = (LABEL,)

    def __init__(self, config: VideoSwinConfig):
        super().__init__(config)
        self.num_labels = config.num_labels
        self.video_swin = VideoSwinModel(config)
        self.dropout = nn.Dropout(config.classifier_dropout)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        pixel_values_videos: Tensor | None = None,
        labels: Tensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> ImageClassifierOutput:
        r"""
        pixel_values_videos (`Tensor` of shape (B, T, C, H, W)):
            Normalised frames, any number of any size.
        labels (`Tensor` of shape (B,) or (B, num_labels), *optional*):
            As in [`XViTForVideoClassification`].

        Returns:
            [`ImageClassifierOutput`]: `logits` (B, num_labels); `loss` if labels are given; hidden states and
            attentions on request, attentions with `attn_implementation="eager"` only.

        Example:

        >>> import torch
        >>> from holovid import VideoSwinConfig, VideoSwinForVideoClassification
        >>> sizes = {"image_size": 32, "patch_size": (2, 4, 4), "embed_dim": 24, "depths": (2, 2), "num_heads": (2, 4)}
        >>> config = VideoSwinConfig(**sizes, window_size=(4, 4, 4), num_labels=5)
        >>> model = VideoSwinForVideoClassification(config)
        >>> model(torch.randn(2, 8, 3, 32, 32)).logits.shape
        torch.Size([2, 5])
        """
        outputs = self.video_swin(pixel_values_videos, **kwargs)
        logits = self.classifier(self.dropout(outputs.pooler_output))
        loss = None if labels is None else video_classification_loss(self, labels, logits, **kwargs)
        return ImageClassifierOutput(loss=loss, logits=logits, **states_of(outputs))

    @classmethod
    def from_image_model(
        cls, source: str | os.PathLike | PreTrainedModel, **config_overrides
    ) -> "VideoSwinForVideoClassification":
        """Start from an image Swin, as the paper does from ImageNet.

        Weights are inflated: patches spread over `patch_size[0]` frames (default 2), biases of distances repeated for
        `window_size[0]` steps of time (default 8), and resized if windows differ in space. The head is new.
        `HolovidProcessor.for_model(model, source=source)` prepares frames as for the image model.

        Args:
            source: Hub id or folder of a transformers Swin, the model itself (`SwinModel` or any model on top of one),
                or a file with the names of the authors' release (.pth or .safetensors).
            config_overrides: fields of [`VideoSwinConfig`], `num_labels`, `id2label`; the rest is the image model's.

        Raises `ValueError` when the source is not a Swin or lacks tensors of it, and when an override leaves a tensor
        without a place.
        """
        check_field_names(VideoSwinConfig, config_overrides)
        settings, image_tensors = image_swin(source)
        settings["patch_size"] = [TIME_PATCH, *settings["patch_size"]]
        settings["window_size"] = [TIME_WINDOW, *settings["window_size"]]
        config = VideoSwinConfig(**settings | config_overrides)
        model = cls(config)
        tensors = {
            name: inflate(name, tensor, config.patch_size, config.window_size)
            for name, tensor in image_tensors.items()
        }
        if missing := model.video_swin.state_dict().keys() - tensors.keys():
            raise ValueError(f"the image model lacks {some(sorted(missing))}")
        return start_from(model, tensors)


__all__ = ["VideoSwinBackbone", "VideoSwinForVideoClassification", "VideoSwinModel", "VideoSwinPreTrainedModel"]
