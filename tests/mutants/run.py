"""Change the code at random places and see which changes the fast tests notice:   make mutants FILES="modeling/x.py"

cosmic-ray makes the changes. Its own runner would start Python, torch and transformers for each (15 s), and mutmut
leaves functions with decorators alone, as `forward` is. Here each change is tried in a process forked from one that
has imported what is not ours, on the tests that run the changed line. All of it happens in a copy of the checkout.

A change that cannot be noticed is listed in docs/mutants.md with its reason, as "`file`: `before` → `after`".
"""

import argparse
import ast
import importlib
import json
import multiprocessing
import os
import random
import re
import runpy
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from itertools import accumulate, count, islice
from pathlib import Path

import coverage
import pytest
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

ROOT = Path(__file__).resolve().parents[2]
KNOWN = ROOT / "docs" / "mutants.md"
TRAVELLING = ("configuration", "modeling", "processing")
NOT_TESTS = {"corpus", "golden", "upstream"}  # folders of tests
NOTICED = 0.9  # of the changes that can be noticed
RAN = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)
START_SECONDS, SLOWER = 60, 6  # a change may make tests slower, and the machine may be busy
# `int | None` is an annotation far more often than a number, and an annotation that fails is noticed by anything
LEFT_OUT = re.compile("BinaryOperator_BitOr_|VariableReplacer|VariableInserter")
TIMES = count(1)  # Python tells compiled files by the second in which their source was written
PYTEST = shlex.split("-q -m 'not slow' -p no:cacheprovider -p no:xdist -W ignore::pytest.PytestAssertRewriteWarning")


@dataclass(frozen=True)
class Place:
    """Where a file can be changed, and the ways to: (cosmic-ray's operator, which of its places in the file)."""

    file: str
    line: int
    ways: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Change:
    place: Place
    code: str  # of the whole file
    before: str
    after: str

    def __str__(self) -> str:
        return f"`{self.place.file}`: `{self.before}` → `{self.after}`"


class Recorder:
    """Pytest's plugin that says which lines of ours each test runs, in its fixtures too, and how long it takes."""

    def __init__(self, tree: Path):
        self.seconds: dict[str, float] = {}
        self.failed: set[str] = set()
        self.coverage = coverage.Coverage(
            data_file=None, include=[f"{tree}/src/*", *(f"{tree}/{x}/*" for x in TRAVELLING)]
        )
        self.coverage.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        self.coverage.switch_context(item.nodeid)
        begin = time.perf_counter()
        try:
            return (yield)
        finally:
            self.seconds[item.nodeid] = time.perf_counter() - begin
            self.coverage.switch_context("")

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.failed.add(report.nodeid)

    def save(self, tree: Path, path: Path) -> None:
        self.coverage.stop()
        data = self.coverage.get_data()
        lines = {}
        for file in data.measured_files():
            name = str(Path(file).resolve().relative_to(tree))
            lines[name] = {line: sorted(filter(None, tests)) for line, tests in data.contexts_by_lineno(file).items()}
        seconds = {test: took for test, took in self.seconds.items() if test not in self.failed}
        modules = [
            name for name, module in sys.modules.items() if "site-packages" in str(getattr(module, "__file__", ""))
        ]
        record = {"seconds": seconds, "lines": lines, "failed": sorted(self.failed), "modules": sorted(modules)}
        path.write_text(json.dumps(record))


def copy_of_checkout(folder: Path) -> Path:
    """Everything that git knows or would take, laid out so that `src` alone holds the whole package."""
    listed = subprocess.check_output(["git", "ls-files", "-zco", "--exclude-standard"], cwd=ROOT, text=True)
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    for name in TRAVELLING:
        (folder / "src/holovid" / name).symlink_to(folder / name)
    return folder


def in_a_fork(work: Callable[[], int], log: Path, limit: float) -> int:
    """The exit status of `work`, minus a signal's number if it had to be ended after `limit` seconds."""

    def child():
        os.setsid()
        with log.open("w") as output:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
        os._exit(int(work()))

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(limit)
    if process.is_alive():
        os.killpg(process.pid, signal.SIGKILL)
        process.join()
    return process.exitcode


