"""Which source travels with a saved folder, so that it loads with `trust_remote_code=True` where holovid is absent.

The files that define the classes a folder names, and every file of ours that these import. A configuration
names itself and each model registered for it with an Auto class (a model is saved with its configuration); a processor
names itself. They lie flat in the folder, under one rewrite rule: `from holovid.<folder>.<file> import` becomes
`from .<file> import`. Any other import of holovid is refused, before anything is written.

A model may have one of another family inside, which no import names: its configuration does (`sub_configs`). Then that
family's files come too, and lines at the end of the outer one's files register it where nobody else did.
"""

import ast
import inspect
from collections.abc import Iterator, Sequence
from importlib import import_module

from transformers import PreTrainedConfig
from transformers.models.auto import modeling_auto

from holovid.configuration.configuration_common import SavedWithSource
from holovid.families.family import packages, travels

# Auto class -> the lines that say what it finds for a model inside; they follow the class of ours that it names
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


def inner_classes(saved: object) -> list[type[PreTrainedConfig]]:
    """The classes of ours of all configurations inside of a configuration; nothing else has any."""
    found: list[type[PreTrainedConfig]] = []
    for name in getattr(saved, "sub_configs", ()):
        inner = getattr(saved, name, None)
        found += [type(inner)] if isinstance(inner, PreTrainedConfig) and is_ours(type(inner)) else []
        found += inner_classes(inner)
    return list(dict.fromkeys(found))


def source_files(cls: type[SavedWithSource], inside: Sequence[type[PreTrainedConfig]] = ()) -> dict[str, str]:
    """File name -> source of what travels with a saved `cls` whose models have those of the classes `inside` in them.

    Raises `ValueError` as `bundle` does, and for a class inside whose model is a user's own.
    """
    outer = named_classes(cls)
    inner = [named_classes(each) for each in inside]
    sources = bundle({named.__module__ for classes in (outer, *inner) for named in classes.values()})
    for each, classes in zip(inside, inner, strict=True):
        for auto_class, registration in REGISTRATIONS.items():
            if auto_class not in classes or auto_class not in outer:
                raise ValueError(f"the model of a {each.__name__} is not one of ours, whose source could be saved")
            sources[file_of(outer[auto_class])] += registration.format(
                file=file_of(classes[auto_class]).removesuffix(".py"),
                name=classes[auto_class].__name__,
                model_type=each.model_type,
            )
    return sources


def file_of(cls: type) -> str:
    """The name of the file beside a saved model that defines a class."""
    return f"{cls.__module__.rpartition('.')[2]}.py"


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
