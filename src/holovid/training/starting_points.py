"""What training starts from: new weights of a family, a model of holovid, an image ViT, or published experts.

What a user names is looked up first (`find_start`), which costs nothing but a configuration; when all else is known to
fit, `build_model` makes the model.
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
    """Where the run starts, with what the recipe and the user want of the model.

    Raises `ValueError` or `OSError` if `run.model` or `run.experts` is not there, or the recipe is for another family.
    """
    start = look_up(run, recipe)
    recipe.check_model(start.config)  # before its settings, which another family would not know
    if start.kind == "checkpoint":
        for name in ("num_frames", "image_size"):
            if getattr(run, name) not in (None, made_for := getattr(start.config, name)):
                raise ValueError(f"--{name} {getattr(run, name)}: {run.model} was made for {made_for}")
        return replace(start, settings={name: recipe.model[name] for name in REGULARISATION if name in recipe.model})
    num_frames = run.num_frames or recipe.num_frames
    settings = {"num_frames": num_frames} | recipe.model
    if settings.get("mix_group") == recipe.num_frames:  # the whole clip, however long it is
        settings["mix_group"] = num_frames
    if run.image_size is not None:
        settings["image_size"] = run.image_size
    if start.kind == "new" and recipe.fits_clips:
        raise ValueError(
            f"recipe {recipe.name} starts from trained weights, and {run.model} has none: give --model a folder or a "
            "Hub id, or take another --recipe, such as small"
        )
    if start.kind == "new":
        variant = variants()[run.model or ""].settings
        toy = family_of(start.config).toy if recipe.name == "small" else {}
        return replace(start, config=type(start.config)(**{**variant, **toy, **settings}))
    if start.kind == "experts":
        settings["experts"] = start.config.experts
    return replace(start, settings=settings)


def look_up(run: RunArguments, recipe: Recipe) -> StartingPoint:
    """What `run.model` or `run.experts` names; which family starts from an image model, the recipe says or NAME=ID."""
    if (run.model is None) == (run.experts is None):
        raise ValueError("give either --model or --experts: what training starts from")
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
        raise ValueError(f"--model {name}=ID starts from an image model, and {source} is a {config.model_type} model")
    if config.model_type not in families():
        raise ValueError(
            f"--model is {', '.join(variants())}, or a model of these or an image ViT; {model} is a "
            f"{config.model_type} model. Its experts go to --experts space=ID time=ID audio=ID."
        )
    return StartingPoint("checkpoint", config, {"model": model})


def choose_family(starting: Sequence[Family], recipe: Recipe, model: str) -> Family:
    """Which of the families that can start from this image model does: that of the recipe.

    Raises `ValueError` if the recipe is for any, and there are several.
    """
    fitting = [family for family in starting if recipe.family == family.model_type]
    if fitting or len(starting) == 1 or recipe.family != "any":  # a recipe for none of them is refused as such
        return (fitting or starting)[0]
    names = [family.variants[0].name for family in starting]
    recipes = [family.recipes[0].name for family in starting if family.recipes]
    raise ValueError(
        f"{' and '.join(names)} can start from {model}: write --model {names[0]}={model}, or give a --recipe of one, "
        f"as {', '.join(recipes)}"
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
    """Column of data -> the task of the model that it answers: the one of its name, or the only one there is."""
    tasks = tasks_of(model_class, config)
    by_name = {task.name: task for task in tasks}
    return {column: tasks[0] if len(tasks) == 1 else by_name[column] for column in columns}


def known_classes(config: PreTrainedConfig, tasks: Mapping[str, Task]) -> dict[str, list[str]]:
    """The names of a model's classes for each target, `tasks` by target; none where it has no names."""
    return {column: task.names(config) or [] for column, task in tasks.items()}


def build_model(
    start: StartingPoint, names: Mapping[str, Sequence[str]], kind: Kind = "class", mean: float = 0.0
) -> PreTrainedModel:
    """The model with these classes, `names` by target; of a number, it has a name of its own.

    A new head for numbers answers `mean` to begin with: half of a short training would be spent on finding it.

    A checkpoint keeps its head if its classes are the same in the same order, or both are for a number. What is new is
    logged as a warning.
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
    """Whether it is a checkpoint with the head of this class."""
    return start.kind == "checkpoint" and class_of(start.config, start.sources["model"]) is model_class


def new_model(model_class: type[Any], start: StartingPoint, settings: dict[str, Any]) -> PreTrainedModel:
    """With the weights of an image model or of experts, where these are what it starts from."""
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
    """The head of a family that answers these columns. Raises `ValueError` if there is none."""
    if len(columns) == 1:
        return AutoModelForVideoClassification._model_mapping[type(config)]
    for head in heads_of(config):
        if {task.name for task in tasks_of(head, config)} == set(columns):
            return head
    several = [tasks_of(head, config) for head in heads_of(config) if len(tasks_of(head, config)) > 1]
    if not several:
        raise ValueError(f"--target {' '.join(columns)}: {variant_of(config).title} has one --target")
    known = ", or ".join(" ".join(task.name for task in tasks) for tasks in several)
    raise ValueError(f"--target is one column of labels, or {known}; got {' '.join(columns)}")


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
    the recipe does. Of a model that anticipates the configuration says which frames it is shown."""
    picking = recipe.picking_options() | (config.frame_options if anticipates(config) else {})
    if start.kind != "checkpoint":
        source: Any = {"new": None, "image": start.sources.get("model"), "experts": start.sources}[start.kind]
        return HolovidProcessor.for_model(config, source=source, **picking)
    processor = read_processor(AutoProcessor, start.sources["model"])
    for name, value in picking.items():
        setattr(getattr(processor, "video_processor", processor), name, value)
    return processor
