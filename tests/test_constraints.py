"""constraints.txt names what the tests run on, and nothing of the machine that wrote it."""

import ast
import importlib.metadata
import re
import sys
import tomllib
from itertools import pairwise

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from places import ROOT

from holovid.extras import EXTRAS

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LINES = (ROOT / "constraints.txt").read_text().splitlines()
PINS = dict(line.split("==") for line in LINES if not line.startswith("#"))


def ranges_of_pyproject() -> list[Requirement]:
    extras = [line for lines in PROJECT["optional-dependencies"].values() for line in lines]
    return [Requirement(line) for line in [*PROJECT["dependencies"], *extras]]


def test_only_names_and_exact_versions():
    pins = [line for line in LINES if not line.startswith("#")]
    for line in pins:
        assert re.fullmatch(r"[a-z0-9-]+==[0-9][a-z0-9.]*", line), line
    assert list(PINS) == sorted(PINS) and len(PINS) == len(pins) > 100
    assert not re.search(r"https?:|file:|--|/\w+/", "\n".join(LINES))


def test_versions_are_in_the_ranges_of_pyproject():
    untested = {"trackio"}  # one of two reporters of transformers' own, with a server behind it
    for requirement in ranges_of_pyproject():
        name = canonicalize_name(requirement.name)
        if name != "holovid" and name not in untested:
            assert requirement.specifier.contains(PINS[name], prereleases=True), f"{requirement}, {PINS[name]}"


def test_ranges_have_a_lowest_version():
    """Without one, pip may put any old release beside ours."""
    for requirement in ranges_of_pyproject():
        if requirement.name != "holovid":
            assert any(limit.operator in (">=", "==", "~=") for limit in requirement.specifier), requirement


def test_what_is_held_back_is_said_with_its_reason():
    held = (ROOT / "constraints.in").read_text().splitlines()[1:]
    head = [line.removeprefix("#").strip() for line in LINES if line.startswith("#")]
    for before, line in pairwise(held):
        assert line.removeprefix("#").strip() in head
        if not line.startswith("#"):
            assert before.startswith("# ") and Requirement(line).specifier.contains(PINS[Requirement(line).name])


def test_what_transformers_asks_of_peft_is_there():
    """Else the test of `add_adapter` would be left out with the versions of the list too."""
    from transformers.integrations.peft import MIN_PEFT_VERSION

    assert Version(PINS["peft"]) >= Version(MIN_PEFT_VERSION)


def test_every_package_of_the_test_environment_is_named():
    """Those that holovid[dev] brings, that is: what somebody put beside them is his own."""
    found, waiting = set(), [("holovid", frozenset({"dev"}))]
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in found:
            continue
        found.add((name, extras))
        for line in importlib.metadata.requires(name) or []:
            requirement = Requirement(line)
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras | {""}):
                waiting.append((canonicalize_name(requirement.name), frozenset(requirement.extras)))
    names = {name for name, _ in found} - {"holovid"}
    assert "tokenizers" in names and not names - set(PINS)


def imported_packages(tree: ast.AST) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module.split(".")[0])
    return found


def asked_for(lines: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(line).name) for line in lines}


def test_what_is_imported_is_asked_for():
    """Not left to others, who may stop to need it; what only an extra has, by the extra that the message names."""
    always, guarded = set(), []
    for folder in ("src/holovid", "configuration", "modeling", "processing"):
        for path in (ROOT / folder).rglob("*.py"):
            tree = ast.parse(path.read_text())
            for node in ast.walk(tree):
                if isinstance(node, ast.With) and ast.unparse(node.items[0]).startswith(("needed('", 'needed("')):
                    call = node.items[0].context_expr
                    extra = call.keywords[0].value.value if call.keywords else EXTRAS[call.args[0].value]
                    guarded += [(name, extra) for name in imported_packages(node)]
                    node.body = []
            always |= imported_packages(tree)
    # imported where they are used, with a sentence of their own where they are not there
    foreign = always - set(sys.stdlib_module_names) - {"holovid", "onnxruntime", "torchcodec"}
    packages = importlib.metadata.packages_distributions()
    names = {name: {canonicalize_name(each) for each in packages[name]} for name in foreign}
    asked = asked_for(PROJECT["dependencies"])
    assert "torch" in names and not [name for name, those in names.items() if not those & asked]
    assert {extra for _, extra in guarded} == {"app", "faiss", "pictures", "quality", "train"}
    for name, extra in guarded:
        those = {canonicalize_name(each) for each in packages[name]}
        assert those & asked_for(PROJECT["optional-dependencies"][extra]), f"{name} is not in {extra}"
