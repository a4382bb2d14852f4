"""Relevance for a causal decoder over frames, behind an image model. B clips, T steps, S tokens of a frame."""

from typing import Any

import torch
from torch import Tensor, nn

from holovid.explanation.carrying import AlongSpace, OfAll, step_back, support_of
from holovid.explanation.occlusion import as_shares
from holovid.explanation.recorded import Recorded
from holovid.explanation.relevance import Relevance
from holovid.explanation.scoring import VIDEO


class CausalSteps:
    """From the last step to all steps, and from each frame's class token to its patches.

    Places need an image model with a class token and square patches, such as ViT; for others, and for features, only
    times are known. Within a frame the paper's rule applies, R + A+ R.
    """

    def __init__(self, model: Any):
        self.base = model.base_model
        self.watched: list[nn.Module] = [norm for layer in self.base.decoder.h for norm in (layer.ln_1, layer.ln_2)]

    def carry(self, recorded: Recorded, inputs: dict[str, Any]) -> Relevance:
        moments: Tensor | None = None
        for layer in reversed(self.base.decoder.h):
            kept = support_of(recorded.states[layer.ln_1], recorded.gradients[layer.ln_2])
            if moments is None:
                moments = torch.zeros_like(kept)
                moments[:, -1] = 1.0
            stays, read = step_back(OfAll, recorded.attention[layer.attn], moments, kept)
            moments = stays + read
        assert moments is not None
        places = self.places(recorded, inputs)
        return Relevance(moments=moments, patches=None if places is None else moments[..., None, None] * places)

    def places(self, recorded: Recorded, inputs: dict[str, Any]) -> Tensor | None:
        """(B, T, h, w), which sums to 1 in each frame."""
        if self.base.frames is None or not self.base.frames.one_by_one:
            return None
        image_model = self.base.frames.model
        patch = getattr(image_model.config, "patch_size", None)
        own = set(image_model.modules())
        calls = [call for module, call in recorded.attention.items() if module in own]
        if not isinstance(patch, int) or not calls:
            return None
        clips, frames, _, *sides = inputs[VIDEO].shape
        rows, columns = (side // patch for side in sides)
        tokens = calls[0].weights.shape[-1]
        if tokens <= rows * columns or any(call.weights.shape[-2:] != (tokens, tokens) for call in calls):
            return None
        found = torch.zeros(clips, frames, tokens, device=inputs[VIDEO].device)
        found[:, :, 0] = 1.0
        for call in reversed(calls):
            found = found + AlongSpace.read(call, found)
        return as_shares(found[:, :, tokens - rows * columns :].flatten(0, 1)).view(clips, frames, rows, columns)
