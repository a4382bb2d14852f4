"""Trainer's `compute_metrics` for every kind of head.

Trainer(model, args, compute_metrics=compute_metrics, ...)  # for a classifier: loss, top1, top5, ... Trainer(model,
args, compute_metrics=partial(compute_metrics, tasks=tasks_of(model, model.config)), ...)  # for any head
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

LOSSES = {"multi_label": multi_label_loss, "score": score_loss}  # of other kinds than classes


def compute_metrics(prediction: EvalPrediction, tasks: Sequence[Task] = (LABEL,)) -> dict[str, float]:
    """Metrics of these tasks, and the loss over exactly the same clips.

    Args:
        prediction: of a Trainer: logits (clips, classes) and labels (clips,) as arrays, or a tuple of each, one for
            every task.
        tasks: of the model, from `holovid.modeling.tasks.tasks_of`. Default: one class a clip.

    Returns, for one class a clip, `loss`, `top1`, with more than five classes `top5`, `mean_class_accuracy`, `clips`
    and `left_out`; for other tasks see `holovid.metrics`. Clips labelled -100 or NaN, which could not be read, do not
    count. This loss replaces Trainer's `eval_loss`, which with several processes counts the clips that pad the last
    batch twice. Raises `ValueError` for scores that are not numbers, for labels that are not classes, and when no clip
    is left.

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
    scores = scores[: len(tasks)]  # outputs that are not tasks come after
    if not tasks[0].has_fields:  # a number decoded from logits: only the model knows its loss
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
    return {name: value for name, value in measured.items() if isinstance(value, (int, float))}
