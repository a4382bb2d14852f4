# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""TimeSformer: attention over time and over space (Bertasius et al. 2021, arXiv:2102.05095).

clip (B, T, C, H, W) -> tokens (B, 1 + T * S, D) -> [attention along time, along space, MLP] x L -> class token (B, D)
-> logits
B clips, T frames, S patches of a frame, D width, N heads, C colour channels. A clip has one class token, before the
patches of all frames. With `attention_type="space_only"` each frame has its own, (B, T, 1 + S, D).
Classes stand in the order the tensor flows.
"""

import os
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import initialization as init
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import BaseModelOutputWithPooling, ImageClassifierOutput
from transformers.modeling_utils import PreTrainedModel
from transformers.processing_utils import Unpack
from transformers.utils import TransformersKwargs
from transformers.utils.generic import can_return_tuple, merge_with_config_defaults
from transformers.utils.output_capturing import OutputRecorder, capture_outputs

from holovid.configuration.configuration_time_sformer import TimeSformerConfig
from holovid.configuration.field_checks import check_field_names
from holovid.modeling.axis_attention import AxisAttention, heads_along_space, heads_along_time, heads_of_all
from holovid.modeling.image_vit import read_image_vit, start_from
from holovid.modeling.model_inputs import check_frames
from holovid.modeling.modeling_common import (
    HolovidPreTrainedModel,
    init_as_torch,
    states_of,
    video_classification_loss,
)
from holovid.modeling.recomputing import recomputed
from holovid.modeling.tasks import LABEL
from holovid.modeling.timesformer_of_transformers import read_timesformer
from holovid.modeling.vit_parts import MLP, PatchEmbeddings, positions_for


class TimeSformerFrameEmbeddings(nn.Module):
    """Frames (B, T, C, H, W) -> tokens (B, T, 1 + S, D): for each frame a class token and its patches."""

    def __init__(self, config: TimeSformerConfig):
        super().__init__()
        self.config = config
        rows, columns = config.grid_size
        self.patch_embeddings = PatchEmbeddings(config.num_channels, config.hidden_size, config.patch_size)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.hidden_size))
        self.position_embeddings = nn.Parameter(torch.zeros(1, 1 + rows * columns, config.hidden_size))
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def space(self, height: int, width: int, interpolate: bool) -> Tensor:
        """Positions (1, 1 + S, D) for frames of this size in pixels, from the nearest patches, as released."""
        table = self.position_embeddings
        return positions_for(table, self.config, height, width, interpolate, mode="nearest")

    def forward(self, pixel_values_videos: Tensor, interpolate_pos_encoding: bool = False) -> Tensor:
        batch, frames, _, height, width = pixel_values_videos.shape
        positions = self.space(height, width, interpolate_pos_encoding)
        cls_token = (self.cls_token + positions[:, :1]).expand(batch, frames, 1, -1)
        patches = self.patch_embeddings(pixel_values_videos) + positions[:, None, 1:]
        return self.dropout(torch.cat((cls_token, patches), dim=2))


class TimeSformerClipEmbeddings(TimeSformerFrameEmbeddings):
    """Frames (B, T, C, H, W) -> tokens (B, 1 + T * S, D): one class token a clip, patches with temporal embeddings."""

    def __init__(self, config: TimeSformerConfig):
        super().__init__(config)
        self.temporal_embeddings = nn.Parameter(torch.zeros(1, config.num_frames, config.hidden_size))

    def time(self, frames: int) -> Tensor:
        """Temporal embeddings (1, T, D), from the nearest frames of the table."""
        return resize_temporal_embeddings(self.temporal_embeddings, frames)

    def forward(self, pixel_values_videos: Tensor, interpolate_pos_encoding: bool = False) -> Tensor:
        batch, frames, _, height, width = pixel_values_videos.shape
        positions = self.space(height, width, interpolate_pos_encoding)
        cls_token = (self.cls_token + positions[:, :1]).expand(batch, -1, -1)
        # position first, then time, as in the reference: the order of a sum decides its last bit
        patches = self.patch_embeddings(pixel_values_videos) + positions[:, None, 1:] + self.time(frames)[:, :, None]
        return self.dropout(torch.cat((cls_token, patches.flatten(1, 2)), dim=1))


def resize_temporal_embeddings(table: Tensor, frames: int) -> Tensor:
    """(1, T, D) -> (1, frames, D) by nearest neighbour; unchanged for T frames."""
    return nn.functional.interpolate(table.transpose(1, 2), size=frames, mode="nearest").transpose(1, 2)


class TimeSformerDropPath(nn.Module):
    """Stochastic depth: drops rows of a branch at `rate`, with one random draw for each index along `axes`."""

    def __init__(self, rate: float, axes: tuple[int, ...] = (0,)):
        super().__init__()
        self.rate, self.axes = rate, axes

    def forward(self, branch: Tensor) -> Tensor:
        if not self.training or not self.rate:
            return branch
        shape = [size if axis in self.axes else 1 for axis, size in enumerate(branch.shape)]
        return branch * nn.functional.dropout(branch.new_ones(shape), self.rate)

    def extra_repr(self) -> str:
        return f"rate={self.rate:g}, axes={self.axes}"


class TimeSformerZeroLinear(nn.Linear):
    """Initialised to zero, so attention along time adds nothing at first."""


class TimeSformerMLP(MLP):
    def forward(self, hidden_states: Tensor, checkpointed: bool = False) -> Tensor:
        if not torch.is_grad_enabled():
            return super().forward(hidden_states)
        with recomputed(self.activation, self.fc1(hidden_states), checkpointed) as activated:
            return self.fc2(self.dropout(activated))


class TimeSformerLayer(GradientCheckpointingLayer):
    """Pre-norm transformer layer on the tokens of a clip (B, 1 + T * S, D) or of each frame (B, T, 1 + S, D)."""

    heads = staticmethod(heads_of_all)

    def __init__(self, config: TimeSformerConfig, drop_path_rate: float):
        super().__init__()
        width, epsilon = config.hidden_size, config.layer_norm_eps
        self.layernorm_before = nn.LayerNorm(width, eps=epsilon)
        self.attention = AxisAttention(config, width, self.heads, bias=config.qkv_bias)
        self.layernorm_after = nn.LayerNorm(width, eps=epsilon)
        self.mlp = TimeSformerMLP(width, config.intermediate_size, config.hidden_act, config.hidden_dropout_prob)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.drop_path = TimeSformerDropPath(drop_path_rate)

    def forward(self, hidden_states: Tensor, frames: int, **kwargs: Unpack[TransformersKwargs]) -> Tensor:
        with recomputed(self.layernorm_before, hidden_states, self.gradient_checkpointing) as normed:
            attended, _ = self.attention(normed, normed, **kwargs)
        return self.think(hidden_states + self.drop_path(self.dropout(attended)))

    def think(self, hidden_states: Tensor) -> Tensor:
        with recomputed(self.layernorm_after, hidden_states, self.gradient_checkpointing) as normed:
            branch = self.mlp(normed, self.gradient_checkpointing)
        return hidden_states + self.drop_path(self.dropout(branch))


class TimeSformerFrameLayer(TimeSformerLayer):
    heads = staticmethod(heads_along_space)

    def __init__(self, config: TimeSformerConfig, drop_path_rate: float):
        super().__init__(config, drop_path_rate)
        self.drop_path = TimeSformerDropPath(drop_path_rate, axes=(0, 1))


class TimeSformerTimeAttention(AxisAttention):
    """Attention along time, (B, T, S, D), without the output projection: the layer applies it and saves memory."""

    def forward(
        self,
        reader: Tensor,
        source: Tensor,
        attention_mask: Tensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple[Tensor, Tensor | None]:
        return self.read(reader, source, attention_mask, **kwargs)


class TimeSformerDividedLayer(TimeSformerLayer):
    """Divided attention on tokens (B, 1 + T * S, D): patches attend along time, then within their frame.

    The class token takes part in each frame's attention and becomes the mean of the results. Attention along time
    passes a linear layer that starts at zero.
    """

    heads = staticmethod(heads_along_space)

    def __init__(self, config: TimeSformerConfig, drop_path_rate: float):
        super().__init__(config, drop_path_rate)
        width = config.hidden_size
        self.temporal_layernorm = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.temporal_attention = TimeSformerTimeAttention(config, width, heads_along_time, bias=config.qkv_bias)
        self.temporal_dense = TimeSformerZeroLinear(width, width)
        self.time_drop_path = TimeSformerDropPath(drop_path_rate, axes=(0, 2))
        self.space_drop_path = TimeSformerDropPath(drop_path_rate, axes=(0, 1))

    def forward(self, hidden_states: Tensor, frames: int, **kwargs: Unpack[TransformersKwargs]) -> Tensor:
        # split, not sliced: each slice would have a gradient as large as the whole tensor
        cls_token, patches = hidden_states.split((1, hidden_states.shape[1] - 1), dim=1)
        patches = patches.unflatten(1, (frames, -1))
        with recomputed(self.temporal_layernorm, patches, self.gradient_checkpointing) as normed:
            read, _ = self.temporal_attention(normed, normed, **kwargs)
        with recomputed(self.temporal_attention.o_proj, read, self.gradient_checkpointing) as attended:
            # dropped before the linear layer, so its bias stays, as released
            patches = patches + self.temporal_dense(self.time_drop_path(self.dropout(attended)))

        tokens = torch.cat((cls_token[:, None].expand(-1, frames, -1, -1), patches), dim=2)
        with recomputed(self.layernorm_before, tokens, self.gradient_checkpointing) as normed:
            attended, _ = self.attention(normed, normed, **kwargs)
        attended = self.space_drop_path(self.dropout(attended))
        of_cls_token, of_patches = attended.split((1, attended.shape[2] - 1), dim=2)
        cls_token = cls_token + of_cls_token.squeeze(2).mean(dim=1, keepdim=True)
        patches = patches + of_patches
        return self.think(torch.cat((cls_token, patches.flatten(1, 2)), dim=1))


EMBEDDINGS = {
    "divided_space_time": TimeSformerClipEmbeddings,
    "joint_space_time": TimeSformerClipEmbeddings,
    "space_only": TimeSformerFrameEmbeddings,
}
LAYERS = {
    "divided_space_time": TimeSformerDividedLayer,
    "joint_space_time": TimeSformerLayer,
    "space_only": TimeSformerFrameLayer,
}


@dataclass
class TimeSformerModelOutput(BaseModelOutputWithPooling):
    """`last_hidden_state` (B, 1 + T * S, D) after the final norm; with `"space_only"` (B, 1 + S, D), mean over frames.
    `pooler_output` (B, D) is its class token. `hidden_states`, before the final norm: (B, 1 + T * S, D) or
    (B, T, 1 + S, D).

    With divided attention, `space_attentions` (B * T, N, 1 + S, 1 + S) and `time_attentions` (B * S, N, T, T) of each
    layer. `attentions` are those of space, or with `"joint_space_time"` (B, N, 1 + T * S, 1 + T * S).
    """

    space_attentions: tuple[Tensor, ...] | None = None
    time_attentions: tuple[Tensor, ...] | None = None


@dataclass
class TimeSformerClassifierOutput(ImageClassifierOutput):
    """`logits` (B, num_labels); hidden states and attentions as in [`TimeSformerModelOutput`]."""

    space_attentions: tuple[Tensor, ...] | None = None
    time_attentions: tuple[Tensor, ...] | None = None


class TimeSformerPreTrainedModel(HolovidPreTrainedModel):
    config: TimeSformerConfig
    base_model_prefix = "time_sformer"
    input_modalities = ("video",)
    supports_gradient_checkpointing = True
    _no_split_modules = ["TimeSformerFrameEmbeddings", "TimeSformerClipEmbeddings", *{  # noqa: RUF012
        layer.__name__ for layer in LAYERS.values()
    }]  # fmt: skip
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_flex_attn = True
    _supports_attention_backend = True
    _can_compile_fullgraph = True
    _can_record_outputs = {  # noqa: RUF012
        "hidden_states": TimeSformerLayer,
        "attentions": OutputRecorder(AxisAttention, index=1, layer_name="attention"),
        "time_attentions": OutputRecorder(AxisAttention, index=1, layer_name="temporal_attention"),
    }
    _input_embed_layer = "patch_embeddings"

    @torch.no_grad()
    def _init_weights(self, module: nn.Module):
        """As released: truncated normal, torch's own values in the convolution; what time adds starts at zero."""
        super()._init_weights(module)
        std = self.config.initializer_range
        if isinstance(module, TimeSformerZeroLinear):
            init.zeros_(module.weight)
        elif isinstance(module, nn.Linear):
            init.trunc_normal_(module.weight, std=std)
        elif isinstance(module, nn.Conv2d):
            init_as_torch(module)
        elif isinstance(module, TimeSformerFrameEmbeddings):
            init.trunc_normal_(module.cls_token, std=std)
            init.trunc_normal_(module.position_embeddings, std=std)
            if isinstance(module, TimeSformerClipEmbeddings):
                init.zeros_(module.temporal_embeddings)

    @classmethod
    def from_image_model(cls, source: str | os.PathLike | PreTrainedModel, **config_overrides: Any):
        """Start from an image ViT of transformers, as the paper does from ImageNet-21k.

        Copies patch embedding, class token, positions, layers and final norm. Divided attention along time starts with
        the weights of attention along space, behind a linear layer of zeros: at first the model sees the mean of its
        frames. Positions for another size are those of the nearest patches, counted in one row, as released. Temporal
        embedding and head are new. `HolovidProcessor.for_model(model, source=source)` prepares frames as for the image
        model.

        Args:
            source: Hub id or folder of a ViT checkpoint, or the model itself (`ViTModel` or any model on top of one).
            config_overrides: fields of the configuration, `num_labels`, `id2label`; the rest is the image model's.

        Raises `ValueError` when the source is not a ViT or lacks tensors of it, and when an override leaves a tensor
        without a place.
        """
        config_class: type[TimeSformerConfig] = cls.config_class
        check_field_names(config_class, config_overrides)
        fields, tensors = read_image_vit(source)
        config = config_class(**fields | config_overrides)
        positions, (rows, columns) = "embeddings.position_embeddings", config.grid_size
        row = tensors[positions][:, 1:].transpose(1, 2)
        if row.shape[-1] != rows * columns:
            row = nn.functional.interpolate(row, size=rows * columns, mode="nearest")
        tensors[positions] = torch.cat((tensors[positions][:, :1], row.transpose(1, 2)), dim=1)
        if config.attention_type == "divided_space_time":
            tensors |= {in_time(name): tensor for name, tensor in tensors.items() if in_time(name) != name}
        return start_from(cls(config), tensors)


