"""What our source takes of other packages beyond their public API, for docs/inside-transformers.md."""

import ast
import importlib
import inspect
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import transformers
from places import ROOT

FOLDERS = ("configuration", "modeling", "processing", "src/holovid", "examples")
PUBLIC = {
    "_asdict",
    "_replace",
    "_fields",
    "_make",
    "_exit",
}  # of named tuples and of `os`, whose documentation has them
BY_NAME = {"getattr", "setattr", "hasattr", "delattr"}
DEEP_MODULE = re.compile(r"transformers(\.\w+)+")


def is_private(name: object) -> bool:
    return isinstance(name, str) and re.fullmatch(r"_[A-Za-z]\w*", name) is not None and name not in PUBLIC


@cache
def trees() -> dict[Path, ast.Module]:
    paths = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    return {path: ast.parse(path.read_text()) for path in paths}


def names_used(tree: ast.AST) -> Iterator[str]:
    """Private names that stand behind a dot, before a `=` of a call, or as text in a call of `getattr` or its like."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Call):
            yield from (keyword.arg for keyword in node.keywords if keyword.arg)
            if isinstance(node.func, ast.Name) and node.func.id in BY_NAME and len(node.args) > 1:
                name = node.args[1]
                if isinstance(name, ast.Constant) and isinstance(name.value, str):
                    yield name.value


def names_defined(tree: ast.AST) -> Iterator[str]:
    """Functions, classes, variables, parameters and attributes of `self` to which this source gives a value."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self":
            yield node.attr


def names_of_bases(path: Path, name: str) -> set[str]:
    """Private names that the bases of a class of ours have or use, as far as they come from other packages."""
    place = path.relative_to(ROOT).with_suffix("")
    module = ".".join(place.parts).removeprefix("src.").removeprefix("holovid.").removesuffix(".__init__")
    found = getattr(importlib.import_module(f"holovid.{module}"), name, None)
    names = set()
    for base in inspect.getmro(found) if inspect.isclass(found) else ():
        if base.__module__.split(".")[0] not in ("holovid", "builtins", "typing", "enum", "abc"):
            functions = [inspect.unwrap(value) for value in vars(base).values() if inspect.isfunction(value)]
            names |= set(vars(base)) | {name for function in functions for name in function.__code__.co_names}
    return names


def names_in(path: Path, tree: ast.Module) -> set[str]:
    """Private names of others in one file: used and not defined here, or defined by a base from elsewhere too."""
    used, defined = set(filter(is_private, names_used(tree))), set(filter(is_private, names_defined(tree)))
    found = used - defined
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.bases and "examples" not in path.parts:
            own = set(filter(is_private, names_defined(node)))
            if own:
                found |= own & names_of_bases(path, node.name)
    return found


def private_names() -> dict[str, set[str]]:
    """Name -> names of the files of ours that use it. A name that is private to one of our own files is not there, nor
    is one of ours that another file of ours uses."""
    ours = {name for tree in trees().values() for name in names_defined(tree) if is_private(name)}
    places: dict[str, set[str]] = defaultdict(set)
    overridden = set()
    for path, tree in trees().items():
        for name in names_in(path, tree):
            places[name].add(path.stem)
            overridden |= {name} & set(names_defined(tree))
    return {name: where for name, where in places.items() if name not in ours or name in overridden}


def inner_imports() -> dict[str, set[str]]:
    """`module.name` -> files of ours, for what is imported from inside transformers and `transformers` itself does not
    offer, for modules of it that are named as text, and for private modules and names of any package."""
    places: dict[str, set[str]] = defaultdict(set)
    for path, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                is_deep = DEEP_MODULE.fullmatch(node.module) is not None
                for alias in node.names:
                    parts = [*node.module.split("."), alias.name]
                    if (is_deep and not hasattr(transformers, alias.name)) or any(map(is_private, parts)):
                        places[".".join(parts)].add(path.stem)
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    if DEEP_MODULE.fullmatch(alias.name) or any(map(is_private, alias.name.split("."))):
                        places[alias.name].add(path.stem)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and DEEP_MODULE.fullmatch(node.value):
                places[node.value].add(path.stem)
    return dict(places)
