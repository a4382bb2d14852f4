# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""What a model that reads a stream frame by frame says after each chunk. B streams."""

from dataclasses import dataclass

from torch import Tensor


@dataclass
class StreamOutput:
    """
    Args:
        logits: (B, num_labels), of the newest frames for which they are known; `None` until the first are.
        frames: for each stream, the numbers of the frames that its logits are about; `None` with them. The first frame
            of a stream is number 0.
        frames_seen: for each stream, the frames that have come since it began.
    """

    logits: Tensor | None
    frames: list[range] | None
    frames_seen: list[int]


__all__ = ["StreamOutput"]
