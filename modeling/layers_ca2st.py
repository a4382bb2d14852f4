# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""The layers of the CA²ST family: three experts (embeddings, attention, MLP) and the exchange between them.

clip (B, F, C, H, W)  -> space (B, T, 1 + S, D)  one class token and the patches of every moment  (CLIP)
                      -> time  (B, T, S, D)      tokens of two frames each                         (VideoMAE)
sound (B, frames, mel bins) -> audio (B, 2 + A, D)  two special tokens, then patches               (AST)
L x [each expert: attention; each pair: exchange; each expert: MLP]

B clips, F frames, T moments (F / tubelet size), S patches of a frame, A audio patches, D width, d bottleneck width,
N heads. A direction is written reader first: "space_reads_time". Sources: arXiv:2311.18825 (CAST), arXiv:2503.23447.
Classes stand in the order the tensors flow. "Departs:" marks where we differ from the released code.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from torchvision.ops import StochasticDepth
from transformers.activations import ACT2FN
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.processing_utils import Unpack
from transformers.utils import TransformersKwargs
from transformers.utils.generic import maybe_autocast

from holovid.configuration.configuration_ca2st import EXPERTS, CA2STConfig
from holovid.modeling.axis_attention import AxisAttention, heads_along_space, heads_along_time, heads_of_all
from holovid.modeling.linear import activated

SPECIAL_TOKENS = {"space": 1, "time": 0, "audio": 2}  # before the patches; no part in exchanges


class CA2STSpaceEmbeddings(nn.Module):
    """Frames (B, F, C, H, W) -> (B, T, 1 + S, D), of the last frame of each tubelet (CLIP's image tower)."""

    def __init__(self, config: CA2STConfig):
        super().__init__()
        self.tubelet_size = config.tubelet_size
        size = config.patch_size
        self.projection = nn.Conv2d(config.num_channels, config.hidden_size, size, stride=size, bias=False)
        self.cls_token = nn.Parameter(torch.zeros(config.hidden_size))
        self.position_embeddings = nn.Parameter(torch.zeros(1 + config.num_patches, config.hidden_size))
        self.layernorm = nn.LayerNorm(config.hidden_size, eps=config.space_layer_norm_eps)

    def forward(self, pixel_values_videos: Tensor) -> Tensor:
        frames = pixel_values_videos[:, self.tubelet_size - 1 :: self.tubelet_size].to(self.projection.weight.dtype)
        patches = self.projection(frames.flatten(0, 1)).flatten(2).transpose(1, 2).unflatten(0, frames.shape[:2])
        tokens = torch.cat((self.cls_token.expand(*frames.shape[:2], 1, -1), patches), dim=2)
        return self.layernorm(tokens + self.position_embeddings)


def sinusoids(slots: int, patches: int, width: int) -> Tensor:
    """(T, S, D): sine in even and cosine in odd channels of place / 10000 ** (2 * (channel // 2) / D)."""
    channels = torch.arange(width)
    places = torch.arange(slots * patches, dtype=torch.float64)
    angles = places[:, None] / 10000 ** (2 * (channels // 2).double() / width)
    table = torch.where(channels % 2 == 0, angles.sin(), angles.cos())
    return table.to(torch.get_default_dtype()).unflatten(0, (slots, patches))


class CA2STTimeEmbeddings(nn.Module):
    """Frames (B, F, C, H, W) -> (B, T, S, D), with sinusoids over all T * S places (VideoMAE)."""

    def __init__(self, config: CA2STConfig):
        super().__init__()
        size = (config.tubelet_size, config.patch_size, config.patch_size)
        self.projection = nn.Conv3d(config.num_channels, config.hidden_size, size, stride=size)
        table = sinusoids(config.num_slots, config.num_patches, config.hidden_size)
        self.register_buffer("position_embeddings", table, persistent=False)

    def forward(self, pixel_values_videos: Tensor) -> Tensor:
        frames = pixel_values_videos.to(self.projection.weight.dtype).transpose(1, 2)
        tokens = self.projection(frames).flatten(3).permute(0, 2, 3, 1)
        # a sum keeps its first term's layout; channels first would slow down every layer (1 % on a CPU)
        return tokens.contiguous() + self.position_embeddings


class CA2STAudioEmbeddings(nn.Module):
    """Log-mel (B, frames, mel bins) -> (B, 2 + A, D), patches in frequency-major order (AST)."""

    def __init__(self, config: CA2STConfig):
        super().__init__()
        self.projection = nn.Conv2d(1, config.hidden_size, config.audio_patch_size, stride=config.audio_stride)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.hidden_size))
        self.distillation_token = nn.Parameter(torch.zeros(1, 1, config.hidden_size))
        rows, columns = config.audio_grid
        self.position_embeddings = nn.Parameter(torch.zeros(1, 2 + rows * columns, config.hidden_size))

    def forward(self, input_values: Tensor) -> Tensor:
        picture = input_values.to(self.projection.weight.dtype).transpose(1, 2)[:, None]
        patches = self.projection(picture).flatten(2).transpose(1, 2)
        special = (token.expand(patches.shape[0], -1, -1) for token in (self.cls_token, self.distillation_token))
        return torch.cat((*special, patches), dim=1) + self.position_embeddings


