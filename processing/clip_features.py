# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""The processors' output: model inputs, in which times in seconds stay exact."""

from typing import Any

from torch import Tensor
from transformers.image_processing_utils import BatchFeature

SECONDS = ("frame_times", "audio_span")  # from second 64 on, bfloat16 has steps of half a second


class ClipFeatures(BatchFeature):
    """A [`~transformers.BatchFeature`] whose times keep their type.

    `to(dtype)`, which pipelines call with the type of the weights, casts pixels and spectrograms only; `to(device)`
    moves everything.
    """

    def to(self, *args: Any, **kwargs: Any) -> "ClipFeatures":
        exact = {name: self.data[name] for name in SECONDS if name in self.data}
        super().to(*args, **kwargs)
        self.data.update({name: beside(times, self.data[name]) for name, times in exact.items()})
        return self


def beside(times: Any, moved: Any) -> Any:
    if isinstance(times, Tensor):
        return times.to(moved.device)
    if isinstance(times, (list, tuple)):
        return type(times)(beside(*pair) for pair in zip(times, moved, strict=True))
    return times


__all__ = ["SECONDS", "ClipFeatures"]