@cache
def imports_of(path: Path) -> set[str]:
    """Full names of modules and of what is taken from them, wherever in the file."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def module_of(file: str) -> str:
    return "holovid." + file.removeprefix("src/holovid/").removesuffix(".py").replace("/", ".")


@cache
def naming(file: str) -> list[set[str]]:
    """Test files called as the file; that carry a word of its name or import from it; that name what it defines."""
    words = set(Path(file).stem.split("_")) - {"holovid"}
    rare = (words | {Path(file).parent.name}) - {*TRAVELLING, "holovid"}
    body = ast.parse(Path(file).read_text()).body
    names = [re.escape(node.name) for node in body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    contents = re.compile(rf"\b({'|'.join(names)})\b")
    called, own, others = set(), set(), set()
    for path in Path("tests").rglob("test_*.py"):
        if not set(path.parts) & NOT_TESTS:
            title = set(path.stem.split("_")[1:])
            if words <= title:
                called.add(str(path))
            elif rare & title or module_of(file) in imports_of(path):
                own.add(str(path))
            elif names and contents.search(path.read_text()):
                others.add(str(path))
    return [called, own, others]


@cache
def test_files_of(file: str) -> list[list[str]]:
    """Test files from the nearest to the farthest: the three kinds of `naming`, then those of each file of ours that
    imports it: most tests of saving and loading name models only, not what these are made from."""
    ours = [path for folder in ("src", *TRAVELLING) for path in Path(folder).rglob("*.py")]
    users = [str(path) for path in ours if module_of(file) in imports_of(path)]
    near = naming(file)
    far = set().union(*(each for user in users for each in naming(user))).difference(*near)
    return [sorted(each) for each in (*near, far)]


@cache
def baseline(test_file: str, tree: Path, records: Path) -> dict:
    """What each test of the file runs and takes; tests that fail without any change are told and left out."""
    name = test_file.replace("/", ".")
    kept, log = records / f"{name}.json", records / f"{name}.log"

    def work() -> int:
        recorder = Recorder(tree)
        status = pytest.main([*PYTEST, test_file], plugins=[recorder])
        recorder.save(tree, kept)
        return status

    status = pytest.ExitCode.OK if kept.exists() else in_a_fork(work, log, limit=1800)
    if status not in RAN or not kept.exists():
        kept.unlink(missing_ok=True)
        raise RuntimeError(f"the tests of {test_file} do not run unchanged ({status}):\n{log.read_text()[-2000:]}")
    record = json.loads(kept.read_text())
    for test in record["failed"]:
        print(f"fails without any change, left out: {test}", flush=True)
    for name in record["modules"]:  # forks need not import them again
        with suppress(ImportError):
            importlib.import_module(name)
    # what cannot even be imported after them would be taken for a change that is noticed
    status = in_a_fork(partial(pytest.main, [*PYTEST, "--collect-only", test_file]), log, limit=600)
    if status not in RAN:
        raise RuntimeError(f"{test_file} cannot be imported after others ({status}):\n{log.read_text()[-2000:]}")
    return record


def places_of(file: str) -> list[Place]:
    nodes = list(ast_nodes(get_ast(Path(file).read_text())))
    ways: dict[tuple, list[tuple[str, int]]] = {}
    for name in filter(lambda name: not LEFT_OUT.search(name), operator_names()):
        operator = get_operator(name)()
        found = [position for node in nodes for position in operator.mutation_positions(node)]
        for occurrence, position in enumerate(found):
            ways.setdefault(position, []).append((name, occurrence))
    return [Place(file, start[0], tuple(names)) for (start, _end), names in sorted(ways.items())]


def change(place: Place, way: tuple[str, int]) -> Change | None:
    """`None` where the code stays as it is."""
    operator, occurrence = way
    code = Path(place.file).read_text()
    changed = mutate_code(code, get_operator(operator)(), occurrence)
    if changed is None or changed == code:
        return None
    old, new = code.splitlines(), changed.splitlines()
    before, after = next(((x, y) for x, y in zip(old, new, strict=False) if x != y), (old[place.line - 1], ""))
    return Change(place, changed, before.strip(), after.strip())


def lines_around(file: str, line: int) -> list[range]:
    """Of the innermost statement (of its head, if it holds others), of each definition around it, of the file."""
    tree = ast.parse(Path(file).read_text())
    around = []
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt | ast.excepthandler):
            first = min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])
            if first <= line <= node.end_lineno:
                inside = isinstance(node, ast.ClassDef | ast.FunctionDef) or not getattr(node, "body", None)
                last = node.end_lineno if inside else max(line, node.body[0].lineno - 1)
                around.append(range(first, last + 1))
    return [*sorted(around, key=len), range(1, 10**6)]


def tests_of(place: Place, records: list[dict], limit: float) -> dict[str, float]:
    """The tests that run the changed statement, the quickest first, and the seconds that each takes."""
    for lines in lines_around(place.file, place.line):
        found = {}
        for record in records:
            for number, tests in record["lines"].get(place.file, {}).items():
                if int(number) in lines:
                    found |= {test: record["seconds"][test] for test in tests if test in record["seconds"]}
        if found:
            quickest = sorted(found.items(), key=lambda item: item[1])
            spent = accumulate(seconds for _, seconds in quickest)
            return dict(quickest[: max(1, sum(seconds <= limit for seconds in spent))])
    return {}


def fails(tests: dict[str, float], change: Change, tree: Path, log: Path) -> bool:
    """Whether one of the tests notices the change."""
    path = tree / change.place.file
    whole = path.read_text()
    path.write_text(change.code)
    time_of_source = next(TIMES)
    os.utime(path, (time_of_source, time_of_source))
    limit = START_SECONDS + SLOWER * sum(tests.values())
    try:
        status = in_a_fork(partial(pytest.main, [*PYTEST, "-x", *tests]), log, limit)
    finally:
        path.write_text(whole)
    if status == pytest.ExitCode.NO_TESTS_COLLECTED:
        raise RuntimeError(f"no test was run:\n{log.read_text()[-2000:]}")
    return status != 0


def run_file(file: str, options: argparse.Namespace, tree: Path, records: Path) -> tuple[int, int, int, int]:
    """(places, tried, noticed, known as equivalent)"""
    chance = random.Random(f"{options.seed} {file}")
    places = places_of(file)
    known = KNOWN.read_text() if KNOWN.exists() else ""
    drawn = (change(place, chance.choice(place.ways)) for place in chance.sample(places, len(places)))
    tried = noticed = equivalent = 0
    for changed in islice(filter(None, drawn), options.sample):
        tried += 1
        if str(changed) in known:
            equivalent += 1
            continue
        run = 0
        for test_files in test_files_of(file):
            tests = tests_of(changed.place, [baseline(name, tree, records) for name in test_files], options.limit)
            run += len(tests)
            if tests and fails(tests, changed, tree, records / "change.log"):
                noticed += 1
                break
        else:
            print(f"* {changed}  (line {changed.place.line}, which {run} tests run)", flush=True)
    print(f"{file}: {len(places)} places, {tried} changed, {noticed} noticed, {equivalent} equivalent", flush=True)
    return len(places), tried, noticed, equivalent


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", help="files of the package, relative to the checkout")
    parser.add_argument("--sample", type=int, default=40, help="places a file, drawn at random (%(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=40, help="seconds of tests for a change (%(default)s)")
    parser.add_argument("--records", type=Path, help="where to keep which lines tests run, as long as neither changes")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        tree = copy_of_checkout(Path(folder, "tree").resolve())
        records = (options.records or Path(folder, "records")).resolve()
        records.mkdir(parents=True, exist_ok=True)
        os.chdir(tree)
        sys.path[:] = [
            str(tree / "src"),
            *(entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).parent),
        ]
        os.environ["PYTHONPATH"] = str(tree / "src")
        rows = {file: run_file(file, options, tree, records) for file in options.files}
    print("\n| file | places | changed | noticed | equivalent |\n|---|---:|---:|---:|---:|")
    for file, numbers in rows.items():
        print(f"| `{file}` | {' | '.join(map(str, numbers))} |")
    _, tried, noticed, equivalent = (sum(numbers) for numbers in zip(*rows.values(), strict=True))
    share = noticed / max(1, tried - equivalent)
    print(f"\n{noticed} of {tried - equivalent} changes that can be noticed were: {share:.0%}")
    return int(share < NOTICED)


if __name__ == "__main__":
    lent = runpy.run_path(str(ROOT / "tests" / "support" / "lent_libraries.py"))
    if sys.platform == "linux" and (places := lent["lend_libraries"]()) is not None:  # pytest cannot do it in a fork
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], os.environ | {lent["PLACES"]: places})
    sys.exit(main(sys.argv[1:]))
