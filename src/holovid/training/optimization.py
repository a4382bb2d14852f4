"""Optimisers and schedules of the recipes: weight decay, and learning rates by layer and step.

    optimizer = build_optimizer(model, recipe, learning_rate=recipe.scaled_learning_rate(total_batch_size))
    schedule = build_schedule(optimizer, recipe, num_steps, learning_rate)     # one step() after each of the optimiser

In a plain Accelerate loop do not pass the schedule to `accelerator.prepare`, which would step it once for every
process. L layers.
"""

import math
import re
from collections.abc import Callable

from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR
from transformers import PreTrainedModel

from holovid.recipes import Recipe

# XViT's reference does not decay biases in its modules "head" and "new_fc": these, by our names. peft adds what
# follows "classifier".
HEAD_BIAS = re.compile(r"(^|\.)(classifier|pooler\.(layernorm|dense))\.(.*\.)?bias$")
# names of parameters that Video Swin's reference does not decay
NORM_OR_TABLE = re.compile(r"norm|relative_position_bias_table|position_embeddings")


def parameter_groups(model: nn.Module, recipe: Recipe, weight_decay: float | None = None) -> list[dict]:
    """The trained parameters, grouped by weight decay and learning rate.

    - `recipe.no_decay="head_biases"`: all are decayed, norms, positions and biases too, except biases of the
      classification head (in XViT's attention pooling its norm and dense layer, and the classifier).
    - "vectors_and_positions": only matrices of linear layers and convolutions are decayed, not tokens and tables of
      positions. That includes tables in the exchanges with audio, which the reference's list of names forgets.
    - "nothing": all are decayed.
    - "norms_and_tables": all are decayed except norms and tables of positions.
    - `recipe.layer_decay` d: the rate is scaled by d ** (L + 1 - l), where l = 0 for embeddings, i + 1 for layer i and
      L + 1 for everything else.
    - `recipe.backbone_rate`: the scale of everything in the base model; that of the classifier is 1.

    Args:
        model: one of ours, plain or wrapped (by DistributedDataParallel, `torch.compile`, peft).
        weight_decay: instead of the recipe's.

    Returns groups with "params", "weight_decay", "learning_rate_scale" and "name", from the embeddings upwards. Raises
    `ValueError` when nothing is trained, for layer decay on a model without embeddings and layers, and for a backbone
    rate on one without a classifier.
    """
    decay = recipe.weight_decay if weight_decay is None else weight_decay
    undecayed = UNDECAYED[recipe.no_decay](model)
    places: dict[int, int] = {}
    ratio = 1.0  # of the rates of neighbouring places
    if recipe.layer_decay is not None:
        places, ratio = layer_places(model), recipe.layer_decay
    elif recipe.backbone_rate != 1.0:
        places, ratio = backbone_places(model), recipe.backbone_rate
    top = max(places.values(), default=0) + 1
    lowest = "embeddings" if recipe.layer_decay is not None else "backbone"
    groups: dict[tuple[int, bool], dict] = {}
    for parameter in model.parameters():
        if not parameter.requires_grad:
            continue
        place, decayed = places.get(id(parameter), top), id(parameter) not in undecayed
        if (place, decayed) not in groups:
            where = lowest if place == 0 else f"layer {place - 1}" if place < top else "head"
            groups[place, decayed] = {
                "params": [],
                "weight_decay": decay if decayed else 0.0,
                "learning_rate_scale": ratio ** (top - place),
                "name": f"{where if places else 'all'}, {'decayed' if decayed else 'not decayed'}",
            }
        groups[place, decayed]["params"].append(parameter)
    if not groups:
        raise ValueError("no parameter of this model is trained: all have requires_grad=False")
    return [groups[key] for key in sorted(groups)]


def head_biases(model: nn.Module) -> set[int]:
    return {id(parameter) for name, parameter in model.named_parameters() if HEAD_BIAS.search(name)}


def vectors_and_positions(model: nn.Module) -> set[int]:
    """Ids of everything but weight matrices of modules; tokens and tables have other names."""
    return {
        id(parameter)
        for name, parameter in model.named_parameters()
        if parameter.ndim < 2 or name.rpartition(".")[2] != "weight"
    }


def norms_and_tables(model: nn.Module) -> set[int]:
    return {id(parameter) for name, parameter in model.named_parameters() if NORM_OR_TABLE.search(name)}


UNDECAYED: dict[str, Callable[[nn.Module], set[int]]] = {
    "head_biases": head_biases,
    "vectors_and_positions": vectors_and_positions,
    "norms_and_tables": norms_and_tables,
    "nothing": lambda model: set(),
}


