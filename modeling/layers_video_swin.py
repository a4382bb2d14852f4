# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Attention of Video Swin: how tokens are grouped into windows, and biases for their distances.

tokens (B, T, H, W, C) -> windows (G, B, S, C) -> attention inside each window -> tokens (B, T, H, W, C)

B clips, T x H x W tokens of a clip, C width, N heads, G windows of a clip, S tokens of a window in the order of time,
height, width. A shifted window at the end of an axis holds tokens from both ends of the clip, which a mask keeps
apart. So there are at most 8 kinds of windows: inner ones, and those at the end of 1, 2 or 3 axes. Windows of a kind
are neighbours and share a mask.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.processing_utils import Unpack
from transformers.utils import TransformersKwargs

from holovid.configuration.configuration_video_swin import VideoSwinConfig
from holovid.modeling.modeling_common import eager_attention_forward

APART = -100.0  # added to scores of tokens that a mask keeps apart, as released
MOST_KEPT = 64  # entries of the cache
SCORES_AT_ONCE = 2**20  # in a training step on a CPU: 4 MB of float32, which fit its cache

Size = tuple[int, int, int]


@dataclass(frozen=True)
class WindowKind:
    """Windows `start` to `stop` share a `mask` (S, S), which is added to their scores."""

    start: int
    stop: int
    mask: Tensor | None

    def rows(self, batch: int) -> slice:
        """Their rows among the windows of `batch` clips, (G * B, ...)."""
        return slice(self.start * batch, self.stop * batch)

    def added_to(self, bias: Tensor) -> Tensor:
        """The sum of position bias and mask, (N, S, S)."""
        return bias if self.mask is None else bias + self.mask.to(bias.dtype)


