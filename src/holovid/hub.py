"""Saved folders carry our source, so that they load with `trust_remote_code=True` where holovid is not installed.

Which files: those that define the classes a folder names, and every file of ours that these import. A configuration
names itself and each model registered for it with an Auto class (a model is saved with its configuration); a processor
names itself. They lie flat in the folder, under one rewrite rule: `from holovid.<folder>.<file> import` becomes
`from .<file> import`. Any other import of holovid is refused, before anything is written.

`SavedWithSource`, which configurations and processors derive from, calls `name_classes`, `save_whole` and
`write_source`; and what `push_to_hub` is about to upload, `complete_upload`.
"""

import ast
import inspect
import json
import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from huggingface_hub import ModelCard
from transformers import CONFIG_MAPPING, PreTrainedConfig
from transformers.models.auto import modeling_auto
from transformers.utils import CONFIG_NAME

from holovid.configuration.configuration_common import SavedWithSource, UploadedWhole
from holovid.families.family import packages, travels
from holovid.files import write_whole
from holovid.saving import save_whole as save_whole

CARD = "README.md"


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


def name_classes(saved: SavedWithSource, folder: str | os.PathLike) -> None:
    """Set `auto_map`, which goes into the JSON file, of `saved` and its parts: where Auto classes find it in `folder`.

    What a user's own class put there (`register_for_auto_class`) stays if its file lies in the folder, as transformers
    has copied it by now; other entries are left over from where `saved` was loaded.
    """
    for name in ("video_processor", "feature_extractor"):
        if isinstance(part := getattr(saved, name, None), SavedWithSource):
            name_classes(part, folder)
    ours = {
        auto_class: f"{cls.__module__.rpartition('.')[2]}.{cls.__name__}"
        for auto_class, cls in named_classes(type(saved)).items()
    }
    files = source_files(type(saved))
    theirs = {
        auto_class: reference
        for auto_class, reference in (getattr(saved, "auto_map", None) or {}).items()
        if (file := f"{reference.partition('.')[0]}.py") not in files and Path(folder, file).is_file()
    }
    saved.auto_map = ours | theirs


def write_source(saved: SavedWithSource, folder: str | os.PathLike) -> None:
    """Write the source of the classes that `saved` names into `folder`, each file whole or not at all.

    Raises `ValueError` when that source would not load without holovid.
    """
    folder = Path(folder)
    for name, source in source_files(type(saved)).items():
        write_whole(folder / name, source)
    # The folder that Trainer uploads while it trains gets a checkpoint's config.json without the source; then the
    # processor is saved there, so this is where it can be completed.
    config = folder / CONFIG_NAME
    if not isinstance(saved, PreTrainedConfig) and config.is_file():
        model_type = json.loads(config.read_text()).get("model_type")
        if model_type in CONFIG_MAPPING and is_ours(CONFIG_MAPPING[model_type]):
            for name, source in source_files(CONFIG_MAPPING[model_type]).items():
                if not (folder / name).exists():
                    write_whole(folder / name, source)


def complete_upload(saved: UploadedWhole, folder: str | os.PathLike) -> None:
    """Add to a folder that is about to be uploaded what transformers leaves out: source, and the task of the model."""
    folder = Path(folder)
    if isinstance(saved, SavedWithSource):  # `save_pretrained(..., push_to_hub=True)` uploads before it returns
        write_source(saved, folder)
    if (folder / CARD).is_file() and (folder / CONFIG_NAME).is_file():
        text = (folder / CARD).read_text(encoding="utf-8")
        write_whole(folder / CARD, complete_card(text, card_metadata(folder)))


def card_metadata(folder: Path) -> dict[str, str]:
    """What the Hub must find in a saved model's card to say which library loads it, and which pipeline runs it."""
    config = json.loads((folder / CONFIG_NAME).read_text(encoding="utf-8"))
    classifier = config["auto_map"].get("AutoModelForVideoClassification", "").rpartition(".")[2]
    classifies = classifier in (config.get("architectures") or ())
    return {"library_name": "transformers"} | ({"pipeline_tag": "video-classification"} if classifies else {})


def complete_card(text: str, metadata: dict[str, str]) -> str:
    """A card with `metadata` added as far as it says nothing about that; otherwise as it is, to the letter."""
    card = ModelCard(text, ignore_metadata_errors=True)
    missing = {name: value for name, value in metadata.items() if getattr(card.data, name, None) is None}
    for name, value in missing.items():
        setattr(card.data, name, value)
    return str(card) if missing else text


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