class CA2STTimestamps(nn.Module):
    """Intervals in seconds (..., 2), start and end -> vectors (..., d), for the exchange with audio.

    Inputs and weights stay in float32 at least, whatever the rest of the model and autocast use: in 16 bits, times
    near two minutes have steps of half a second, and neighbouring frames get the same time.
    """

    def __init__(self, config: CA2STConfig):
        super().__init__()
        width, dtype = config.bottleneck_size, torch.promote_types(torch.get_default_dtype(), torch.float32)
        self.layers = nn.ModuleList([nn.Linear(inside, width, dtype=dtype) for inside in (2, width, width)])
        self.layernorm = nn.LayerNorm(width, eps=1e-5, dtype=dtype)

    @property
    def dtype(self) -> torch.dtype:
        return self.layernorm.weight.dtype

    def forward(self, intervals: Tensor) -> Tensor:
        with maybe_autocast(intervals.device.type, enabled=False):
            hidden_states = intervals.to(self.dtype)
            for layer in self.layers:
                hidden_states = layer(hidden_states).relu()
            return self.layernorm(hidden_states)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "CA2STTimestamps":
        """Called by `half()`, `to(torch.bfloat16)` and the like; keeps this module out of 16 bits."""

        def apply(tensor: Tensor) -> Tensor:
            changed = fn(tensor)
            is_narrowed = changed.is_floating_point() and changed.itemsize < 4 <= tensor.itemsize
            return tensor.to(changed.device) if is_narrowed else changed

        return super()._apply(apply, recurse)


# the axis of attention inside an expert, and between two experts
OWN_AXIS = {"space": heads_along_space, "time": heads_of_all, "audio": heads_of_all}
READING_AXIS = {"space_reads_time": heads_along_time, "time_reads_space": heads_along_space}  # others: the whole clip


class CA2STZeroLinear(nn.Linear):
    """Initialised to zero, so the frozen experts start unchanged."""


class CA2STAdapter(nn.Module):
    """(..., D) -> (..., D) through a bottleneck; outputs zero at first."""

    def __init__(self, config: CA2STConfig):
        super().__init__()
        self.down = nn.Linear(config.hidden_size, config.adapter_size)
        self.activation = ACT2FN["gelu"]
        self.up = CA2STZeroLinear(config.adapter_size, config.hidden_size)

    def forward(self, hidden_states: Tensor) -> Tensor:
        return self.up(self.activation(self.down(hidden_states)))


