# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""XViT: attention over space whose keys and values are mixed over time (Bulat et al. 2021, arXiv:2106.05968).

clip (B, T, C, H, W) -> tokens (B, T, S, D) -> [mixed attention, MLP] x L -> pooled over frames (B, D) -> logits
B clips, T frames, S tokens of a frame (token 0 is its class token), D width, N heads, C colour channels.
Classes stand in the order the tensor flows. "Departs:" marks where we differ from the released code.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.ops import StochasticDepth
from transformers import initialization as init
from transformers.activations import ACT2FN
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import BaseModelOutputWithPooling, ImageClassifierOutput
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS, PreTrainedModel
from transformers.processing_utils import Unpack
from transformers.utils import TransformersKwargs
from transformers.utils.generic import can_return_tuple, merge_with_config_defaults
from transformers.utils.output_capturing import OutputRecorder, capture_outputs

from holovid.configuration.configuration_xvit import XViTConfig
from holovid.configuration.field_checks import check_field_names
from holovid.modeling.image_vit import read_image_vit, start_from
from holovid.modeling.model_inputs import check_frames
from holovid.modeling.modeling_common import (
    HolovidPreTrainedModel,
    eager_attention_forward,
    init_as_torch,
    resize_position_embeddings,
    video_classification_loss,
)
from holovid.modeling.tasks import LABEL
from holovid.modeling.vit_parts import MLP, PatchEmbeddings, positions_for


class XViTEmbeddings(nn.Module):
    """Frames (B, T, C, H, W) -> tokens (B, T, S, D): one class token a frame, positions in space and in time."""

    def __init__(self, config: XViTConfig):
        super().__init__()
        self.config = config
        rows, columns = config.grid_size
        self.patch_embeddings = PatchEmbeddings(config.num_channels, config.hidden_size, config.patch_size)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.hidden_size))
        self.position_embeddings = nn.Parameter(torch.zeros(1, 1 + rows * columns, config.hidden_size))
        self.temporal_embeddings = nn.Parameter(torch.zeros(1, config.temporal_embedding_length, config.hidden_size))
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def space(self, height: int, width: int, interpolate: bool) -> Tensor:
        return positions_for(self.position_embeddings, self.config, height, width, interpolate)

    def time(self, frames: int, interpolate: bool, frame_numbers: Tensor | None = None) -> Tensor:
        """Temporal embeddings (1, T, D): vector `t % length` for frame t, or the whole table stretched over the clip.

        `frame_numbers` (B, T) numbers the frames of a chunk of a longer stream and gives (B, T, D).
        Departs: the released code counts t over the whole batch, so a clip whose length is not a multiple of the
        table's gets other vectors at another place in the batch; here t counts from the start of each clip.
        """
        table = self.temporal_embeddings
        if interpolate:
            stretched = nn.functional.interpolate(table.float().transpose(1, 2), size=frames, mode="linear")
            return stretched.transpose(1, 2).to(table.dtype)
        if frame_numbers is None:
            frame_numbers = torch.arange(frames, device=table.device)[None]
        return table[0, frame_numbers % table.shape[1]]

    def forward(
        self,
        pixel_values_videos: Tensor,
        interpolate_pos_encoding: bool = False,
        interpolate_temporal_encoding: bool = False,
        frame_numbers: Tensor | None = None,
    ) -> Tensor:
        batch, frames, _, height, width = pixel_values_videos.shape
        space = self.space(height, width, interpolate_pos_encoding)
        time = self.time(frames, interpolate_temporal_encoding, frame_numbers)
        patches = self.patch_embeddings(pixel_values_videos)
        tokens = torch.cat((self.cls_token.expand(batch, frames, 1, -1), patches), dim=2)
        return self.dropout(tokens + (space[:, None] + time[:, :, None]))


