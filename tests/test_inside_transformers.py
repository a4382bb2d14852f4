"""docs/inside-transformers.md lists what we use of transformers beyond its public API: all of it, and nothing else.

`python docs/scripts/list_places.py` writes in which files.
"""

import ast
import re

import pytest
from places import ROOT
from private_names import inner_imports, names_used, private_names

PAGE = (ROOT / "docs" / "inside-transformers.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """Cells of a section's table, without its head."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


PRIVATE = rows("Names that begin with an underscore")
IMPORTS = rows("Imports from inside")


def written(found: dict[str, set[str]]) -> list[tuple[str, str]]:
    return [(name, ", ".join(sorted(where))) for name, where in sorted(found.items())]


def differences(listed: list[tuple[str, str]], found: list[tuple[str, str]]) -> dict[str, list[tuple[str, str]]]:
    """What to put on the page and what to take off it."""
    more = {"add": [row for row in found if row not in listed], "remove": [row for row in listed if row not in found]}
    return {what: rows for what, rows in more.items() if rows}


def test_every_private_name_is_listed_with_its_places():
    listed = [(name.strip("`"), where) for name, where, _, _ in PRIVATE]
    change = differences(listed, written(private_names()))
    assert not change
    assert listed == sorted(set(listed))


def test_every_import_from_inside_is_listed_with_its_places():
    listed = [(f"{module}.{name}".replace("`", ""), where) for module, name, where, _ in IMPORTS]
    change = differences(listed, written(inner_imports()))
    assert not change
    assert len(listed) == len(set(listed))


def test_every_row_has_its_reason():
    assert all(len(reason) > 7 for reason in [*(row[2] for row in PRIVATE), *(row[3] for row in IMPORTS)])


@pytest.mark.parametrize("test", sorted({row[3] for row in PRIVATE}))
def test_what_breaks_first_is_a_test(test):
    file, name = test.split("::")
    assert re.search(rf"^def {name}\(", (ROOT / file).read_text(), re.MULTILINE)


@pytest.mark.parametrize(
    "line",
    ["model._fresh_name", "call(_fresh_name=1)", "getattr(model, '_fresh_name', None)", "model._fresh_name = 1"],
)
def test_a_private_name_is_seen(line):
    assert "_fresh_name" in set(names_used(ast.parse(line)))
