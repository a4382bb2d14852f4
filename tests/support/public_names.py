"""The public names of holovid.   python tests/support/public_names.py   writes tests/public_names.txt anew."""

import importlib
import re
from importlib.util import find_spec
from pathlib import Path

import typer
from places import ROOT, TESTS

import holovid
from holovid.commands.app import app

LISTED = TESTS / "public_names.txt"
MODULES = re.compile(r"^\| (`[^|]*?) \| (.*) \|$", re.MULTILINE)


def documented_names(page: str) -> set[str]:
    """Names of the table "Modules" of docs/reference.md, in full: those that its first column names, and theirs.

    Raises `ValueError` for a name that none of the modules of its row has.
    """
    names = set()
    for first, second in MODULES.findall(page.partition("## Modules")[2].partition("\n## ")[0]):
        modules = [f"holovid.{name}" for name in re.findall(r"`(\w+)`", first)]
        mentioned = re.findall(r"`([\w.]+)`", second)
        ours = [name for name in mentioned if "." not in name or not find_spec(name.partition(".")[0])]
        names |= {*modules, *(find_name(modules, name) for name in ours)}
    return names


def find_name(modules: list[str], name: str) -> str:
    for module in modules:
        *folders, last = name.split(".")
        place = ".".join([module, *folders])
        if (not folders or find_spec(place)) and hasattr(importlib.import_module(place), last):
            return f"{module}.{name}"
    raise ValueError(f"docs/reference.md names {name}, which {' and '.join(modules)} lack")


def command_names(group: typer.main.TyperGroup, prefix: str = "holovid") -> set[str]:
    names = set()
    for name, command in group.commands.items():
        whole = f"{prefix} {name}"
        names |= command_names(command, whole) if hasattr(command, "commands") else {whole}
    return names


def public_names() -> list[str]:
    """Sorted: commands, `holovid.__all__`, and what docs/reference.md names of other modules."""
    classes = {f"holovid.{name}" for name in holovid.__all__}
    documented = documented_names((ROOT / "docs" / "reference.md").read_text())
    return sorted(classes | documented | command_names(typer.main.get_command(app)))


def unreleased(changelog: str) -> str:
    """The section *Unreleased* of CHANGELOG.md."""
    return changelog.partition("## [Unreleased]\n")[2].partition("\n## [")[0]


def missing_lines(listed: list[str], public: list[str], changes: str) -> list[str]:
    """Names that were public, are not any more, and that the changelog's section *Unreleased* does not name.

    A section names `holovid.load` by the whole name or by its last part, in backticks: `load`.
    """
    quoted = {re.split(r"[(\[=]", text)[0].strip() for text in re.findall(r"`([^`]+)`", changes)}
    gone = [name for name in listed if name not in public]
    return [name for name in gone if not quoted & {name, name.removeprefix("holovid."), name.rpartition(".")[2]}]


def main(path: Path = LISTED) -> None:
    path.write_text("".join(f"{name}\n" for name in public_names()), encoding="utf-8")
    print(f"{path.relative_to(ROOT)} has {len(path.read_text().splitlines())} names")


if __name__ == "__main__":
    main()
