# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""What the processors return: inputs of a model, of which those in seconds stay exact."""

from typing import Any

from torch import Tensor
from transformers.image_processing_utils import BatchFeature

SECONDS = ("frame_times", "audio_span")  # bfloat16 counts in half seconds from second 64 on


class ClipFeatures(BatchFeature):
    """A [`~transformers.BatchFeature`] whose times keep their type.

    `to(dtype)`, which pipelines call with the type of the model's weights, casts pixels and spectrograms only;
    `to(device)` moves all.
    """

    def to(self, *args: Any, **kwargs: Any) -> "ClipFeatures":
        exact = {name: self.data[name] for name in SECONDS if name in self.data}
        super().to(*args, **kwargs)
        self.data.update({name: beside(times, self.data[name]) for name, times in exact.items()})
        return self


def beside(times: Any, moved: Any) -> Any:
    """`times`, a tensor or a list of them, on the device of `moved`."""
    if isinstance(times, Tensor):
        return times.to(moved.device)
    if isinstance(times, (list, tuple)):
        return type(times)(beside(*pair) for pair in zip(times, moved, strict=True))
    return times


__all__ = ["SECONDS", "ClipFeatures"]
