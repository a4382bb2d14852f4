"""Deletion and insertion: how the score falls without, and rises with, what an explanation calls relevant.

Petsiuk et al. 2018, "RISE", for pictures; over space-time with the least relevant first and at random as controls, as
Li et al. 2021, "Towards Visually Explaining Video Understanding Networks with Perturbation", do for video.
B clips, T frames, h, w cells of a frame, A audio steps, U units: cells, frames or steps.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from holovid.explanation.explanation import Explanation
from holovid.explanation.hiding import BLUR, Hider, chunks
from holovid.explanation.scoring import Inputs, scoring

MAP_OF_PART = {"patches": "where", "frames": "when_visual", "sound": "when_audio"}
ORDERS = ("most", "least", "random")


@dataclass(frozen=True, eq=False)
class Curve:
    """Probability of the target while more and more units are deleted or inserted.

    Args:
        shares: (n,), of the units deleted or inserted so far, from 0 to 1.
        scores: (B, n), probabilities of the target.
    """

    shares: Tensor
    scores: Tensor

    @property
    def area(self) -> Tensor:
        """Area under each curve, (B,): (sum - first / 2 - last / 2) / (n - 1).

        >>> Curve(torch.tensor([0.0, 0.5, 1.0]), torch.tensor([[1.0, 0.5, 0.0], [1.0, 0.0, 0.0]])).area
        tensor([0.5000, 0.2500])
        """
        return (self.scores.sum(dim=1) - (self.scores[:, 0] + self.scores[:, -1]) / 2) / (self.scores.shape[1] - 1)


def ranks_in_order(relevance: Tensor, order: str = "most", seed: int = 0) -> Tensor:
    """The rank of each unit in an order, from 0: (B, U) -> int64 (B, U).

    Args:
        order: "most" relevant first, "least" first, or "random".
        seed: of all randomness; it also orders units of equal relevance.

    >>> ranks_in_order(torch.tensor([[0.1, 0.6, 0.3]]))
    tensor([[2, 0, 1]])
    """
    if order not in ORDERS:
        raise ValueError(f"order must be one of {', '.join(ORDERS)}, got {order!r}")
    generator = torch.Generator().manual_seed(seed)
    shuffled = torch.rand(relevance.shape, generator=generator).argsort(dim=1).to(relevance.device)
    if order == "random":
        return shuffled
    values = relevance.gather(1, shuffled)
    ordered = shuffled.gather(1, values.argsort(dim=1, descending=order == "most", stable=True))
    return ordered.argsort(dim=1)


def deletion(
    model: nn.Module | Callable[[Inputs], Tensor], inputs: Inputs, explanation: Explanation, part: str, **options: Any
) -> Curve:
    """Hide more and more of the clips, in the order of an explanation; with a true one the score falls at once.

    Hidden parts are blurred, or silent. Arguments and errors as in [`perturbation_curve`]; `alone` is false by
    default: the other modality stays.
    """
    return perturbation_curve(model, inputs, explanation, part, inserts=False, **options)


def insertion(
    model: nn.Module | Callable[[Inputs], Tensor], inputs: Inputs, explanation: Explanation, part: str, **options: Any
) -> Curve:
    """Reveal more and more of blurred and silent clips; with a true explanation the score rises at once.

    Arguments and errors as in [`perturbation_curve`]; `alone` is true by default: the other modality stays hidden.
    """
    return perturbation_curve(model, inputs, explanation, part, inserts=True, **options)


def perturbation_curve(
    model: nn.Module | Callable[[Inputs], Tensor],
    inputs: Inputs,
    explanation: Explanation,
    part: str,
    inserts: bool,
    order: str = "most",
    steps: int = 32,
    batch_size: int = 32,
    seed: int = 0,
    alone: bool | None = None,
    blur: float = BLUR,
) -> Curve:
    """[`deletion`], or [`insertion`] if it `inserts`.

    Args:
        model: one whose outputs have `logits` (B, classes), or a function of inputs that returns them; on any device.
        inputs: of the explained clips.
        explanation: gives the target and the order.
        part: hidden or revealed: "patches", cells of `where`; "frames" of `when_visual`; "sound", steps of
            `when_audio`.
        order: "most" relevant first, "least" first, or "random", the control.
        steps: between nothing and all; at most one a unit.
        batch_size: clips in one forward pass.
        seed: of "random", and of the order of units of equal relevance.
        alone: whether the other modality stays hidden; by default while inserting.
        blur: of hidden pictures, see `holovid.explanation.hiding`.

    If an explanation has fewer moments than the clip has frames, each is hidden in all of its frames. Raises
    `ValueError` for a part that the explanation has no map of, and for shapes that do not fit.
    """
    if part not in MAP_OF_PART:
        raise ValueError(f"part must be one of {', '.join(MAP_OF_PART)}, got {part!r}")
    relevance = getattr(explanation, MAP_OF_PART[part])
    if relevance is None:
        raise ValueError(f"this explanation ({explanation.method}) has no {MAP_OF_PART[part]}, the order of {part}")
    if steps < 1:
        raise ValueError(f"steps must be 1 or more, got {steps}")
    hider = Hider(inputs, blur)
    if len(hider) != len(explanation) or (part != "sound" and hider.frames < relevance.shape[1]):
        raise ValueError(
            f"the explanation has {len(explanation)} clips, {MAP_OF_PART[part]} {tuple(relevance.shape)}, but the "
            f"inputs have {len(hider)} clips of {hider.frames} frames"
        )
    relevance, target = relevance.to(hider.device), explanation.target.to(hider.device)
    moments = torch.arange(hider.frames, device=hider.device) * relevance.shape[1] // hider.frames  # of each frame
    ranks = ranks_in_order(relevance.flatten(1), order, seed)
    units = ranks.shape[1]
    counts = torch.linspace(0, units, min(steps, units) + 1, device=hider.device).round()
    hides_other = inserts if alone is None else alone
    pieces = []
    with scoring(model) as probabilities:
        for state, clips in chunks(len(counts), len(hider), batch_size, hider.device):
            is_hidden = (ranks[clips] < counts[state, None]) ^ inserts
            other = torch.full((len(clips), 1), hides_other, device=hider.device)
            if part == "sound":
                cells, silent = other[..., None, None].expand(-1, hider.frames, 1, 1), is_hidden
            else:
                cells, silent = is_hidden.view(len(clips), *relevance.shape[1:])[:, moments], other
                cells = cells[..., None, None] if part == "frames" else cells
            pieces.append(hider.scores(probabilities, target, clips, cells, silent))
    scores = torch.cat(pieces).view(len(counts), len(hider)).T
    return Curve(counts / units, scores)
