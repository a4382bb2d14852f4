"""Class weights for `--class_weights balanced`, and the weighted loss."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from holovid.data.dataset import ClipDataset
from holovid.modeling.modeling_common import class_loss, multi_label_loss
from holovid.modeling.tasks import Task


def balanced_weights(dataset: ClipDataset) -> dict[str, Tensor]:
    """Weights (K,) for each label with which all classes count alike, however many clips they have.

    For one class a clip, a class of n clips weighs N / (K n), where K counts the classes with clips. For several
    classes, clips with a class weigh (N - n) / n, the others 1. A class of no clip, or of all, weighs 1. Raises
    `ValueError` for labels that are numbers.
    """
    weights = {}
    for key, column in dataset.label_keys.items():
        kind, names = dataset.kinds[column], dataset.names[column]
        if kind == "score":
            raise ValueError(f"class_weights are for classes, but {column!r} is a number")
        values = dataset.rows[column][:]
        flat = values if kind == "class" else [number for numbers in values for number in numbers]
        counts = np.bincount(np.asarray(flat, dtype=int), minlength=len(names))
        if kind == "class":
            balanced = len(values) / (np.count_nonzero(counts) * np.maximum(counts, 1))
        else:
            balanced = (len(values) - counts) / np.maximum(counts, 1)
        balanced[(counts == 0) | (balanced == 0)] = 1.0
        weights[key] = torch.tensor(balanced, dtype=torch.float32)
    return weights


def weighted_loss(
    model: nn.Module, inputs: Mapping[str, Any], tasks: Sequence[Task], weights: Mapping[str, Tensor]
) -> tuple[Tensor, Any]:
    """The loss with class weights by label (for one class a clip as in torch's cross-entropy), and the outputs."""
    labels = {task.labels for task in tasks}
    outputs = model(**{name: value for name, value in inputs.items() if name not in labels})
    losses = []
    for task in tasks:
        logits, answers = outputs[task.scores].float(), inputs[task.labels]
        weight = weights[task.labels].to(logits.device)
        if task.kind == "multi_label":
            losses.append(multi_label_loss(logits, answers, weight))
        else:
            losses.append(class_loss(logits, answers, weight, task.labels))
    return torch.stack(losses).sum(), outputs
