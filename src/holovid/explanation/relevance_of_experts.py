"""Relevance in experts of space, time and sound that read one another.

Alphabet: B clips, T moments, S patches of a frame, A patches of the spectrogram. Tokens of experts: space
(B, T, 1 + S), time (B, T, S), audio (B, 2 + A).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from holovid.explanation.recorded import Attended, Recorded, read_along_space, read_along_time, read_by
from holovid.explanation.relevance import Relevance
from holovid.explanation.scoring import VIDEO


def read_of_all(call: Attended, readers: Tensor) -> Tensor:
    """Of tokens (B, T, S) or (B, A) that read all of a clip: relevance (B, S') of the sources, in one row."""
    return read_by(call, readers.flatten(1))


AXES: dict[str, Callable[[Attended, Tensor], Tensor]] = {
    "heads_along_space": read_along_space,
    "heads_along_time": read_along_time,
    "heads_of_all": read_of_all,
}


class ReadingExperts:
    """From each expert's feature to its tokens, through what experts read of themselves and of one another.

    In an exchange both directions read the same states, and special tokens neither read nor are read: the relevance
    of what is read is added to the source's (the paper's rule for cross-attention, without its normalisation, which is
    for encoders that never add what they read to themselves).
    """

    def __init__(self, model: Any):
        self.base = model.base_model
        self.watched: list[nn.Module] = [self.base.features["time"]] if "time" in self.base.features else []

    def carry(self, recorded: Recorded, inputs: dict[str, Any]) -> Relevance:
        found = self.of_features(recorded, inputs[VIDEO])
        for layer in reversed(self.base.layers):
            for pairs in reversed(layer.rounds):
                read = [self.read(recorded, layer, pair, reader, found) for pair in pairs for reader in (0, 1)]
                for source, relevance in read:
                    special = found[source].shape[-1] - relevance.shape[-1]
                    found[source] = found[source] + nn.functional.pad(relevance, (special, 0))
            for expert, attention in layer.attentions.items():
                found[expert] = found[expert] + along(recorded, attention.attention, found[expert], found[expert])
        rows = self.base.config.image_size // self.base.config.patch_size
        patches = found["space"][..., 1:]
        if "time" in found:
            patches = patches + found["time"]
        sound = None
        if "audio" in found:
            sound = found["audio"][:, 2:].unflatten(1, self.base.config.audio_grid).sum(dim=1)
        return Relevance(patches=patches.unflatten(2, (rows, -1)), sound=sound)

    def of_features(self, recorded: Recorded, frames: Tensor) -> dict[str, Tensor]:
        """Special tokens are what features are made of; of a mean of tokens, each counts as gradient x state says."""
        config = self.base.config
        found: dict[str, Tensor] = {}
        shape = len(frames), config.num_slots
        found["space"] = torch.zeros(*shape, 1 + config.num_patches, device=frames.device)
        found["space"][..., 0] = 1.0
        if "time" in self.base.features:
            feature = self.base.features["time"]
            found["time"] = (recorded.states[feature] * recorded.gradients[feature]).float().sum(dim=-1).clamp(min=0)
        if "audio" in self.base.features:
            rows, columns = config.audio_grid
            found["audio"] = torch.zeros(len(frames), 2 + rows * columns, device=frames.device)
            found["audio"][:, :2] = 1.0
        return found

    def read(
        self, recorded: Recorded, layer: Any, pair: str, reader: int, found: dict[str, Tensor]
    ) -> tuple[str, Tensor]:
        """What one of a pair has read: the source's name, and the relevance of its patches."""
        names = pair.split("_")
        reading = layer.exchanges[pair].readings[names[reader]]
        source = names[1 - reader]
        patches = found[names[reader]][..., special_tokens(names[reader]) :]
        sources = found[source][..., special_tokens(source) :]
        return source, along(recorded, reading.attention, patches, sources)


def special_tokens(expert: str) -> int:
    """Tokens in front of an expert's patches."""
    return {"space": 1, "time": 0, "audio": 2}[expert]


def along(recorded: Recorded, attention: Any, readers: Tensor, sources: Tensor) -> Tensor:
    """What readers have read of sources, of the sources' shape, along the axis of the attention."""
    return AXES[attention.heads.__name__](recorded.attention[attention], readers).view_as(sources)
