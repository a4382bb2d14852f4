"""Relevance in a clip whose tokens read along time and along space, or all of the clip, or their frame only.

Alphabet: B clips, T frames, S patches of a frame. There is a class token in front of them.
"""

from typing import Any

import torch
from torch import Tensor, nn

from holovid.explanation.carrying import AlongSpace, AlongTime, OfAll, step_back, support_of
from holovid.explanation.recorded import Recorded
from holovid.explanation.relevance import Relevance
from holovid.explanation.scoring import VIDEO


class DividedAxes:
    """From the class token to patches. What was read along space was read along time before: space times time.

    A clip with one class token has it in each frame, whose answers are their mean; gradients tell frames apart.
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
            if before.ndim == 4 and after.ndim == 3:  # a class token of all frames stands in each of them
                patches = after[:, 1:].unflatten(1, (frames, -1))
                after = torch.cat((after[:, None, :1].expand(-1, frames, -1, -1), patches), dim=2)
            kept = support_of(before, after)
            found = torch.zeros_like(kept) if found is None else found
            axis = AlongSpace if before.ndim == 4 else OfAll
            stays, read = step_back(axis, recorded.attention[layer.attention], found, kept, special=1)
            found = stays + read
            if self.divided:  # along time by the paper's rule: a place goes on being itself, whatever it has read
                patches = found[:, :, 1:]
                patches = patches + AlongTime.read(recorded.attention[layer.temporal_attention], patches)
                found = torch.cat((found[:, :, :1], patches), dim=2)
        assert found is not None
        found = found[..., 1:]
        return Relevance(patches=found.reshape(len(found), -1, rows, columns))
