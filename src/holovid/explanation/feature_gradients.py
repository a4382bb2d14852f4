"""Gradients: gradient x activation on a model's last feature map, for models without usable attention.

Selvaraju et al. 2017, "Grad-CAM" (arXiv:1610.02391), with the gradient at each place instead of its mean, because the
pooled feature is the mean of the map (their section 3.1: both then differ only by a factor).
"""

import threading
from typing import Any

import torch
from torch import Tensor, nn

from holovid.explanation.explanation import Explanation
from holovid.explanation.occlusion import as_shares
from holovid.explanation.relevance import differentiable, objective_of
from holovid.explanation.scoring import evaluating, probabilities_of, score_of


def feature_gradients(model: Any, inputs: dict[str, Any], target: Tensor | None, field: str) -> Explanation:
    """Explain by the feature map (B, T', h, w, D) in the base model's `last_hidden_state`.

    A cell of such a map depends on more of the clip than its place, so the explanation is coarse.
    """
    kept: list[Tensor] = []
    asking = threading.get_ident()

    def keep(module: nn.Module, arguments: Any, outputs: Any) -> None:
        if threading.get_ident() == asking:  # not the pass of another thread
            kept.append(outputs.last_hidden_state)

    hook = model.base_model.register_forward_hook(keep)
    try:
        with evaluating(model), torch.enable_grad():
            scores = model(**differentiable(inputs))[field]
            target = scores.argmax(dim=1) if target is None else target
            (features,) = kept
            gradient = torch.autograd.grad(objective_of(scores, target).sum(), features)[0]
    finally:
        hook.remove()
    cells = (gradient * features.detach()).float().sum(dim=-1).clamp(min=0)
    return Explanation(
        target=target,
        score=score_of(probabilities_of(model, scores.detach()), target),
        method="gradients",
        where=as_shares(cells),
        when_visual=as_shares(cells.sum(dim=(2, 3))),
    )
