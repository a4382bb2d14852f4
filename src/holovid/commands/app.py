"""The command group `holovid`, and how its commands report errors.

Each command is a function in its own file that wraps a function of the library. Commands import torch and transformers
only after cheap checks of paths, names and columns.
"""

import sys
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from holovid.commands.card import card
from holovid.commands.classify import classify
from holovid.commands.command_line import PROGRAM, refuse, stop
from holovid.commands.convert import CONTEXT, convert
from holovid.commands.data import check, shrink, split, synth
from holovid.commands.embed import embed
from holovid.commands.evaluate import evaluate
from holovid.commands.explain import explain
from holovid.commands.export import export
from holovid.commands.info import info
from holovid.commands.map import map
from holovid.commands.option_groups import ungrouped
from holovid.commands.page import app as page
from holovid.commands.probe import probe
from holovid.commands.push import push
from holovid.commands.search import search
from holovid.commands.timeline import timeline
from holovid.commands.train import USAGE, train
from holovid.commands.watch import watch

COMMANDS = (
    train,
    classify,
    explain,
    page,
    watch,
    timeline,
    embed,
    search,
    probe,
    map,
    evaluate,
    convert,
    export,
    info,
    card,
    push,
)  # in the order of the help
UsageError: Any = typer.BadParameter.__base__  # of the click that typer uses


class OneSentenceErrors(TyperGroup):
    """A command group that prints errors as one sentence instead of a traceback."""

    def make_context(self, *arguments, **options):
        return self.ending_in_a_sentence(super().make_context, *arguments, **options)

    def invoke(self, ctx):
        return self.ending_in_a_sentence(super().invoke, ctx)

    def ending_in_a_sentence(self, work, *arguments, **options):
        try:
            return work(*arguments, **options)
        except (typer.Exit, typer.Abort):
            raise
        except KeyboardInterrupt as error:
            raise typer.Exit(stop(PROGRAM)) from error
        except UsageError as error:
            if type(error).__name__ == "NoArgsIsHelpError":  # which prints the help
                raise
            print(f"{PROGRAM}: {' '.join(error.format_message().split())}", file=sys.stderr)
            raise typer.Exit(error.exit_code) from error
        except Exception as error:
            raise typer.Exit(refuse(PROGRAM, error)) from error


def show_version(wanted: bool) -> None:
    if wanted:
        print(f"{PROGRAM} {version('holovid')}")
        raise typer.Exit


def options(
    _: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


app = typer.Typer(
    cls=OneSentenceErrors,
    callback=options,
    help="Space-time video transformers: train, predict, evaluate and explain; convert and publish checkpoints.",
    no_args_is_help=True,
    add_completion=False,
)
data = typer.Typer(help="Make, check, split and shrink data sets of clips.", no_args_is_help=True)
app.add_typer(data, name="data")
data.command()(ungrouped(synth))
data.command()(check)
data.command()(shrink)
data.command()(split)
for command in COMMANDS:
    app.command(
        context_settings=CONTEXT if command in (convert, train) else None,
        options_metavar=USAGE if command is train else "[OPTIONS]",
    )(ungrouped(command))
