# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""What a model's classes are called: one form for every way in which people write it, or an error that says why not.

transformers takes any mapping, and a model whose classes start at 1 is trained for hours before it first has to name
class 0. Here a configuration does not come to be with names that do not fit.
"""

import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

WHOLE_NUMBER = re.compile(r"\s*-?\d{1,18}\s*")  # JSON has no other keys than text
COUNTED = {"id2verb": "num_verbs", "id2noun": "num_nouns"}  # names whose count is a field of its own


def class_names(names: Any, field: str = "id2label") -> dict[int, str]:
    """Number of each class -> its name, in the order of the numbers, with plain integers and text.

    Keys may be integers of any kind, or text that is one, as JSON files have it. Raises `ValueError` that starts with
    `field` unless they are 0, 1, 2, ... without a gap and the names are different ones.

    >>> class_names({"1": "walk", "0": "run"})
    {0: 'run', 1: 'walk'}
    """
    if not isinstance(names, Mapping):
        raise ValueError(
            f"{field} maps the number of each class to its name, as in {{0: 'run', 1: 'walk'}}, got a "
            f"{type(names).__name__}: dict(enumerate(names)) makes it of a list"
        )
    found: dict[int, str] = {}
    for key, name in names.items():
        number = class_number(key)
        if number is None:
            raise ValueError(f"{field} has numbers of classes, 0, 1, 2, ..., as keys, got {key!r}")
        if number in found:
            raise ValueError(f"{field} names class {number} twice: {found[number]!r} and {name!r}")
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"{field} has text as the names of classes, got {name!r} for class {number}")
        found[number] = str(name)
    if not found:
        raise ValueError(f"{field} is empty: a model has at least one class")
    if set(found) != set(range(len(found))):
        odd = min(set(found) - set(range(len(found))))
        raise ValueError(
            f"{field} must number its classes from 0 without a gap: of {len(found)} classes the last one is "
            f"{len(found) - 1}, but there is a class {odd}; dict(enumerate(names)) numbers names in their order"
        )
    first: dict[str, int] = {}
    for number, name in sorted(found.items()):
        if (other := first.setdefault(name.strip(), number)) != number:
            raise ValueError(f"{field} gives classes {other} and {number} the same name, {name!r}")
    return {number: found[number] for number in range(len(found))}


def class_number(key: Any) -> int | None:
    """A key as an integer, or `None` if it is none."""
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
    """Mixin for configurations of classifiers, in front of `PreTrainedConfig`: checks `id2label` and its brothers.

    They are in the form of [`class_names`] from the moment they are set, not only after saving. `label2id` follows
    `id2label`; given alone, it is where that comes from. Raises `ValueError` for names that do not fit together.
    """

    # any type, so that a wrong one gets our sentence and not that of the type checker
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
                super().__setattr__(names, None)  # another head; transformers does the same for `num_labels`

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any) -> Any:
        """Names that are given take the place of those in the file; so does another number of classes."""
        given = {name: kwargs.pop(name) for name in ("id2label", "label2id") if kwargs.get(name) is not None}
        if given or kwargs.get("num_labels") not in (None, len(config_dict.get("id2label") or ())):
            config_dict = {name: value for name, value in config_dict.items() if name not in ("id2label", "label2id")}
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

    def validate_class_names(self) -> None:
        """Also what was changed in place since, before it is saved."""
        if self.id2label is not None and inverse_of(self.label2id) != class_names(self.id2label):
            raise ValueError("label2id must say what id2label says, the other way round; leave it out")
        for names, count in COUNTED.items():
            if (given := getattr(self, names, None)) is not None and len(given) != getattr(self, count):
                raise ValueError(f"{count} is {getattr(self, count)}, but {names} names {len(given)} classes")


def inverse_of(label2id: Any) -> dict[int, str]:
    """Name -> number, as a configuration has it, the other way round."""
    if not isinstance(label2id, Mapping):
        raise ValueError(f"label2id maps the name of each class to its number, got a {type(label2id).__name__}")
    numbers = list(map(str, label2id.values()))
    if twice := sorted({number for number in numbers if numbers.count(number) > 1}):
        raise ValueError(f"label2id gives several names to class {twice[0]}")
    return class_names({number: name for name, number in label2id.items()}, "label2id")


__all__ = ["NamedClasses", "class_names"]