class Windows:
    """Windows of a grid of `size` tokens, shifted by `shift`; each (time, height, width). Short axes have only one."""

    def __init__(self, size: Size, window: Sequence[int], shift: Sequence[int], device: torch.device):
        fits = [tokens <= side for tokens, side in zip(size, window, strict=True)]
        self.size = size
        self.window = [min(tokens, side) for tokens, side in zip(size, window, strict=True)]
        self.shift = [0 if fit else step for fit, step in zip(fits, shift, strict=True)]
        self.counts = [-(-tokens // side) for tokens, side in zip(size, self.window, strict=True)]
        self.padded = [count * side for count, side in zip(self.counts, self.window, strict=True)]
        self.num_windows, self.num_tokens = prod(self.counts), prod(self.window)
        self.kinds = [WindowKind(0, self.num_windows, None)]
        self.is_moved = any(self.shift)
        if self.is_moved:
            self._arrange(device)

    def _arrange(self, device: torch.device) -> None:
        """Token numbers by window, `tokens` (G, S); the inverse, `places` (tokens,); window numbers, `order` (G,)."""
        rows: Tensor = torch.arange(prod(self.padded), device=device).view(self.padded)
        rows = rows.roll([-step for step in self.shift], (0, 1, 2))
        (t, h, w), (wt, wh, ww) = self.counts, self.window
        rows = rows.view(t, wt, h, wh, w, ww).permute(0, 2, 4, 1, 3, 5).flatten(3)
        numbers = torch.arange(self.num_windows, device=device).view(self.counts)
        axes = [
            ((0, n - 1), (n - 1, n)) if step else ((0, n),) for n, step in zip(self.counts, self.shift, strict=True)
        ]
        tokens, order, kinds, start = [], [], [], 0
        for (a, b), (c, d), (e, f) in product(*axes):
            count = (b - a) * (d - c) * (f - e)
            at_end = [stop == n for stop, n in zip((b, d, f), self.counts, strict=True)]
            tokens.append(rows[a:b, c:d, e:f].flatten(0, 2))
            order.append(numbers[a:b, c:d, e:f].flatten())
            kinds.append(WindowKind(start, start + count, self._mask(at_end, device)))
            start += count
        self.kinds, self.tokens, self.order = kinds, torch.cat(tokens), torch.cat(order)
        self.places = places_of(self.tokens.flatten())

    def _mask(self, at_end: Sequence[bool], device: torch.device) -> Tensor | None:
        """Mask (S, S) of a window at the end of these axes: `APART` between tokens from opposite ends of the clip."""
        if not any(end and step for end, step in zip(at_end, self.shift, strict=True)):
            return None
        sides = torch.zeros(self.window, device=device, dtype=torch.long)
        for axis, (end, step) in enumerate(zip(at_end, self.shift, strict=True)):
            if end and step:
                wraps = torch.arange(self.window[axis], device=device) >= self.window[axis] - step
                shape = [1, 1, 1]
                shape[axis] = -1
                sides = sides * 2 + wraps.long().view(shape)
        sides = sides.flatten()
        return torch.where(sides[:, None] == sides[None, :], 0.0, APART)

    def split(self, hidden_states: Tensor) -> Tensor:
        """Tokens (B, T, H, W, C) -> windows (G, B, S, C). Padding tokens are zeros and take part, as in training."""
        missing = [padded - tokens for padded, tokens in zip(self.padded, self.size, strict=True)]
        if any(missing):
            hidden_states = nn.functional.pad(hidden_states, (0, 0, 0, missing[2], 0, missing[1], 0, missing[0]))
        batch, width = hidden_states.shape[0], hidden_states.shape[-1]
        if self.is_moved:
            index, places = self._rows(batch)
            rows = hidden_states.reshape(-1, width)
            return Rearranged.of(rows, index, places).view(self.num_windows, batch, self.num_tokens, width)
        (t, h, w), (wt, wh, ww) = self.counts, self.window
        grid = hidden_states.reshape(batch, t, wt, h, wh, w, ww, width)
        return grid.permute(1, 3, 5, 0, 2, 4, 6, 7).reshape(self.num_windows, batch, self.num_tokens, width)

    def join(self, windows: Tensor) -> Tensor:
        batch, width = windows.shape[1], windows.shape[-1]
        if self.is_moved:
            index, places = self._rows(batch)
            grid = Rearranged.of(windows.reshape(-1, width), places, index).view(batch, *self.padded, width)
        else:
            grid = windows.reshape(*self.counts, batch, *self.window, width)
            grid = grid.permute(3, 0, 4, 1, 5, 2, 6, 7).reshape(batch, *self.padded, width)
        return grid[:, : self.size[0], : self.size[1], : self.size[2]]

    def _rows(self, batch: int) -> tuple[Tensor, Tensor]:
        clips = torch.arange(batch, device=self.tokens.device)
        index = self.tokens[:, None] + clips[:, None] * prod(self.padded)
        window, token = self.places // self.num_tokens, self.places % self.num_tokens
        places = (window * batch + clips[:, None]) * self.num_tokens + token
        return index.flatten(), places.flatten()


def places_of(order: Tensor) -> Tensor:
    return torch.empty_like(order).scatter_(0, order, torch.arange(len(order), device=order.device))


class Rearranged(torch.autograd.Function):
    """Permuted rows. The gradient is a permutation too, where torch would scatter and add row by row."""

    @staticmethod
    def of(rows: Tensor, index: Tensor, inverse: Tensor) -> Tensor:
        needs_gradient = torch.is_grad_enabled() and rows.requires_grad
        return Rearranged.apply(rows, index, inverse) if needs_gradient else rows[index]

    @staticmethod
    def forward(ctx: Any, rows: Tensor, index: Tensor, inverse: Tensor) -> Tensor:
        ctx.save_for_backward(index, inverse)
        return rows[index]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        index, inverse = ctx.saved_tensors
        return Rearranged.apply(gradient, inverse, index), None, None


def relative_positions(window: Sequence[int], num_tokens: int, device: torch.device) -> Tensor:
    """The row of the bias table for each pair of a window's first tokens, (S, S), by their distance.

    If a clip is smaller than the configuration's `window`, its S tokens take the numbers of the first S tokens of the
    full window, as the released weights were trained. That is their true distance only if just time is shorter.
    """
    (time, height, width), numbers = window, torch.arange(num_tokens, device=device)
    places = torch.stack((numbers // (height * width), numbers // width % height, numbers % width))
    distances = places[:, :, None] - places[:, None, :]
    time_step, row_step = (2 * height - 1) * (2 * width - 1), 2 * width - 1
    in_time, in_height, in_width = distances.unbind()
    return (in_time + time - 1) * time_step + (in_height + height - 1) * row_step + in_width + width - 1


KEPT: dict[tuple, Any] = {}


def kept(make: Callable, *key: Any) -> Any:
    """`make(*key)`, computed once for each size, window and device, and shared by all layers and models.

    Not a buffer: it depends on the clip's size and is never saved. Compiled and exported models compute it in their
    graph.
    """
    if torch.compiler.is_compiling():
        return make(*key)
    if (make, *key) not in KEPT:
        with torch.inference_mode(False):  # inference tensors could not be used in training later
            made = make(*key)
        if type(torch.empty(0, device=key[-1])) is not Tensor:  # fake tensors are not cached
            return made
        while len(KEPT) >= MOST_KEPT:
            KEPT.pop(next(iter(KEPT)))
        KEPT[make, *key] = made
    return KEPT[make, *key]


class FrugalAttention(torch.autograd.Function):
    """Attention in windows with learned biases on a CPU, which keeps no scores for the backward pass.

    torch's fast attention on a CPU gives masks no gradient, and its plain one keeps the scores of all layers, most of
    a training step's memory. Here scores are computed for a few windows at a time, which stay in the CPU's cache, and
    again in the backward pass. query, key, value (G * B, N, S, d), bias (N, S, S) -> (G * B, S, N, d); `kinds` are
    those of [`Windows`].
    """

    @staticmethod
    def forward(ctx: Any, query, key, value, bias, kinds: list[WindowKind], batch: int, scaling: float) -> Tensor:
        output = torch.empty_like(query.transpose(1, 2), memory_format=torch.contiguous_format)
        for rows, _, _, weights, _ in few_windows(query, key, bias, kinds, batch, scaling):
            read = torch.bmm(weights.flatten(0, 1), float_rows(value, rows))
            output[rows] = read.view_as(value[rows]).transpose(1, 2)
        ctx.save_for_backward(query, key, value, bias, output)
        ctx.kinds, ctx.batch, ctx.scaling = kinds, batch, scaling
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, bias, output = ctx.saved_tensors
        # sum of weight * gradient, subtracted by the derivative of a softmax
        common = (gradient * output).sum(-1, dtype=torch.float32).transpose(1, 2).unsqueeze(-1)
        gradient = gradient.transpose(1, 2)
        of_query, of_key, of_value = (torch.empty_like(output).transpose(1, 2) for _ in range(3))
        of_bias = torch.zeros(bias.shape, dtype=torch.float32)
        for rows, q, k, weights, scores in few_windows(query, key, bias, ctx.kinds, ctx.batch, ctx.scaling):
            v, g, flat_scores = float_rows(value, rows), float_rows(gradient, rows), scores.flatten(0, 1)
            of_value[rows] = torch.bmm(weights.flatten(0, 1).transpose(1, 2), g).view_as(of_value[rows])
            torch.bmm(g, v.transpose(1, 2), out=flat_scores)
            scores.sub_(common[rows]).mul_(weights)
            for window in scores:
                of_bias += window
            of_query[rows] = torch.bmm(flat_scores, k).mul_(ctx.scaling).view_as(of_query[rows])
            of_key[rows] = torch.bmm(flat_scores.transpose(1, 2), q).view_as(of_key[rows])
        return of_query, of_key, of_value, of_bias.to(bias.dtype), None, None, None


def few_windows(
    query: Tensor, key: Tensor, bias: Tensor, kinds: list[WindowKind], batch: int, scaling: float
) -> Iterator[tuple[slice, Tensor, Tensor, Tensor, Tensor]]:
    """A few windows of one kind at a time; the next ones reuse the memory.

    Yields their rows, scaled queries and keys (. * N, S, d), attention weights (., N, S, S), and a buffer of that
    size.
    """
    heads, tokens = bias.shape[:2]
    at_once = max(1, SCORES_AT_ONCE // (heads * tokens**2))
    places = torch.empty(2, at_once, heads, tokens, tokens, dtype=torch.float32)
    for kind in kinds:
        rows, added = kind.rows(batch), kind.added_to(bias)
        for start in range(rows.start, rows.stop, at_once):
            some = slice(start, min(start + at_once, rows.stop))
            weights, scores = places[:, : some.stop - some.start]
            q, k = float_rows(query, some).mul_(scaling), float_rows(key, some)
            torch.bmm(q, k.transpose(1, 2), out=scores.flatten(0, 1))
            torch.softmax(scores.add_(added), -1, out=weights)
            yield some, q, k, weights, scores


def float_rows(tensor: Tensor, rows: slice) -> Tensor:
    """A float32 copy (rows * N, S, d) of rows of (G * B, N, S, d)."""
    return tensor[rows].to(torch.float32, memory_format=torch.contiguous_format, copy=True).flatten(0, 1)


class VideoSwinAttention(nn.Module):
    """Multi-head attention inside windows, with a learned bias for each distance.

    (B, T, H, W, C) -> (B, T, H, W, C), and the attention weights (B * G, N, S, S) if the implementation returns them,
    with the G windows of a clip in the order of time, height, width of the shifted grid.
    """

    def __init__(self, config: VideoSwinConfig, width: int, num_heads: int, shift: Sequence[int]):
        super().__init__()
        self.config = config
        self.window, self.shift = tuple(config.window_size), tuple(shift)
        self.head_dim = width // num_heads
        self.scaling = self.head_dim**-0.5 if config.qk_scale is None else config.qk_scale
        self.attention_dropout = config.attention_probs_dropout_prob
        self.is_causal = False
        self.q_proj = nn.Linear(width, width, bias=config.qkv_bias)
        self.k_proj = nn.Linear(width, width, bias=config.qkv_bias)
        self.v_proj = nn.Linear(width, width, bias=config.qkv_bias)
        self.o_proj = nn.Linear(width, width)
        distances = prod(2 * side - 1 for side in self.window)
        self.relative_position_bias_table = nn.Parameter(torch.zeros(distances, num_heads))

    def position_bias(self, num_tokens: int) -> Tensor:
        index = kept(relative_positions, self.window, num_tokens, self.relative_position_bias_table.device)
        table = self.relative_position_bias_table.t()
        return table.gather(1, index.view(1, -1).expand(len(table), -1)).unflatten(1, index.shape)

    def split_heads(self, windows: Tensor) -> Tensor:
        """(G, B, S, N * d) -> (G * B, N, S, d), a view."""
        return windows.flatten(0, 1).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)

    def forward(self, hidden_states: Tensor, **kwargs: Unpack[TransformersKwargs]) -> tuple[Tensor, Tensor | None]:
        size = tuple(hidden_states.shape[1:4])
        windows: Windows = kept(Windows, size, self.window, self.shift, hidden_states.device)
        tokens = windows.split(hidden_states)
        query, key, value = (self.split_heads(project(tokens)) for project in (self.q_proj, self.k_proj, self.v_proj))
        bias = self.position_bias(windows.num_tokens).to(query.dtype)
        batch = hidden_states.shape[0]
        if self._learns_frugally(bias):
            joined, weights = FrugalAttention.apply(query, key, value, bias, windows.kinds, batch, self.scaling), None
        else:
            joined, weights = self._attend(query, key, value, bias, windows, batch, **kwargs)
        return windows.join(self.o_proj(joined.reshape(tokens.shape))), weights

    def _learns_frugally(self, bias: Tensor) -> bool:
        """Not in float64, since its scores are float32.

        Not in compiled models, which plan memory themselves; the loop over windows would be long in their graph.
        """
        return (
            self.config._attn_implementation == "sdpa"
            and bias.requires_grad
            and bias.dtype != torch.float64
            and torch.is_grad_enabled()
            and bias.device.type == "cpu"
            and not (self.training and self.attention_dropout)
            and not torch.compiler.is_compiling()
        )

    def _attend(
        self, query: Tensor, key: Tensor, value: Tensor, bias: Tensor, windows: Windows, batch: int, **kwargs
    ) -> tuple[Tensor, Tensor | None]:
        attend: Callable = ALL_ATTENTION_FUNCTIONS.get_interface(
            self.config._attn_implementation, eager_attention_forward
        )
        outputs, attentions = [], []
        for kind in windows.kinds:
            rows = kind.rows(batch)
            output, attention = attend(
                self,
                query[rows],
                key[rows],
                value[rows],
                kind.added_to(bias)[None],
                dropout=self.attention_dropout if self.training else 0.0,
                scaling=self.scaling,
                **kwargs,
            )
            outputs.append(output)
            attentions.append(attention)
        # in an exported model the result has another memory layout, and needs the copy
        alone = len(outputs) == 1 and not torch.compiler.is_exporting()
        joined = outputs[0] if alone else torch.cat(outputs)
        return joined, None if attentions[0] is None else self.in_space(windows, attentions, batch)

    def in_space(self, windows: Windows, attentions: list[Tensor], batch: int) -> Tensor:
        """Weights by kind of window (windows * B, N, S, S) -> clip by clip (B * G, N, S, S)."""
        weights = torch.cat(attentions).unflatten(0, (windows.num_windows, batch))
        if windows.is_moved:
            weights = weights[places_of(windows.order)]
        return weights.transpose(0, 1).flatten(0, 1)


__all__ = ["VideoSwinAttention", "Windows", "relative_positions"]
