# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Checks of configuration fields, with clear errors before anything is built."""

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

from holovid.configuration.suggestions import did_you_mean, nearest

MOST = 2**20  # upper limit of every count, so that a typing error does not take all memory
# transformers has more, but looking them up loads torch
COMMON_ACTIVATIONS = ("gelu", "quick_gelu", "relu", "silu")
# arguments of transformers that are not fields
BESIDE_FIELDS = ("num_labels", "attn_implementation", "experts_implementation", "output_attentions", "torch_dtype")
SIMILAR = 0.85  # names more similar than this are typing errors


def check_counts(config: Any, names: Iterable[str]) -> None:
    """Raise `ValueError` unless these fields are whole numbers from 1 on; `None` means not set."""
    for name in names:
        value = getattr(config, name)
        if value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ValueError(f"{name} must be at least 1, got {value!r}")
        if value > MOST:
            raise ValueError(f"{name} must be at most {MOST:,}, got {value!r}")


def check_numbers(config: Any, names: Iterable[str], most: float, least: float = 0.0, above: bool = False) -> None:
    """Raise `ValueError` unless these fields are numbers in [least, most], or in (least, most] with `above`."""
    for name in names:
        value = getattr(config, name)
        if value is not None and not (
            math.isfinite(value) and least <= value <= most and (value > least or not above)
        ):
            bound = f"greater than {least:g} and at most {most:g}" if above else f"between {least:g} and {most:g}"
            raise ValueError(f"{name} must be {bound}, got {value!r}")


def check_activation(name: str, value: str) -> None:
    if value in COMMON_ACTIVATIONS:
        return
    from transformers.activations import ACT2FN

    if value not in ACT2FN:
        raise ValueError(f"{name} must be one of {', '.join(sorted(ACT2FN))}, got {value!r}")


def check_field_names(config_class: type, names: Iterable[str]) -> None:
    known = {field.name for field in dataclasses.fields(config_class)} | {*BESIDE_FIELDS}
    if unknown := sorted(name for name in names if name not in known and not name.startswith("_")):
        hint = did_you_mean(unknown[0], sorted(known), "its documentation lists the fields")
        raise ValueError(f"{config_class.__name__} has no fields {unknown}; {hint}")


class NoMisspeltFields:
    """Mixin for configurations, before `PreTrainedConfig`: refuses names that are almost fields, except in files."""

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any) -> Any:
        fields = own_fields(cls)
        similar = {name: value for name, value in config_dict.items() if is_slip(name, fields)}
        known = {name: value for name, value in config_dict.items() if name not in similar}
        loaded = super().from_dict(known, **kwargs)  # type: ignore[misc]
        for name, value in similar.items():
            setattr(loaded[0] if isinstance(loaded, tuple) else loaded, name, value)
        return loaded

    def __post_init__(self, **kwargs: Any) -> None:
        fields = own_fields(type(self))
        for name in kwargs:
            if is_slip(name, fields):
                raise ValueError(f"{type(self).__name__} has no field {name!r}; {did_you_mean(name, fields)}")
        super().__post_init__(**kwargs)  # type: ignore[misc]


def own_fields(config_class: type) -> list[str]:
    """Fields that a user sets; transformers stores some with the prefix "_", behind properties."""
    return [field.name for field in dataclasses.fields(config_class) if not field.name.startswith("_")]


def is_slip(name: str, fields: list[str]) -> bool:
    if name in fields or name in BESIDE_FIELDS or name.startswith("_"):
        return False
    return nearest(name, fields, alike=SIMILAR) is not None


__all__ = [
    "MOST",
    "NoMisspeltFields",
    "check_activation",
    "check_counts",
    "check_field_names",
    "check_numbers",
    "is_slip",
]
