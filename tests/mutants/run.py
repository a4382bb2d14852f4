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
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from pathlib import Path

import coverage
import pytest
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

ROOT = Path(__file__).resolve().parents[2]
KNOWN = ROOT / "docs" / "mutants.md"
TRAVELLING = ("configuration", "modeling", "processing")
NOTICED = 0.9  # of the changes that can be noticed
START_SECONDS, SLOWER = 60, 6  # a change may make tests slower, and the machine may be busy
# `int | None` is an annotation far more often than a number, and an annotation that fails is noticed by anything
LEFT_OUT = re.compile("BinaryOperator_BitOr_|VariableReplacer|VariableInserter")
TIMES = count(1)  # Python tells compiled files by the second in which their source was written
IMPORTED_ONCE = ("datasets", "evaluate", "timm", "transformers.pipelines", "transformers.trainer")
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
        path.write_text(json.dumps({"seconds": seconds, "lines": lines, "failed": sorted(self.failed)}))


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


def test_files_of(file: str) -> list[str]:
    """Test files that name the module or something that it defines; those that carry its name come first."""
    stem = Path(file).stem
    body = ast.parse(Path(file).read_text()).body
    names = [stem, *(node.name for node in body if isinstance(node, ast.ClassDef | ast.FunctionDef))]
    word = re.compile(rf"\b({'|'.join(map(re.escape, names))})\b")
    found = [path for path in sorted(Path("tests").glob("test_*.py")) if word.search(path.read_text())]
    words = set(stem.split("_")) - {"modeling", "processing", "configuration", "holovid"}
    return [path.name for path in sorted(found, key=lambda path: not words & set(path.stem.split("_")[1:]))]


def baseline(tree: Path, test_file: str, cache: Path) -> dict:
    """What each test of the file runs and takes; tests that fail without any change are told and left out."""
    kept = cache / f"{test_file}.json"
    if not kept.exists():
        log = cache / f"{test_file}.log"

        def work() -> int:
            recorder = Recorder(tree)
            status = int(pytest.main([*PYTEST, f"tests/{test_file}"], plugins=[recorder]))
            recorder.save(tree, kept)
            return status

        status = in_a_fork(work, log, limit=1800)
        if not kept.exists():
            raise RuntimeError(f"the tests of {test_file} do not run unchanged ({status}):\n{log.read_text()[-2000:]}")
    record = json.loads(kept.read_text())
    for test in record["failed"]:
        print(f"fails without any change, left out: {test}", flush=True)
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


def tests_of(place: Place, records: dict[str, dict], limit: float) -> list[str]:
    """The tests that run the changed statement: those of the file's own tests first, then the quick ones."""
    for lines in lines_around(place.file, place.line):
        found, spent = [], 0.0
        for rank, record in enumerate(records.values()):
            runs = record["lines"].get(place.file, {})
            tests = {test for number, tests in runs.items() if int(number) in lines for test in tests}
            found += [(rank > 1, record["seconds"][test], test) for test in tests & record["seconds"].keys()]
        if found:
            chosen = []
            for _, seconds, test in sorted(found):
                spent += seconds
                if chosen and spent > limit:
                    break
                chosen.append(test)
            return chosen
    return []


def try_change(change: Change, tests: list[str], seconds: float, tree: Path, log: Path) -> bool:
    """Whether the tests, which take so many seconds, notice it."""
    path = tree / change.place.file
    whole = path.read_text()
    path.write_text(change.code)
    time_of_source = next(TIMES)
    os.utime(path, (time_of_source, time_of_source))
    try:
        status = in_a_fork(partial(pytest.main, [*PYTEST, "-x", *tests]), log, START_SECONDS + SLOWER * seconds)
    finally:
        path.write_text(whole)
    if status == pytest.ExitCode.NO_TESTS_COLLECTED:
        raise RuntimeError(f"no test was run:\n{log.read_text()[-2000:]}")
    return status != 0


def run_file(file: str, options: argparse.Namespace, tree: Path, cache: Path) -> tuple[int, int, int, int]:
    """(places, tried, noticed, known as equivalent)"""
    records = {name: baseline(tree, name, cache) for name in test_files_of(file)}
    seconds = {test: took for record in records.values() for test, took in record["seconds"].items()}
    chance = random.Random(f"{options.seed} {file}")
    places = places_of(file)
    known = KNOWN.read_text() if KNOWN.exists() else ""
    drawn = (change(place, chance.choice(place.ways)) for place in chance.sample(places, len(places)))
    tried = noticed = equivalent = 0
    for changed in islice(filter(None, drawn), options.sample):
        tried += 1
        tests = tests_of(changed.place, records, options.limit)
        if tests and try_change(changed, tests, sum(seconds[test] for test in tests), tree, cache / "change.log"):
            noticed += 1
        elif str(changed) in known:
            equivalent += 1
        else:
            why = f"{len(tests)} tests run it, none notices" if tests else "no test runs it"
            print(f"* {changed}  (line {changed.place.line}; {why})", flush=True)
    print(f"{file}: {len(places)} places, {tried} changed, {noticed} noticed, {equivalent} equivalent", flush=True)
    return len(places), tried, noticed, equivalent


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", help="files of the package, relative to the checkout")
    parser.add_argument("--sample", type=int, default=40, help="places a file, drawn at random (%(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=40, help="seconds of tests for a change (%(default)s)")
    options = parser.parse_args(arguments)
    for name in IMPORTED_ONCE:
        importlib.import_module(name)
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        tree = copy_of_checkout(Path(folder, "tree").resolve())
        cache = Path(folder, "cache")
        cache.mkdir()
        os.chdir(tree)
        sys.path[:] = [
            str(tree / "src"),
            *(entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).parent),
        ]
        os.environ["PYTHONPATH"] = str(tree / "src")
        rows = {file: run_file(file, options, tree, cache) for file in options.files}
    print("\n| file | places | changed | noticed | equivalent |\n|---|---:|---:|---:|---:|")
    for file, numbers in rows.items():
        print(f"| `{file}` | {' | '.join(map(str, numbers))} |")
    _, tried, noticed, equivalent = (sum(numbers) for numbers in zip(*rows.values(), strict=True))
    share = noticed / max(1, tried - equivalent)
    print(f"\n{noticed} of {tried - equivalent} changes that can be noticed were: {share:.0%}")
    return int(share < NOTICED)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
