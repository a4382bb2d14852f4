"""How the recipe `finetune` adapts to the number of clips and to the model.

All numbers are ours. examples/finetuning.py compares them with other recipes (table: docs/training.md), with a model
64 channels wide; for wide models they are a guess.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from transformers import PreTrainedModel

from holovid.data.anticipation import anticipates
from holovid.recipes import Recipe
from holovid.training.optimization import layer_places

BATCHES = (4, 32)  # fewest and most clips of a step
STEPS_OF_AN_EPOCH = 10  # at least, unless the batch would be too small
STEPS = 400  # at least, of a run
EPOCHS = 10  # at least
MIX_FROM = 1000  # clips: fewer are learned before mixing helps
WIDTH = 768  # channels for which the recipe's rate is meant
BACKBONE_RATE = 0.1  # for models without a stack of layers
DIRECTIONS = re.compile(
    r"(?<![a-z])((left|right|east|west)(wards?|ward)?|(anti|counter)?-?clockwise)(?![a-z])", re.IGNORECASE
)


def fitted(
    recipe: Recipe, model: PreTrainedModel, num_clips: int, names: Sequence[str]
) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe with batch, epochs, mixing, mirroring and rates for these clips and this model.

    Args:
        recipe: one that `fits_clips`.
        model: to be trained.
        num_clips: of training.
        names: of the classes, which tell whether mirroring changes a label.

    Returns it, and sentences about the choices.
    """
    batch = batch_for(num_clips)
    steps = max(num_clips // batch, 1)
    epochs = max(EPOCHS, -(-STEPS // steps))
    changes: dict[str, Any] = {
        "batch_size": batch,
        "epochs": epochs,
        "warmup_epochs": epochs * recipe.warmup_epochs / recipe.epochs,
        "learning_rate": rate_for(recipe, batch, getattr(model.config, "hidden_size", WIDTH)),
        "reference_batch_size": batch,
    }
    remarks = [f"{recipe.name} is {recipe.summary}: {epochs} epochs of {steps} steps, at most"]
    if num_clips < MIX_FROM or anticipates(model.config):
        changes["mixup_alpha"] = 0.0
    if recipe.flip and (directions := [name for name in names if DIRECTIONS.search(name.replace("_", " "))]):
        changes["flip"] = False
        remarks.append(f"clips are not mirrored, because of the class {directions[0]!r}; --flip true mirrors them")
    if recipe.layer_decay is not None and not has_layers(model):
        changes |= {"layer_decay": None, "backbone_rate": BACKBONE_RATE}
    return replace(recipe, **changes), tuple(remarks)


def batch_for(num_clips: int) -> int:
    """The largest power of two that leaves enough steps an epoch.

    >>> [batch_for(clips) for clips in (3, 40, 100, 400, 4000)]
    [3, 4, 8, 32, 32]
    """
    least, most = BATCHES
    batch = most
    while batch > least and batch * STEPS_OF_AN_EPOCH > num_clips:
        batch //= 2
    return min(batch, max(num_clips, 1))


def rate_for(recipe: Recipe, batch: int, width: int) -> float:
    """The peak learning rate at this batch size, for a model with this many channels.

    It falls with the square root of the batch, because AdamW's steps do not grow with gradients; in proportion, 40
    clips were learned too slowly. It grows with the square root of how narrow the model is.

    >>> from holovid.recipes import FINETUNE
    >>> [round(rate_for(FINETUNE, batch, width), 5) for batch, width in ((32, 768), (4, 768), (32, 64))]
    [0.001, 0.00035, 0.00346]
    """
    return recipe.learning_rate * math.sqrt(batch / recipe.reference_batch_size * WIDTH / width)


def has_layers(model: PreTrainedModel) -> bool:
    try:
        layer_places(model)
    except ValueError:
        return False
    return True
