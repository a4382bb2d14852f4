"""The `holovid` command, also `python -m holovid.cli`. The commands are in holovid/commands."""

from holovid.allocator import keep_memory
from holovid.commands.app import app
from holovid.commands.command_line import PROGRAM


def main() -> None:
    keep_memory()
    app(prog_name=PROGRAM)


if __name__ == "__main__":  # torchrun -m holovid.cli evaluate ...
    main()
