# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Configurations of models inside of models."""

from collections.abc import Mapping
from typing import Any

from transformers import CONFIG_MAPPING
from transformers.configuration_utils import PreTrainedConfig


def encoder_config(field: str, fields: Mapping[str, Any]) -> PreTrainedConfig:
    """The configuration with these fields, of which `model_type` says what it is of.

    Raises `ValueError`, which names `field`, for a model that is not known.
    """
    model_type = fields.get("model_type")
    if model_type not in CONFIG_MAPPING:
        raise ValueError(f"{field} needs the model_type of a model of transformers or holovid, got {model_type!r}")
    return CONFIG_MAPPING[model_type](**{name: value for name, value in fields.items() if name != "model_type"})


__all__ = ["encoder_config"]
