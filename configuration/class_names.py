# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Checks and normalises the names of a model's classes.

transformers takes any mapping; a model whose classes start at 1 would then train for hours and fail when it first has
to name class 0. Our configurations refuse names that do not fit together.
"""

import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

WHOLE_NUMBER = re.compile(r"\s*-?\d{1,18}\s*")  # JSON keys are text
COUNTED = {"id2verb": "num_verbs", "id2noun": "num_nouns"}  # names -> field with their number
PROBLEM_TYPES = ("regression", "single_label_classification", "multi_label_classification")  # of transformers


def class_names(names: Any, field: str = "id2label") -> dict[int, str]:
    """Number of each class -> its name, in the order of the numbers, as plain `int` and `str`.

    Keys may be integers of any type, or text as in JSON files. Raises `ValueError`, starting with `field`, unless they
    are 0, 1, 2, ... without a gap and all names differ.

    >>> class_names({"1": "walk", "0": "run"})
    {0: 'run', 1: 'walk'}
    """
    if not isinstance(names, Mapping):
        raise ValueError(
            f"{field} must map the number of each class to its name, as in {{0: 'run', 1: 'walk'}}, got a "
            f"{type(names).__name__}; dict(enumerate(names)) converts a list"
        )
    found: dict[int, str] = {}
    for key, name in names.items():
        number = class_number(key)
        if number is None:
            raise ValueError(f"{field} must have class numbers, 0, 1, 2, ..., as keys, got {key!r}")
        if number in found:
            raise ValueError(f"{field} names class {number} twice: {found[number]!r} and {name!r}")
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"{field} must have text as names of classes, got {name!r} for class {number}")
        found[number] = str(name)
    if not found:
        raise ValueError(f"{field} is empty: a model needs at least one class")
    if set(found) != set(range(len(found))):
        odd = min(set(found) - set(range(len(found))))
        raise ValueError(
            f"{field} must number its classes from 0 without a gap: the last of {len(found)} classes is "
            f"{len(found) - 1}, but there is a class {odd}; dict(enumerate(names)) numbers names in their order"
        )
    first: dict[str, int] = {}
    for number, name in sorted(found.items()):
        if (other := first.setdefault(name.strip(), number)) != number:
            raise ValueError(f"{field} gives classes {other} and {number} the same name, {name!r}")
    return {number: found[number] for number in range(len(found))}


def class_number(key: Any) -> int | None:
    if isinstance(key, str):
        return int(key) if WHOLE_NUMBER.fullmatch(key) else None
    try:
        return None if isinstance(key, bool) else operator.index(key)
    except TypeError:
        return None


def numbers_of(names: Mapping[int, str]) -> dict[str, int]:
    return {name: number for number, name in names.items()}


@dataclass(init=False, repr=False, eq=False)
class NamedClasses:
    """Mixin for configurations of classifiers, before `PreTrainedConfig`: checks and normalises the names of classes.

    They have the form of [`class_names`] as soon as they are set. `label2id` follows `id2label`; given alone, it
    determines it. Raises `ValueError` for names that do not fit together.
    """

    # any type, so that our error comes before the type checker's
    id2label: Any = None
    label2id: Any = None

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("id2") and value is not None:
            value = class_names(value, name)
        is_news = name == "id2label" and value not in (None, getattr(self, name, None))
        super().__setattr__(name, value)
        if is_news:
            super().__setattr__("label2id", numbers_of(value))
        for names, count in COUNTED.items():
            if name == count and len(getattr(self, names, None) or ()) not in (0, value):
                super().__setattr__(names, None)  # another head; as transformers does for `num_labels`

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any) -> Any:
        """Given names, or another number of classes, replace those of the file."""
        given = {name: kwargs.pop(name) for name in ("id2label", "label2id") if kwargs.get(name) is not None}
        if given or kwargs.get("num_labels") not in (None, len(config_dict.get("id2label") or ())):
            config_dict = {name: value for name, value in config_dict.items() if name not in ("id2label", "label2id")}
        for names, count in COUNTED.items():  # transformers sets given fields last, without looking at others
            if kwargs.get(names) is not None and kwargs.get(count) is None and hasattr(cls, count):
                kwargs[count] = len(class_names(kwargs[names], names))
        return super().from_dict(config_dict | given, **kwargs)  # type: ignore[misc]

    def __post_init__(self, **kwargs: Any) -> None:
        if self.id2label is None and self.label2id:
            self.id2label = inverse_of(self.label2id)
        count = kwargs.get("num_labels")
        if count is not None and (isinstance(count, bool) or not isinstance(count, int)):
            raise ValueError(f"num_labels must be a whole number, got {count!r}")
        if self.id2label is not None and count not in (None, len(self.id2label)):
            raise ValueError(f"num_labels is {count}, but id2label names {len(self.id2label)} classes")
        super().__post_init__(**kwargs)  # type: ignore[misc]
        if self.id2label is not None and self.label2id is None:
            self.label2id = numbers_of(self.id2label)

    def validate_problem_type(self) -> None:
        if self.problem_type not in (None, *PROBLEM_TYPES):  # type: ignore[attr-defined]
            raise ValueError(
                f"problem_type must be {', '.join(PROBLEM_TYPES)} or None, got {self.problem_type!r}"  # type: ignore[attr-defined]
            )

    def validate_class_names(self) -> None:
        if self.id2label is not None and inverse_of(self.label2id) != class_names(self.id2label):
            raise ValueError("label2id must be the inverse of id2label; leave it out")
        for names, count in COUNTED.items():
            if (given := getattr(self, names, None)) is not None and len(given) != getattr(self, count):
                raise ValueError(f"{count} is {getattr(self, count)}, but {names} names {len(given)} classes")


def inverse_of(label2id: Any) -> dict[int, str]:
    if not isinstance(label2id, Mapping):
        raise ValueError(f"label2id must map the name of each class to its number, got a {type(label2id).__name__}")
    numbers = list(map(str, label2id.values()))
    if twice := sorted({number for number in numbers if numbers.count(number) > 1}):
        raise ValueError(f"label2id gives several names to class {twice[0]}")
    return class_names({number: name for name, number in label2id.items()}, "label2id")


__all__ = ["NamedClasses", "class_names"]
