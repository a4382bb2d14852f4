"""Tries inputs of the corpus, each in a fork of a process that has imported everything, and says what came of it.

    python tests/corpus/runner.py                       # all of them; a table of the faults
    python tests/corpus/runner.py media tables          # two groups
    python tests/corpus/runner.py "media: no frames"    # one
    python tests/corpus/runner.py --list

A fault is an answer that is not right, a refusal that nobody wrote, a hang, memory beyond a limit, a socket, a file
that was opened though nobody named it, and a file written outside of the folder of the case. The process that forks
is one of its own: what pytest and other tests have started in theirs (threads, caches, warnings) does not matter here.
"""

import contextlib
import json
import logging
import os
import re
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[1]
MODULES = [str(TESTS), str(TESTS / "support")]  # where those of the cases are
RIGHT = ("right", "clean error")
GROUPS = ("media", "checkpoints", "tables", "arrays", "options")
ADDRESS_SPACE = 3 * 2**30  # bytes beyond those of the process, so that a wish for more ends in a MemoryError
LOOKS_APART = 0.004  # seconds between two looks at which files a process has open
MAKING = 120.0  # seconds that making an input may take
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
HARMLESS = ("/dev/null", "/proc/", "/dev/shm")
SECRET = re.compile(r"/etc/(passwd|hostname)|.*/secret\d?\.\w+")  # files that no case may open
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "OMP_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "COLUMNS": "400",
}


class Corpus:
    """The process that forks, and its results; to be used in a `with` statement.

    >>> with Corpus() as corpus:  # doctest: +SKIP
    ...     corpus.run("media", "no frames")
    {'kind': 'clean error', 'why': '... has no frame that can be decoded: its video stream is empty'}
    """

    def __enter__(self) -> "Corpus":
        self._folder = tempfile.mkdtemp(prefix="corpus_")
        places = {"PYTHONPATH": os.pathsep.join(MODULES), "HF_HOME": f"{self._folder}/hub"}
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"from corpus.runner import serve; serve({self._folder!r})"],
            env=os.environ | ENVIRONMENT | places, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def run(self, group: str, name: str) -> dict[str, str]:
        """`kind` ("right", "clean error", "fault", "not made") and `why`."""
        self._process.stdin.write(json.dumps([group, name]) + "\n")
        self._process.stdin.flush()
        if not (line := self._process.stdout.readline()):
            raise RuntimeError(f"the process of the corpus ended at {group}: {name}")
        return json.loads(line)


def cases_of(group: str) -> dict:
    """name -> case, of one of `GROUPS`."""
    module = __import__(f"corpus.{group}", fromlist=["CASES"])
    cases = {case.name: case for case in module.CASES}
    if len(cases) != len(module.CASES):
        names = [case.name for case in module.CASES]
        raise ValueError(f"{group} has the same name twice: {sorted({n for n in names if names.count(n) > 1})}")
    return cases


