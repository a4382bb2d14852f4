"""One backward step of relevance through an attention, along its axis. B clips, T moments, S tokens of a moment."""

from typing import Protocol

import torch
from torch import Tensor

from holovid.explanation.recorded import Attended


class Axis(Protocol):
    """The axis along which tokens attend."""

    @staticmethod
    def rows(call: Attended, readers: Tensor) -> Tensor:
        """Support of everything that each reader has read, in the readers' shape."""

    @staticmethod
    def read(call: Attended, weights: Tensor) -> Tensor:
        """What readers have read, weighted: in the sources' shape."""


class AlongSpace:
    """Tokens (B, T, S) attend within their moment, (B, T, S')."""

    @staticmethod
    def rows(call: Attended, readers: Tensor) -> Tensor:
        return call.support.float().sum(dim=(1, 3)).view(readers.shape)

    @staticmethod
    def read(call: Attended, weights: Tensor) -> Tensor:
        support = call.support.float().sum(dim=1)
        return torch.einsum("bs,bsk->bk", weights.flatten(0, 1), support).unflatten(0, weights.shape[:2])


class AlongTime:
    """Tokens (B, T, S) attend along time at their place. The heads of all places are side by side."""

    @staticmethod
    def rows(call: Attended, readers: Tensor) -> Tensor:
        support = call.support.float().unflatten(1, (readers.shape[2], -1))
        return support.sum(dim=(2, 4)).transpose(1, 2)

    @staticmethod
    def read(call: Attended, weights: Tensor) -> Tensor:
        support = call.support.float().unflatten(1, (weights.shape[2], -1)).sum(dim=2)
        return torch.einsum("bts,bstk->bks", weights, support)


class OfAll:
    """Tokens (B, ...) attend to the whole clip: sources (B, S') are in one row."""

    @staticmethod
    def rows(call: Attended, readers: Tensor) -> Tensor:
        return call.support.float().sum(dim=(1, 3)).view(readers.shape)

    @staticmethod
    def read(call: Attended, weights: Tensor) -> Tensor:
        return torch.einsum("bs,bsk->bk", weights.flatten(1), call.support.float().sum(dim=1))


def support_of(before: Tensor, gradient: Tensor) -> Tensor:
    """How much tokens' states before attention support the prediction, (..., D) -> (...): gradient x state, if > 0."""
    return (before * gradient).float().sum(dim=-1).clamp(min=0).detach()


def step_back(
    axis: type[Axis], call: Attended, found: Tensor, kept: Tensor, special: int = 0
) -> tuple[Tensor, Tensor]:
    """Split tokens' relevance after a layer's attention into what stays with them and what goes to their sources.

    A token's relevance is divided between its own state and what it read, as these support the prediction. So
    information that moved between places returns to its origin; the paper's rule, R + A+ R, would also leave it in
    place. The first `special` tokens, from which the prediction is made, are evaluated anew in each layer, as in the
    paper.

    `found` is the readers' relevance, `kept` the support of their own states, of the same shape. Returns relevance of
    the readers, and of the sources in the shape that `axis` reads.
    """
    total = (kept + axis.rows(call, found)).clamp(min=torch.finfo(torch.float32).tiny)
    weights = found / total
    stays = weights * kept
    if special:
        weights = torch.cat((torch.ones_like(weights[..., :special]), weights[..., special:]), dim=-1)
    return stays, axis.read(call, weights)
