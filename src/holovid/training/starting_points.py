"""What training starts from: new weights of a family, a model of holovid, an image ViT, or published experts.

What a user names is looked up first (`find_start`), which costs nothing but a configuration; when all else is known to
fit, `build_model` makes the model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from transformers import AutoModelForVideoClassification, AutoProcessor, PreTrainedConfig, PreTrainedModel
from transformers.utils import logging

from holovid import (
    CA2STConfig,
    CA2STForActionRecognition,
    HolovidProcessor,
    HolovidVideoProcessor,
    XViTConfig,
)
from holovid.configuration.configuration_ca2st import EXPERTS
from holovid.loading import architecture_of, load_whole, read_config, read_processor
from holovid.recipes import Recipe
from holovid.training.arguments import RunArguments

logger = logging.get_logger(__name__)

FAMILIES: dict[str, dict[str, Any]] = {
    "xvit": {},
    "cast": {"experts": ["space", "time"]},
    "cava": {"experts": ["space", "audio"]},
    "ca2st": {"experts": ["space", "time", "audio"]},
}
# What `small` makes of a family: models for the synthetic clips that learn them in a minute, as in examples/demo.py.
TINY: dict[str, dict[str, Any]] = {
    "xvit": {
        "image_size": 48,
        "patch_size": 16,
        "hidden_size": 64,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "intermediate_size": 128,
        "initializer_range": 0.12,  # about 1 / sqrt(hidden_size); 0.02 is made for a width of 768
        "mix_divisor": 4,
        "temporal_embedding_length": 1,
        "pooling": "mean",
        "classifier_dropout": 0.0,
    },
    "ca2st": {
        "image_size": 48,
        "patch_size": 12,
        "audio_frames": 96,  # a second, but for what the windows of the spectrogram and its patches leave over
        "num_mel_bins": 64,
        "audio_stride": 16,
        "hidden_size": 64,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "intermediate_size": 128,
        "initializer_range": 0.12,
        "audio_time_layout": "aligned",
        "feature_adapter_skip": True,  # adapters start at zero, and nothing else is in front of the classifier
    },
}
# Of a recipe's `model`, what may change for weights that have been trained already.
REGULARISATION = ("drop_path_rate", "classifier_dropout", "hidden_dropout_prob", "attention_probs_dropout_prob")
HEADS = ("classifier.", "classifiers.")


@dataclass
class StartingPoint:
    """
    Args:
        kind: "new" weights; a "checkpoint" of ours; an "image" ViT; "experts".
        config: of the model, but for its classes; of an image ViT and of experts only the kind of model is known yet.
        sources: folders or Hub ids, by expert; of one model under "model".
        settings: fields of the configuration, which the recipe or the user decides.
    """

    kind: Literal["new", "checkpoint", "image", "experts"]
    config: PreTrainedConfig
    sources: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)


def find_start(run: RunArguments, recipe: Recipe) -> StartingPoint:
    """Look up `run.model` or `run.experts`. Raises `ValueError` or `OSError` if there is no such thing."""
    if (run.model is None) == (run.experts is None):
        raise ValueError("give either --model or --experts: what training starts from")
    model = run.model or ""
    num_frames = run.num_frames or recipe.num_frames
    settings = {"num_frames": num_frames} | recipe.model
    if settings.get("mix_group") == recipe.num_frames:  # the whole clip, however long it is
        settings["mix_group"] = num_frames
    if run.image_size is not None:
        settings["image_size"] = run.image_size
    if run.experts is not None:
        sources = expert_sources(run.experts)
        settings["experts"] = [expert for expert in EXPERTS if expert in sources]
        return StartingPoint("experts", CA2STConfig(experts=settings["experts"]), sources, settings)
    if model in FAMILIES:
        config_class = XViTConfig if model == "xvit" else CA2STConfig
        recipe.check_model(config_class())  # its settings would not be known there
        tiny = TINY[config_class.model_type] if recipe.name == "small" else {}
        return StartingPoint("new", config_class(**FAMILIES[model] | tiny | settings))
    config = read_config(model)
    if config.model_type == "vit":
        return StartingPoint("image", XViTConfig(), {"model": model}, settings)
    if config.model_type not in TINY:
        raise ValueError(
            f"--model is {', '.join(FAMILIES)}, or a model of these or an image ViT; {model} is a "
            f"{config.model_type} model. Its experts go to --experts space=ID time=ID audio=ID."
        )
    for name in ("num_frames", "image_size"):
        if getattr(run, name) not in (None, getattr(config, name)):
            raise ValueError(f"--{name} {getattr(run, name)}: {model} was made for {getattr(config, name)}")
    settings = {name: recipe.model[name] for name in REGULARISATION if name in recipe.model}
    return StartingPoint("checkpoint", config, {"model": model}, settings)


def expert_sources(given: Sequence[str]) -> dict[str, str]:
    """["space=ID", "audio=ID"] -> expert -> folder or Hub id."""
    sources = dict(entry.partition("=")[::2] for entry in given)
    fitting = "space" in sources and len(sources) > 1 and set(sources) <= set(EXPERTS)
    if len(sources) < len(given) or not fitting or not all(sources.values()):
        raise ValueError(f"--experts takes space=ID and time=ID, audio=ID or both; got {' '.join(given)}")
    return sources


def class_names(config: PreTrainedConfig, columns: Sequence[str]) -> dict[str, list[str]]:
    """The names of a model's classes for each target; none where it has no names."""
    if len(columns) == 1:
        return {columns[0]: [config.id2label[number] for number in sorted(config.id2label)]}
    named = {column: getattr(config, f"id2{column}", None) or {} for column in columns}
    return {column: [names[number] for number in sorted(names, key=int)] for column, names in named.items()}


