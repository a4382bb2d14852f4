"""What a training run is asked for: our arguments beside transformers' TrainingArguments, with a recipe's defaults.

The order of precedence is: what stands on the command line, what stands in the YAML or JSON file named there first,
what the recipe says, what transformers says.
"""

import difflib
import json
import os
from argparse import SUPPRESS
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NoReturn

import torch
import yaml
from transformers import HfArgumentParser, TrainingArguments

from holovid.recipes import Recipe, get_recipe

CLIPS_AT_ONCE = 8  # of the papers' sizes, on one device; the rest of a batch is accumulated


@dataclass
class RunArguments:
    """
    Args:
        data: clips to train on: a folder (train/<label>/*.mp4, val/...), a table or a Hub id.
        recipe: what a paper did, such as cast-ssv2; or small. It gives the defaults of the other arguments.
        model: a family for new weights (xvit, cast, cava, ca2st), or a folder or Hub id: of a model of holovid, or of
            an image ViT, from which an XViT starts.
        experts: start from published experts: space=ID time=ID audio=ID, two or all of them.
        freeze_experts: do not train the experts' own weights; default: true with --experts.
        validation: clips to validate on, if they are not in --data.
        target: column of labels; or verb noun.
        num_frames: frames of a clip, in place of the recipe's.
        image_size: side of a frame in pixels, in place of the model's.
        flip: mirror half of the clips, which is not for labels that tell left from right; default: as the recipe does.
        missing: what to do about clips that are not there.
        on_broken: what to do about clips that cannot be read.
        ema_decay: average the weights over the steps with this decay, such as 0.999.
        adapters_only: save what is trained without the frozen experts, which loading fetches again; default: as the
            model that training starts from was saved.
        data_licence: licence of the clips, for the model's card.
    """

    data: str
    recipe: str
    model: str | None = None
    experts: list[str] | None = None
    freeze_experts: bool | None = None
    validation: str | None = None
    target: list[str] = field(default_factory=lambda: ["label"])
    num_frames: int | None = None
    image_size: int | None = None
    flip: bool | None = None
    missing: Literal["raise", "skip"] = "raise"
    on_broken: Literal["raise", "skip"] = "raise"
    ema_decay: float | None = None
    adapters_only: bool | None = None
    data_licence: str | None = None


class Parser(HfArgumentParser):
    """Says what is wrong in a sentence, not after 200 lines of usage; tells apart what is given and what is not."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(message)

    def given(self, arguments: Sequence[str]) -> dict[str, Any]:
        """The arguments that are there, by name and converted, without any default."""
        for action in self._actions:
            action.default = SUPPRESS
        known, unknown = self.parse_known_args(list(arguments))
        if unknown:
            options = [option for action in self._actions for option in action.option_strings]
            nearest = difflib.get_close_matches(unknown[0], options, n=1, cutoff=0)
            raise ValueError(f"there is no argument {unknown[0]!r}; did you mean {nearest[0]}?")
        return vars(known)


def parse_arguments(arguments: Sequence[str]) -> tuple[RunArguments, TrainingArguments]:
    """A command line, which may begin with a YAML or JSON file of arguments.

    Raises `ValueError` that says what is wrong with which argument.
    """
    if arguments and Path(arguments[0]).suffix in (".yaml", ".yml", ".json"):
        arguments = [*arguments_of(Path(arguments[0])), *arguments[1:]]
    parser = Parser((RunArguments, TrainingArguments))
    given = parser.given(arguments)
    recipe = get_recipe(given["recipe"])
    run, training = parser.parse_dict(training_defaults(recipe, given) | given)
    return run, training


def arguments_of(file: Path) -> list[str]:
    """A file of arguments as a command line, so that there is one way to read either.

    YAML would take the 1e-3 of people for a word; on a command line everything is one.
    """
    entries = yaml.safe_load(file.read_text())  # which JSON is, too
    if not isinstance(entries, dict):
        raise ValueError(f"{file} must hold lines such as 'recipe: small', got {str(entries)[:60]!r}")
    arguments = []
    for name, value in entries.items():
        if value is None:
            continue
        words = value if isinstance(value, list) else [json.dumps(value) if isinstance(value, dict) else value]
        arguments += [f"--{name}", *map(str, words)]
    return arguments


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
        clips = share if recipe.family == "any" else min(share, CLIPS_AT_ONCE)
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
        "max_grad_norm": 0.0,  # no recipe clips gradients
        "eval_strategy": "epoch",
        "save_strategy": "epoch",
        "save_total_limit": 2,
        "logging_steps": 10,
        "logging_nan_inf_filter": False,  # VideoTrainer raises
        "dataloader_num_workers": min(8, max(1, cores)),
        # without it, several processes on CPUs would each train alone
        "use_cpu": not torch.accelerator.is_available(),
    }
