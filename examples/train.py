"""`holovid train` as a script to copy and change, with the same arguments: docs/training.md."""

import sys

from holovid.commands.command_line import run_script
from holovid.commands.train import IF_STOPPED
from holovid.commands.train import run as main

if __name__ == "__main__":
    sys.exit(run_script("train.py", lambda: main(sys.argv[1:]), IF_STOPPED))
