"""Weights of rare classes: what `--class_weights balanced` makes of the clips, and a loss that goes by it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from holovid.data.dataset import ClipDataset
from holovid.modeling.modeling_common import multi_label_loss
from holovid.modeling.tasks import Task


def balanced_weights(dataset: ClipDataset) -> dict[str, Tensor]:
    """Weights (K,) of the classes of each label, so that all classes count alike, however many clips have them.

    Of one class a clip, a class of n clips weighs N / (K n), K being the classes that have clips. Of several, clips
    that show a class weigh (N - n) / n, the others 1. A class that no clip shows, or each, weighs 1.

    Raises `ValueError` for answers that are numbers.
    """
    weights = {}
    for key, column in dataset.label_keys.items():
        kind, names = dataset.kinds[column], dataset.names[column]
        if kind == "score":
            raise ValueError(f"class_weights are for classes, and {column!r} is a number")
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
    """The loss with these weights of classes, by label, and the model's outputs.

    Of one class a clip, the mean over clips by weight, as torch's cross-entropy takes it.
    """
    labels = {task.labels for task in tasks}
    outputs = model(**{name: value for name, value in inputs.items() if name not in labels})
    losses = []
    for task in tasks:
        logits, answers = outputs[task.scores].float(), inputs[task.labels]
        weight = weights[task.labels].to(logits.device)
        if task.kind == "multi_label":
            losses.append(multi_label_loss(logits, answers, weight))
        else:
            losses.append(nn.functional.cross_entropy(logits, answers, weight=weight))
    return torch.stack(losses).sum(), outputs
