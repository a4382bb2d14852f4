"""Load models from a folder or the Hub, with all their weights or an error.

`from_pretrained` initializes weights that a checkpoint lacks at random and only warns, which is right for training but
makes predictions meaningless.
"""

import json
import os
from pathlib import Path
from typing import Any

from transformers import (
    AutoConfig,
    AutoModelForVideoClassification,
    AutoProcessor,
    AutoVideoProcessor,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.utils import CONFIG_NAME

from holovid.cheap_checks import check_model_name
from holovid.families.family import families, family_of
from holovid.modeling.reachable import check_reachable
from holovid.modeling.tasks import tasks_of
from holovid.modeling.weight_files import check_all_there, check_weight_files, damage_named, first_line, some
from holovid.travelling import is_ours

ADAPTERS = "adapter_config.json"  # of PEFT
# options of every `from_pretrained` that say where and as whom to look
OF_THE_HUB = ("cache_dir", "force_download", "local_files_only", "proxies", "token")
# raised by transformers for JSON files with unexpected content
MISUNDERSTOOD = (AttributeError, TypeError, LookupError)


def load(
    source: str | os.PathLike, *, trust_remote_code: bool = False, revision: str | None = None, **options: Any
) -> tuple[PreTrainedModel, Any]:
    """Load a model as the class it was saved as, in evaluation mode, and its processor.

    All classes of holovid's families are found, also those without an Auto class, such as models of verbs and nouns.
    Models of transformers are loaded by `AutoModelForVideoClassification`, with their video processor.

    Args:
        source: folder or Hub id.
        trust_remote_code: allow model code in `source` to run.
        revision: branch, tag or commit on the Hub.
        options: arguments of the model's `from_pretrained`, such as `dtype`; `token`, `cache_dir` and others of the
            Hub are also those of the configuration and the processor.

    Raises `ValueError` if `source` is neither a folder nor a model on the Hub, if weights are missing or unexpected,
    if the class is unknown, and if a model of holovid has no processor of holovid; `OSError` if files are missing.
    """
    check_model_name(source)
    hub: dict[str, Any] = {name: options.pop(name) for name in OF_THE_HUB if name in options}
    hub |= {} if revision is None else {"revision": revision}
    trusted: dict[str, Any] = {"trust_remote_code": trust_remote_code}
    config = read_config(source, **trusted, **hub)
    if is_ours(type(config)):
        model = load_whole(class_of(config, str(source)), source, **hub, **options)
        return model, load_processor(source, **hub)
    model = load_whole(AutoModelForVideoClassification, source, **trusted, **hub, **options)
    return model, read_processor(AutoVideoProcessor, source, **trusted, **hub)


def load_classifier(
    source: str | os.PathLike, trust_remote_code: bool = False, **options: Any
) -> tuple[PreTrainedModel, Any]:
    """Load a model with a head and its video processor, as [`load`] does.

    Raises `ValueError` for models without a head, before weights are read, and what [`load`] raises.
    """
    check_model_name(source)
    hub = {name: options[name] for name in (*OF_THE_HUB, "revision") if name in options}
    config = read_config(source, trust_remote_code=trust_remote_code, **hub)
    if is_ours(type(config)) and not tasks_of(found := class_of(config, str(source)), config):
        raise ValueError(f"{source} holds a {found.__name__}, which has no classification head: train one first")
    model, processor = load(source, trust_remote_code=trust_remote_code, **options)
    return model, getattr(processor, "video_processor", processor)


def class_of(config: PreTrainedConfig, name: str) -> type[PreTrainedModel]:
    """The class that a model of holovid was saved as; the classifier if the configuration names none.

    Raises `ValueError`, which calls the model `name`, for a class that the family does not have.
    """
    if not (architecture := architecture_of(config)):
        return AutoModelForVideoClassification._model_mapping[type(config)]
    family = family_of(config, name)
    if architecture not in family.model_names:
        raise ValueError(f"{name} holds a {architecture}, which is not a class of holovid: load it with its own code")
    return family.public(architecture)


def heads_of(config: PreTrainedConfig) -> list[type[PreTrainedModel]]:
    """The classes of a family that have a head; none for models of transformers."""
    family = families().get(config.model_type)
    models = [] if family is None else [family.public(name) for name in family.model_names]
    return [found for found in models if tasks_of(found, config)]


def classifier_of(config: PreTrainedConfig, name: str) -> type[PreTrainedModel]:
    """As [`class_of`], for models with a head. Raises `ValueError` for others."""
    found = class_of(config, name)
    if not tasks_of(found, config):
        raise ValueError(f"{name} holds a {found.__name__}, which is not a classifier of holovid")
    return found


def load_whole(
    model_class: Any, source: str | os.PathLike, *, new: tuple[str, ...] = (), **options: Any
) -> PreTrainedModel:
    """`model_class.from_pretrained(source)` for a checkpoint that has exactly the tensors of the model.

    Args:
        model_class: a model class, or an Auto class.
        source: folder or Hub id.
        new: prefixes of tensors that may be missing or of another shape, since training initializes them anew.
        options: arguments of `from_pretrained`.

    Raises `ValueError`, which names the tensors, if some are missing, unexpected, of another shape or not
    floating-point, and for files that are damaged, hold code or lie outside the folder; `OSError` for missing files.
    """
    types = check_weight_files(source) if Path(source).is_dir() else {}
    with damage_named(source):
        model, loading = model_class.from_pretrained(
            source, output_loading_info=True, ignore_mismatched_sizes=True, **options
        )
    check_all_there(str(source), loading, new)
    if getattr(model.config, "quantization_config", None) is None:
        floating = {name for name, tensor in model.state_dict().items() if tensor.is_floating_point()}
        if whole := sorted(name for name in floating & types.keys() if not types[name]):
            raise ValueError(f"{source} has integers in place of floating-point weights: {some(whole)}")
    return model


def read_config(source: str | os.PathLike, **options: Any) -> PreTrainedConfig:
    """The configuration of a model.

    Args:
        source: folder or Hub id.
        options: arguments of `AutoConfig.from_pretrained`.

    Raises `ValueError` if the file is not a configuration, if the model does not exist or the Hub cannot be reached,
    and for PEFT adapters without their model; `OSError` if there is no file.
    """
    if options.keys().isdisjoint(OF_THE_HUB):  # else it would look elsewhere, or as another user
        check_reachable(source, options.get("revision"))
    if Path(source, ADAPTERS).is_file():
        raise ValueError(f"{source} holds PEFT adapters: merge them into their model, and save that")
    check_json(Path(source, CONFIG_NAME))
    try:
        return AutoConfig.from_pretrained(source, **options)
    except MISUNDERSTOOD as error:
        raise ValueError(f"{source} has a {CONFIG_NAME} that is not a configuration: {first_line(error)}") from error


def read_processor(auto_class: Any, source: str | os.PathLike, **options: Any) -> Any:
    """`auto_class.from_pretrained(source)`. Raises `ValueError` for damaged files, `OSError` if there are none."""
    for path in sorted(Path(source).glob("*processor_config.json")):
        check_json(path)
    try:
        return auto_class.from_pretrained(source, **options)
    except MISUNDERSTOOD as error:
        raise ValueError(f"the processor of {source} cannot be read: {first_line(error)}") from error


def load_processor(source: str | os.PathLike, **options: Any) -> Any:
    """The processor of a model of holovid, for video alone or for video and audio.

    Raises `ValueError` if there is none, or if it is not one of holovid.
    """
    is_there = not Path(source).is_dir() or any(Path(source).glob("*processor_config.json"))
    processor = read_processor(AutoProcessor, source, **options) if is_there else None
    if not is_ours(type(processor)):
        raise ValueError(
            f"{source} has no processor of holovid: save one beside it, such as HolovidProcessor.for_model(config)"
        )
    return processor


def check_json(path: Path) -> None:
    """Raise `ValueError` for an existing file that is not a JSON object."""
    if not path.is_file():
        return
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: it is not JSON") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold a JSON object, but holds a {type(content).__name__}")


def architecture_of(config: PreTrainedConfig) -> str:
    """Name of the class that a model was saved as; empty if it is unknown."""
    names = config.architectures
    return names[0] if isinstance(names, list) and names and isinstance(names[0], str) else ""
