# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Attention along one axis of a clip's tokens: within a frame, along time at one place, or over the whole clip.

B clips, T frames, S tokens of a frame, D width, N heads, d width of a head.
"""

from collections.abc import Callable

from torch import Tensor, nn
from transformers import PreTrainedConfig
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.processing_utils import Unpack
from transformers.utils import TransformersKwargs

from holovid.modeling.modeling_common import eager_attention_forward


class AxisAttention(nn.Module):
    """Multi-head attention of readers (batch, length, ..., width) to sources (batch, length', ..., width).

    Returns the readers' new states, and the attention weights (batch, heads, length, length') if the implementation
    returns them. `heads(tokens, d)` views projected tokens as (batch, length, heads, d) and so chooses the axis.
    Nothing is copied: attention along time has the heads of all places side by side.
    """

    def __init__(
        self,
        config: PreTrainedConfig,
        width: int,
        heads: Callable[[Tensor, int], Tensor],
        bias: bool = True,
        key_bias: bool = True,
    ):
        super().__init__()
        self.config = config
        self.head_dim = width // config.num_attention_heads
        self.scaling = self.head_dim**-0.5
        self.attention_dropout = config.attention_probs_dropout_prob
        self.is_causal = False
        self.heads = heads
        self.q_proj = nn.Linear(width, width, bias=bias)
        self.k_proj = nn.Linear(width, width, bias=bias and key_bias)
        self.v_proj = nn.Linear(width, width, bias=bias)
        self.o_proj = nn.Linear(width, width)

    def forward(
        self,
        reader: Tensor,
        source: Tensor,
        attention_mask: Tensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple[Tensor, Tensor | None]:
        output, attention = self.read(reader, source, attention_mask, **kwargs)
        return self.o_proj(output), attention

    def read(
        self,
        reader: Tensor,
        source: Tensor,
        attention_mask: Tensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple[Tensor, Tensor | None]:
        """The attention output before its projection, and the weights; `attention_mask` is one of `masking_utils`."""
        attend: Callable = ALL_ATTENTION_FUNCTIONS.get_interface(
            self.config._attn_implementation, eager_attention_forward
        )
        output, attention = attend(
            self,
            self.heads(self.q_proj(reader), self.head_dim).transpose(1, 2),
            self.heads(self.k_proj(source), self.head_dim).transpose(1, 2),
            self.heads(self.v_proj(source), self.head_dim).transpose(1, 2),
            attention_mask,
            dropout=self.attention_dropout if self.training else 0.0,
            scaling=self.scaling,
            **kwargs,
        )
        return output.reshape(reader.shape), attention


def heads_along_space(tokens: Tensor, head_dim: int) -> Tensor:
    """(B, T, S, N * d) -> (B * T, S, N, d): attention within each frame."""
    return tokens.flatten(0, 1).unflatten(-1, (-1, head_dim))


def heads_along_time(tokens: Tensor, head_dim: int) -> Tensor:
    """(B, T, S, N * d) -> (B, T, S * N, d): attention along time at each place."""
    return tokens.unflatten(-1, (-1, head_dim)).flatten(2, 3)


def heads_of_all(tokens: Tensor, head_dim: int) -> Tensor:
    """(B, T, S, N * d) or (B, A, N * d) -> (B, T * S or A, N, d): attention over the whole clip."""
    return tokens.flatten(1, -2).unflatten(-1, (-1, head_dim))


__all__ = ["AxisAttention", "heads_along_space", "heads_along_time", "heads_of_all"]