class XViTTimeMixing(nn.Module):
    r"""Let every token's key (or value) borrow channels from the same place in neighbouring frames: no parameters.

    .. math:: \tilde k_{s,t} = [\,k_{s,t+1}^{:f};\ k_{s,t-1}^{f:2f};\ k_{s,t}^{2f:}\,]

    (B, T, S, D) -> (B, T, S, D). The first `channels` channels come from the frame at `offsets[0]`, the next from that
    at `offsets[1]`, and so on; the rest stays. Frames mix inside groups of `group` frames; beyond a group channels are
    zero. D is first cut into slices of `slice_size`: one a head, as the paper writes it, or all of D, as released.

    >>> mixing = XViTTimeMixing(channels=1, offsets=(1, -1), slice_size=3, group=None)
    >>> mixing(torch.arange(1.0, 4.0).view(1, 3, 1, 1).expand(-1, -1, -1, 3))[0, :, 0]
    tensor([[2., 0., 1.],
            [3., 1., 2.],
            [0., 2., 3.]])
    """

    def __init__(self, channels: int, offsets: Sequence[int], slice_size: int, group: int | None):
        super().__init__()
        self.channels, self.offsets, self.slice_size, self.group = channels, tuple(offsets), slice_size, group

    def forward(self, hidden_states: Tensor) -> Tensor:
        grouped = hidden_states.view(-1, self.group or hidden_states.shape[1], *hidden_states.shape[2:])
        *slices, own = self.split(grouped)
        moved = (shift_frames(piece, offset) for piece, offset in zip(slices, self.offsets, strict=True))
        return torch.cat((*moved, own), dim=-1).view_as(hidden_states)

    def split(self, hidden_states: Tensor) -> tuple[Tensor, ...]:
        """(..., D) -> for each of `offsets` a slice (..., D / slice_size, channels), then the channels that stay."""
        sizes = [self.channels] * len(self.offsets)
        return hidden_states.unflatten(-1, (-1, self.slice_size)).split([*sizes, self.slice_size - sum(sizes)], dim=-1)

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={getattr(self, name)}" for name in ("channels", "offsets", "slice_size", "group"))


def shift_frames(hidden_states: Tensor, offset: int) -> Tensor:
    """(groups, T, ...) -> the same shape; frame t becomes frame t + offset, or zero where there is none."""
    frames = hidden_states.shape[1]
    distance = min(abs(offset), frames)
    kept = hidden_states[:, distance:] if offset > 0 else hidden_states[:, : frames - distance]
    missing = (0, distance) if offset > 0 else (distance, 0)
    return nn.functional.pad(kept, (0, 0) * (hidden_states.ndim - 2) + missing)


class XViTSummary(nn.Module):
    """Append the summary tokens of all frames to the keys (or values) of each frame, after `mixing`: no parameters.

    (B, T, S, D) -> (B, T, S + T * R, D). A frame's R summary tokens are averages over R equal runs of its patches in
    reading order; R = 1 is the paper's spatial mean. Averaging keys equals projecting the averaged tokens.
    """

    def __init__(self, mixing: nn.Module, num_tokens: int):
        super().__init__()
        self.mixing, self.num_tokens = mixing, num_tokens

    def forward(self, hidden_states: Tensor) -> Tensor:
        patches = hidden_states[:, :, 1:].flatten(0, 1).transpose(1, 2)
        summary = nn.functional.adaptive_avg_pool1d(patches, self.num_tokens).transpose(1, 2)
        summary = summary.reshape(hidden_states.shape[0], 1, -1, hidden_states.shape[-1])
        summary = summary.expand(-1, hidden_states.shape[1], -1, -1)
        return torch.cat((self.mixing(hidden_states), summary), dim=2)


def build_context(config: XViTConfig, layer: int) -> nn.Module:
    """The module on (B, T, S, D) that brings other frames into a layer's keys or values."""
    context: nn.Module = nn.Identity()
    if config.mix_layers is None or layer in config.mix_layers:
        context = XViTTimeMixing(config.mix_channels, config.mix_offsets, config.mix_slice_size, config.mix_group)
    return XViTSummary(context, config.num_summary_tokens) if config.num_summary_tokens else context


