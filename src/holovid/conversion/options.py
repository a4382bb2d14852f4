"""Options of a family's converter, parsed from text: its arguments after the state dict, by name and type."""

import inspect
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from holovid.families.family import converter_of, named

WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}
TRUTH = {"true": True, "false": False}
NOT_TEXT = "id2label"  # class names come in a file


def options_of(family: str) -> dict[str, inspect.Parameter]:
    """Name -> argument of the family's converter. Raises `ValueError` for an unknown family."""
    return dict(list(inspect.signature(named(converter_of(family))).parameters.items())[1:])


def kinds_of(family: str) -> dict[str, list[Any]]:
    hints = get_type_hints(named(converter_of(family)))
    kinds = {}
    for name in options_of(family):
        hint = hints.get(name, str)
        alternatives = get_args(hint) if isinstance(hint, UnionType) else (hint,)
        kinds[name] = [kind for kind in alternatives if kind is not NoneType]
    return kinds


def read_options(family: str, given: Mapping[str, str]) -> dict[str, Any]:
    """A user's options, by name as text, converted to the converter's types.

    Raises `ValueError` for options that the family does not have, and for text that cannot be converted.

    >>> read_options("xvit", {"mix_group": "8", "mix_layers": "0, 2"})
    {'mix_group': 8, 'mix_layers': [0, 2]}
    >>> read_options("starvqa", {"score_range": "1,5"})
    {'score_range': [1.0, 5.0]}
    """
    kinds = {name: some for name, some in kinds_of(family).items() if name != NOT_TEXT}
    if unknown := [name for name in given if name not in kinds]:
        raise ValueError(f"{family} has no setting {', '.join(unknown)}; it takes {', '.join(kinds)}")
    return {name: read_value(name, text, kinds[name]) for name, text in given.items()}


def read_value(name: str, text: str, kinds: list[Any]) -> Any:
    for kind in kinds:
        try:
            if kind is bool:
                return TRUTH[text.lower()]
            if get_origin(kind) in (list, tuple):
                return get_origin(kind)(get_args(kind)[0](number) for number in text.split(","))
            return kind(text)
        except (ValueError, KeyError):
            continue
    raise ValueError(f"--{name.replace('_', '-')} takes {' or '.join(map(words_of, kinds))}, got {text!r}")


def words_of(kind: Any) -> str:
    return WORDS.get(kind, "numbers as in 0,100" if float in get_args(kind) else "whole numbers as in 0,1,2")


def option_lines(family: str) -> list[tuple[str, str, str]]:
    defaults = {name: option.default for name, option in options_of(family).items()}
    return [
        (
            name,
            " or ".join(map(words_of, kinds)),
            "from the tensors, or assumed" if defaults[name] is None else str(defaults[name]),
        )
        for name, kinds in kinds_of(family).items()
        if name != NOT_TEXT
    ]
