"""Build the pages of docs/ as a site: README as the first page, and the API from docstrings.   make docs

Links in README and docs/ work on GitHub as they are. In the site, README is index.md and docs/ is the root; a link
that leaves docs/ leads to a copy of the file. A link to what does not exist is an error.
"""

import argparse
import importlib
import inspect
import posixpath
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"(?<=\]\()(?!https?:|#)([^)#\s]+)")  # the target of a link in Markdown, without its anchor
SECTION = re.compile(r"^(\w[\w ]*?)(?: \((.*)\))?:$")
SECTIONS = ("Args", "Returns", "Raises", "Yields", "Example", "Examples")


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("   ")[0])
    parser.add_argument("--output", type=Path, default=ROOT / "site", help="folder of the site; replaced")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        project = Path(name)
        write_pages(project / "docs")
        shutil.copy(ROOT / "mkdocs.yml", project)
        command = [sys.executable, "-m", "zensical", "build", "--strict"]
        done = subprocess.run(command, cwd=project, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(done.stderr.partition("Traceback")[0])  # the broken links
        shutil.rmtree(args.output, ignore_errors=True)
        shutil.move(project / "site", args.output)


def write_pages(folder: Path) -> None:
    """Write the Markdown of the site, and every file that it links to."""
    write(folder / "api" / "holovid.md", "\n".join(public_page()))
    write(folder / "api" / "modules.md", "\n".join(modules_page()))
    waiting = ["README.md", *(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))]
    seen = set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        target = folder / in_site(path)
        if path.endswith(".md"):
            text = (ROOT / path).read_text()
            write(target, with_links(text, path))
            for each in (linked(path, link) for link in LINK.findall(text)):
                if (ROOT / each).is_dir():
                    sys.exit(f"{path} links to the folder {each}, which has no page; link to a file")
                waiting += [each] if (ROOT / each).is_file() else []
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, target)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def with_links(text: str, path: str) -> str:
    """A page with each link leading to where its target is in the site."""
    start = posixpath.dirname(in_site(path)) or "."

    def in_place(match: re.Match) -> str:
        target = linked(path, match[1])
        return posixpath.relpath(in_site(target), start) if (ROOT / target).is_file() else match[0]

    return LINK.sub(in_place, text)


def linked(page: str, target: str) -> str:
    """The path in the repository that a link of a page leads to."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), target))


def in_site(path: str) -> str:
    """Where a file of the repository is in the site."""
    return "index.md" if path == "README.md" else path.removeprefix("docs/")


def public_page() -> Iterator[str]:
    """Markdown: every name of `from holovid import ...`."""
    import holovid

    yield "# API: models and processors\n"
    for name in holovid.__all__:
        yield from entry(name, getattr(holovid, name))


def modules_page() -> Iterator[str]:
    """Markdown: every name that the table of modules in docs/reference.md lists."""
    table = (ROOT / "docs" / "reference.md").read_text().partition("## Modules")[2].partition("\n## ")[0]
    yield "# API: modules\n"
    for modules, contents in re.findall(r"^\| (`.*?) \| (.*) \|$", table, re.MULTILINE):
        packages = [importlib.import_module(f"holovid.{name}") for name in re.findall(r"`(\w+)`", modules)]
        for name in re.findall(r"`([\w.]+)`", contents):
            for package in packages:
                found = attribute(package, name)
                if found is not None and getattr(found, "__doc__", None):
                    yield from entry(f"{package.__name__.removeprefix('holovid.')}.{name}", found)
                    break


def attribute(package: Any, name: str) -> Any:
    """What a dotted name of a package means, or `None`."""
    *path, last = name.split(".")
    try:
        for part in path:
            package = importlib.import_module(f"{package.__name__}.{part}")
    except ImportError:
        return None
    return getattr(package, last, None)


def entry(name: str, thing: Any) -> Iterator[str]:
    """Markdown of a class or function: its heading, its signature, its docstring, and its own public methods."""
    yield f"## {name}\n"
    yield from signature(name, thing)
    yield described(thing)
    for method, function in own_methods(thing):
        yield f"### {method}\n"
        yield from signature(f"{name.rpartition('.')[2]}.{method}", function)
        yield described(function)


def own_methods(thing: Any) -> Iterable[tuple[str, Callable]]:
    """Documented public methods that a class defines itself."""
    if not inspect.isclass(thing):
        return []
    found = {name: inspect.getattr_static(thing, name) for name in vars(thing) if not name.startswith("_")}
    functions = {name: getattr(value, "__func__", value) for name, value in found.items()}
    return [(name, each) for name, each in functions.items() if inspect.isfunction(each) and each.__doc__]


def signature(name: str, thing: Any) -> Iterator[str]:
    """A fenced line, if there is a signature that says something."""
    try:
        known = inspect.signature(thing)
    except (TypeError, ValueError):
        return
    text = f"{name}{known}"
    if len(text) > 100:
        text = "\n".join([f"{name}(", *(f"    {parameter}," for parameter in known.parameters.values()), ")"])
    yield f"```python\n{text}\n```\n"


def described(thing: Any) -> str:
    """A docstring as Markdown: sections become bold, their entries a list, doctests fenced."""
    lines = inspect.getdoc(thing).splitlines()
    made: list[str] = []
    while lines:
        line = lines.pop(0)
        heading = SECTION.match(line)
        if heading and heading[1] in SECTIONS:
            block = []
            while lines and (not lines[0].strip() or lines[0].startswith(" ")):
                block.append(lines.pop(0))
            title = f"**{heading[1]}** ({heading[2]})" if heading[2] else f"**{heading[1]}**"
            made += ["", title, "", *listed(textwrap.dedent("\n".join(block)).splitlines())]
        elif line.startswith(">>> "):
            example = [line]
            while lines and lines[0].strip():
                example.append(lines.pop(0))
            made += ["", "```pycon", *example, "```", ""]
        else:
            made.append(re.sub(r"\[`~?([\w.]+)`\]", r"`\1`", line))
    return "\n".join(made) + "\n"


def listed(block: list[str]) -> Iterator[str]:
    """Entries of a section, each with the lines that are indented below it."""
    begun = ""  # names of an entry that go on in the next line
    for line in block:
        line = begun + re.sub(r"\[`~?([\w.]+)`\]", r"`\1`", line)
        begun = f"{line} " if line.endswith(",") and not line.startswith(" ") and ":" not in line else ""
        if begun:
            continue
        if line and not line.startswith(" "):
            name, colon, text = line.partition(":")
            yield f"- `{name.replace('`', '')}`:{text}" if colon else f"- {line}"
        else:
            yield f"  {line.strip()}" if line.strip() else ""
    yield ""


if __name__ == "__main__":
    main()