class CA2STExpertAttention(nn.Module):
    """An expert's frozen self-attention with an adapter behind it: x + a + adapter(a)."""

    def __init__(self, config: CA2STConfig, expert: str, layer_norm_eps: float, drop_path: nn.Module):
        super().__init__()
        self.layernorm = nn.LayerNorm(config.hidden_size, eps=layer_norm_eps)
        self.attention = AxisAttention(config, config.hidden_size, OWN_AXIS[expert], key_bias=expert != "time")
        self.adapter = CA2STAdapter(config)
        self.drop_path = drop_path if expert == "audio" else nn.Identity()  # as released: this branch only for audio

    def forward(self, hidden_states: Tensor, **kwargs: Unpack[TransformersKwargs]) -> Tensor:
        normed = self.layernorm(hidden_states)
        attended, _ = self.attention(normed, normed, **kwargs)
        return hidden_states + self.drop_path(attended + self.adapter(attended))


def quick_gelu(x: Tensor) -> Tensor:
    """CLIP's x * sigmoid(1.702 x), computed as silu(1.702 x) / 1.702, which writes and keeps half as much.

    Overwrites `x` if no gradients are needed. On a CPU new memory costs more than the arithmetic; both together save 3
    % of a forward pass of CAST-B/16. A function, not a module, so that its argument is freed early.
    """
    kept = x.requires_grad
    x = 1.702 * x if kept else x.mul_(1.702)
    return nn.functional.silu(x, inplace=not kept).mul_(1 / 1.702)


class CA2STExpertMLP(nn.Module):
    """An expert's MLP with an adapter beside it: x + mlp(y) + adapter(y) / 2, y = norm(x).

    With `recompute`, set by `freeze_experts`, training keeps only x, and the backward pass computes the rest again:
    the hidden layer is four times as large as the states, and a frozen one only passes gradients on.
    """

    def __init__(self, config: CA2STConfig, expert: str, layer_norm_eps: float, drop_path: nn.Module):
        super().__init__()
        self.recompute = False
        self.layernorm = nn.LayerNorm(config.hidden_size, eps=layer_norm_eps)
        self.fc1 = nn.Linear(config.hidden_size, config.intermediate_size)
        self.activation = quick_gelu if expert == "space" else nn.functional.gelu
        self.fc2 = nn.Linear(config.intermediate_size, config.hidden_size)
        self.adapter = CA2STAdapter(config)
        self.drop_path = drop_path

    def forward(self, hidden_states: Tensor) -> Tensor:
        if self.recompute and torch.is_grad_enabled() and hidden_states.requires_grad:
            adapted, mlp = checkpoint(self.branches, hidden_states, use_reentrant=False, preserve_rng_state=False)
        else:
            adapted, mlp = self.branches(hidden_states)
        return (hidden_states + mlp).add_(self.drop_path(adapted), alpha=0.5)

    def branches(self, hidden_states: Tensor) -> tuple[Tensor, Tensor]:
        normed = self.layernorm(hidden_states)
        adapted = self.adapter(normed)
        # the last product is not recomputed
        return adapted, self.fc2(activated(self.fc1, self.activation, normed))


class CA2STTables(nn.Module):
    """Adds learned positions, a sum of broadcast tables; it adds them itself for tools that count operations."""

    def __init__(self, **shapes: tuple[int, ...]):
        super().__init__()
        self.names = list(shapes)
        for name, shape in shapes.items():
            self.register_parameter(name, nn.Parameter(torch.zeros(shape)))

    def forward(self, tokens: Tensor, timestamps: Tensor | None) -> Tensor:
        first, *others = (getattr(self, name) for name in self.names)
        return tokens + sum(others, start=first)


class CA2STGivenPositions(nn.Module):
    def forward(self, tokens: Tensor, timestamps: Tensor | None) -> Tensor:
        assert timestamps is not None
        return tokens + timestamps


def build_positions(config: CA2STConfig, expert: str, direction: str) -> nn.Module:
    width, slots, patches = config.bottleneck_size, config.num_slots, config.num_patches
    if direction == "space_reads_time":
        return CA2STTables(time=(slots, 1, width))
    if direction == "time_reads_space":
        return CA2STTables(space=(patches, width))
    if config.audio_positions == "timestamps":
        return CA2STGivenPositions()
    if expert == "audio":  # the second table is the same for all tokens; released weights have it
        rows, columns = config.audio_grid
        return CA2STTables(space=(rows * columns, width), time=(1, width))
    return CA2STTables(space=(patches, width), time=(slots, 1, width))


