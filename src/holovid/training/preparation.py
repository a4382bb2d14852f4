"""Builds a training run from a user's arguments: model, processor and clips, checked before it starts.

run, args = parse_arguments(sys.argv[1:])
parts = prepare(run, args.seed, args.data_seed)
VideoTrainer(parts.model, args, recipe=parts.recipe, train_dataset=parts.train, eval_dataset=parts.validation)
"""

from dataclasses import dataclass
from statistics import fmean

from torch import Tensor
from transformers import PreTrainedModel, TrainingArguments, set_seed

from holovid import HolovidProcessor, HolovidVideoProcessor
from holovid.data.answers import answer_kind, classes_of
from holovid.data.anticipation import anticipates, seen_by
from holovid.data.augmentation import build_augmentation
from holovid.data.dataset import ClipDataset, load_clips
from holovid.data.mixing import ClipMixing
from holovid.data.tables import with_order_of_classes
from holovid.families.family import variant_of
from holovid.recipes import Recipe, get_recipe
from holovid.training.arguments import RunArguments
from holovid.training.class_weights import balanced_weights
from holovid.training.fitting import fitted
from holovid.training.score_scale import tell_scale
from holovid.training.starting_points import (
    build_model,
    build_processor,
    find_start,
    has_head,
    known_classes,
    match_columns,
    model_class_for,
)


@dataclass
class Preparation:
    model: PreTrainedModel
    processor: HolovidProcessor | HolovidVideoProcessor
    recipe: Recipe
    train: ClipDataset
    validation: ClipDataset | None
    class_weights: dict[str, Tensor] | None = None
    remarks: tuple[str, ...] = ()

    def summary(self, args: TrainingArguments) -> str:
        trained = sum(parameter.numel() for parameter in self.model.parameters() if parameter.requires_grad)
        total = args.train_batch_size * args.gradient_accumulation_steps * args.world_size
        counts = {target: len(names) for target, names in self.train.names.items()}
        classes = ", ".join(
            f"{count} of {target}" if count else f"none, {target} is a number" for target, count in counts.items()
        )
        return (
            f"{type(self.model).__name__}: {trained:,} of {self.model.num_parameters():,} parameters are trained\n"
            f"{len(self.train):,} training clips, {len(self.validation or ()):,} validation clips; classes: "
            f"{classes}\n"
            f"recipe {self.recipe.name}: {args.num_train_epochs:g} epochs, {total} clips a step "
            f"({args.per_device_train_batch_size} x {args.gradient_accumulation_steps} accumulated x "
            f"{args.world_size} processes), {self.recipe.optimizer} with a peak rate of {args.learning_rate:g}"
            + "".join(f"\n{remark}" for remark in self.remarks)
        )


def prepare(run: RunArguments, seed: int, data_seed: int | None = None, validate: bool = True) -> Preparation:
    """Model, processor and data sets of a run.

    Args:
        run: the user's arguments.
        seed: for new weights, and for torch's, NumPy's and Python's generators.
        data_seed: for all random choices in clips; default `seed`.
        validate: whether validation clips are required.

    Raises `ValueError` for a recipe of another family, a model or data that do not fit the arguments, and what
    `load_clips` raises; `OSError` for models and data that do not exist.
    """
    recipe = get_recipe(run.recipe)
    columns = run.target
    target = columns[0] if len(columns) == 1 else columns
    start = find_start(run, recipe)
    tasks = match_columns(model_class_for(start.config, columns), start.config, columns)

    sources = {"train": run.data, "validation": run.validation} if run.validation else run.data
    problem_type = run.problem_type
    if problem_type is None and len(columns) == 1:
        problem_type = start.config.problem_type
    rows = load_clips(sources, target=target, root=run.root, missing=run.missing, problem_type=problem_type)
    if "train" not in rows:
        raise ValueError(f"{run.data} has no split to train on; it has {', '.join(rows)}")
    if "validation" not in rows and validate:
        raise ValueError(f"{run.data} has no split to validate on: pass --validation, or --eval_strategy no")
    features = rows["train"].features
    kind = answer_kind(features[columns[0]]) or "class"
    names = {column: classes_of(features[column]) or [column] for column in columns}  # numbers have a name too
    if kind == "class" and len(columns) == 1 and len(names[columns[0]]) == 1:  # transformers would not save it
        raise ValueError(
            f"all clips have the class {names[columns[0]][0]!r} in {columns[0]!r}: training needs two classes or more"
        )
    known = known_classes(start.config, tasks)
    if (
        kind != "score"
        and names != known
        and {column: sorted(some) for column, some in names.items()}
        == {column: sorted(some) for column, some in known.items()}
    ):  # same classes in another order: keep the model's, so that its head stays correct
        rows, names = with_order_of_classes(rows, known), known

    set_seed(seed)  # the same new weights in each run and process
    mean = fmean(rows["train"][columns[0]][:]) if kind == "score" else 0.0
    model = build_model(start, names, kind, mean)
    if kind == "score":
        tell_scale(model, rows["train"][columns[0]][:], run, is_new=not has_head(start, type(model)))
    elif run.score_range is not None or run.score_decoder is not None:
        raise ValueError(f"--score_range and --score_decoder are for scores, but {columns[0]!r} has classes")
    if run.freeze_experts or (run.freeze_experts is None and run.experts):
        if not model.config.experts:
            raise ValueError(f"--freeze_experts is for models with experts; {variant_of(model.config).title} has none")
        model.freeze_experts()
    before = model.config.adapters_only
    if before if run.adapters_only is None else run.adapters_only:
        if not model.config.experts:
            raise ValueError(f"--adapters_only is for models with experts; {variant_of(model.config).title} has none")
        if any(weight.requires_grad for module in model.expert_modules() for weight in module.parameters()):
            raise ValueError(
                "--adapters_only leaves out the experts, so they must not be trained: pass --freeze_experts, or "
                "--adapters_only false"
            )
        model.check_experts()
        model.config.adapters_only = True
    elif before:
        model.merge_experts()
    if run.class_weights is not None and anticipates(model.config):
        raise ValueError(
            f"--class_weights does not work for {variant_of(model.config).title}, whose loss has several parts"
        )
    rows = seen_by(model.config, rows, target)
    remarks: tuple[str, ...] = ()
    if recipe.fits_clips:
        recipe, remarks = fitted(recipe, model, len(rows["train"]), [name for some in names.values() for name in some])
    processor = build_processor(start, model.config, recipe)
    data_seed = seed if data_seed is None else data_seed
    train = ClipDataset(
        rows["train"],
        processor,
        target=target,
        augmentation=build_augmentation(recipe, processor, flip=run.flip),
        mixing=ClipMixing.from_recipe(
            recipe,
            {task.labels: len(names[column]) for column, task in tasks.items()},
            {task.labels: kind for task in tasks.values()},
        ),
        seed=data_seed,
        on_broken=run.on_broken,
    )
    validation = None
    if "validation" in rows:
        on_broken = "mask" if run.on_broken == "skip" else "raise"
        validation = ClipDataset(rows["validation"], processor, target=target, seed=data_seed, on_broken=on_broken)
    weights = None if run.class_weights is None else balanced_weights(train)
    return Preparation(model, processor, recipe, train, validation, weights, remarks)