def backbone_places(model: nn.Module) -> dict[int, int]:
    for module in model.modules():
        base = getattr(module, getattr(module, "base_model_prefix", ""), None)
        if isinstance(module, PreTrainedModel) and isinstance(base, nn.Module):
            return {id(parameter): 0 for parameter in base.parameters()}
    raise ValueError(f"backbone_rate needs a model with a classifier; {type(model).__name__} has none")


def layer_places(model: nn.Module) -> dict[int, int]:
    """Id of each parameter in the base model's `embeddings` (0) or its layer i (i + 1) -> that place."""
    for module in model.modules():
        children = dict(module.named_children())
        if {"embeddings", "layers"} <= children.keys():
            break
    else:
        raise ValueError(f"layer_decay needs a model with embeddings and layers; {type(model).__name__} has none")
    stages = [children["embeddings"], *children["layers"].children()]
    return {id(parameter): place for place, stage in enumerate(stages) for parameter in stage.parameters()}


def build_optimizer(
    model: nn.Module, recipe: Recipe, learning_rate: float, weight_decay: float | None = None
) -> Optimizer:
    """The recipe's optimiser, with groups at `learning_rate` times their scale.

    `learning_rate` is the peak for the batch in use: `recipe.scaled_learning_rate(total_batch_size)`. Raises what
    [`parameter_groups`] raises.
    """
    groups = parameter_groups(model, recipe, weight_decay)
    for group in groups:
        group["lr"] = learning_rate * group["learning_rate_scale"]
    if recipe.optimizer == "sgd":
        return SGD(groups, lr=learning_rate, momentum=recipe.momentum, nesterov=recipe.momentum > 0)
    optimizer = {"adamw": AdamW, "adam": Adam}[recipe.optimizer]
    return optimizer(groups, lr=learning_rate, betas=recipe.betas, eps=recipe.eps)


def learning_rate_at(
    recipe: Recipe, step: int, num_steps: int, learning_rate: float, warmup_steps: int | None = None
) -> float:
    """The learning rate at step `step` (from 0) of `num_steps`, before layers' scales; later steps keep the last one.

    The recipe's first and last rates belong to its own peak, and are scaled with `learning_rate`, the peak in use.

    >>> from holovid.recipes import get_recipe
    >>> [round(learning_rate_at(get_recipe("xvit-k400"), epoch, 30, 0.03), 5) for epoch in (0, 5, 15, 30)]
    [0.01, 0.02799, 0.015, 0.0]
    """
    if num_steps < 1:
        raise ValueError(f"a schedule needs at least one step, got num_steps={num_steps}")
    if warmup_steps is None:
        warmup_steps = round(num_steps * recipe.warmup_epochs / recipe.epochs)
    if not 0 <= warmup_steps <= num_steps:
        raise ValueError(f"warmup_steps must be from 0 to num_steps={num_steps}, got {warmup_steps}")
    batch_scale = learning_rate / recipe.learning_rate
    start, final = recipe.warmup_start_rate * batch_scale, recipe.final_rate * batch_scale
    step = min(step, num_steps)

    def cosine(step: int) -> float:
        first = warmup_steps if recipe.cosine_from == "warmup" else 0
        part = (step - first) / max(num_steps - first, 1)
        return final + (learning_rate - final) * (1 + math.cos(math.pi * part)) / 2

    def falling(step: int) -> float:
        share = 1.0
        for epoch, then in recipe.steps:
            share = then if step * recipe.epochs >= epoch * num_steps else share
        return learning_rate * share

    after_warmup = falling if recipe.cosine_from == "never" else cosine
    if step >= warmup_steps:
        return after_warmup(step)
    return start + (after_warmup(warmup_steps) - start) * step / warmup_steps


def build_schedule(
    optimizer: Optimizer, recipe: Recipe, num_steps: int, learning_rate: float, warmup_steps: int | None = None
) -> LambdaLR:
    """The recipe's schedule: each group's scale times [`learning_rate_at`].

    Args:
        optimizer: from [`build_optimizer`], with the same `learning_rate`.
        num_steps: of the whole run.
        learning_rate: the peak.
        warmup_steps: instead of the recipe's share of warm-up.
    """

    if not learning_rate:
        return LambdaLR(optimizer, lambda step: 0.0)

    def factor(step: int) -> float:
        return learning_rate_at(recipe, step, num_steps, learning_rate, warmup_steps) / learning_rate

    return LambdaLR(optimizer, factor)
