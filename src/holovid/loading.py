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
    AutoVideoProcessor,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.utils import CONFIG_NAME

import holovid
from holovid.cheap_checks import check_model_name
from holovid.modeling.weight_files import check_all_there, check_weight_files, damage_named, first_line, some

ADAPTERS = "adapter_config.json"  # of PEFT
# What transformers raises at a JSON file that holds something else than it should.
MISUNDERSTOOD = (AttributeError, TypeError, LookupError)


def load_classifier(
    model: str | os.PathLike, trust_remote_code: bool = False, **options: Any
) -> tuple[PreTrainedModel, Any]:
    """A model that labels videos, of whichever class it was saved as, and its video processor.

    Args:
        model: folder or Hub id.
        trust_remote_code: run model code that comes with it.
        options: of the model's `from_pretrained`, such as `dtype`.

    Raises `ValueError` when `model` is neither a folder nor a possible name on the Hub, holds no classifier, or lacks
    weights of it; and `OSError` when files are missing.
    """
    check_model_name(model)
    trusted: dict[str, Any] = {"trust_remote_code": trust_remote_code}
    config = read_config(model, **trusted)
    architecture = architecture_of(config)
    if architecture.endswith("Model"):
        raise ValueError(f"{model} holds a {architecture}, which has no classifier: train one first")
    # models of verbs and nouns belong to no Auto class
    if architecture in holovid.__all__:
        classifier = load_whole(getattr(holovid, architecture), model, **options)
    else:
        classifier = load_whole(AutoModelForVideoClassification, model, **trusted, **options)
    return classifier, read_processor(AutoVideoProcessor, model, **trusted)


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

    Raises `ValueError` when it is not a configuration, and for adapters of PEFT, whose model is elsewhere; `OSError`
    when there is none.
    """
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
