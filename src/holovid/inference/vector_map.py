"""A map of embeddings: similar clips are near each other. N vectors, D width."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from holovid.extras import needed
from holovid.inference.nearest import of_length_one
from holovid.inference.vectors import Vectors
from holovid.processing.options import check_whole_number

with needed("matplotlib", "a map of vectors"):
    from matplotlib import color_sequences
    from matplotlib.colors import to_hex
    from matplotlib.figure import Figure

FEWEST = 4  # vectors of a map
DIRECTIONS = 50  # principal components
NEIGHBOURS = 30  # t-SNE's perplexity
MOST_NAMES = 20  # classes in the legend; others share a colour
FEW = 300  # dots drawn large
OTHERS = "#b6bcc4"


def draw_map(
    vectors: Vectors, labels: Sequence[str | None] | None = None, *, most: int = 5000, seed: int = 0, title: str = ""
) -> Figure:
    """Draw a dot for each vector by t-SNE, near to others with a small angle to it.

    Neighbouring dots are similar; distances between groups mean little.

    Args:
        labels: (N,) names of classes, or `None`; the twenty most frequent have their own colours.
        most: largest number of vectors; more are sampled at random.
        seed: of the random choices; the same seed gives the same picture.
        title: a line above the picture.

    Raises `ValueError` for fewer than four vectors, and another number of labels; `ImportError` without scikit-learn.
    """
    check_whole_number("most", most, FEWEST, 10**6)
    count = len(vectors.values)
    if count < FEWEST:
        raise ValueError(f"a map needs at least {FEWEST} vectors, but there are {count}")
    if labels is not None and len(labels) != count:
        raise ValueError(f"labels must be as many as the {count} vectors, got {len(labels)}")
    chosen = np.sort(np.random.default_rng(seed).permutation(count)[:most])
    places = places_on_a_map(vectors.values[chosen], seed)
    names = np.array([(labels[place] if labels is not None else None) or "" for place in chosen])
    figure = Figure(figsize=(8.4, 6.2), dpi=130, layout="constrained")
    axes = figure.add_subplot()
    size, opacity = (26, 0.85) if len(chosen) <= FEW else (8, 0.6)
    groups = groups_to_draw(names)
    drawn: list[tuple[Any, str]] = []
    for name, colour in groups.items():
        has_colour = np.isin(names, [each for each in groups if each is not None])
        dots = places[~has_colour if name is None else names == name]
        label = name.replace("$", r"\$") if name else ("others" if name is None else "without a label")
        dots_drawn = axes.scatter(dots[:, 0], dots[:, 1], s=size, alpha=opacity, color=colour, linewidths=0)
        drawn.append((dots_drawn, f"{label} ({len(dots)})"))
    if labels is not None:
        handles = [each for each, _ in drawn]
        legend = figure.legend(
            handles, ["-"] * len(handles), loc="outside right upper", fontsize=8, frameon=False, markerscale=1.3
        )
        legend.set_in_layout(True)
        for text, (_, label) in zip(legend.get_texts(), drawn, strict=True):
            text.set_text(label)  # matplotlib leaves out names like "_background" that it is given before
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_aspect("equal", adjustable="datalim")
    for spine in axes.spines.values():
        spine.set_color("#d5d9de")
    told = f"{len(chosen):,} of {count:,} vectors" if len(chosen) < count else f"{count:,} vectors"
    axes.set_title(f"{title}{', ' if title else ''}{told}".replace("$", r"\$"), fontsize=10, loc="left")
    return figure


def places_on_a_map(values: np.ndarray, seed: int = 0) -> np.ndarray:
    """(N, D) -> (N, 2), by the angles between vectors: principal components, then t-SNE."""
    with needed("scikit-learn", "a map of vectors"):
        from sklearn.decomposition import PCA
        from sklearn.manifold import TSNE
    known = of_length_one(values)
    directions = min(DIRECTIONS, *known.shape)
    if known.shape[1] > directions:
        known = PCA(directions, random_state=seed).fit_transform(known)
    perplexity = min(NEIGHBOURS, (len(known) - 1) / 3)
    return TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(known)


def groups_to_draw(names: np.ndarray) -> dict[str | None, str]:
    """Name -> colour, most frequent last, so that rare ones are visible; `None` stands for all others."""
    found, counts = np.unique(names[names != ""], return_counts=True)
    frequent = found[np.argsort(-counts, kind="stable")][:MOST_NAMES]
    palette = [*color_sequences["tab10" if len(frequent) <= 10 else "tab20"]]
    groups: dict[str | None, str] = {"": OTHERS if len(frequent) else "#2f6fde"} if (names == "").any() else {}
    if len(found) > len(frequent):
        groups[None] = "#6a737d"
    return groups | {str(name): to_hex(palette[number]) for number, name in enumerate(sorted(frequent))}


__all__ = ["draw_map"]
