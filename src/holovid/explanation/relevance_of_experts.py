"""Relevance for experts of space, time and audio that read each other.

B clips, T moments, S patches of a frame, A patches of the spectrogram. Tokens of experts: space (B, T, 1 + S), time
(B, T, S), audio (B, 2 + A).
"""

from typing import Any

import torch
from torch import Tensor, nn

from holovid.explanation.carrying import AlongSpace, AlongTime, Axis, OfAll, step_back, support_of
from holovid.explanation.recorded import Recorded
from holovid.explanation.relevance import Relevance

SPECIAL = {"space": 1, "time": 0, "audio": 2}  # tokens before an expert's patches
AXES: dict[str, type[Axis]] = {
    "heads_along_space": AlongSpace,
    "heads_along_time": AlongTime,
    "heads_of_all": OfAll,
}


def axis_of(attention: Any) -> type[Axis]:
    return AXES[attention.heads.__name__]


class ReadingExperts:
    """From each expert's feature to its tokens, through self-attention and exchanges.

    In an exchange both directions read the same states, without special tokens. What a reader took from another expert
    goes to that expert's patches, whatever their grid.
    """

    def __init__(self, model: Any):
        self.base = model.base_model
        self.watched: list[nn.Module] = [
            part[expert]
            for layer in self.base.layers
            for part in (layer.attentions, layer.mlps)
            for expert in self.base.config.experts
        ]

    def carry(self, recorded: Recorded, inputs: dict[str, Any]) -> Relevance:
        config = self.base.config
        found = self.of_features(recorded)
        for layer in reversed(self.base.layers):
            for pairs in reversed(layer.rounds):
                found = self.exchange(recorded, layer, pairs, found)
            for expert, part in layer.attentions.items():
                kept = support_of(recorded.states[part], recorded.result_gradients[part])
                call, axis = recorded.attention[part.attention], axis_of(part.attention)
                stays, read = step_back(axis, call, found[expert], kept, special=SPECIAL[expert])
                found[expert] = stays + read.view_as(stays)
        patches = found["space"][..., 1:]
        if "time" in found:
            patches = patches + found["time"]
        rows = config.image_size // config.patch_size
        sound = found["audio"][:, 2:].unflatten(1, config.audio_grid).sum(dim=1) if "audio" in found else None
        return Relevance(patches=patches.unflatten(2, (rows, -1)), sound=sound)

    def of_features(self, recorded: Recorded) -> dict[str, Tensor]:
        """Relevance after the last layer: of special tokens, or for a mean of patches by gradient x state."""
        found = {}
        for expert, part in self.base.layers[-1].mlps.items():
            state = support_of(recorded.results[part], recorded.result_gradients[part])
            found[expert] = torch.zeros_like(state) if SPECIAL[expert] else state
        return found

    def exchange(
        self, recorded: Recorded, layer: Any, pairs: list[str], found: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """One round, in which all pairs read the same states."""
        stays, given = dict(found), {expert: torch.zeros_like(values) for expert, values in found.items()}
        for pair in pairs:
            names = pair.split("_")
            for reader, source in (names, reversed(names)):
                attention = layer.exchanges[pair].readings[reader].attention
                state = recorded.results[layer.attentions[reader]]
                kept = support_of(state, recorded.gradients[layer.mlps[reader]])[..., SPECIAL[reader] :]
                patches = stays[reader][..., SPECIAL[reader] :]
                left, read = step_back(axis_of(attention), recorded.attention[attention], patches, kept)
                stays[reader] = torch.cat((stays[reader][..., : SPECIAL[reader]], left), dim=-1)
                given[source][..., SPECIAL[source] :] += read.view_as(given[source][..., SPECIAL[source] :])
        return {expert: stays[expert] + given[expert] for expert in found}
