# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Suggestions for unknown names."""

import difflib
from collections.abc import Iterable

ALIKE = 0.6  # least similarity, between 0 (nothing in common) and 1 (the same)
MOST_LISTED = 40


def nearest(name: str, known: Iterable[str], alike: float = ALIKE) -> str | None:
    """The known name that is most similar to `name`; `None` if none is similar enough."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=alike)), None)


def did_you_mean(
    name: str, known: Iterable[str], otherwise: str | None = None, alike: float = ALIKE, written: str = "{!r}"
) -> str:
    """The end of an error about an unknown name: the most similar known one.

    Args:
        otherwise: the text if none is similar; default: the known names.
        written: format of a name, with braces for it.

    >>> did_you_mean("num_frame", ["num_frames", "num_views"]), did_you_mean("size", ["fps"])
    ("did you mean 'num_frames'?", 'there are fps')
    """
    known = list(known)
    near = nearest(name, known, alike)
    if near is not None:
        return f"did you mean {written.format(near)}?"
    more = ", ..." if len(known) > MOST_LISTED else ""
    return otherwise or f"there are {', '.join(known[:MOST_LISTED])}{more}"


__all__ = ["did_you_mean", "nearest"]
