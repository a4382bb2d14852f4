# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""The layers of WhereWhen: encoders, attention to patches, mixing of frames and audio, attention to moments.

frames (B, F, 3, H, W)     -> patches (B, T, h, w, C)      an image model for each frame, or a model of clips
sound (B, rows, mel bins)  -> steps (B, A, C')             AST, the mean over frequency
patches, what is heard (B, T, D) -> features of frames (B, T, D), where (B, T, h, w)
features, steps            -> L x [attention among frames and sound, MLP]

B clips, F frames, T moments (F, or fewer where the model of clips joins frames), h, w patches of a frame, S = h * w,
A steps of sound, C widths of the encoders, D width, N heads, d = D / N. Classes stand in the order the tensors
flow.
"""

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.models.auto.modeling_auto import MODEL_MAPPING
from transformers.processing_utils import Unpack
from transformers.utils import TransformersKwargs

from holovid.configuration.configuration_where_when import WhereWhenConfig
from holovid.modeling.axis_attention import AxisAttention, heads_of_all
from holovid.modeling.inner_models import build_inner_model
from holovid.modeling.vit_parts import MLP

ALWAYS = 1e6  # seconds, longer than any clip
INSTANT = 1e-3  # seconds; a shorter overlap is rounding


class WhereWhenFrameEncoder(nn.Module):
    """Frames (B, F, 3, H, W) -> patches (B, F, h, w, C), each frame alone; class tokens and the like are left out."""

    def __init__(self, config: PreTrainedConfig):
        super().__init__()
        self.model = build_inner_model(config)
        patch = config.patch_size
        self.patch_size = (patch, patch) if isinstance(patch, int) else tuple(patch)

    def forward(self, pixel_values_videos: Tensor) -> Tensor:
        frames = pixel_values_videos.flatten(0, 1).to(self.model.dtype)
        tokens = self.model(frames).last_hidden_state
        rows, columns = (side // patch for side, patch in zip(frames.shape[-2:], self.patch_size, strict=True))
        if tokens.ndim != 3 or tokens.shape[1] < rows * columns:
            raise ValueError(
                f"the tokens of a {self.model.config.model_type} are not patches of {self.patch_size} pixels, got "
                f"{tuple(tokens.shape)}; visual_config must be of a model such as ViT, DINOv2, SigLIP"
            )
        patches = tokens[:, tokens.shape[1] - rows * columns :]
        return patches.unflatten(1, (rows, columns)).unflatten(0, pixel_values_videos.shape[:2])


class WhereWhenClipEncoder(nn.Module):
    """Frames (B, F, 3, H, W) -> patches (B, T, h, w, C) by a model of holovid, which sees the whole clip."""

    def __init__(self, config: PreTrainedConfig):
        super().__init__()
        self.model = build_inner_model(config)

    def forward(self, pixel_values_videos: Tensor) -> Tensor:
        return self.model.feature_map(pixel_values_videos.to(self.model.dtype))


def build_visual_encoder(config: PreTrainedConfig) -> nn.Module:
    """A clip encoder if the model has a `feature_map`, else a frame encoder.

    Raises `ValueError` for a model that uses audio: its frame features would depend on sound, too.
    """
    if getattr(config, "hears", False):
        raise ValueError(
            f"visual_config must be of a model of frames alone, got a {config.model_type} that also uses audio"
        )
    sees_clips = hasattr(MODEL_MAPPING[type(config)], "feature_map")
    return WhereWhenClipEncoder(config) if sees_clips else WhereWhenFrameEncoder(config)


class WhereWhenSoundEncoder(nn.Module):
    """Log-mel (B, rows, mel bins) -> steps (B, A, C): the mean of AST's patches over frequency."""

    def __init__(self, config: PreTrainedConfig, num_steps: int):
        super().__init__()
        self.num_steps = num_steps
        self.model = build_inner_model(config)

    def forward(self, input_values: Tensor) -> Tensor:
        tokens = self.model(input_values.to(self.model.dtype)).last_hidden_state
        return tokens[:, 2:].unflatten(1, (-1, self.num_steps)).mean(dim=1)


def borders(times: Tensor) -> tuple[Tensor, Tensor]:
    """Times (B, n) in seconds -> start and end (B, n) of the interval nearest to each."""
    if times.shape[1] == 1:
        return times - ALWAYS, times + ALWAYS
    between = (times[:, 1:] + times[:, :-1]) / 2
    first, last = 2 * times[:, :1] - between[:, :1], 2 * times[:, -1:] - between[:, -1:]
    return torch.cat((first, between), dim=1), torch.cat((between, last), dim=1)


def shares_of_sound(frame_times: Tensor, audio_times: Tensor, audio_mask: Tensor) -> tuple[Tensor, Tensor]:
    """How much of each audio step belongs to each frame, (B, T, A), by their overlap in seconds.

    A frame's shares sum to 1, or are 0 if it has no sound; the second value (B, T) says whether it has.

    Args:
        frame_times (B, T), audio_times (B, A): middles, in seconds.
        audio_mask (B, A): False for steps to ignore.
    """
    if not audio_times.shape[1]:
        nothing = frame_times.new_zeros(*frame_times.shape, 0)
        return nothing, torch.zeros_like(frame_times, dtype=torch.bool)
    audio_start, audio_end = borders(audio_times)
    start, end = borders(frame_times)
    # a repeated frame has no interval of its own; it takes the step around it
    step = (audio_end - audio_start).mean(dim=1, keepdim=True) / 2
    start, end = torch.minimum(start, frame_times - step), torch.maximum(end, frame_times + step)
    common = torch.minimum(end[..., None], audio_end[:, None]) - torch.maximum(start[..., None], audio_start[:, None])
    common = common.masked_fill((common < INSTANT) | ~audio_mask[:, None], 0.0)
    total = common.sum(dim=-1)
    return common / total.clamp(min=INSTANT)[..., None], total > 0


class WhereWhenSpatialAttention(nn.Module):
    """Audio at a frame's time queries the patches of that frame; without sound, a learned query does.

    Of N heads with query q (d,): weights softmax_s(q W_k x_s / sqrt(d)), output W_v sum_s(weight_s x_s). With W_k
    applied to the query and W_v to the sum, patches need no keys and values, at one S-th of the cost.
    """

    def __init__(self, config: WhereWhenConfig):
        super().__init__()
        width, heads = config.hidden_size, config.num_attention_heads
        self.head_dim = width // heads
        self.silent_query = nn.Parameter(torch.zeros(width))
        self.layernorm = nn.LayerNorm(config.visual_width, eps=config.layer_norm_eps)
        self.q_proj = nn.Linear(width, width)
        self.key_weight = nn.Parameter(torch.zeros(heads, self.head_dim, config.visual_width))
        self.value_weight = nn.Parameter(torch.zeros(heads, self.head_dim, config.visual_width))
        self.o_proj = nn.Linear(width, width)

    def forward(self, patches: Tensor, heard: Tensor, hears: Tensor) -> tuple[Tensor, Tensor]:
        """
        Args:
            patches: (B, T, h, w, C).
            heard: (B, T, D), for the frames where `hears` (B, T) is True.

        Returns features (B, T, D), and the mean over heads of the attention weights, (B, T, h, w), which sums to 1.
        """
        grid = patches.shape[2:4]
        patches = self.layernorm(patches.flatten(2, 3))
        question = torch.where(hears[..., None], heard, self.silent_query.to(heard.dtype))
        query = self.q_proj(question).unflatten(-1, (-1, self.head_dim)) * self.head_dim**-0.5
        query = torch.einsum("btnd,ndc->btnc", query, self.key_weight)
        weights = (query @ patches.transpose(-1, -2)).softmax(dim=-1, dtype=torch.float32)
        read = torch.einsum("btnc,ndc->btnd", weights.to(patches.dtype) @ patches, self.value_weight)
        return self.o_proj(read.flatten(-2)), weights.mean(dim=2).unflatten(-1, grid)


class WhereWhenPositions(nn.Module):
    """Adds learned positions to (B, n, D), stretched over any number of steps; a table for each modality."""

    def __init__(self, config: WhereWhenConfig, num_steps: int):
        super().__init__()
        self.table = nn.Parameter(torch.zeros(1, num_steps, config.hidden_size))

    def forward(self, steps: Tensor) -> Tensor:
        count = steps.shape[1]
        table: Tensor = self.table
        if not count:
            return steps
        if count != table.shape[1]:
            stretched = nn.functional.interpolate(table.float().transpose(1, 2), size=count, mode="linear")
            table = stretched.transpose(1, 2).to(table.dtype)
        return steps + table


class WhereWhenLayer(GradientCheckpointingLayer):
    def __init__(self, config: WhereWhenConfig):
        super().__init__()
        width, epsilon = config.hidden_size, config.layer_norm_eps
        self.layernorm_before = nn.LayerNorm(width, eps=epsilon)
        self.attention = AxisAttention(config, width, heads_of_all)
        self.layernorm_after = nn.LayerNorm(width, eps=epsilon)
        self.mlp = MLP(width, config.intermediate_size, config.hidden_act, config.hidden_dropout_prob)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(
        self, hidden_states: Tensor, attention_mask: Tensor | None, **kwargs: Unpack[TransformersKwargs]
    ) -> Tensor:
        normed = self.layernorm_before(hidden_states)
        attended, _ = self.attention(normed, normed, attention_mask, **kwargs)
        hidden_states = hidden_states + self.dropout(attended)
        return hidden_states + self.dropout(self.mlp(self.layernorm_after(hidden_states)))


class WhereWhenTemporalPooling(nn.Module):
    """When: softmax over steps, with scores from mixed states and a weighted sum of unmixed ones.

    So a step counts for what it shows or sounds like itself, not for what mixing brought to it.
    """

    def __init__(self, config: WhereWhenConfig):
        super().__init__()
        width, epsilon = config.hidden_size, config.layer_norm_eps
        self.state_layernorm = nn.LayerNorm(width, eps=epsilon)
        self.score = nn.Linear(width, 1, bias=False)  # softmax ignores a bias
        self.value_layernorm = nn.LayerNorm(width, eps=epsilon)

    def forward(self, states: Tensor, steps: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """
        Args:
            states, steps: (B, n, D), mixed and unmixed.
            mask: (B, n), False for steps to ignore.

        Returns weights (B, n), which sum to 1 or are all 0 if no step counts, and their values (B, n, D).
        """
        scores = self.score(self.state_layernorm(states)).squeeze(-1).float()
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        weights = scores.softmax(dim=-1).masked_fill(~mask, 0.0)
        return weights.to(steps.dtype), self.value_layernorm(steps)
