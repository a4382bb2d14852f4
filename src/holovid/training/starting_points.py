"""What training starts from: new weights of a family, a holovid model, an image ViT, or published experts.

`find_start` looks up what the user named, which loads only a configuration; `build_model` makes the model when
everything else fits.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import nn
from transformers import AutoModelForVideoClassification, AutoProcessor, PreTrainedConfig, PreTrainedModel
from transformers.utils import logging

from holovid import HolovidProcessor, HolovidVideoProcessor
from holovid.data.anticipation import anticipates
from holovid.families.family import (
    Family,
    families,
    family_of,
    family_of_variant,
    joins_experts,
    variant_of,
    variants,
)
from holovid.loading import class_of, heads_of, load_whole, read_config, read_processor
from holovid.modeling.reachable import check_reachable
from holovid.modeling.tasks import Kind, Task, tasks_of
from holovid.recipes import Recipe
from holovid.training.arguments import RunArguments

logger = logging.get_logger(__name__)

# Fields of a recipe's `model` that may change for trained weights.
REGULARISATION = ("drop_path_rate", "classifier_dropout", "hidden_dropout_prob", "attention_probs_dropout_prob")
HEADS = ("classifier.", "classifiers.")


@dataclass
class StartingPoint:
    """
    Args:
        kind: "new" weights; a "checkpoint" of ours; an "image" ViT; "experts".
        config: of the model, without classes; for an image ViT and experts so far only the kind of model.
        sources: folders or Hub ids, by expert; for one model under "model".
        settings: configuration fields that the recipe or the user sets.
    """

    kind: Literal["new", "checkpoint", "image", "experts"]
    config: PreTrainedConfig
    sources: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)


def find_start(run: RunArguments, recipe: Recipe) -> StartingPoint:
    """A run's starting point. Raises `ValueError` or `OSError` if it does not exist or does not fit the recipe."""
    start = look_up(run, recipe)
    recipe.check_model(start.config)  # before its settings, which another family does not have
    if start.kind == "checkpoint":
        for name in ("num_frames", "image_size"):
            if getattr(run, name) not in (None, made_for := getattr(start.config, name)):
                raise ValueError(f"--{name} {getattr(run, name)}: {run.model} was made for {made_for}")
        return replace(start, settings={name: recipe.model[name] for name in REGULARISATION if name in recipe.model})
    num_frames = run.num_frames or recipe.num_frames
    settings = {"num_frames": num_frames} | recipe.model
    if settings.get("mix_group") == recipe.num_frames:  # the whole clip, whatever its length
        settings["mix_group"] = num_frames
    if run.image_size is not None:
        settings["image_size"] = run.image_size
    if start.kind == "new" and recipe.fits_clips:
        raise ValueError(
            f"recipe {recipe.name} needs trained weights, but {run.model} has none: pass a folder or Hub id as "
            "--model, "
            "or another --recipe, such as small"
        )
    if start.kind == "new":
        variant = variants()[run.model or ""].settings
        toy = family_of(start.config).toy if recipe.name == "small" else {}
        return replace(start, config=type(start.config)(**{**variant, **toy, **settings}))
    if start.kind == "experts":
        settings["experts"] = start.config.experts
    return replace(start, settings=settings)


def look_up(run: RunArguments, recipe: Recipe) -> StartingPoint:
    """The start that `run.model` or `run.experts` names; of image models the recipe, or NAME=ID, says the family."""
    if (run.model is None) == (run.experts is None):
        raise ValueError("pass either --model or --experts to start from")
    if run.experts is not None:
        family = joins_experts()
        sources = expert_sources(run.experts, list(family.parts))
        for source in sources.values():
            check_reachable(source)
        experts = [expert for expert in family.parts if expert in sources]
        return StartingPoint("experts", family.config_class(experts=experts), sources)
    model = run.model or ""
    if model in variants():
        return StartingPoint("new", family_of_variant(model).config_class())
    name, equals, source = model.partition("=")
    wanted = name if equals and name in variants() else None
    config = read_config(source if wanted else model)
    if starting := [family for family in families().values() if config.model_type in family.starts_from]:
        family = family_of_variant(wanted) if wanted else choose_family(starting, recipe, model)
        if family in starting:
            return StartingPoint("image", family.config_class(), {"model": source if wanted else model})
    if wanted:
        raise ValueError(f"--model {name}=ID starts from an image model, but {source} is a {config.model_type} model")
    if config.model_type not in families():
        raise ValueError(
            f"--model must be {', '.join(variants())}, or a model of these or an image ViT; {model} is a "
            f"{config.model_type} model. Pass experts with --experts space=ID time=ID audio=ID."
        )
    return StartingPoint("checkpoint", config, {"model": model})


def choose_family(starting: Sequence[Family], recipe: Recipe, model: str) -> Family:
    """The recipe's family. Raises `ValueError` if the recipe fits any, and several can start from this image model."""
    fitting = [family for family in starting if recipe.family == family.model_type]
    if fitting or len(starting) == 1 or recipe.family != "any":  # another recipe is refused later
        return (fitting or starting)[0]
    names = [family.variants[0].name for family in starting]
    recipes = [family.recipes[0].name for family in starting if family.recipes]
    raise ValueError(
        f"{' and '.join(names)} can start from {model}: write --model {names[0]}={model}, or pass a --recipe of one, "
        f"such as {', '.join(recipes)}"
    )


