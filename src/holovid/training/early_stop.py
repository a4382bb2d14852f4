"""When a run stops before its end, and by what: no evaluation was better for long."""

from collections.abc import Sequence

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from holovid.modeling.tasks import Task


class EarlyStop(TrainerCallback):
    """Stops training when the best evaluation is `patience` evaluations ago.

    It counts in the log, which checkpoints hold: a resumed run stops where the whole one would have. transformers'
    EarlyStoppingCallback counts in itself.
    """

    def __init__(self, patience: int):
        self.patience = patience

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs) -> None:
        name = f"eval_{str(args.metric_for_best_model).removeprefix('eval_')}"
        values = [entry[name] for entry in state.log_history if name in entry]
        if not values:
            return
        best = (max if args.greater_is_better else min)(values)
        if len(values) - 1 - values.index(best) >= self.patience:
            control.should_training_stop = True


def best_metric(tasks: Sequence[Task]) -> tuple[str, bool]:
    """By which of what `measure` gives a checkpoint is the best: its name, and whether more of it is better."""
    if {task.name for task in tasks} == {"verb", "noun"}:
        return "action_top1", True
    if len(tasks) > 1:
        return "loss", False
    names = {"multi_label": ("mean_average_precision", True), "score": ("mean_absolute_error", False)}
    return names.get(tasks[0].kind, ("top1", True))
