"""Relevance for attention along time and along space, over the whole clip, or within frames.

B clips, T frames, S patches of a frame, after a class token.
"""

from typing import Any

import torch
from torch import Tensor, nn

from holovid.explanation.carrying import AlongSpace, AlongTime, OfAll, step_back, support_of
from holovid.explanation.recorded import Recorded
from holovid.explanation.relevance import Relevance
from holovid.explanation.scoring import VIDEO


class DividedAxes:
    """From the class token to patches. With divided attention, attention along space follows that along time.

    A clip's class token takes part in each frame, and is the mean of the results; gradients tell frames apart.
    """

    def __init__(self, model: Any):
        self.base = model.base_model
        self.divided = self.base.config.attention_type == "divided_space_time"
        self.watched: list[nn.Module] = []
        for layer in self.base.layers:
            self.watched += [layer.layernorm_before, layer.layernorm_after]

    def carry(self, recorded: Recorded, inputs: dict[str, Any]) -> Relevance:
        frames, _, *sides = inputs[VIDEO].shape[1:]
        rows, columns = (side // self.base.config.patch_size for side in sides)
        found: Tensor | None = None
        for layer in reversed(self.base.layers):
            before, after = recorded.states[layer.layernorm_before], recorded.gradients[layer.layernorm_after]
            if before.ndim == 4 and after.ndim == 3:  # one class token takes part in all frames
                patches = after[:, 1:].unflatten(1, (frames, -1))
                after = torch.cat((after[:, None, :1].expand(-1, frames, -1, -1), patches), dim=2)
            kept = support_of(before, after)
            found = torch.zeros_like(kept) if found is None else found
            axis = AlongSpace if before.ndim == 4 else OfAll
            stays, read = step_back(axis, recorded.attention[layer.attention], found, kept, special=1)
            found = stays + read
            if self.divided:  # along time by the paper's rule, where a place keeps its relevance
                patches = found[:, :, 1:]
                patches = patches + AlongTime.read(recorded.attention[layer.temporal_attention], patches)
                found = torch.cat((found[:, :, :1], patches), dim=2)
        assert found is not None
        found = found[..., 1:]
        return Relevance(patches=found.reshape(len(found), -1, rows, columns))
