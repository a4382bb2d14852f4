# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Configurations of models inside of models, and of models that look at frames through one."""

from collections.abc import Mapping
from typing import Any

from transformers import CONFIG_MAPPING
from transformers.configuration_utils import PreTrainedConfig

from holovid.configuration.frames_in_patches import FrameSize


def encoder_config(field: str, fields: Mapping[str, Any]) -> PreTrainedConfig:
    """The configuration with these fields, of which `model_type` says what it is of.

    Raises `ValueError`, which names `field`, for a model that is not known.
    """
    model_type = fields.get("model_type")
    if model_type not in CONFIG_MAPPING:
        raise ValueError(f"{field} needs the model_type of a model of transformers or holovid, got {model_type!r}")
    return CONFIG_MAPPING[model_type](**{name: value for name, value in fields.items() if name != "model_type"})


class FramesOfEncoder(FrameSize):
    """Mixin for configurations of models whose frames another one looks at, `frame_encoder`.

    `None` is none: features of `feature_width` are given in place of frames then.
    """

    @property
    def frame_encoder(self) -> Any:
        raise NotImplementedError

    @property
    def feature_width(self) -> int | None:
        raise NotImplementedError

    @property
    def image_size(self) -> int | list[int] | tuple[int, int]:  # type: ignore[override]
        """Pixels of a frame, the encoder's. Raises `ValueError` of a model that takes features."""
        if self.frame_encoder is None:
            raise ValueError(f"a model of features of width {self.feature_width} takes no frames")
        return self.frame_encoder.image_size

    @property
    def image_mean(self) -> tuple[float, ...]:
        """Of the colours of frames, as a video model of holovid was trained, or else as ViTs mostly were."""
        return getattr(self.frame_encoder, "image_mean", (0.5, 0.5, 0.5))

    @property
    def image_std(self) -> tuple[float, ...]:
        """Their deviation."""
        return getattr(self.frame_encoder, "image_std", (0.5, 0.5, 0.5))

    @property
    def num_channels(self) -> int:
        """Colour channels of a frame."""
        return getattr(self.frame_encoder, "num_channels", 3)


__all__ = ["FramesOfEncoder", "encoder_config"]
