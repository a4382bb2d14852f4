"""Explanations of models that return their own: the terms of which their logits are the sum."""

from typing import Any

import torch
from torch import Tensor

from holovid.explanation.explanation import Explanation
from holovid.explanation.occlusion import as_shares
from holovid.explanation.relevance import above_mean
from holovid.explanation.scoring import evaluating, probabilities_of, score_of


@torch.no_grad()
def intrinsic(model: Any, inputs: dict[str, Any], target: Tensor | None, field: str) -> Explanation:
    """The maps of a model with `output_maps`.

    `heard` is the share of sound in the evidence for the target, above the mean of all classes; one half if there is
    no evidence. A clip without sound among others has a `when_audio` of zeros, and `heard` is 0.
    """
    with evaluating(model):
        outputs = model(**inputs, output_maps=True)
    scores = outputs[field]
    target = scores.argmax(dim=1) if target is None else target
    maps = {"where": outputs.where * outputs.when_visual[..., None, None], "when_visual": outputs.when_visual}
    if outputs.when_audio.shape[1]:
        terms = outputs.audio_evidence, outputs.visual_evidence
        evidence = [above_mean(each.float().sum(dim=1), target).clamp(min=0) for each in terms]
        share = as_shares(torch.stack(evidence, dim=1))[:, 0]
        heard = torch.where(outputs.when_audio.sum(dim=1) > 0, share, 0.0)
        maps |= {"when_audio": outputs.when_audio, "heard": heard, "audio_times": outputs.audio_times}
    return Explanation(
        target=target,
        score=score_of(probabilities_of(model, scores), target),
        method="intrinsic",
        frame_times=outputs.frame_times,
        **{name: value.float() for name, value in maps.items()},
    )
