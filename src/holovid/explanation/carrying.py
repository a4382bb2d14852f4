"""One step back of relevance: through an attention, along the axis along which its tokens read.

Alphabet: B clips, T moments, S tokens of a moment.
"""

from typing import Protocol

import torch
from torch import Tensor

from holovid.explanation.recorded import Attended


class Axis(Protocol):
    """Along which tokens read one another."""

    @staticmethod
    def rows(call: Attended, readers: Tensor) -> Tensor:
        """The support of all that each reader has read, of the readers' shape."""

    @staticmethod
    def read(call: Attended, weights: Tensor) -> Tensor:
        """What readers have read, each with its weight: of the shape of sources."""


class AlongSpace:
    """Tokens (B, T, S) read those of their moment, (B, T, S')."""

    @staticmethod
    def rows(call: Attended, readers: Tensor) -> Tensor:
        return call.support.float().sum(dim=(1, 3)).view(readers.shape)

    @staticmethod
    def read(call: Attended, weights: Tensor) -> Tensor:
        support = call.support.float().sum(dim=1)
        return torch.einsum("bs,bsk->bk", weights.flatten(0, 1), support).unflatten(0, weights.shape[:2])


class AlongTime:
    """Tokens (B, T, S) read those of their place. Heads of all places stand side by side."""

    @staticmethod
    def rows(call: Attended, readers: Tensor) -> Tensor:
        support = call.support.float().unflatten(1, (readers.shape[2], -1))
        return support.sum(dim=(2, 4)).transpose(1, 2)

    @staticmethod
    def read(call: Attended, weights: Tensor) -> Tensor:
        support = call.support.float().unflatten(1, (weights.shape[2], -1)).sum(dim=2)
        return torch.einsum("bts,bstk->bks", weights, support)


class OfAll:
    """Tokens (B, ...) read all of a clip: sources (B, S') come in one row."""

    @staticmethod
    def rows(call: Attended, readers: Tensor) -> Tensor:
        return call.support.float().sum(dim=(1, 3)).view(readers.shape)

    @staticmethod
    def read(call: Attended, weights: Tensor) -> Tensor:
        return torch.einsum("bs,bsk->bk", weights.flatten(1), call.support.float().sum(dim=1))


def support_of(before: Tensor, gradient: Tensor) -> Tensor:
    """How much the answer owes to what tokens had before they read, (..., D) -> (...): gradient x state, if > 0."""
    return (before * gradient).float().sum(dim=-1).clamp(min=0).detach()


def step_back(
    axis: type[Axis], call: Attended, found: Tensor, kept: Tensor, special: int = 0
) -> tuple[Tensor, Tensor]:
    """Relevance of tokens after a layer's attention -> what of it stays with them, and what goes to what they read.

    A token's relevance is dealt out to what it had and to what it read, as these support the answer. So what has
    wandered from place to place goes back to where it came from: with the paper's rule, R + A+ R, it would also stay.
    The first `special` tokens, which the answer is read from, are asked anew in each layer, as in the paper: what they
    read is a part of the answer as it is.

    Args:
        axis: along which the attention reads.
        found: relevance of the readers.
        kept: what they had before supports this much, of the same shape.

    Returns relevance of the readers, and of the sources in the shape that `axis` reads.
    """
    total = (kept + axis.rows(call, found)).clamp(min=torch.finfo(torch.float32).tiny)
    weights = found / total
    stays = weights * kept
    if special:
        weights = torch.cat((torch.ones_like(weights[..., :special]), weights[..., special:]), dim=-1)
    return stays, axis.read(call, weights)
