"""Models by the name of a folder or of the Hub, loaded in one way: all their weights are there, or it is an error.

`from_pretrained` makes up what a checkpoint lacks, as training needs it, and says so in a warning. Answers of such a
model are of chance, so nothing of holovid that gives answers loads like that.
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
# What transformers raises at a JSON file that holds something else than it should.
MISUNDERSTOOD = (AttributeError, TypeError, LookupError)


def load(
    source: str | os.PathLike, *, trust_remote_code: bool = False, revision: str | None = None, **options: Any
) -> tuple[PreTrainedModel, Any]:
    """A model of whichever class it was saved as, in evaluation mode, and its processor.

    Of holovid any class of any family is found, also one without an Auto class, such as that of verbs and nouns; of
    transformers, what `AutoModelForVideoClassification` finds, with its video processor.

    Args:
        source: folder or Hub id.
        trust_remote_code: run model code that comes with it.
        revision: branch, tag or commit on the Hub.
        options: of the model's `from_pretrained`, such as `dtype`.

    Raises `ValueError` when `source` is neither a folder nor the name of a model that the Hub has at hand, lacks
    weights or has others than the model's, holds a class that is not known, or has no processor of holovid beside a
    model of holovid; and `OSError` when files are missing.
    """
    check_model_name(source)
    hub: dict[str, Any] = {} if revision is None else {"revision": revision}
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
    """What [`load`] finds, if it is a model that labels videos, and its video processor.

    Raises `ValueError` when it is none, before weights are read; and what [`load`] raises.
    """
    check_model_name(source)
    config = read_config(source, trust_remote_code=trust_remote_code)
    if is_ours(type(config)) and not tasks_of(found := class_of(config, str(source)), config):
        raise ValueError(f"{source} holds a {found.__name__}, which has no classifier: train one first")
    model, processor = load(source, trust_remote_code=trust_remote_code, **options)
    return model, getattr(processor, "video_processor", processor)


def class_of(config: PreTrainedConfig, name: str) -> type[PreTrainedModel]:
    """The class that a model of holovid was saved as; of a configuration that names none, the classifier of labels.

    Raises `ValueError` for a class that the family does not have; `name` is what the model is called in it.
    """
    if not (architecture := architecture_of(config)):
        return AutoModelForVideoClassification._model_mapping[type(config)]
    family = family_of(config, name)
    if architecture not in family.model_names:
        raise ValueError(f"{name} holds a {architecture}, which is no class of holovid: load it where that is defined")
    return family.public(architecture)


def heads_of(config: PreTrainedConfig) -> list[type[PreTrainedModel]]:
    """The classes of a family that answer something; of transformers' own there are none."""
    family = families().get(config.model_type)
    models = [] if family is None else [family.public(name) for name in family.model_names]
    return [found for found in models if tasks_of(found, config)]


def classifier_of(config: PreTrainedConfig, name: str) -> type[PreTrainedModel]:
    """[`class_of`] models with a head. Raises `ValueError` for those without."""
    found = class_of(config, name)
    if not tasks_of(found, config):
        raise ValueError(f"{name} holds a {found.__name__}, which is no classifier of holovid")
    return found


def load_whole(
    model_class: Any, source: str | os.PathLike, *, new: tuple[str, ...] = (), **options: Any
) -> PreTrainedModel:
    """`model_class.from_pretrained(source)` of a checkpoint that has all tensors of the model, and no others.

    Args:
        model_class: a class of models, or an Auto class.
        source: folder or Hub id.
        new: how names of tensors begin that need not be the model's, as training makes them anew.
        options: of `from_pretrained`.

    Raises `ValueError` for tensors that are missing, unexpected, misshapen or no floating-point numbers, naming them,
    and for files that are damaged, hold code or lie outside the folder; `OSError` when files are missing.
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
            raise ValueError(f"{source} has whole numbers where weights belong: {some(whole)}")
    return model


def read_config(source: str | os.PathLike, **options: Any) -> PreTrainedConfig:
    """The configuration of a model.

    Args:
        source: folder or Hub id.
        options: of `AutoConfig.from_pretrained`.

    Raises `ValueError` when it is not a configuration, when there is no such model or the Hub cannot be asked, and for
    adapters of PEFT, whose model is elsewhere; `OSError` when there is none.
    """
    check_reachable(source, options.get("revision"))
    if Path(source, ADAPTERS).is_file():
        raise ValueError(f"{source} holds adapters of PEFT: merge them into their model first, and save that")
    check_json(Path(source, CONFIG_NAME))
    try:
        return AutoConfig.from_pretrained(source, **options)
    except MISUNDERSTOOD as error:
        raise ValueError(f"{source} has a {CONFIG_NAME} that is no configuration: {first_line(error)}") from error


def read_processor(auto_class: Any, source: str | os.PathLike, **options: Any) -> Any:
    """`auto_class.from_pretrained(source)`. Raises `ValueError` when files of the processor are damaged.

    `OSError` when there are none.
    """
    for path in sorted(Path(source).glob("*processor_config.json")):
        check_json(path)
    try:
        return auto_class.from_pretrained(source, **options)
    except MISUNDERSTOOD as error:
        raise ValueError(f"the processor of {source} cannot be read: {first_line(error)}") from error


def load_processor(source: str | os.PathLike, **options: Any) -> Any:
    """The processor of a model of holovid, as it was saved: of video alone, or of video and sound.

    Raises `ValueError` when there is none, or it is not of holovid.
    """
    is_there = not Path(source).is_dir() or any(Path(source).glob("*processor_config.json"))
    processor = read_processor(AutoProcessor, source, **options) if is_there else None
    if not is_ours(type(processor)):
        raise ValueError(
            f"{source} has no processor of holovid: save one beside it, such as HolovidProcessor.for_model(config)"
        )
    return processor


def check_json(path: Path) -> None:
    """Raise `ValueError` for a file that is there and is no JSON object."""
    if not path.is_file():
        return
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: it is not JSON") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__} where settings by name belong")


def architecture_of(config: PreTrainedConfig) -> str:
    """The name of the class that a model was saved as; empty where that is not known."""
    names = config.architectures
    return names[0] if isinstance(names, list) and names and isinstance(names[0], str) else ""
