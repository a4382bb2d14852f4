# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Output of a model that reads a stream frame by frame."""

from dataclasses import dataclass

from torch import Tensor


@dataclass
class StreamOutput:
    """Output for B streams.

    Args:
        logits: (B, num_labels) for the newest frames with a prediction; `None` until there are some.
        frames: for each stream, the numbers of the frames that the logits describe, from 0; `None` with them.
        frames_seen: for each stream, how many frames have come since its start.
    """

    logits: Tensor | None
    frames: list[range] | None
    frames_seen: list[int]


__all__ = ["StreamOutput"]
