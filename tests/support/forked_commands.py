"""Commands as a shell runs them, each in a fork of one process that has imported what all of them import.

Importing PyTorch, transformers and holovid takes longer than most commands of the documentation. Here it happens once.
Elsewhere than on Linux, where processes cannot be forked or not after such imports, each command is a fresh process.
What a fresh process does is tested where that is the question: tests/test_registration.py, tests/commands/test_cli.py.
"""

import json
import os
import runpy
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path

SUPPORT = Path(__file__).parent
FORKED = ("holovid", "python")  # first words of the commands that are forked
IMPORTED = (
    "accelerate", "av", "datasets", "evaluate", "matplotlib.pyplot", "timm", "torch", "torchvision.transforms.v2",
    "transformers.pipelines", "transformers.trainer", "holovid.cli",
)  # fmt: skip


class Commands:
    """The process that forks, to be used in a `with` statement; its environment has `variables` from the start.

    >>> with Commands() as commands:  # doctest: +SKIP
    ...     commands.run(["holovid", "info", "model"], cwd="/tmp").stdout
    """

    forking = sys.platform == "linux"

    def __init__(self, **variables: str):
        self.environment = os.environ | {"PYTHONPATH": str(SUPPORT)} | variables

    def __enter__(self) -> "Commands":
        if not self.forking:
            return self
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from forked_commands import serve; serve()"],
            env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        return self

    def __exit__(self, *exception: object) -> None:
        if not self.forking:
            return
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def run(self, command: Sequence[object], cwd: str | os.PathLike) -> subprocess.CompletedProcess:
        """As `subprocess.run(command, cwd=cwd, capture_output=True, text=True)`, of `holovid ...` and `python ...`."""
        words = [str(word) for word in command]
        if words[0] not in FORKED:
            raise ValueError(f"only {' and '.join(FORKED)} are forked, got {words[0]!r}")
        if not self.forking:
            program = [sys.executable, *(["-m", "holovid.cli"] if words[0] == "holovid" else [])]
            environment = {name: value for name, value in self.environment.items() if name != "PYTHONPATH"}
            return subprocess.run([*program, *words[1:]], cwd=cwd, env=environment, capture_output=True, text=True)
        with tempfile.TemporaryDirectory() as folder:
            printed = [Path(folder, name) for name in ("out", "err")]
            self._process.stdin.write(json.dumps([words, os.fspath(cwd), *map(str, printed)]) + "\n")
            self._process.stdin.flush()
            if not (status := self._process.stdout.readline()):
                raise RuntimeError(f"the process that forks ended at {words}")
            return subprocess.CompletedProcess(words, int(status), *(path.read_text() for path in printed))


def serve() -> None:
    """Run what lines of stdin ask for, and answer each with its exit status, until there are no more."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # nothing else may write between the answers
    os.environ.pop("PYTHONPATH")
    sys.path.remove(str(SUPPORT))
    for name in IMPORTED:
        __import__(name)
    for line in sys.stdin:
        command, folder, *printed = json.loads(line)
        process = os.fork()
        if process == 0:
            run_here(command, folder, printed)
        answers.write(f"{os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])}\n")
        answers.flush()
    os._exit(0)  # nothing is left to do, and taking all of this down takes seconds


def run_here(command: list[str], folder: str, printed: list[str]) -> None:
    """Become the command; never returns."""
    status = 1
    try:
        os.chdir(folder)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number, path in zip((1, 2), printed, strict=True):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
        status = exit_status(command)
    finally:
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(status)


def exit_status(command: list[str]) -> int:
    """What Python makes of how a program ends."""
    try:
        become(command)
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def become(command: list[str]) -> None:
    program, *words = command
    if program == "holovid":
        sys.argv = command
        runpy.run_module("holovid.cli", run_name="__main__")
    elif words[0] == "-c":
        sys.argv, sys.path[0] = ["-c", *words[2:]], ""
        namespace = sys.modules["__main__"].__dict__
        exec(compile(words[1], "<string>", "exec"), namespace)
    else:
        sys.argv, sys.path[0] = words, str(Path(words[0]).parent)
        runpy.run_path(words[0], run_name="__main__")
