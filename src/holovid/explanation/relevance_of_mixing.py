"""Relevance in frames that read their own tokens, of which keys and values are mixed with those of other frames.

Alphabet: B clips, T frames, S tokens of a frame, the first one its class token.
"""

from typing import Any

import torch
from torch import Tensor, nn

from holovid.explanation.occlusion import as_shares
from holovid.explanation.recorded import Recorded, read_along_space, read_by, shared_back
from holovid.explanation.relevance import Relevance
from holovid.explanation.scoring import VIDEO


class MixedFrames:
    """From the pooled feature to frames, from class tokens to patches, and from mixed patches to their origin."""

    def __init__(self, model: Any):
        self.base = model.base_model
        self.watched: list[nn.Module] = []

    def carry(self, recorded: Recorded, inputs: dict[str, Any]) -> Relevance:
        clips, frames, _, height, _ = inputs[VIDEO].shape
        tokens = recorded.attention[self.base.layers[0].attention].weights.shape[-2]
        found = torch.zeros(clips, frames, tokens, device=inputs[VIDEO].device)
        found[:, :, 0] = self.of_frames(recorded, clips, frames).to(found)
        for layer in reversed(self.base.layers):
            call = recorded.attention[layer.attention]
            read = read_along_space(call, found)
            found = found + shared_back(layer.attention.context, call, read, tokens)
        rows = height // self.base.config.patch_size
        return Relevance(patches=found[:, :, 1:].unflatten(2, (rows, -1)))

    def of_frames(self, recorded: Recorded, clips: int, frames: int) -> Tensor:
        """(B, T): of a mean of frames their gradients say all; a token that reads frames says which it read."""
        if self.base.config.pooling == "mean":
            return torch.ones(clips, frames)
        layers = self.base.pooler.temporal_layers
        found = torch.zeros(clips, 1 + frames, device=self.base.device)
        found[:, 0] = 1.0
        for layer in reversed(layers):
            found = found + read_by(recorded.attention[layer.attention], found)
        return as_shares(found[:, 1:])
