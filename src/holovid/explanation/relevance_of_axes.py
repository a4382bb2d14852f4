"""Relevance in a clip whose tokens read along time and along space, or all of the clip, or their frame only.

Alphabet: B clips, T frames, S patches of a frame. There is a class token in front of them.
"""

from typing import Any

import torch
from torch import Tensor, nn

from holovid.explanation.recorded import Recorded, read_along_space, read_along_time, read_by
from holovid.explanation.relevance import Relevance
from holovid.explanation.scoring import VIDEO


class DividedAxes:
    """From the class token to patches. What was read along space comes after what was read along time: space times
    time, place by place and frame by frame."""

    def __init__(self, model: Any):
        self.base = model.base_model
        self.watched: list[nn.Module] = []

    def carry(self, recorded: Recorded, inputs: dict[str, Any]) -> Relevance:
        clips, frames, _, *sides = inputs[VIDEO].shape
        rows, columns = (side // self.base.config.patch_size for side in sides)
        found = torch.zeros(clips, frames, 1 + rows * columns, device=inputs[VIDEO].device)
        found[:, :, 0] = 1.0  # a clip with one class token has the same in each frame; gradients tell frames apart
        carry_layer = {
            "divided_space_time": self.divided,
            "joint_space_time": self.joint,
            "space_only": self.of_frames,
        }[self.base.config.attention_type]
        for layer in reversed(self.base.layers):
            found = carry_layer(recorded, layer, found)
        return Relevance(patches=found[:, :, 1:].unflatten(2, (rows, columns)))

    def of_frames(self, recorded: Recorded, layer: Any, found: Tensor) -> Tensor:
        return found + read_along_space(recorded.attention[layer.attention], found)

    def divided(self, recorded: Recorded, layer: Any, found: Tensor) -> Tensor:
        found = with_one_class_token(self.of_frames(recorded, layer, found), found)
        cls_token, patches = found.split((1, found.shape[2] - 1), dim=2)
        patches = patches + read_along_time(recorded.attention[layer.temporal_attention], patches)
        return torch.cat((cls_token, patches), dim=2)

    def joint(self, recorded: Recorded, layer: Any, found: Tensor) -> Tensor:
        tokens = torch.cat((found[:, :1, 0], found[:, :, 1:].flatten(1)), dim=1)
        tokens = tokens + read_by(recorded.attention[layer.attention], tokens)
        cls_token = tokens[:, None, :1].expand(-1, found.shape[1], -1)
        return torch.cat((cls_token, tokens[:, 1:].unflatten(1, (found.shape[1], -1))), dim=2)


def with_one_class_token(after: Tensor, before: Tensor) -> Tensor:
    """What all frames have read of the class token is its own, (B, T, 1 + S)."""
    read = (after - before)[:, :, :1].sum(dim=1, keepdim=True)
    return torch.cat((before[:, :, :1] + read, after[:, :, 1:]), dim=2)
