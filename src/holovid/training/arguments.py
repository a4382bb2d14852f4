"""What a training run is asked for: our arguments beside transformers' TrainingArguments, with a recipe's defaults.

The order of precedence is: what stands on the command line, what stands in the YAML or JSON file named there first,
what the recipe says, what transformers says.
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

CLIPS_AT_ONCE = 8  # of the papers' sizes, on one device; the rest of a batch is accumulated


# What a number must be: at least this, and whole where this is.
AT_LEAST: dict[str, float] = {
    "num_frames": 1, "image_size": 1, "per_device_train_batch_size": 1, "per_device_eval_batch_size": 1,
    "gradient_accumulation_steps": 1, "save_total_limit": 1, "seed": 0, "data_seed": 0, "dataloader_num_workers": 0,
    "num_train_epochs": 0.0, "learning_rate": 0.0, "weight_decay": 0.0, "max_grad_norm": 0.0, "warmup_steps": 0.0,
    "ema_decay": 0.0, "batch_size": 1, "accumulate": 1, "epochs": 1, "workers": 0,
}  # fmt: skip
# Of a run that names neither model nor recipe: nine in ten of the clips that `holovid data synth` renders by default
# then get the right one of eight classes.
FIRST_EPOCHS = 6
STRATEGIES = ("eval_strategy", "save_strategy")  # with other ones the best checkpoint may not be there
LARGEST_SEED = 2**32 - 1  # that NumPy takes


class Parser(HfArgumentParser):
    """Says what is wrong in a sentence, not after 200 lines of usage; tells apart what is given and what is not."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(message)

    def given(self, arguments: Sequence[str]) -> dict[str, Any]:
        """The arguments that are there, by name and converted, without any default."""
        for action in self._actions:
            action.default = SUPPRESS
        known, unknown = self.parse_known_args(spelled_out(arguments))
        if unknown:
            options = [option for action in self._actions for option in action.option_strings]
            raise no_such_argument(unknown[0], [option[2:] for option in options if option.startswith("--")])
        check_given_numbers(vars(known))
        return vars(known)


def check_given_numbers(given: dict[str, Any]) -> None:
    """Raise `ValueError` for numbers of which no run is made."""
    for name, least in AT_LEAST.items():
        value = given.get(name)
        if value is not None and not least <= value < math.inf:
            raise ValueError(f"--{name} must be a number from {least:g} on, got {value}")
    for name in ("seed", "data_seed"):
        if given.get(name) is not None and given[name] > LARGEST_SEED:
            raise ValueError(f"--{name} must be at most {LARGEST_SEED}, got {given[name]}")
    if given.get("ema_decay") is not None and not 0 < given["ema_decay"] < 1:
        raise ValueError(f"--ema_decay must lie between 0 and 1, got {given['ema_decay']}")


def parse_arguments(
    arguments: Sequence[str], recipe: Recipe | None = None, **defaults: Any
) -> tuple[RunArguments, TrainingArguments]:
    """A command line, which may begin with a YAML or JSON file of arguments.

    Args:
        arguments: of the command line.
        recipe: whose defaults count, in place of the one that is named.
        defaults: of TrainingArguments, beside those of the recipe.

    Raises `ValueError` that says what is wrong with which argument.
    """
    parser = Parser((RunArguments, TrainingArguments))
    given = parser.given(arguments)
    chosen = chosen_start(given)
    if "model" in chosen:  # a first try of whoever names nothing
        defaults = {"num_train_epochs": FIRST_EPOCHS} | defaults
    recipe = recipe or get_recipe((given | chosen)["recipe"])
    run, training = parser.parse_dict(training_defaults(recipe, given) | defaults | given)
    return run, training


def training_defaults(recipe: Recipe, given: dict[str, Any]) -> dict[str, Any]:
    """TrainingArguments of a recipe, where `given` ones leave a choice.

    Without a batch size given, the recipe's own is kept on any number of devices: accumulated, as far as it does not
    fit. With one given, the learning rate follows it.
    """
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
        "dataloader_num_workers": min(8, max(1, cores)),
        # without it, several processes on CPUs would each train alone
        "use_cpu": not torch.accelerator.is_available(),
    }


__all__ = ["Parser", "RunArguments", "parse_arguments"]