class CA2STReading(nn.Module):
    """One direction of an exchange: the reader's patches attend to the source's. Special tokens pass through."""

    def __init__(self, config: CA2STConfig, reader: str, source: str):
        super().__init__()
        self.reader, self.source = reader, source
        direction = f"{reader}_reads_{source}"
        self.reader_positions = build_positions(config, reader, direction)
        self.source_positions = build_positions(config, source, direction)
        axis = READING_AXIS.get(direction, heads_of_all)
        self.attention = AxisAttention(config, config.bottleneck_size, axis)

    def forward(
        self, narrow: dict[str, Tensor], timestamps: dict[str, Tensor | None], **kwargs: Unpack[TransformersKwargs]
    ) -> Tensor:
        special, patches = split_special(narrow[self.reader], self.reader)
        _, source = split_special(narrow[self.source], self.source)
        attended, _ = self.attention(
            self.reader_positions(patches, timestamps[self.reader]),
            self.source_positions(source, timestamps[self.source]),
            **kwargs,
        )
        return torch.cat((special, attended), dim=-2)


def split_special(tokens: Tensor, expert: str) -> tuple[Tensor, Tensor]:
    return tokens[..., : SPECIAL_TOKENS[expert], :], tokens[..., SPECIAL_TOKENS[expert] :, :]


class CA2STExchange(nn.Module):
    """Bottleneck cross-attention (B-CA) between two experts, inside the bottleneck, both ways from the same states."""

    def __init__(self, config: CA2STConfig, first: str, second: str):
        super().__init__()
        self.experts = (first, second)
        width = config.bottleneck_size
        self.layernorms = nn.ModuleDict(
            {expert: nn.LayerNorm(width, eps=config.layer_norm_eps) for expert in self.experts}
        )
        self.readings = nn.ModuleDict(
            {reader: CA2STReading(config, reader, source) for reader, source in ((first, second), (second, first))}
        )
        self.activation = ACT2FN["gelu"]

    def forward(
        self, narrow: dict[str, Tensor], timestamps: dict[str, Tensor | None], **kwargs: Unpack[TransformersKwargs]
    ) -> dict[str, Tensor]:
        normed = {expert: self.layernorms[expert](narrow[expert]) for expert in self.experts}
        return {
            expert: self.activation(self.readings[expert](normed, timestamps, **kwargs)) for expert in self.experts
        }


