"""Confusion of classes: a picture for two to some hundred classes, and the most frequent pairs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from holovid.extras import needed

with needed("matplotlib", "evaluation", extra="train"):
    from matplotlib.colors import PowerNorm
    from matplotlib.figure import Figure

MOST_NAMED = 60  # classes whose names are readable beside the picture
MOST_NUMBERED = 15  # classes with cells large enough for a number
LONGEST_NAME = 28


def confusion_counts(labels: ArrayLike, predictions: ArrayLike, num_classes: int) -> np.ndarray:
    """Clips of each class (rows) by predicted class (columns), int64 (classes, classes).

    >>> confusion_counts([0, 0, 1], [0, 1, 1], 2)
    array([[1, 1],
           [0, 1]])
    """
    counts = np.zeros((num_classes, num_classes), dtype=np.int64)
    np.add.at(counts, (np.asarray(labels, dtype=int), np.asarray(predictions, dtype=int)), 1)
    return counts


def most_confused(counts: np.ndarray, names: Sequence[str], limit: int = 20) -> list[dict[str, Any]]:
    """The most frequent wrong pairs: `label`, `prediction`, number of `clips`, their `share` of the label's clips."""
    wrong = counts * (1 - np.eye(len(counts), dtype=counts.dtype))
    order = np.argsort(-wrong, axis=None, kind="stable")[:limit]
    pairs = [divmod(int(place), len(counts)) for place in order if wrong.flat[place]]
    return [
        {
            "label": names[label],
            "prediction": names[prediction],
            "clips": int(wrong[label, prediction]),
            "share": float(wrong[label, prediction] / counts[label].sum()),
        }
        for label, prediction in pairs
    ]


def draw_confusion(counts: np.ndarray, names: Sequence[str], title: str = "") -> Figure:
    """Draw `counts` (classes, classes) as shares of each row.

    Classes that neither occur nor are predicted are left out. Up to 60 classes have names, more have numbers; up to 15
    also have their shares in the cells. Raises `ValueError` when there are no clips, or not as many names as classes.
    """
    if counts.shape != (len(names), len(names)):
        raise ValueError(f"{len(names)} classes need counts with as many rows and columns, got {counts.shape}")
    used = np.flatnonzero(counts.sum(axis=0) + counts.sum(axis=1))
    if not len(used):
        raise ValueError("there are no clips to draw")
    clips = counts[np.ix_(used, used)]
    shares = clips / np.maximum(1, clips.sum(axis=1, keepdims=True))

    side = float(np.clip(0.24 * len(used), 3.2, 12))
    figure = Figure(figsize=(side + 2.6, side + 2.2), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    # at least a pixel a class, so that none is averaged away; rare confusions are darkened
    image = axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, 0, 1), interpolation="nearest")
    bar = figure.colorbar(image, ax=axes, fraction=0.046, pad=0.02)
    bar.set_label("share of the class")
    axes.set_xlabel("prediction")
    axes.set_ylabel("label")
    if title:
        axes.set_title(title, fontsize=10)
    if len(used) <= MOST_NAMED:
        size = 8 if len(used) <= 40 else 6
        shown = [cut_name(names[int(number)]) for number in used]
        axes.set_xticks(range(len(used)), shown, rotation=90, fontsize=size)
        axes.set_yticks(range(len(used)), shown, fontsize=size)
    else:
        every = np.arange(0, len(used), 10)
        axes.set_xticks(every, used[every], rotation=90, fontsize=6)
        axes.set_yticks(every, used[every], fontsize=6)
    if len(used) <= MOST_NUMBERED:
        for row, column in np.ndindex(shares.shape):
            if share := shares[row, column]:
                colour = "white" if share > 0.4 else "black"
                axes.text(column, row, f"{share:.2f}", ha="center", va="center", color=colour, fontsize=7)
    return figure


def cut_name(name: str) -> str:
    name = name.replace("$", r"\$")
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "\N{HORIZONTAL ELLIPSIS}"
