"""The table under the progress bar of a notebook, without columns that say the same in each line."""

from typing import Any

from transformers import Trainer
from transformers.utils.notebook import NotebookProgressCallback

COUNTS = ("clips", "segments", "left_out")  # the clips of a set stay as many; those left out are news if there are any


class NotebookTable(NotebookProgressCallback):
    """transformers' own, which makes a column of every metric."""

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict[str, float] | None = None, **kwargs: Any):
        super().on_evaluate(args, state, control, metrics=without_counts(metrics or {}), **kwargs)


def without_counts(metrics: dict[str, float]) -> dict[str, float]:
    """The metrics whose columns say something.

    >>> without_counts({"eval_top1": 0.5, "eval_clips": 16, "eval_left_out": 0})
    {'eval_top1': 0.5}
    """
    return {name: value for name, value in metrics.items() if not is_count(name) or ("left_out" in name and value)}


def is_count(name: str) -> bool:
    return any(name == count or name.endswith(f"_{count}") for count in COUNTS)


def use_notebook_table(trainer: Trainer) -> None:
    """Put our table in the place of transformers'."""
    if trainer.pop_callback(NotebookProgressCallback) is not None:
        trainer.add_callback(NotebookTable)
