"""The `holovid` command, also `python -m holovid.cli`. The commands are in holovid/commands."""

import sys
from io import TextIOWrapper

from holovid.allocator import keep_memory
from holovid.commands.app import app
from holovid.commands.command_line import PROGRAM


def main() -> None:
    keep_memory()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a label that the code page of a terminal or pipe lacks is escaped
            stream.reconfigure(errors="backslashreplace")
    app(prog_name=PROGRAM)


if __name__ == "__main__":  # torchrun -m holovid.cli evaluate ...
    main()