class XViTAttention(nn.Module):
    """Multi-head attention among the tokens of a frame, with keys and values from `context`.

    (..., S, D) -> (..., S, D), and the attention weights (batch, N, S, S') if the implementation returns them.
    """

    def __init__(self, config: XViTConfig, num_heads: int, bias: bool, context: nn.Module):
        super().__init__()
        self.config = config
        self.head_dim = config.hidden_size // num_heads
        self.scaling = self.head_dim**-0.5
        self.attention_dropout = config.attention_probs_dropout_prob
        self.is_causal = False
        self.q_proj = nn.Linear(config.hidden_size, config.hidden_size, bias=bias)
        self.k_proj = nn.Linear(config.hidden_size, config.hidden_size, bias=bias)
        self.v_proj = nn.Linear(config.hidden_size, config.hidden_size, bias=bias)
        self.o_proj = nn.Linear(config.hidden_size, config.hidden_size)
        self.context = context

    def split_heads(self, hidden_states: Tensor) -> Tensor:
        return hidden_states.flatten(0, -3).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)

    def forward(
        self,
        hidden_states: Tensor,
        contexts: tuple[Callable, Callable] | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple[Tensor, Tensor | None]:
        """`contexts`, for keys and for values, replace `context`: those of a stream remember earlier frames."""
        key_context, value_context = contexts or (self.context, self.context)
        attend: Callable = ALL_ATTENTION_FUNCTIONS.get_interface(
            self.config._attn_implementation, eager_attention_forward
        )
        output, attention = attend(
            self,
            self.split_heads(self.q_proj(hidden_states)),
            self.split_heads(key_context(self.k_proj(hidden_states))),
            self.split_heads(value_context(self.v_proj(hidden_states))),
            None,
            dropout=self.attention_dropout if self.training else 0.0,
            scaling=self.scaling,
            **kwargs,
        )
        return self.o_proj(output.reshape(hidden_states.shape)), attention


def build_mlp(config: XViTConfig, intermediate_size: int) -> MLP:
    return MLP(config.hidden_size, intermediate_size, config.hidden_act, config.hidden_dropout_prob)


class XViTLayer(GradientCheckpointingLayer):
    """Pre-norm transformer layer, (..., S, D) -> (..., S, D). Drop path drops whole clips."""

    def __init__(
        self, config: XViTConfig, attention: XViTAttention, mlp: MLP, layer_norm_eps: float, drop_path_rate: float
    ):
        super().__init__()
        self.layernorm_before = nn.LayerNorm(config.hidden_size, eps=layer_norm_eps)
        self.attention = attention
        self.layernorm_after = nn.LayerNorm(config.hidden_size, eps=layer_norm_eps)
        self.mlp = mlp
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        # Departs: the released code drops single frames of a clip, which also removes what their neighbours mix in.
        self.drop_path = StochasticDepth(drop_path_rate, mode="row") if drop_path_rate else nn.Identity()

    def forward(self, hidden_states: Tensor, **kwargs: Unpack[TransformersKwargs]) -> Tensor:
        attended, _ = self.attention(self.layernorm_before(hidden_states), **kwargs)
        hidden_states = hidden_states + self.drop_path(self.dropout(attended))
        return hidden_states + self.drop_path(self.dropout(self.mlp(self.layernorm_after(hidden_states))))


class XViTAttentionPooling(nn.Module):
    """Temporal attention head (B, T, D) -> (B, D'): a learned token reads the frames, without positions of its own."""

    def __init__(self, config: XViTConfig):
        super().__init__()
        self.frame_dropout = nn.Dropout(config.classifier_dropout)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.hidden_size))
        self.temporal_layers = nn.ModuleList(
            XViTLayer(
                config,
                XViTAttention(config, config.temporal_num_attention_heads, config.temporal_qkv_bias, nn.Identity()),
                build_mlp(config, config.temporal_intermediate_size),
                config.temporal_layer_norm_eps,
                drop_path_rate=0.0,
            )
            for _ in range(config.temporal_num_hidden_layers)
        )
        self.layernorm = nn.LayerNorm(config.hidden_size, eps=config.temporal_layer_norm_eps)
        self.dense = nn.Linear(config.hidden_size, config.pooler_output_size)
        self.activation = ACT2FN["gelu"]
        self.dropout = nn.Dropout(config.classifier_dropout)

    def forward(self, frame_features: Tensor, **kwargs: Unpack[TransformersKwargs]) -> Tensor:
        cls_token = self.cls_token.expand(frame_features.shape[0], -1, -1)
        hidden_states = torch.cat((cls_token, self.frame_dropout(frame_features)), dim=1)
        for layer in self.temporal_layers:
            hidden_states = layer(hidden_states, **kwargs)
        return self.dropout(self.activation(self.dense(self.layernorm(hidden_states[:, 0]))))


