"""Options that belong together: one parameter of a command, and options of their own on the command line."""

from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from holovid.commands.app import COMMANDS, app
from holovid.commands.option_groups import ungrouped


@dataclass
class Size:
    height: Annotated[int, typer.Option(min=1, help="In pixels.")]
    width: Annotated[int | None, typer.Option(help="Default: as high.")] = None


@pytest.fixture
def measure():
    found = []

    def command(name: Annotated[str, typer.Argument()], size: Size, deep: bool = False) -> None:
        """Note what is given."""
        found.append((name, size, deep))

    made = typer.Typer()
    made.command()(ungrouped(command))
    return made, found


def test_fields_of_a_group_are_options(measure):
    app, found = measure
    runner = CliRunner()
    assert runner.invoke(app, ["box", "--height", "3"]).exit_code == 0
    assert runner.invoke(app, ["--deep", "--width", "4", "--height", "5", "box"]).exit_code == 0
    assert found == [("box", Size(3), False), ("box", Size(5, 4), True)]
    assert runner.invoke(app, ["box"]).exit_code == 2 and runner.invoke(app, ["box", "--height", "0"]).exit_code == 2
    assert len(found) == 2
    for part in ("Note what is given.", "--height", "In pixels.", "[required]", "--width", "Default: as high."):
        assert part in runner.invoke(app, ["--help"], terminal_width=120).output


def test_every_command_is_listed():
    listed = CliRunner().invoke(app, ["--help"], terminal_width=120).output
    for command in COMMANDS:
        file = {"app": "page"}.get(command.__name__, command.__name__)  # app.py is what all commands are in
        assert f" {command.__name__} " in listed and command.__module__ == f"holovid.commands.{file}"
