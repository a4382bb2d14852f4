"""Arguments of a training run: ours and transformers' TrainingArguments, with a recipe's defaults.

Order of precedence: the command line, the YAML or JSON file named there first, the recipe, transformers.
"""

import math
import os
from argparse import SUPPRESS
from collections.abc import Sequence
from typing import Any, NoReturn

import torch
from transformers import HfArgumentParser, TrainingArguments

from holovid.recipes import SMALL, Recipe, get_recipe
from holovid.training.run_options import RunArguments, chosen_start, no_such_argument, spelled_out

CLIPS_AT_ONCE = 8  # of the papers' sizes, on one device; larger batches are accumulated


# The least value of each number; whole numbers where this is one.
AT_LEAST: dict[str, float] = {
    "num_frames": 1, "image_size": 1, "per_device_train_batch_size": 1, "per_device_eval_batch_size": 1,
    "gradient_accumulation_steps": 1, "save_total_limit": 1, "seed": 0, "data_seed": 0, "dataloader_num_workers": 0,
    "num_train_epochs": 0.0, "learning_rate": 0.0, "weight_decay": 0.0, "max_grad_norm": 0.0, "warmup_steps": 0.0,
    "ema_decay": 0.0, "batch_size": 1, "accumulate": 1, "epochs": 1, "workers": 0,
}  # fmt: skip
# Defaults of a run that names neither model nor recipe: with them, nine in ten of the clips that
# `holovid data synth` renders by default get the right one of eight classes.
FIRST_EPOCHS = 6
STRATEGIES = ("eval_strategy", "save_strategy")  # with others the best checkpoint may not exist
LARGEST_SEED = 2**32 - 1  # NumPy's limit


class Parser(HfArgumentParser):
    """Reports errors in one sentence, without 200 lines of usage; knows which arguments were given."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(message)

    def given(self, arguments: Sequence[str]) -> dict[str, Any]:
        for action in self._actions:
            action.default = SUPPRESS
        known, unknown = self.parse_known_args(spelled_out(arguments))
        if unknown:
            options = [option for action in self._actions for option in action.option_strings]
            raise no_such_argument(unknown[0], [option[2:] for option in options if option.startswith("--")])
        check_given_numbers(vars(known))
        return vars(known)


def check_given_numbers(given: dict[str, Any]) -> None:
    for name, least in AT_LEAST.items():
        value = given.get(name)
        if value is not None and not least <= value < math.inf:
            raise ValueError(f"--{name} must be at least {least:g}, got {value}")
    for name in ("seed", "data_seed"):
        if given.get(name) is not None and given[name] > LARGEST_SEED:
            raise ValueError(f"--{name} must be at most {LARGEST_SEED}, got {given[name]}")
    if given.get("ema_decay") is not None and not 0 < given["ema_decay"] < 1:
        raise ValueError(f"--ema_decay must be between 0 and 1, got {given['ema_decay']}")


def parse_arguments(
    arguments: Sequence[str], recipe: Recipe | None = None, **defaults: Any
) -> tuple[RunArguments, TrainingArguments]:
    """Parse a command line, which may begin with a YAML or JSON file of arguments.

    `recipe` is used for defaults instead of the named one, with `defaults` of TrainingArguments. Raises `ValueError`
    that names the wrong argument.
    """
    parser = Parser((RunArguments, TrainingArguments))
    given = parser.given(arguments)
    chosen = chosen_start(given)
    if "model" in chosen:  # no model named: a first try
        defaults = {"num_train_epochs": FIRST_EPOCHS} | defaults
    recipe = recipe or get_recipe((given | chosen)["recipe"])
    run, training = parser.parse_dict(training_defaults(recipe, given) | defaults | given)
    return run, training


def training_defaults(recipe: Recipe, given: dict[str, Any]) -> dict[str, Any]:
    """A recipe's TrainingArguments, as far as `given` leaves them open, for its batch size or the given one."""
    devices = int(os.environ.get("WORLD_SIZE", 1))
    if devices == 1 and not given.get("use_cpu"):
        devices = max(1, torch.cuda.device_count())
    clips, steps = given.get("per_device_train_batch_size"), given.get("gradient_accumulation_steps")
    if clips is None:
        share = max(1, recipe.batch_size // (devices * (steps or 1)))
        clips = share if recipe.name == SMALL.name else min(share, CLIPS_AT_ONCE)
        steps = steps or max(1, round(recipe.batch_size / (clips * devices)))
    steps = steps or 1
    cores = (os.cpu_count() or 1) // int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    workers = given.get("dataloader_num_workers", min(8, max(1, cores)))
    return {
        "output_dir": "run",
        "num_train_epochs": recipe.epochs,
        "per_device_train_batch_size": clips,
        "per_device_eval_batch_size": clips,
        "gradient_accumulation_steps": steps,
        "learning_rate": recipe.scaled_learning_rate(clips * steps * devices),
        "weight_decay": recipe.weight_decay,
        "max_grad_norm": recipe.max_grad_norm,
        "eval_strategy": "epoch",
        "save_strategy": "epoch",
        "save_total_limit": 2,
        "load_best_model_at_end": recipe.patience > 0 and given.keys().isdisjoint(STRATEGIES),
        "logging_steps": 10,
        "logging_nan_inf_filter": False,  # VideoTrainer raises
        "dataloader_num_workers": workers,
        "dataloader_persistent_workers": workers > 0,  # they go on reading between epochs
        # without it, processes on CPUs would each train alone
        "use_cpu": not torch.accelerator.is_available(),
    }


__all__ = ["Parser", "RunArguments", "parse_arguments"]