def serve(folder: str) -> None:
    """Answer lines [group, name] of stdin with lines of results, until there are no more."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # nothing else may write between the answers
    make_ready(folder)
    groups = {group: cases_of(group) for group in GROUPS}
    for line in sys.stdin:
        group, name = json.loads(line)
        answers.write(json.dumps(run_case(groups[group][name], folder)) + "\n")
        answers.flush()


def make_ready(folder: str) -> None:
    """Import everything, and make what cases start from below `folder`."""
    import torch
    import urllib3.util.connection  # noqa: F401 (binds a socket when it is imported, to see whether there is IPv6)

    from corpus import shared

    torch.set_num_threads(1)
    os.environ["TMPDIR"] = tempfile.tempdir = folder
    shared.prepare(Path(folder))


def run_case(case, folder: str) -> dict[str, str]:
    with tempfile.TemporaryDirectory(dir=folder) as place:
        return run_in_fork(case, place)


def run_in_fork(case, folder: str) -> dict[str, str]:
    """What a case comes to; `folder` is empty."""
    reading, writing = os.pipe()
    inherited = set(opened_by(os.getpid()))
    process = os.fork()
    if process == 0:
        os.close(reading)
        try:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            run_here(case, folder, writing)
        finally:
            os._exit(0)
    os.close(writing)
    told, opened = b"", set()
    made, deadline = False, time.monotonic() + MAKING
    while True:
        ready, _, _ = select.select([reading], [], [], LOOKS_APART)
        if ready:
            piece = os.read(reading, 2**16)
            told += piece
            if not piece:
                break
            if not made and told.startswith(b"made\n"):
                made, deadline = True, time.monotonic() + case.seconds
        if made:
            opened |= {name for name in opened_by(process) if is_suspicious(name)} - inherited
        if time.monotonic() > deadline:
            os.kill(process, signal.SIGKILL)
            break
    os.close(reading)
    _, status = os.waitpid(process, 0)
    return verdict(case, told.decode().removeprefix("made\n"), made, status, opened)


def verdict(case, told: str, made: bool, status: int, opened: set[str]) -> dict[str, str]:
    if told:
        result = json.loads(told)
    elif not made:
        result = {"kind": "not made", "why": f"making the input ended with status {status}"}
    elif os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        result = {"kind": "fault", "why": f"did not end in {case.seconds:g} s"}
    else:
        result = {"kind": "fault", "why": f"the process ended with status {status}"}
    sockets = [name for name in opened if name.startswith("socket:")]
    if sockets and not case.network:
        result = {"kind": "fault", "why": f"opened {len(sockets)} sockets"}
    if others := sorted(opened - set(sockets)):
        result = {"kind": "fault", "why": f"opened files that nobody named: {', '.join(others)}"}
    return result


def opened_by(process: int) -> Iterator[str]:
    """The files that a process has open."""
    folder = f"/proc/{process}/fd"
    with contextlib.suppress(OSError):
        for number in os.listdir(folder):
            with contextlib.suppress(OSError):
                yield os.readlink(f"{folder}/{number}")


def is_suspicious(name: str) -> bool:
    return name.startswith("socket:") or SECRET.fullmatch(name) is not None


def run_here(case, folder: str, report: int) -> None:
    """Make the input, try it, and tell the parent: `made`, and then the result."""
    from corpus.cases import judge

    os.environ["TMPDIR"] = tempfile.tempdir = f"{folder}/temporary"
    place = Path(folder, "place")
    os.mkdir(tempfile.tempdir), place.mkdir()
    os.chdir(place)
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(f"{folder}/{name}", os.O_RDWR | os.O_CREAT | os.O_APPEND), number)
    try:
        value = case.make(place)
    except BaseException:
        return tell(report, {"kind": "not made", "why": traceback.format_exc()[-2000:]})
    os.write(report, b"made\n")
    said = listen()
    strangers = watch_files(folder, case.network)
    with open("/proc/self/clear_refs", "w") as file:  # the peak counts from here
        file.write("5")
    before = memory_of("VmRSS")
    ceiling = memory_of("VmSize") * 2**10 + ADDRESS_SPACE
    resource.setrlimit(resource.RLIMIT_AS, (ceiling, ceiling))
    answer, error = None, None
    try:
        answer = case.do(value)
    except BaseException as caught:
        error = caught
    peak = (memory_of("VmHWM") - before) // 2**10
    kind, why = judge(case.expect, answer, error, said)
    if noise := [words for words in said if words.startswith(("RuntimeWarning", "DeprecationWarning"))]:
        kind, why = "fault", f"a library warns the user: {noise[0]}"
    if peak > case.memory:
        kind, why = "fault", f"took {peak} MiB of memory; {case.memory} are granted"
    if strangers:
        kind, why = "fault", f"wrote elsewhere, or opened a socket: {', '.join(strangers)}"
    tell(report, {"kind": kind, "why": why})


def tell(report: int, result: dict[str, str]) -> None:
    os.write(report, json.dumps(result).encode())


def memory_of(field: str) -> int:
    """KiB, of /proc/self/status."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(field + ":"))


def listen() -> list[str]:
    """A list to which the warnings and the log of this process are added."""
    said: list[str] = []
    warnings.resetwarnings()
    warnings.simplefilter("always")
    warnings.showwarning = lambda message, category, *place: said.append(f"{category.__name__}: {message}")
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    for name in ("transformers", "holovid", ""):
        logging.getLogger(name).addHandler(handler)
    return said


def watch_files(folder: str, network: bool) -> list[str]:
    """A list to which is added what Python opens for writing outside of `folder`, and sockets that it connects."""
    strangers: list[str] = []
    allowed = (str(Path(folder).parent), *HARMLESS)

    def look(event: str, arguments: tuple) -> None:
        if event == "open" and isinstance(arguments[0], str) and isinstance(arguments[2], int):
            path = os.path.abspath(arguments[0])
            if arguments[2] & WRITES and not path.startswith(allowed):
                strangers.append(path)
        elif event in ("socket.connect", "socket.bind") and not network:
            strangers.append(f"{event} {arguments[1]}")

    sys.addaudithook(look)
    return strangers


def main(arguments: list[str]) -> int:
    sys.path[:0] = MODULES
    groups = {group: cases_of(group) for group in GROUPS}
    if "--list" in arguments:
        print(*(f"{group}: {name}" for group, cases in groups.items() for name in cases), sep="\n")
        return 0
    wanted = [
        (f"{group}: {name}", case)
        for group, cases in groups.items()
        for name, case in cases.items()
        if not arguments or group in arguments or f"{group}: {name}" in arguments
    ]
    counts: dict[str, int] = {}
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="corpus_") as folder:
        make_ready(folder)
        for name, case in wanted:
            result = run_case(case, folder)
            counts[result["kind"]] = counts.get(result["kind"], 0) + 1
            if result["kind"] not in RIGHT or len(wanted) == 1:
                print(f"{name}\n    {result['kind']}: {result['why']}", flush=True)
    print(f"{len(wanted)} cases in {time.monotonic() - begin:.0f} s: {counts}")
    return 0 if counts.keys() <= set(RIGHT) else 1


if __name__ == "__main__":
    if ENVIRONMENT.keys() - os.environ.keys():  # read when libraries are imported
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | ENVIRONMENT)
    sys.exit(main(sys.argv[1:]))