def in_time(name: str) -> str:
    """The name of the tensor along time that starts as this one along space; the name itself, if there is none."""
    return name.replace(".attention.", ".temporal_attention.").replace(".layernorm_before.", ".temporal_layernorm.")


class TimeSformerModel(TimeSformerPreTrainedModel):
    """TimeSformer without a head: tokens of a clip, and its class token."""

    def __init__(self, config: TimeSformerConfig):
        super().__init__(config)
        self.embeddings = EMBEDDINGS[config.attention_type](config)
        depth, layer = config.num_hidden_layers, LAYERS[config.attention_type]
        self.layers = nn.ModuleList(
            layer(config, config.drop_path_rate * index / max(depth - 1, 1)) for index in range(depth)
        )
        self.layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        pixel_values_videos: Tensor | None = None,
        interpolate_pos_encoding: bool = False,
        **kwargs: Unpack[TransformersKwargs],
    ) -> TimeSformerModelOutput:
        r"""
        pixel_values_videos (`Tensor` of shape (B, T, C, H, W)):
            Normalised frames, any number of them.
        interpolate_pos_encoding (`bool`):
            Accept frames of another size (a multiple of the patch size): each patch takes the nearest position.
        """
        asked = kwargs.get("output_attentions", self.config.output_attentions)
        divided = self.config.attention_type == "divided_space_time"
        outputs = self.encode(
            pixel_values_videos, interpolate_pos_encoding, output_time_attentions=asked and divided, **kwargs
        )
        if divided:
            outputs.space_attentions = outputs.attentions
        if outputs.time_attentions:  # the places' heads are side by side
            outputs.time_attentions = tuple(
                weights.unflatten(1, (-1, self.config.num_attention_heads)).flatten(0, 1)
                for weights in outputs.time_attentions
            )
        return outputs

    @merge_with_config_defaults
    @capture_outputs(tie_last_hidden_states=False)
    def encode(
        self,
        pixel_values_videos: Any,
        interpolate_pos_encoding: bool,
        **kwargs: Unpack[TransformersKwargs],
    ) -> TimeSformerModelOutput:
        hidden_states = self.tokens(pixel_values_videos, interpolate_pos_encoding, **kwargs)
        if hidden_states.ndim == 4:  # of frames by themselves
            hidden_states = hidden_states.mean(dim=1)
        hidden_states = self.layernorm(hidden_states)
        return TimeSformerModelOutput(last_hidden_state=hidden_states, pooler_output=hidden_states[:, 0])

    def tokens(
        self,
        pixel_values_videos: Any,
        interpolate_pos_encoding: bool = False,
        **kwargs: Unpack[TransformersKwargs],
    ) -> Tensor:
        """Tokens before the final norm, (B, 1 + T * S, D), or (B, T, 1 + S, D) with `"space_only"`."""
        check_frames(pixel_values_videos, self.config.num_channels)
        frames = pixel_values_videos.shape[1]
        hidden_states = self.embeddings(pixel_values_videos, interpolate_pos_encoding)
        for layer in self.layers:
            hidden_states = layer(hidden_states, frames, **kwargs)
        return hidden_states

    def frame_features(self, pixel_values_videos: Tensor) -> Tensor:
        """The mean (B, T, D) of each frame's patches; with `"space_only"` its class token."""
        hidden_states = self.layernorm(self.tokens(pixel_values_videos))
        if hidden_states.ndim == 4:
            return hidden_states[:, :, 0]
        return hidden_states[:, 1:].unflatten(1, (pixel_values_videos.shape[1], -1)).mean(dim=2)

    def feature_map(self, pixel_values_videos: Tensor, **kwargs: Any) -> Tensor:
        """Patch features (B, T, h, w, D); with `"space_only"` of the mean over frames. Arguments as in `forward`."""
        patches = self(pixel_values_videos, **kwargs).last_hidden_state[:, 1:]
        rows, columns = (side // self.config.patch_size for side in pixel_values_videos.shape[-2:])
        return patches.unflatten(1, (-1, rows, columns))


class TimeSformerForVideoClassification(TimeSformerPreTrainedModel):
    """TimeSformer with a linear classifier on the class token."""

    tasks = (LABEL,)

    def __init__(self, config: TimeSformerConfig):
        super().__init__(config)
        self.num_labels = config.num_labels
        self.time_sformer = TimeSformerModel(config)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        pixel_values_videos: Tensor | None = None,
        labels: Tensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> TimeSformerClassifierOutput:
        r"""
        pixel_values_videos (`Tensor` of shape (B, T, C, H, W)):
            Normalised frames; further arguments as in [`TimeSformerModel`].
        labels (`Tensor` of shape (B,) or (B, num_labels), *optional*):
            As in [`XViTForVideoClassification`].

        Returns:
            [`TimeSformerClassifierOutput`]: `logits` (B, num_labels); `loss` if labels are given; hidden states and
            attentions on request, attentions with `attn_implementation="eager"` only.

        Example:

        >>> import torch
        >>> from holovid import TimeSformerConfig, TimeSformerForVideoClassification
        >>> sizes = {"image_size": 32, "hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
        >>> config = TimeSformerConfig(**sizes, num_labels=5)
        >>> model = TimeSformerForVideoClassification(config)
        >>> model(torch.randn(2, 8, 3, 32, 32)).logits.shape
        torch.Size([2, 5])
        """
        outputs = self.time_sformer(pixel_values_videos, **kwargs)
        logits = self.classifier(outputs.pooler_output)
        loss = None if labels is None else video_classification_loss(self, labels, logits, **kwargs)
        return TimeSformerClassifierOutput(loss=loss, logits=logits, **states_of(outputs))

    @classmethod
    def from_transformers(
        cls, source: str | os.PathLike | PreTrainedModel, **config_overrides: Any
    ) -> "TimeSformerForVideoClassification":
        """Convert transformers' `TimesformerForVideoClassification`; the result is also correct at other sizes.

        With divided attention and `set_attn_implementation("eager")` its logits equal theirs to the last bit at the
        trained number of frames. At another number theirs are wrong: they mix places and times.

        Args:
            source: Hub id or folder, "facebook/timesformer-base-finetuned-k400", or the model itself.
            config_overrides: fields of [`TimeSformerConfig`]. With other classes (`num_labels`, `id2label`) the
                classifier is new; for another `num_frames` the temporal embedding is that of the nearest frames.

        Raises `ValueError` for other models, a checkpoint that lacks tensors, and when an override leaves a tensor
        without a place.
        """
        check_field_names(TimeSformerConfig, config_overrides)
        fields, tensors = read_timesformer(source)
        theirs = fields["id2label"]
        if config_overrides.get("num_labels", len(theirs)) != len(theirs):
            del fields["id2label"]
        config = TimeSformerConfig(**fields | config_overrides)
        if config.num_labels != len(theirs) or config.id2label != fields["id2label"]:
            tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith("classifier.")}
        times = "time_sformer.embeddings.temporal_embeddings"
        if times in tensors:
            tensors[times] = resize_temporal_embeddings(tensors[times], config.num_frames)
        return start_from(cls(config), tensors).eval()


__all__ = [
    "TimeSformerForVideoClassification",
    "TimeSformerModel",
    "TimeSformerPreTrainedModel",
]
