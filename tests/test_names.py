"""A public name of a module stands for one thing in all of holovid."""

import ast
from collections import defaultdict

from places import ROOT

FOLDERS = ("configuration", "modeling", "processing", "src/holovid")
TWICE = {
    "main": "a program's, of the command line and of the script that runs where holovid is absent",
}


def test_no_two_functions_or_classes_have_one_name():
    """But for commands, which users type as they call the functions that these run."""
    places = defaultdict(list)
    for path in (path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")):
        if path.parent.name == "commands":
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                places[node.name].append(str(path.relative_to(ROOT)))
    assert len(places) > 500
    twice = {name: found for name, found in places.items() if len(found) > 1 and not name.startswith("_")}
    assert {name: found for name, found in twice.items() if name not in TWICE} == {}
    assert TWICE.keys() <= twice.keys()
