"""`holovid train`: train a model on clips."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Annotated

import typer
from rich.table import Table

from holovid.commands.command_line import PROGRAM, run_script
from holovid.commands.tables import plain_console, say
from holovid.training.run_options import RunArguments, check_run, meanings, training_fields

# typer cannot declare the fields of TrainingArguments, which are known only after transformers is imported
CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True}
USAGE = "{data} [OPTIONS]"  # transformers parses the clips, so typer does not know of them
IF_STOPPED = "to continue from the newest checkpoint, run the same command with --resume_from_checkpoint true"


def train(
    context: typer.Context,
    options: Annotated[bool, typer.Option("--options", help="List all other options and exit.")] = False,
) -> None:
    """Train a model on clips: a folder with train/<label>/*.mp4 and val/<label>/*.mp4, or a table.

    holovid train clips

    holovid train clips --model xvit=google/vit-base-patch16-224 --bf16 --output run

    holovid train clips --recipe cast-ssv2 --experts space=openai/clip-vit-base-patch16 time=MCG-NJU/videomae-base

    holovid train run.yaml --seed 1

    Options (see --options) can be read from a YAML or JSON file; those on the command line override it. To continue a
    run that was stopped, add --resume-from-checkpoint true. On several devices: torchrun --nproc_per_node 8 -m holovid
    train ...
    """
    if options:
        plain_console().print(table_of_options())
        say(
            "Also all of transformers' TrainingArguments, with defaults from the recipe; --output means --output_dir:",
            ", ".join(training_fields()),
        )
        return
    if status := run_script(PROGRAM, lambda: run(context.args), IF_STOPPED):
        raise typer.Exit(status)


def run(arguments: Sequence[str]) -> None:
    check_run(arguments)  # paths, names and spelling, before torch is imported

    from holovid.training.running import run_training

    run_training(arguments)


def table_of_options() -> Table:
    told = meanings(RunArguments)
    table = Table("option", "meaning")
    for field in fields(RunArguments):
        table.add_row(f"--{field.name}", told[field.name])
    return table
