"""A picture of predicted numbers against true ones, for any number of clips."""

from collections.abc import Sequence

import numpy as np

from holovid.extras import needed
from holovid.metrics.score_errors import fit_logistic

with needed("matplotlib", "evaluation", extra="train"):
    from matplotlib.figure import Figure

FEW = 300  # clips drawn as dots of full size


def draw_scores(predictions: Sequence[float], rights: Sequence[float], name: str, title: str = "") -> Figure:
    """Draw a dot for each clip, prediction (across) against label (up), and the fitted logistic curve if there is one.

    Raises `ValueError` when there are no clips, or not as many on both sides.
    """
    across, up = np.asarray(predictions, np.float64), np.asarray(rights, np.float64)
    if across.shape != up.shape or not len(across):
        raise ValueError(f"predictions and labels must be equally many and not empty, got {len(across)} and {len(up)}")
    figure = Figure(figsize=(5.2, 5.2), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    ends = np.array([min(across.min(), up.min()), max(across.max(), up.max())])
    axes.plot(ends, ends, color="#6a737d", linewidth=0.8, linestyle=":", label="prediction = label")
    is_few = len(across) <= FEW
    axes.scatter(across, up, s=18 if is_few else 5, alpha=0.7 if is_few else 0.4, color="#2f6fde", linewidths=0)
    if (fitted := fit_logistic(across, up)) is not None:
        order = np.argsort(across)
        axes.plot(across[order], fitted[order], color="#d73a49", linewidth=1.2, label="logistic fit")
    name = name.replace("$", r"\$")
    axes.set_xlabel(f"predicted {name}")
    axes.set_ylabel(name)
    axes.legend(fontsize=8, frameon=False)
    if title:
        axes.set_title(title.replace("$", r"\$"), fontsize=10)
    return figure
