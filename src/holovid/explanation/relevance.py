"""Relevance: gradient-weighted attention, carried from a prediction back to picture and sound.

Chefer et al. 2021, "Generic Attention-model Explainability for Interpreting Bi-Modal and Encoder-Decoder
Transformers" (arXiv:2103.15679): in a layer with attention weights A, gradient x A, where positive, says how much each
weight supports the prediction. Only the tokens that the prediction is read from matter, so one row of relevance is
carried from the last layer to the first, without a matrix of all tokens. `carrying` has the step through one layer,
and its difference from the paper.

Rules adapt this to architectures: frames with mixed keys and values, attention along axes, experts that read each
other, causal steps. A family's record names its rule.
B clips, T moments, h, w patches of a frame, S = h * w, A audio steps.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from holovid.explanation.explanation import Explanation
from holovid.explanation.occlusion import as_shares
from holovid.explanation.recorded import Recorded, attention_recorded
from holovid.explanation.scoring import SOUND, VIDEO, probabilities_of, score_of


@dataclass(frozen=True)
class Relevance:
    """The result of a rule: `patches` (B, T, h, w), or `moments` (B, T) if it cannot tell places; `sound` (B, A)."""

    patches: Tensor | None = None
    moments: Tensor | None = None
    sound: Tensor | None = None


class Rule(Protocol):
    """Carries relevance through an architecture. It is made for a model, and names the modules to watch."""

    watched: list[nn.Module]

    def carry(self, recorded: Recorded, inputs: dict[str, Any]) -> Relevance:
        """Relevance of the `inputs`."""


def above_mean(scores: Tensor, target: Tensor) -> Tensor:
    """The target's score above the mean of all, (B, classes) -> (B,); of a single class, its score."""
    mean = scores.mean(dim=1, keepdim=True) if scores.shape[1] > 1 else 0.0
    return (scores - mean).gather(1, target[:, None])[:, 0]


def objective_of(scores: Tensor, target: Tensor) -> Tensor:
    """The target's logit above the mean, divided by its own absolute value: a number (B,) that is 1 or -1.

    So relevance over two steps is a share of a share.
    """
    chosen = above_mean(scores.float(), target)
    return chosen / chosen.detach().abs().clamp(min=torch.finfo(chosen.dtype).eps)


def differentiable(inputs: dict[str, Any]) -> dict[str, Any]:
    """Inputs with gradients, so that they reach everything after frames and sound, also in a frozen model.

    All tensors are copied: autograd cannot save those made in inference mode.
    """
    copied = {name: value.detach().clone() if isinstance(value, Tensor) else value for name, value in inputs.items()}
    return {name: value.requires_grad_() if name in (VIDEO, SOUND) else value for name, value in copied.items()}


def relevance(model: Any, inputs: dict[str, Any], target: Tensor | None, field: str, rule: Rule) -> Explanation:
    """Explain by a rule. `field` of the outputs has the scores (B, classes); see [`holovid.explanation.explain`]."""
    with attention_recorded(model, rule.watched) as recorded:
        scores = model(**differentiable(inputs))[field]
        target = scores.argmax(dim=1) if target is None else target
        recorded.differentiate(objective_of(scores, target).sum())
    with torch.no_grad():
        found = rule.carry(recorded, inputs)
        maps: dict[str, Tensor] = {}
        seen = found.moments
        if found.patches is not None:
            maps["where"] = as_shares(found.patches)
            seen = found.patches.sum(dim=(2, 3))
        if seen is not None:
            maps["when_visual"] = as_shares(seen)
        if found.sound is not None:
            maps["when_audio"] = as_shares(found.sound)
            both = [found.sound.sum(dim=1), torch.zeros_like(found.sound[:, 0]) if seen is None else seen.sum(dim=1)]
            maps["heard"] = both[0] / (both[0] + both[1]).clamp(min=torch.finfo(both[0].dtype).tiny)
    return Explanation(
        target=target, score=score_of(probabilities_of(model, scores.detach()), target), method="relevance", **maps
    )
