# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""What somebody may have meant who wrote a name that is not known."""

import difflib
from collections.abc import Iterable

ALIKE = 0.6  # from which on two names are alike, between 0 (nothing in common) and 1 (the same)
MOST_LISTED = 40


def nearest(name: str, known: Iterable[str], alike: float = ALIKE) -> str | None:
    """The known name that is most like `name`; `None` if none is so much alike."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=alike)), None)


def did_you_mean(
    name: str, known: Iterable[str], otherwise: str | None = None, alike: float = ALIKE, written: str = "{!r}"
) -> str:
    """The end of a sentence that refuses a name: the known name that is most like it.

    Args:
        otherwise: what to say where none is so much alike; default: which names there are.
        written: how a name is shown, with braces for it.

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
