"""The source files that are saved with a model, so that it loads with `trust_remote_code=True` without holovid.

These are the files that define the classes of the saved model and all files of holovid that they import. A
configuration names itself and each model registered for it with an Auto class; a processor names itself. All files are
in one folder
and are changed by one rule: `from holovid.<folder>.<file> import` becomes `from .<file> import`. Any other import of
holovid raises an error before anything is written.

If a model contains a model of another family (`sub_configs` of its configuration), that family's files are saved too,
and lines at the end of the outer model's files register it.
"""

import ast
import inspect
from collections.abc import Iterator, Sequence
from importlib import import_module

from transformers import PreTrainedConfig
from transformers.models.auto import modeling_auto

from holovid.configuration.configuration_common import SavedWithSource
from holovid.families.family import packages, travels

# Auto class -> lines that register an inner model, at the end of the file of the outer model's class
REGISTRATIONS = {
    "AutoConfig": """

# A model of another family is inside of the one that was saved.
from transformers import CONFIG_MAPPING, AutoConfig  # noqa: E402

from .{file} import {name}  # noqa: E402

if "{model_type}" not in CONFIG_MAPPING:
    AutoConfig.register("{model_type}", {name})
""",
    "AutoModel": """

# A model of another family is inside of the one that was saved.
from transformers import CONFIG_MAPPING, MODEL_MAPPING, AutoModel  # noqa: E402

from .{file} import {name}  # noqa: E402

if CONFIG_MAPPING["{model_type}"] not in MODEL_MAPPING:
    AutoModel.register(CONFIG_MAPPING["{model_type}"], {name})
""",
}


def is_ours(cls: type) -> bool:
    """Whether a class is defined in a module that is saved with models."""
    return travels(cls.__module__)


def named_classes(cls: type[SavedWithSource]) -> dict[str, type]:
    """Auto class name -> class, for the configuration or processor `cls` and the models registered for it.

    Models are looked up in the registries of transformers, so that new families and heads are found too.
    """
    # the default of this method names the Auto class: AutoConfig, AutoVideoProcessor, ...
    classes = {inspect.signature(cls.register_for_auto_class).parameters["auto_class"].default: cls}
    if issubclass(cls, PreTrainedConfig):
        for auto_class in filter(inspect.isclass, vars(modeling_auto).values()):
            mapping = getattr(auto_class, "_model_mapping", None)
            model_class = None if mapping is None else mapping.get(cls, None)
            # a class that the user registered in place of ours is not published
            if model_class is not None and is_ours(model_class):
                classes[auto_class.__name__] = model_class
    return classes


def inner_classes(saved: object) -> list[type[PreTrainedConfig]]:
    """The classes of all configurations of ours inside a configuration, at any depth."""
    found: list[type[PreTrainedConfig]] = []
    for name in getattr(saved, "sub_configs", ()):
        inner = getattr(saved, name, None)
        found += [type(inner)] if isinstance(inner, PreTrainedConfig) and is_ours(type(inner)) else []
        found += inner_classes(inner)
    return list(dict.fromkeys(found))


def source_files(cls: type[SavedWithSource], inside: Sequence[type[PreTrainedConfig]] = ()) -> dict[str, str]:
    """File name -> source, for a saved `cls` whose models contain models with the configurations `inside`.

    Raises `ValueError` as `bundle` does, and for an inner model whose class is the user's own.
    """
    outer = named_classes(cls)
    inner = [named_classes(each) for each in inside]
    sources = bundle({named.__module__ for classes in (outer, *inner) for named in classes.values()})
    for each, classes in zip(inside, inner, strict=True):
        for auto_class, registration in REGISTRATIONS.items():
            if auto_class not in classes or auto_class not in outer:
                raise ValueError(f"the source of the model of {each.__name__} cannot be saved: it is not of holovid")
            sources[file_of(outer[auto_class])] += registration.format(
                file=file_of(classes[auto_class]).removesuffix(".py"),
                name=classes[auto_class].__name__,
                model_type=each.model_type,
            )
    return sources


def file_of(cls: type) -> str:
    return f"{cls.__module__.rpartition('.')[2]}.py"


def bundle(modules: set[str]) -> dict[str, str]:
    """File name -> rewritten source, of `modules` and of all modules of ours that they import.

    Raises `ValueError` for an import of holovid that the rewrite rule does not cover, and for two files of one name.
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
    """The source of `module` with imports of files in the same folder in place of in-package imports."""
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
