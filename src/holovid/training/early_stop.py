"""Early stopping: ends a run without a better evaluation for long."""

from collections.abc import Sequence

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from holovid.modeling.tasks import Task


class EarlyStop(TrainerCallback):
    """Stops training `patience` epochs after the best evaluation, by the log, so that resumed runs stop there too."""

    def __init__(self, patience: int):
        self.patience = patience

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs) -> None:
        name = f"eval_{str(args.metric_for_best_model).removeprefix('eval_')}"
        found = [entry for entry in state.log_history if name in entry]
        if not found:
            return
        best = (max if args.greater_is_better else min)(
            found, key=lambda entry: entry[name]
        )  # the first of equal ones
        if found[-1].get("epoch", 0) - best.get("epoch", 0) >= self.patience:
            control.should_training_stop = True


def best_metric(tasks: Sequence[Task]) -> tuple[str, bool]:
    """The metric of `measure` by which a checkpoint is the best: its name, and whether greater is better."""
    if {task.name for task in tasks} == {"verb", "noun"}:
        return "action_top1", True
    if len(tasks) > 1:
        return "loss", False
    names = {"multi_label": ("mean_average_precision", True), "score": ("mean_absolute_error", False)}
    return names.get(tasks[0].kind, ("top1", True))