def class_settings(names: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Fields of the configuration that say which classes there are, `names` by target."""
    if len(names) > 1:
        counts = {f"num_{column}s": len(some) for column, some in names.items()}
        return counts | {f"id2{column}": dict(enumerate(some)) for column, some in names.items()}
    (labels,) = names.values()
    return {
        "id2label": dict(enumerate(labels)),
        "label2id": {label: number for number, label in enumerate(labels)},
        "problem_type": "single_label_classification",  # soft labels of mixing then are probabilities
    }


def build_model(start: StartingPoint, names: Mapping[str, Sequence[str]]) -> PreTrainedModel:
    """The model with these classes, `names` by target.

    A checkpoint keeps its head if its classes are the same in the same order. What is new is logged as a warning.
    """
    model_class = model_class_for(start.config, names)
    settings = start.settings | class_settings(names)
    if start.kind == "image":
        return model_class.from_image_model(start.sources["model"], **settings)
    if start.kind == "experts":
        settings.pop("experts")
        return model_class.from_experts(**start.sources, **settings)
    same = start.kind == "checkpoint" and class_names(start.config, list(names)) == {**names}
    for name, value in settings.items():
        setattr(start.config, name, value)
    model = model_class(start.config)
    if start.kind == "checkpoint":
        is_backbone = architecture_of(start.config).endswith("Model")
        load_fitting(model, start.sources["model"], keep_head=same and not is_backbone)
    return model


def model_class_for(config: PreTrainedConfig, names: Mapping[str, Sequence[str]]) -> type[PreTrainedModel]:
    if len(names) == 1:
        return AutoModelForVideoClassification._model_mapping[type(config)]
    if config.model_type != "ca2st":
        raise ValueError("verbs and nouns together are for cast, cava and ca2st; an XViT has one --target")
    return CA2STForActionRecognition


@torch.no_grad()
def load_fitting(model: PreTrainedModel, source: str, keep_head: bool) -> None:
    """Copy the tensors of a checkpoint into `model`, but for a head of other classes; say which of them stay new.

    Raises `ValueError` when it lacks tensors of the model in front of the head, or has others, naming them.
    """
    theirs = load_whole(type(model), source, new=() if keep_head else HEADS).state_dict()
    kept = {name for name in theirs if keep_head or not name.startswith(HEADS)}
    model.load_state_dict({name: theirs[name] for name in kept}, strict=False)
    if new := [name for name, _ in model.named_parameters() if name not in kept]:
        logger.warning(f"{len(kept)} tensors come from {source}. New, and to be trained: {', '.join(new)}")


def build_processor(
    start: StartingPoint, config: PreTrainedConfig, recipe: Recipe
) -> HolovidProcessor | HolovidVideoProcessor:
    """The processor for a model: a checkpoint's own, or one that prepares frames as its source does; picking frames as
    the recipe does."""
    picking = {name: value for name, value in recipe.processor_options().items() if name != "num_frames"}
    if start.kind != "checkpoint":
        source: Any = {"new": None, "image": start.sources.get("model"), "experts": start.sources}[start.kind]
        return HolovidProcessor.for_model(config, source=source, **picking)
    processor = read_processor(AutoProcessor, start.sources["model"])
    for name, value in picking.items():
        setattr(getattr(processor, "video_processor", processor), name, value)
    return processor
