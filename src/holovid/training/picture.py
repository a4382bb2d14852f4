"""A picture of a training run from Trainer's log: loss, learning rate and accuracy over the steps."""

from collections.abc import Sequence
from pathlib import Path

from holovid.extras import needed
from holovid.files import new_file

with needed("matplotlib", "training", extra="train"):
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT, BLUE, ORANGE = "#1b1f24", "#6a737d", "#2f6fde", "#d9730d"
# The first of these that is in the log is drawn as accuracy.
ACCURACIES = ("eval_top1", "eval_action_top1", "eval_accuracy")


def draw_training(log: Sequence[dict]) -> Figure:
    """Draw `state.log_history` of a Trainer: panels of losses, learning rate and accuracy, as far as they are logged.

    Entries are dictionaries with "step" and its values: "loss" and "learning_rate", or "eval_loss" and an accuracy in
    0..1.
    """
    accuracy = next((name for name in ACCURACIES if any(name in entry for entry in log)), None)
    figure = Figure(figsize=(8, 7.5 if accuracy else 5.5), layout="constrained")
    panels = figure.subplots(3 if accuracy else 2, 1, sharex=True, height_ratios=[2, 1, 2] if accuracy else [2, 1])
    losses, rates = panels[:2]
    curve(losses, log, "loss", "training", BLUE)
    curve(losses, log, "eval_loss", "validation", ORANGE, marker="o")
    losses.set_ylabel("loss")
    if losses.get_legend_handles_labels()[0]:
        losses.legend(frameon=False, labelcolor=INK)
    curve(rates, log, "learning_rate", "", FAINT)
    rates.set_ylabel("learning rate")
    rates.set_ylim(bottom=0)
    if accuracy:
        curve(panels[2], log, accuracy, "", ORANGE, marker="o")
        best = max(entry[accuracy] for entry in log if accuracy in entry)
        panels[2].set_ylabel(f"validation {accuracy.removeprefix('eval_').replace('_', ' ')}, best {best:.3f}")
        panels[2].set_ylim(0, 1.02)
    panels[-1].set_xlabel("step")
    for panel in panels:
        panel.grid(color="#e9edf2")
        panel.spines[["top", "right"]].set_visible(False)
    return figure


def curve(panel: Axes, log: Sequence[dict], name: str, label: str, color: str, marker: str = "") -> None:
    points = [(entry["step"], entry[name]) for entry in log if name in entry]
    if points:
        # a single point makes no line
        panel.plot(*zip(*points, strict=True), label=label, color=color, marker=marker if len(points) > 1 else "o")


def save_training_picture(log: Sequence[dict], path: str | Path) -> None:
    with new_file(path) as unfinished:
        draw_training(log).savefig(unfinished, format="png", dpi=110)
