"""How much prose stands beside the product code, by folder:   python docs/scripts/measure_prose.py [REVISION]

Prints a table in Markdown: lines of docstrings, lines with a comment, lines of code, and prose (docstrings and
comments) per line of code. Blank lines do not count; a line of code with a comment behind it counts as both; notes to
tools such as `# noqa` are not prose. With a revision, git's files of that revision are read instead of those on disk.
"""

import argparse
import ast
import io
import re
import subprocess
import tarfile
import tokenize
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("configuration", "modeling", "processing", "src/holovid")
FOR_TOOLS = re.compile(r"#\s*(noqa|fmt:|type:|ruff:|mypy:|pyright:|pragma:)")
LAYOUT = {
    tokenize.ENCODING, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER,
}  # fmt: skip


class Lines(NamedTuple):
    docstrings: int
    comments: int
    code: int


def count_lines(source: str) -> Lines:
    """How many lines of a Python file are docstrings, hold a comment, and hold code."""
    docstrings = docstring_lines(ast.parse(source))
    comments, code = set(), set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        lines = range(token.start[0], token.end[0] + 1)
        if token.type == tokenize.COMMENT:
            if not FOR_TOOLS.match(token.string):
                comments.update(lines)
        elif token.type not in LAYOUT:
            code.update(lines)
    filled = {number for number, line in enumerate(source.splitlines(), start=1) if line.strip()}
    return Lines(len(docstrings & filled), len(comments & filled), len((code - docstrings) & filled))


def docstring_lines(tree: ast.AST) -> set[int]:
    found: set[int] = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if ast.get_docstring(node, clean=False) is not None:
            text = node.body[0]
            found.update(range(text.lineno, (text.end_lineno or text.lineno) + 1))
    return found


def files_on_disk() -> Iterator[tuple[str, str]]:
    for folder in PRODUCT:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def files_of_revision(revision: str) -> Iterator[tuple[str, str]]:
    """Raises `ValueError` for a revision that git does not know."""
    told = subprocess.run(["git", "archive", revision, "--", *PRODUCT], cwd=ROOT, capture_output=True, check=False)
    if told.returncode:
        raise ValueError(f"git cannot read revision {revision!r}: {told.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(told.stdout)) as archive:
        for member in archive.getmembers():
            if (file := archive.extractfile(member)) is not None and member.name.endswith(".py"):
                yield member.name, file.read().decode("utf-8")


def measure(revision: str | None = None) -> dict[str, Lines]:
    """The counts of each folder, and of all of them as "in all"."""
    files = files_on_disk() if revision is None else files_of_revision(revision)
    found: dict[str, list[Lines]] = {}
    for name, source in files:
        found.setdefault(PurePosixPath(name).parent.as_posix(), []).append(count_lines(source))
    found = {folder: found[folder] for folder in sorted(found)}
    found["in all"] = [lines for folder in found.values() for lines in folder]
    return {folder: Lines(*map(sum, zip(*counted, strict=True))) for folder, counted in found.items()}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("revision", nargs="?", help="a revision of git, instead of the files on disk")
    args = parser.parse_args(argv)
    try:
        measured = measure(args.revision)
    except ValueError as error:
        parser.error(str(error))
    print("| folder | docstrings | comments | code | prose per line of code |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for folder, lines in measured.items():
        share = (lines.docstrings + lines.comments) / max(lines.code, 1)
        print(f"| {folder} | {lines.docstrings:,} | {lines.comments:,} | {lines.code:,} | {share:.3f} |")


if __name__ == "__main__":
    main()
