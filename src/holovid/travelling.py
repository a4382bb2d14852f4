"""Which source travels with a saved folder, so that it loads with `trust_remote_code=True` where holovid is absent.

The files that define the classes a folder names, and every file of ours that these import. A configuration
names itself and each model registered for it with an Auto class (a model is saved with its configuration); a processor
names itself. They lie flat in the folder, under one rewrite rule: `from holovid.<folder>.<file> import` becomes
`from .<file> import`. Any other import of holovid is refused, before anything is written.
"""

import ast
import inspect
from collections.abc import Iterator
from importlib import import_module

from transformers import PreTrainedConfig
from transformers.models.auto import modeling_auto

from holovid.configuration.configuration_common import SavedWithSource
from holovid.families.family import packages, travels


def is_ours(cls: type) -> bool:
    """Whether a class is defined in a module that travels."""
    return travels(cls.__module__)


def named_classes(cls: type[SavedWithSource]) -> dict[str, type]:
    """Auto class name -> class of ours, for all that the saved folder of `cls` (configuration or processor) names.

    Models are looked up in transformers' own registries, so a new family or head needs nothing here.
    """
    # transformers says which Auto class finds what in the default of this method: AutoConfig, AutoVideoProcessor, ...
    classes = {inspect.signature(cls.register_for_auto_class).parameters["auto_class"].default: cls}
    if issubclass(cls, PreTrainedConfig):
        for auto_class in filter(inspect.isclass, vars(modeling_auto).values()):
            mapping = getattr(auto_class, "_model_mapping", None)
            model_class = None if mapping is None else mapping.get(cls, None)
            # A class that the user registered in place of ours is not ours to publish.
            if model_class is not None and is_ours(model_class):
                classes[auto_class.__name__] = model_class
    return classes


def source_files(cls: type[SavedWithSource]) -> dict[str, str]:
    """File name -> source of what travels with a saved `cls`."""
    return bundle({named.__module__ for named in named_classes(cls).values()})


def bundle(modules: set[str]) -> dict[str, str]:
    """File name -> source, rewritten to lie flat, of `modules` and of all modules of ours that they import.

    Raises `ValueError` for an import of holovid that the rewrite rule does not cover, or two files of one name.
    """
    sources: dict[str, str] = {}
    origin: dict[str, str] = {}
    waiting = sorted(modules)
    while waiting:
        module = waiting.pop()
        name = module.rpartition(".")[2] + ".py"
        if origin.setdefault(name, module) != module:
            raise ValueError(f"{origin[name]} and {module} would both be saved as {name}; rename one of them")
        if name not in sources:
            source = _source_of(module)
            waiting += [imported for _, imported in _imports_of_ours(source, module)]
            sources[name] = flatten(source, module)
    return sources


def flatten(source: str, module: str) -> str:
    """`source` of `module` with its in-package imports turned into imports of files beside it."""
    lines = source.split("\n")
    for index, imported in _imports_of_ours(source, module):
        lines[index] = lines[index].replace(imported, "." + imported.rpartition(".")[2], 1)
    return "\n".join(lines)


def _imports_of_ours(source: str, module: str) -> Iterator[tuple[int, str]]:
    """(index of the line, imported module) of each import from holovid in the source."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = ["." * node.level + (node.module or "")]
        else:
            continue
        for name in names:
            if not name.startswith(".") and name.partition(".")[0] not in packages():
                continue
            if isinstance(node, ast.Import) or not travels(name):
                raise ValueError(
                    f"{module}, line {node.lineno}: import of {name!r}. Files that are saved with a model import each "
                    "other as `from holovid.<configuration, modeling or processing>.<file> import <names>` only."
                )
            yield node.lineno - 1, name


def _source_of(module: str) -> str:
    return inspect.getsource(import_module(module))
