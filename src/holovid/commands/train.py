"""`holovid train`: a model of one's own out of clips."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from holovid.commands.command_line import PROGRAM, run_script
from holovid.commands.tables import say
from holovid.training.run_options import RunArguments, check_run, meanings, training_fields

# what transformers' TrainingArguments has is not known before transformers is imported
CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True}
USAGE = "{data} [OPTIONS]"  # clips are among what transformers parses, so typer does not know of them
IF_STOPPED = "the same command with --resume_from_checkpoint true goes on from the newest checkpoint"


def train(
    context: typer.Context,
    options: Annotated[bool, typer.Option("--options", help="List what else can be given, and end.")] = False,
) -> None:
    """Train a model on a folder of clips, train/<label>/*.mp4 and val/<label>/*.mp4, or on a table of them.

    holovid train clips

    holovid train clips --model xvit=google/vit-base-patch16-224 --bf16 --output run

    holovid train clips --recipe cast-ssv2 --experts space=openai/clip-vit-base-patch16 time=MCG-NJU/videomae-base

    holovid train run.yaml --seed 1

    A file holds arguments; what stands beside it overrides it. Stopped or killed, the same command
    with --resume-from-checkpoint true goes on. On several devices: torchrun --nproc_per_node 8 -m holovid train ...
    """
    if options:
        Console().print(table_of_options())
        say(
            "Also all of transformers' TrainingArguments, whose defaults the recipe gives; --output is --output_dir:",
            ", ".join(training_fields()),
        )
        return
    if status := run_script(PROGRAM, lambda: run(context.args), IF_STOPPED):
        raise typer.Exit(status)


def run(arguments: Sequence[str]) -> None:
    """What the command does; raises what cannot be done."""
    check_run(arguments)  # paths, names and spelling, before torch is imported

    from holovid.training.running import run_training

    run_training(arguments)


def table_of_options() -> Table:
    told = meanings(RunArguments)
    table = Table("--", "what it is")
    for field in fields(RunArguments):
        table.add_row(field.name, told[field.name])
    return table