class XViTMeanPooling(nn.Module):
    """Mean over frames, (B, T, D) -> (B, D). The classifier then gives the mean of the frames' logits."""

    def __init__(self, config: XViTConfig):
        super().__init__()
        self.frame_dropout = nn.Dropout(config.classifier_dropout)

    def forward(self, frame_features: Tensor, **kwargs: Unpack[TransformersKwargs]) -> Tensor:
        return self.frame_dropout(frame_features).mean(dim=1)


POOLING = {"attention": XViTAttentionPooling, "mean": XViTMeanPooling}


class XViTPreTrainedModel(HolovidPreTrainedModel):
    config: XViTConfig
    base_model_prefix = "xvit"
    input_modalities = ("video",)
    supports_gradient_checkpointing = True
    _no_split_modules = ["XViTEmbeddings", "XViTLayer", "XViTAttentionPooling"]  # noqa: RUF012
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_flex_attn = True
    _supports_attention_backend = True
    _can_compile_fullgraph = True
    _can_record_outputs = {  # noqa: RUF012
        "hidden_states": OutputRecorder(XViTLayer, layer_name="layers"),
        "attentions": OutputRecorder(XViTAttention, index=1, layer_name="layers"),
    }
    _input_embed_layer = "patch_embeddings"

    @torch.no_grad()
    def _init_weights(self, module: nn.Module):
        """As released: truncated normal in the backbone, torch's own values in the patch convolution and the head."""
        super()._init_weights(module)
        std = self.config.initializer_range
        is_classifier = module is getattr(self, "classifier", None)
        if is_classifier and self.config.pooling == "mean":
            init.normal_(module.weight, std=0.001)
        elif is_classifier or isinstance(module, nn.Conv2d):
            init_as_torch(module)
        elif isinstance(module, nn.Linear):
            init.trunc_normal_(module.weight, std=std)
        elif isinstance(module, XViTEmbeddings):
            init.trunc_normal_(module.cls_token, std=std)
            init.trunc_normal_(module.position_embeddings, std=std)
            init.zeros_(module.temporal_embeddings)
        elif isinstance(module, XViTAttentionPooling):  # visited after its linear layers
            init.zeros_(module.cls_token)
            for child in module.modules():
                if isinstance(child, nn.Linear):
                    init_as_torch(child)


