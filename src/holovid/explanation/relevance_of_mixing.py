"""Relevance for attention within frames, with keys and values mixed over frames.

B clips, T frames, S tokens of a frame, the first one its class token.
"""

from typing import Any

import torch
from torch import Tensor, nn

from holovid.explanation.carrying import AlongSpace, step_back, support_of
from holovid.explanation.recorded import Recorded, shared_back
from holovid.explanation.relevance import Relevance
from holovid.explanation.scoring import VIDEO


class MixedFrames:
    """From class tokens of frames to patches, and from mixed patches to their original frames.

    The gradients at the class tokens give each frame's weight in the pooled feature.
    """

    def __init__(self, model: Any):
        self.base = model.base_model
        self.watched: list[nn.Module] = [
            norm for layer in self.base.layers for norm in (layer.layernorm_before, layer.layernorm_after)
        ]

    def carry(self, recorded: Recorded, inputs: dict[str, Any]) -> Relevance:
        found: Tensor | None = None
        for layer in reversed(self.base.layers):
            before = recorded.states[layer.layernorm_before]
            kept = support_of(before, recorded.gradients[layer.layernorm_after])
            found = torch.zeros_like(kept) if found is None else found
            call = recorded.attention[layer.attention]
            stays, read = step_back(AlongSpace, call, found, kept, special=1)
            found = stays + shared_back(layer.attention.context, call, read, before.shape[2])
        assert found is not None
        rows = inputs[VIDEO].shape[-2] // self.base.config.patch_size
        return Relevance(patches=found[:, :, 1:].unflatten(2, (rows, -1)))
