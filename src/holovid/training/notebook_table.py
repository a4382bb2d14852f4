"""The table under a notebook's progress bar, without columns that never change."""

from typing import Any

from transformers import Trainer
from transformers.utils.notebook import NotebookProgressCallback

COUNTS = ("clips", "segments", "left_out")  # constant for a set; `left_out` is shown if not 0


class NotebookTable(NotebookProgressCallback):
    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict[str, float] | None = None, **kwargs: Any):
        super().on_evaluate(args, state, control, metrics=without_counts(metrics or {}), **kwargs)


def without_counts(metrics: dict[str, float]) -> dict[str, float]:
    """The metrics that get a column.

    >>> without_counts({"eval_top1": 0.5, "eval_clips": 16, "eval_left_out": 0})
    {'eval_top1': 0.5}
    """
    return {name: value for name, value in metrics.items() if not is_count(name) or ("left_out" in name and value)}


def is_count(name: str) -> bool:
    return any(name == count or name.endswith(f"_{count}") for count in COUNTS)


def use_notebook_table(trainer: Trainer) -> None:
    if trainer.pop_callback(NotebookProgressCallback) is not None:
        trainer.add_callback(NotebookTable)