class XViTModel(XViTPreTrainedModel):
    """XViT without a head: tokens of every frame, and, unless `add_pooling_layer=False`, one feature a clip."""

    def __init__(self, config: XViTConfig, add_pooling_layer: bool = True):
        super().__init__(config)
        self.embeddings = XViTEmbeddings(config)
        depth = config.num_hidden_layers
        self.layers = nn.ModuleList(
            XViTLayer(
                config,
                XViTAttention(config, config.num_attention_heads, config.qkv_bias, build_context(config, index)),
                build_mlp(config, config.intermediate_size),
                config.layer_norm_eps,
                config.drop_path_rate * index / max(depth - 1, 1),
            )
            for index in range(depth)
        )
        self.layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.pooler = POOLING[config.pooling](config) if add_pooling_layer else None
        self.post_init()

    def check_clip(self, pixel_values_videos: Any):
        check_frames(pixel_values_videos, self.config.num_channels)
        frames, group = pixel_values_videos.shape[1], self.config.mix_group
        if group is not None and frames % group:
            raise ValueError(
                f"the model mixes frames in groups of {group}: give a multiple of {group} frames, got {frames}"
            )

    @merge_with_config_defaults
    @capture_outputs(tie_last_hidden_states=False)
    def forward(
        self,
        pixel_values_videos: Tensor | None = None,
        interpolate_pos_encoding: bool = False,
        interpolate_temporal_encoding: bool = False,
        **kwargs: Unpack[TransformersKwargs],
    ) -> BaseModelOutputWithPooling:
        r"""
        pixel_values_videos (`Tensor` of shape (B, T, C, H, W)):
            Normalised frames. T is a multiple of `config.mix_group`, any number when that is `None`.
        interpolate_pos_encoding (`bool`):
            Accept frames of another size (a multiple of the patch size): positions are resized bicubically.
        interpolate_temporal_encoding (`bool`):
            Stretch the temporal embedding over the clip instead of repeating it.

        Returns `last_hidden_state` (B, T, S, D), after the final norm, and `pooler_output` (B, D). `hidden_states` are
        (B, T, S, D), before the final norm; `attentions` (B * T, N, S, S').
        """
        self.check_clip(pixel_values_videos)
        hidden_states = self.embeddings(pixel_values_videos, interpolate_pos_encoding, interpolate_temporal_encoding)
        for layer in self.layers:
            hidden_states = layer(hidden_states, **kwargs)
        hidden_states = self.layernorm(hidden_states)
        pooled = None if self.pooler is None else self.pooler(hidden_states[:, :, 0], **kwargs)
        return BaseModelOutputWithPooling(last_hidden_state=hidden_states, pooler_output=pooled)

    def frame_features(self, pixel_values_videos: Tensor) -> Tensor:
        """The class token (B, T, D) of each frame; mixing lets it depend on neighbouring frames."""
        return self(pixel_values_videos).last_hidden_state[:, :, 0]

    def feature_map(self, pixel_values_videos: Tensor, **kwargs: Any) -> Tensor:
        """Patch features (B, T, h, w, D) of a clip; arguments as in `forward`."""
        patches = self(pixel_values_videos, **kwargs).last_hidden_state[:, :, 1:]
        return patches.unflatten(2, (pixel_values_videos.shape[-2] // self.config.patch_size, -1))


class XViTForVideoClassification(XViTPreTrainedModel):
    """XViT with a linear classifier on the clip's feature."""

    tasks = (LABEL,)

    def __init__(self, config: XViTConfig):
        super().__init__(config)
        self.num_labels = config.num_labels
        self.xvit = XViTModel(config)
        self.classifier = nn.Linear(config.pooler_output_size, config.num_labels)
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
            Normalised frames; further arguments as in [`XViTModel`].
        labels (`Tensor` of shape (B,) or (B, num_labels), *optional*):
            Class numbers, or multi-hot rows, as `config.problem_type` says; with
            `"single_label_classification"` also probabilities.

        Returns:
            [`ImageClassifierOutput`]: `logits` (B, num_labels); `loss` if labels are given; hidden states and
            attentions on request, attentions with `attn_implementation="eager"` only.

        Example:

        >>> import torch
        >>> from holovid import XViTConfig, XViTForVideoClassification
        >>> sizes = {"image_size": 32, "hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
        >>> config = XViTConfig(**sizes, num_labels=5)
        >>> model = XViTForVideoClassification(config)
        >>> outputs = model(torch.randn(2, 8, 3, 32, 32), labels=torch.tensor([0, 4]))
        >>> outputs.logits.shape, outputs.loss.shape
        (torch.Size([2, 5]), torch.Size([]))
        """
        outputs = self.xvit(pixel_values_videos, **kwargs)
        logits = self.classifier(outputs.pooler_output)
        loss = None if labels is None else video_classification_loss(self, labels, logits, **kwargs)
        return ImageClassifierOutput(
            loss=loss, logits=logits, hidden_states=outputs.hidden_states, attentions=outputs.attentions
        )

    @classmethod
    def from_image_model(
        cls, source: str | os.PathLike | PreTrainedModel, **config_overrides
    ) -> "XViTForVideoClassification":
        """Start from an image ViT of transformers, as the paper does from ImageNet-21k.

        Copies patch embedding, class token, positions (resized if the grid differs), layers and final norm. Temporal
        embedding and head are new; the former starts at zero, so at first only mixing connects the frames.
        `HolovidProcessor.for_model(model, source=source)` prepares frames as for the image model.

        Args:
            source: Hub id or folder of a ViT checkpoint, or the model itself (`ViTModel` or any model on top of one).
            config_overrides: fields of [`XViTConfig`], `num_labels`, `id2label`; the rest comes from the image model.

        Raises `ValueError` when the source is not a ViT or lacks tensors of it, and when an override leaves a tensor
        without a place.
        """
        check_field_names(XViTConfig, config_overrides)
        fields, tensors = read_image_vit(source)
        image_grid = XViTConfig(**fields).grid_size
        config = XViTConfig(**fields | config_overrides)
        positions = "embeddings.position_embeddings"
        tensors[positions] = resize_position_embeddings(tensors[positions], image_grid, config.grid_size)
        return start_from(cls(config), tensors)


__all__ = ["XViTForVideoClassification", "XViTModel", "XViTPreTrainedModel"]
