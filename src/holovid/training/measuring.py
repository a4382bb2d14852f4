"""What a Trainer measures at an evaluation, of heads of every kind.

Trainer(model, args, compute_metrics=compute_metrics, ...)  # of a classifier: loss, top1, top5, ...
Trainer(model, args, compute_metrics=partial(compute_metrics, tasks=tasks_of(model, model.config)), ...)  # of any
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from transformers import EvalPrediction

from holovid.metrics.action_accuracy import action_accuracy
from holovid.metrics.mean_average_precision import mean_average_precision
from holovid.metrics.score_errors import score_errors
from holovid.metrics.top_k_accuracy import top_k_accuracy
from holovid.modeling.modeling_common import multi_label_loss, score_loss
from holovid.modeling.tasks import LABEL, Task

LOSSES = {"multi_label": multi_label_loss, "score": score_loss}  # of kinds that are no classes


def compute_metrics(prediction: EvalPrediction, tasks: Sequence[Task] = (LABEL,)) -> dict[str, float]:
    """Accuracies, or what else these tasks are measured by, and the loss of exactly the clips that they are of.

    Args:
        prediction: of a Trainer: logits (clips, classes) and labels (clips,) as arrays, or a tuple of each with those
            of every task.
        tasks: of the model, those of `holovid.modeling.tasks.tasks_of`. By default one label of each clip.

    Returns, of one label of each clip, `loss`, `top1`, with more than five classes `top5`, `mean_class_accuracy`,
    `clips` and `left_out`; what others return, `holovid.metrics` says. Clips labelled -100 or NaN, which could not be
    read, count nowhere. Trainer's own `eval_loss` gives way to this one: with several processes that one counts clips
    twice that fill up the last batch.

    Raises `ValueError` for scores that are not numbers, for labels that are not classes, and when no clip is left.

    >>> import numpy as np
    >>> answers = EvalPrediction(np.array([[2.0, 0.0], [0.0, 2.0], [2.0, 0.0]]), np.array([0, 1, 1]))
    >>> {name: round(value, 3) for name, value in compute_metrics(answers).items()}
    {'loss': 0.794, 'top1': 0.667, 'clips': 3, 'left_out': 0, 'mean_class_accuracy': 0.75}
    """
    scores, labels = prediction.predictions, prediction.label_ids
    if not isinstance(scores, tuple):
        scores = (scores,)
    if not isinstance(labels, tuple):
        labels = (labels,)
    scores = scores[: len(tasks)]  # those that nobody is asked about come after
    if not tasks[0].has_fields:  # a number that is made of logits, whose loss only the model knows
        return told(score_errors(scores[0], labels[0]))
    loss = sum(
        LOSSES.get(task.kind, cross_entropy)(torch.from_numpy(some).float(), torch.from_numpy(right)).item()
        for task, some, right in zip(tasks, scores, labels, strict=True)
    )
    if len(scores) == 1:
        k = (1, 5) if scores[0].shape[1] > 5 else 1
        if tasks[0].kind == "score":
            return {"loss": loss} | told(score_errors(scores[0].reshape(-1), labels[0].reshape(-1)))
        if tasks[0].kind == "multi_label":
            return {"loss": loss} | told(mean_average_precision(scores[0], labels[0], k))
        return {"loss": loss} | told(top_k_accuracy(scores[0], labels[0], k, per_class=True))
    if {task.name for task in tasks} == {"verb", "noun"}:
        named: dict[str, Any] = {}
        for task, logits, classes in zip(tasks, scores, labels, strict=True):
            named |= {f"{task.name}_predictions": logits, f"{task.name}_references": classes}
        return {"loss": loss} | action_accuracy(**named)
    measured = {"loss": loss}
    for task, some, right in zip(tasks, scores, labels, strict=True):
        found = compute_metrics(EvalPrediction(some, right), [task])
        measured |= {f"{task.name}_{name}": value for name, value in found.items() if name != "loss"}
    return measured


def told(measured: Mapping[str, Any]) -> dict[str, float]:
    """Of metrics those that are one number, which loggers take."""
    return {name: value for name, value in measured.items() if isinstance(value, (int, float))}