class CA2STLayer(GradientCheckpointingLayer):
    """One layer of every expert, with the exchanges between attention and MLP.

    Takes and returns the tokens of space, time and audio, `None` for an absent expert: they are separate arguments so
    that activation checkpointing sees them. `frame_vectors` (B, T, 1, d) and `audio_vectors` (B, A, d) encode times;
    `audio_mask` (B,) is False for clips without sound, whose audio no expert reads.
    """

    def __init__(self, config: CA2STConfig, index: int):
        super().__init__()
        epsilon = {expert: config.layer_norm_eps for expert in config.experts} | {"space": config.space_layer_norm_eps}
        rate = config.drop_path_rate * index / max(config.num_hidden_layers - 1, 1)
        # Departs: for the space expert the released code drops token places of the whole batch; here, whole clips.
        self.drop_path = StochasticDepth(rate, mode="row") if rate else nn.Identity()
        pairs = [pair for pair in config.pairs if index in config.exchange_layers[pair]]  # type: ignore[index]
        self.attentions = nn.ModuleDict(
            {
                expert: CA2STExpertAttention(config, expert, epsilon[expert], self.drop_path)
                for expert in config.experts
            }
        )
        self.exchanges = nn.ModuleDict({pair: CA2STExchange(config, *pair.split("_")) for pair in pairs})
        # in a round all pairs read the same states
        self.rounds = [pairs] if config.exchange_order == "parallel" else [[pair] for pair in pairs]
        self.projection = {
            (pair, expert): expert if config.share_projections else f"{pair}_{expert}"
            for pair in pairs
            for expert in pair.split("_")
        }
        names = sorted(set(self.projection.values()))
        sizes = config.hidden_size, config.bottleneck_size
        self.down = nn.ModuleDict({name: nn.Linear(*sizes) for name in names})
        self.up = nn.ModuleDict({name: CA2STZeroLinear(*reversed(sizes)) for name in names})
        self.mlps = nn.ModuleDict(
            {expert: CA2STExpertMLP(config, expert, epsilon[expert], self.drop_path) for expert in config.experts}
        )

    def forward(
        self,
        space: Tensor,
        time: Tensor | None,
        audio: Tensor | None,
        frame_vectors: Tensor | None = None,
        audio_vectors: Tensor | None = None,
        audio_mask: Tensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple[Tensor | None, ...]:
        timestamps = {"space": frame_vectors, "time": frame_vectors, "audio": audio_vectors}
        tokens = {"space": space, "time": time, "audio": audio}
        states = {expert: attention(tokens[expert], **kwargs) for expert, attention in self.attentions.items()}
        for pairs in self.rounds:
            updates: dict[str, dict[str, Tensor]] = {expert: {} for expert in states}
            for pair in pairs:
                exchange = self.exchanges[pair]
                narrow = {
                    expert: self.down[self.projection[pair, expert]](states[expert]) for expert in pair.split("_")
                }
                for expert, read in exchange(narrow, timestamps, **kwargs).items():
                    updates[expert][pair] = self.up[self.projection[pair, expert]](read)
            states = {
                expert: tokens + self.drop_path(mean_update(updates[expert], audio_mask))
                if updates[expert]
                else tokens
                for expert, tokens in states.items()
            }
        states = {expert: mlp(states[expert]) for expert, mlp in self.mlps.items()}
        return tuple(states.get(expert) for expert in EXPERTS)


def mean_update(updates: dict[str, Tensor], audio_mask: Tensor | None) -> Tensor:
    """The mean of an expert's updates over pairs; without sound, over the pairs without audio (or zero)."""
    first, *others = updates.values()
    heard = [pair for pair in updates if "audio" in pair]
    if audio_mask is None or not heard:
        return sum(others, start=first) / len(updates) if others else first
    mask = audio_mask.view(-1, *[1] * (first.ndim - 1))
    first, *others = (update.masked_fill(~mask, 0.0) if pair in heard else update for pair, update in updates.items())
    count = (len(updates) - len(heard)) + len(heard) * mask.to(first.dtype)
    return sum(others, start=first) / count.clamp(min=1)


class CA2STSpaceFeature(nn.Module):
    """(B, T, 1 + S, D) -> (B, D): mean of the class tokens over time, then norm."""

    def __init__(self, config: CA2STConfig):
        super().__init__()
        self.layernorm = nn.LayerNorm(config.hidden_size, eps=config.space_feature_layer_norm_eps)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.layernorm(tokens[:, :, 0].mean(dim=1))


class CA2STTimeFeature(nn.Module):
    """(B, T, S, D) -> (B, D): mean of all tokens, then norm."""

    def __init__(self, config: CA2STConfig):
        super().__init__()
        self.layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.layernorm(tokens.mean(dim=(1, 2)))


class CA2STAudioFeature(nn.Module):
    """(B, 2 + A, D) -> (B, D): norm, then mean of the two special tokens."""

    def __init__(self, config: CA2STConfig):
        super().__init__()
        self.layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.layernorm(tokens[:, :2]).mean(dim=1)


EMBEDDINGS = {"space": CA2STSpaceEmbeddings, "time": CA2STTimeEmbeddings, "audio": CA2STAudioEmbeddings}
FEATURES = {"space": CA2STSpaceFeature, "time": CA2STTimeFeature, "audio": CA2STAudioFeature}
