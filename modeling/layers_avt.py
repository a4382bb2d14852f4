# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""The decoder of AVT: each step attends to itself and earlier steps, and predicts the next (arXiv:2106.02036, 3.2).

features (B, T, D) -> hidden states (B, T, M) -> for each step the predicted feature of the next one (B, T, D)
B clips, T steps, D width of a feature, M width of the decoder, N heads. Names follow GPT-2, as in the released
weights; its linear layers hold their weights as (in, out).
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from transformers.activations import ACT2FN
from transformers.cache_utils import Cache
from transformers.masking_utils import create_causal_mask
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.processing_utils import Unpack
from transformers.pytorch_utils import Conv1D
from transformers.utils import TransformersKwargs

from holovid.configuration.configuration_avt import AVTConfig
from holovid.modeling.modeling_common import eager_attention_forward


class AVTAttention(nn.Module):
    """Causal attention; its weights are (B, N, T, all T so far)."""

    def __init__(self, config: AVTConfig, layer_idx: int):
        super().__init__()
        self.config, self.layer_idx = config, layer_idx
        width = config.head_hidden_size
        self.head_dim = width // config.head_num_attention_heads
        self.scaling = self.head_dim**-0.5
        self.attention_dropout = config.head_dropout
        self.is_causal = True
        self.c_attn = Conv1D(3 * width, width)
        self.c_proj = Conv1D(width, width)

    def forward(
        self,
        hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        cache: Cache | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple[Tensor, Tensor | None]:
        query, key, value = (
            tokens.unflatten(-1, (-1, self.head_dim)).transpose(1, 2)
            for tokens in self.c_attn(hidden_states).chunk(3, dim=-1)
        )
        if cache is not None:
            key, value = cache.update(key, value, self.layer_idx)
        attend: Callable = ALL_ATTENTION_FUNCTIONS.get_interface(
            self.config._attn_implementation, eager_attention_forward
        )
        output, attention = attend(
            self,
            query,
            key,
            value,
            attention_mask,
            dropout=self.attention_dropout if self.training else 0.0,
            scaling=self.scaling,
            **kwargs,
        )
        return self.c_proj(output.reshape(hidden_states.shape)), attention


class AVTMLP(nn.Module):
    def __init__(self, config: AVTConfig):
        super().__init__()
        self.c_fc = Conv1D(config.head_intermediate_size, config.head_hidden_size)
        self.activation = ACT2FN[config.head_hidden_act]
        self.c_proj = Conv1D(config.head_hidden_size, config.head_intermediate_size)

    def forward(self, hidden_states: Tensor) -> Tensor:
        return self.c_proj(self.activation(self.c_fc(hidden_states)))


class AVTLayer(GradientCheckpointingLayer):
    def __init__(self, config: AVTConfig, layer_idx: int):
        super().__init__()
        width, epsilon = config.head_hidden_size, config.head_layer_norm_eps
        self.ln_1 = nn.LayerNorm(width, eps=epsilon)
        self.attn = AVTAttention(config, layer_idx)
        self.ln_2 = nn.LayerNorm(width, eps=epsilon)
        self.mlp = AVTMLP(config)
        self.dropout = nn.Dropout(config.head_dropout)

    def forward(self, hidden_states: Tensor, **kwargs: Unpack[TransformersKwargs]) -> Tensor:
        attended, _ = self.attn(self.ln_1(hidden_states), **kwargs)
        hidden_states = hidden_states + self.dropout(attended)
        return hidden_states + self.dropout(self.mlp(self.ln_2(hidden_states)))


class AVTDecoder(nn.Module):
    """Features (B, T, D) -> hidden states (B, T, M); `predict` turns these into features of the next steps."""

    def __init__(self, config: AVTConfig):
        super().__init__()
        self.config = config
        width = config.head_hidden_size
        self.encoder = nn.Linear(config.frame_width, width, bias=False)
        self.wpe = nn.Embedding(config.max_position_embeddings, width)
        self.dropout = nn.Dropout(config.head_dropout)
        self.h = nn.ModuleList(AVTLayer(config, index) for index in range(config.head_num_hidden_layers))
        self.ln_f = nn.LayerNorm(width, eps=config.head_layer_norm_eps)
        self.decoder = nn.Linear(width, config.frame_width, bias=False)

    def forward(self, features: Tensor, cache: Cache | None = None, **kwargs: Unpack[TransformersKwargs]) -> Tensor:
        return self.decode(self.encoder(features), cache, **kwargs)

    def decode(self, embedded: Tensor, cache: Cache | None = None, **kwargs: Unpack[TransformersKwargs]) -> Tensor:
        """Hidden states (B, T, M) of steps after the cache's. Raises `ValueError` for more steps than positions."""
        seen = 0 if cache is None else cache.get_seq_length()
        steps, most = embedded.shape[1], self.config.max_position_embeddings
        if seen + steps > most:
            raise ValueError(f"the decoder has positions for {most} steps, got {seen + steps}")
        positions = torch.arange(seen, seen + steps, device=embedded.device)[None]
        # by place: transformers 5.24 calls past_key_values cache
        mask = create_causal_mask(self.config, embedded, None, cache)
        hidden_states = self.dropout(embedded + self.wpe(positions))
        for layer in self.h:
            hidden_states = layer(hidden_states, attention_mask=mask, cache=cache, **kwargs)
        return self.ln_f(hidden_states)

    def predict(self, hidden_states: Tensor) -> Tensor:
        """Hidden states (B, T, M) -> features (B, T, D) of the next steps."""
        return self.decoder(hidden_states)


__all__ = ["AVTAttention", "AVTDecoder", "AVTLayer"]
