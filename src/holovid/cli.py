"""The `holovid` command, also as `python -m holovid.cli`: the commands are in holovid/commands."""

from holovid.allocator import keep_memory
from holovid.commands.app import app
from holovid.commands.command_line import PROGRAM


def main() -> None:
    keep_memory()
    app(prog_name=PROGRAM)


if __name__ == "__main__":  # torchrun -m holovid.cli evaluate ...
    main()
