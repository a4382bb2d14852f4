"""A whole training run, from its command line to the saved model: the work of `holovid train`."""

import math
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel, TrainingArguments
from transformers.utils import logging

from holovid.data.dataset import ClipDataset
from holovid.extras import needed
from holovid.families.family import variants
from holovid.modeling.tasks import tasks_of
from holovid.recipes import SMALL
from holovid.records import TRAINING, write_record
from holovid.training.arguments import RunArguments, parse_arguments
from holovid.training.averaging import AVERAGE_NAME
from holovid.training.checkpoints import resume_point
from holovid.training.early_stop import EarlyStop, best_metric
from holovid.training.preparation import Preparation, prepare
from holovid.training.record import record_of_trainer
from holovid.training.trainer import VideoTrainer

logger = logging.get_logger(__name__)

FEW_STEPS = 10  # an epoch
# With fewer parameters one thread is as fast as several. These wait for one another if other processes, such as those
# that read clips, take their cores: a step then takes ten times as long.
WORTH_THREADS = 5_000_000


@dataclass
class Run:
    run: RunArguments
    args: TrainingArguments
    parts: Preparation
    trainer: VideoTrainer


def build_run(
    arguments: Sequence[str], model_init: Callable[[PreTrainedModel], Callable[[], PreTrainedModel]] | None = None
) -> Run:
    """Build the run that `holovid train` makes of its arguments, after `check_run`.

    Args:
        arguments: of the command line.
        model_init: for `hyperparameter_search`: maps the model to a function that makes each trial's model.

    Raises `ValueError` and `OSError` as `parse_arguments`, `prepare` and `VideoTrainer` do.

    >>> run = build_run(["clips", "--model", "xvit", "--target", "motion", "--output", "run"])  # doctest: +SKIP
    >>> run.trainer.train()  # doctest: +SKIP
    """
    run, args = parse_arguments(arguments)
    parts = prepare(run, args.seed, args.data_seed, validate=args.eval_strategy != "no")
    if parts.recipe.fits_clips:  # batch and epochs are known only now
        best, more_is_better = best_metric(tasks_of(parts.model, parts.model.config))
        defaults = (
            {"metric_for_best_model": best, "greater_is_better": more_is_better} if args.load_best_model_at_end else {}
        )
        run, args = parse_arguments(arguments, parts.recipe, **defaults)
    if args.device.type == "cpu" and parts.model.num_parameters() < WORTH_THREADS:
        torch.set_num_threads(1)
    trainer = VideoTrainer(
        parts.model if model_init is None else None,
        args,
        recipe=parts.recipe,
        class_weights=parts.class_weights,
        ema_decay=run.ema_decay,
        train_dataset=parts.train,
        eval_dataset=parts.validation,
        processing_class=parts.processor,
        model_init=None if model_init is None else model_init(parts.model),
    )
    if args.load_best_model_at_end and parts.recipe.patience:
        trainer.add_callback(EarlyStop(math.ceil(parts.recipe.patience * args.num_train_epochs)))
    return Run(run, args, parts, trainer)


def run_training(arguments: Sequence[str]) -> None:
    """Train, save and evaluate, as a command line says, after `check_run`.

    The output folder then has the model, its processor, checkpoints, training.png, all_results.json, and training.json
    for the model's card. The first process prints a summary and a command that tries the model. Raises `ValueError`
    and `OSError` as `parse_arguments`, `prepare` and `VideoTrainer` do.
    """
    logging.disable_progress_bar()  # of writing files, not of training
    # checked before the clips, which take longer
    run, args = parse_arguments(arguments)
    checkpoint = resume_point(args, files=[] if run.ema_decay is None else [AVERAGE_NAME])
    built = build_run(arguments)
    run, args, parts, trainer = built.run, built.args, built.parts, built.trainer
    speaks = trainer.is_world_process_zero()
    if speaks:
        print(parts.summary(args))
        if remark := remark_on_start(run):
            print(remark)
        batch = args.train_batch_size * args.gradient_accumulation_steps * args.world_size
        steps = math.ceil(len(parts.train) / batch)
        if steps < FEW_STEPS:
            logger.warning(
                f"an epoch has only {steps} steps, so the model may learn little: a smaller "
                "--per_device_train_batch_size gives more steps"
            )
    result = trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    trainer.save_model()  # weights, configuration and processor
    trainer.save_metrics("train", result.metrics | {"train_broken_clips": count_broken(parts.train)})
    if speaks:
        command = ["holovid", "train", *arguments]
        write_record(TRAINING, args.output_dir, record_of_trainer(run, parts, args, result, command))
    if parts.validation is not None:
        metrics = trainer.evaluate()
        trainer.log_metrics("eval", metrics)
        trainer.save_metrics("eval", metrics | {"eval_broken_clips": count_broken(parts.validation)})
    if speaks:
        print(f"Now try: {next_command(run, args, parts)}")


def count_broken(clips: ClipDataset) -> int:
    """The clips that could not be read, in any process; all processes must ask."""
    with needed("accelerate", "training"):
        from accelerate.utils import gather_object
    return len({clip.path for clip in gather_object(clips.broken())})


def remark_on_start(run: RunArguments) -> str:
    if run.model not in variants():
        return ""
    size = ", in a tiny size" if run.recipe == SMALL.name else ""
    return (
        f"The {run.model} starts from scratch{size}; --model with a folder or a Hub id, or --experts, starts from "
        "trained weights"
    )


def next_command(run: RunArguments, args: TrainingArguments, parts: Preparation) -> str:
    """A command that shows the result: on a clip, if clips are local files, else on all of them."""
    clips = parts.train if parts.validation is None else parts.validation
    path = clips.rows[0]["video"]["path"]
    if path and os.path.isfile(path):
        with suppress(ValueError):  # on another drive
            path = min(os.path.relpath(path), path, key=len)
        return shell_line(["holovid", "classify", str(args.output_dir), path])
    root = [] if run.root is None else ["--root", run.root]
    return shell_line(["holovid", "evaluate", str(args.output_dir), run.validation or run.data, *root])


def shell_line(words: Sequence[str]) -> str:
    """As the shell of this system reads it."""
    return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)