def expert_sources(given: Sequence[str], known: Sequence[str]) -> dict[str, str]:
    """["space=ID", "audio=ID"] -> expert -> folder or Hub id."""
    sources = dict(entry.partition("=")[::2] for entry in given)
    fitting = known[0] in sources and len(sources) > 1 and set(sources) <= set(known)
    if len(sources) < len(given) or not fitting or not all(sources.values()):
        raise ValueError(f"--experts takes space=ID and time=ID, audio=ID or both; got {' '.join(given)}")
    return sources


def match_columns(
    model_class: type[PreTrainedModel], config: PreTrainedConfig, columns: Iterable[str]
) -> dict[str, Task]:
    """Column of data -> the model's task of that name, or its only one."""
    tasks = tasks_of(model_class, config)
    by_name = {task.name: task for task in tasks}
    return {column: tasks[0] if len(tasks) == 1 else by_name[column] for column in columns}


def known_classes(config: PreTrainedConfig, tasks: Mapping[str, Task]) -> dict[str, list[str]]:
    return {column: task.names(config) or [] for column, task in tasks.items()}


def build_model(
    start: StartingPoint, names: Mapping[str, Sequence[str]], kind: Kind = "class", mean: float = 0.0
) -> PreTrainedModel:
    """The model with these classes, `names` by target; a number has one name.

    A new head for numbers predicts `mean` at first, because a short training would spend half its time on finding it.
    A checkpoint keeps its head if its classes are the same in the same order, or both predict a number. A warning
    lists new modules.
    """
    model_class = model_class_for(start.config, names)
    tasks = match_columns(model_class, start.config, names)
    settings = dict(start.settings)
    for column, task in tasks.items():
        settings |= replace(task, kind=kind).settings(names[column])
    is_number = {task.kind == "score" for task in tasks.values()} == {kind == "score"} == {True}
    same = has_head(start, model_class) and (is_number or known_classes(start.config, tasks) == {**names})
    model = new_model(model_class, start, settings)
    if start.kind == "checkpoint":
        load_fitting(model, start.sources["model"], keep_head=same)
    if kind == "score" and not same and all(task.has_fields for task in tasks.values()):
        for name, parameter in model.named_parameters():
            if name.startswith(HEADS) and name.endswith("bias"):
                nn.init.constant_(parameter, mean)
    return model


def has_head(start: StartingPoint, model_class: type[PreTrainedModel]) -> bool:
    return start.kind == "checkpoint" and class_of(start.config, start.sources["model"]) is model_class


def new_model(model_class: type[Any], start: StartingPoint, settings: dict[str, Any]) -> PreTrainedModel:
    if start.kind == "image":
        image = read_config(start.sources["model"]).model_type
        make = getattr(model_class, family_of(start.config).starts_from[image])
        return make(start.sources["model"], **settings)
    if start.kind == "experts":
        settings.pop("experts")
        return model_class.from_experts(**start.sources, **settings)
    for name, value in settings.items():
        setattr(start.config, name, value)
    return model_class(start.config)


def model_class_for(config: PreTrainedConfig, columns: Collection[str]) -> type[PreTrainedModel]:
    """The family's head for these columns. Raises `ValueError` if there is none."""
    if len(columns) == 1:
        return AutoModelForVideoClassification._model_mapping[type(config)]
    for head in heads_of(config):
        if {task.name for task in tasks_of(head, config)} == set(columns):
            return head
    several = [tasks_of(head, config) for head in heads_of(config) if len(tasks_of(head, config)) > 1]
    if not several:
        raise ValueError(f"--target {' '.join(columns)}: {variant_of(config).title} takes one --target")
    known = ", or ".join(" ".join(task.name for task in tasks) for tasks in several)
    raise ValueError(f"--target must be one column of labels, or {known}; got {' '.join(columns)}")


@torch.no_grad()
def load_fitting(model: PreTrainedModel, source: str, keep_head: bool) -> None:
    """Copy a checkpoint's tensors into `model`, without a head of other classes; a warning lists what stays new.

    Raises `ValueError`, naming them, for missing tensors below the head, and for others.
    """
    theirs = load_whole(type(model), source, new=() if keep_head else HEADS).state_dict()
    kept = {name for name in theirs if keep_head or not name.startswith(HEADS)}
    model.load_state_dict({name: theirs[name] for name in kept}, strict=False)
    if new := [name for name, _ in model.named_parameters() if name not in kept]:
        logger.warning(f"{len(kept)} tensors come from {source}. New, to be trained: {', '.join(new)}")


def build_processor(
    start: StartingPoint, config: PreTrainedConfig, recipe: Recipe
) -> HolovidProcessor | HolovidVideoProcessor:
    """The processor for a model: a checkpoint's own, or its source's preprocessing with the recipe's sampling.

    For a model of anticipation the configuration says which frames it sees.
    """
    picking = recipe.picking_options() | (config.frame_options if anticipates(config) else {})
    if start.kind != "checkpoint":
        source: Any = {"new": None, "image": start.sources.get("model"), "experts": start.sources}[start.kind]
        return HolovidProcessor.for_model(config, source=source, **picking)
    processor = read_processor(AutoProcessor, start.sources["model"])
    for name, value in picking.items():
        setattr(getattr(processor, "video_processor", processor), name, value)
    return processor
