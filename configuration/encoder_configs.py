# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Configurations of inner models, and of models that encode frames with one."""

from collections.abc import Mapping
from typing import Any

from transformers import CONFIG_MAPPING
from transformers.configuration_utils import PreTrainedConfig

from holovid.configuration.frames_in_patches import FrameSize


def encoder_config(field: str, fields: Mapping[str, Any]) -> PreTrainedConfig:
    """A configuration of the class that `model_type` names. Raises `ValueError`, naming `field`, for unknown types."""
    model_type = fields.get("model_type")
    if model_type not in CONFIG_MAPPING:
        raise ValueError(f"{field} needs the model_type of a transformers or holovid model, got {model_type!r}")
    return CONFIG_MAPPING[model_type](**{name: value for name, value in fields.items() if name != "model_type"})


class FramesOfEncoder(FrameSize):
    """Mixin for configurations of models whose inner model, `frame_encoder`, encodes frames.

    If it is `None`, the model takes features of `feature_width` instead of frames.
    """

    @property
    def frame_encoder(self) -> Any:
        raise NotImplementedError

    @property
    def feature_width(self) -> int | None:
        raise NotImplementedError

    @property
    def image_size(self) -> int | list[int] | tuple[int, int]:  # type: ignore[override]
        """Frame size of the encoder in pixels. Raises `ValueError` if the model takes features."""
        if self.frame_encoder is None:
            raise ValueError(f"this model takes features of width {self.feature_width}, not frames")
        return self.frame_encoder.image_size

    @property
    def image_mean(self) -> tuple[float, ...]:
        """Mean colour of frames: a holovid video model's own, else that of most ViTs."""
        return getattr(self.frame_encoder, "image_mean", (0.5, 0.5, 0.5))

    @property
    def image_std(self) -> tuple[float, ...]:
        return getattr(self.frame_encoder, "image_std", (0.5, 0.5, 0.5))

    @property
    def num_channels(self) -> int:
        return getattr(self.frame_encoder, "num_channels", 3)


__all__ = ["FramesOfEncoder", "encoder_config"]
