"""The group of commands that is `holovid`, and how each of them ends."""

import sys
from typing import Any

import typer
from typer.core import TyperGroup

from holovid.commands.command_line import refuse, stop

PROGRAM = "holovid"
UsageError: Any = typer.BadParameter.__base__  # of whichever click typer has


class OneSentenceErrors(TyperGroup):
    """A command group whose users see what was wrong with their input instead of a traceback."""

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
