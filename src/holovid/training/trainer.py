"""`VideoTrainer`: transformers' Trainer with a recipe's optimiser and schedule, on clips that any run repeats exactly.

    trainer = VideoTrainer(model, args, recipe="xvit-ssv2", train_dataset=clips, eval_dataset=others)
    trainer.train(resume_from_checkpoint=newest_checkpoint(args.output_dir))

It differs from Trainer in: optimiser and schedule, order of clips, complete checkpoints, an error for a loss that is
not a number, speed of clips and time spent waiting for them, messages about long waits, and `training.png`.
Distributed training, precision, compilation, logging and the rest are Trainer's. `prepare` in preparation.py makes
model, arguments and data sets from a user's arguments.
"""

import math
import os
import shutil
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import ConcatDataset, DataLoader, IterableDataset, Subset
from transformers import PreTrainedConfig, PreTrainedModel, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_utils import rotate_checkpoints
from transformers.utils.import_utils import is_in_notebook

from holovid.configuration.suggestions import did_you_mean
from holovid.data.continuous_loading import ContinuousDataLoader, find_sampler
from holovid.data.dataset import ClipDataset, EpochSampler
from holovid.data.rows_by_epoch import RowsByEpoch
from holovid.files import only_writer
from holovid.modeling.tasks import tasks_of
from holovid.publishing.licences import Licence
from holovid.publishing.push import publish
from holovid.recipes import Recipe, get_recipe
from holovid.saving import saved_whole
from holovid.training.averaging import WeightAverage
from holovid.training.checkpoints import check_same_model, check_same_steps
from holovid.training.class_weights import weighted_loss
from holovid.training.measuring import compute_metrics
from holovid.training.optimization import build_optimizer, build_schedule
from holovid.training.picture import save_training_picture
from holovid.training.waiting import said_if_long, waiting_for_clips, waiting_for_the_first_step

PICTURE_NAME = "training.png"
# Arguments that a recipe decides: a user's value would be ignored, so it is refused.
OF_THE_RECIPE = (
    "optim", "optim_args", "adam_beta1", "adam_beta2", "adam_epsilon", "lr_scheduler_type", "lr_scheduler_kwargs",
    "label_smoothing_factor", "train_sampling_strategy",
)  # fmt: skip


@dataclass
class Stopwatch:
    """Seconds and clips of training alone, without evaluation and saving, since the last `read`."""

    clips: int = 0
    seconds: float = 0.0
    waited: float = 0.0
    started: float | None = None

    def start(self) -> None:
        self.started = time.perf_counter()

    def stop(self) -> float:
        passed = 0.0 if self.started is None else time.perf_counter() - self.started
        self.started = None
        self.seconds += passed
        return passed

    def read(self) -> dict[str, float]:
        """`clips_per_second`, and the share of time spent waiting for clips."""
        seconds = max(self.seconds, 1e-9)
        measured = {"clips_per_second": self.clips / seconds, "data_wait_share": self.waited / seconds}
        self.clips, self.seconds, self.waited = 0, 0.0, 0.0
        return measured


class Housekeeping(TrainerCallback):
    """Stops the clock between steps, draws the picture of the run, and sets each epoch's order of clips."""

    def __init__(self, trainer: "VideoTrainer"):
        self.trainer = trainer
        self.next_drawing = 0.0  # on the monotonic clock

    def on_epoch_begin(self, args, state, control, **kwargs):
        # In a resumed run the batches are wrapped once more, and accelerate does not find the sampler of several
        # processes behind that.
        if self.trainer.sampler is not None:
            self.trainer.sampler.set_epoch(int(state.epoch))

    def on_step_end(self, args, state, control, **kwargs):
        self.trainer.stopwatch.stop()

    def on_epoch_end(self, args, state, control, **kwargs):
        control.should_log = True  # also if an epoch has fewer steps than `logging_steps`

    def on_evaluate(self, args, state, control, **kwargs):
        if not self.trainer.is_in_train:  # keep the picture of the run that trained the model
            return
        # In tiny runs drawing took longer than training; limit it to a twentieth of the time.
        if (started := time.monotonic()) >= self.next_drawing:
            self.draw(args, state)
            self.next_drawing = time.monotonic() + 20 * (time.monotonic() - started)

    def on_train_end(self, args, state, control, **kwargs):
        self.draw(args, state)

    def draw(self, args, state) -> None:
        if state.is_world_process_zero and state.log_history:
            save_training_picture(state.log_history, Path(args.output_dir, PICTURE_NAME))


class VideoTrainer(Trainer):
    """
    Args:
        model, args, and all else: as for Trainer. For `hyperparameter_search` the model is `None`, and `model_init`
            makes each trial's. `args.learning_rate` is the peak for the total batch in use, see
            `Recipe.scaled_learning_rate`; `args.weight_decay` is used as it is; `args.warmup_steps` of 0 means the
            recipe's share of warm-up.
        recipe: a [`Recipe`] or the name of one.
        class_weights: weights of classes in the training loss, by label, as from `balanced_weights`.
        ema_decay: average the weights with this decay; evaluation and the final model use the average.

    The training set may be a `ClipDataset`, a `Subset` or `ConcatDataset` of some, or any other data set with a
    length. One with `takes_epochs = True` is asked for (epoch, index); others for indices, with torch's generator
    seeded by seed, epoch and index.

    Raises `ValueError` for a recipe of another family, for arguments that a recipe decides (`optim`,
    `lr_scheduler_type`, ...), for a training set without a length, for a `ClipDataset` whose classes are not the
    model's (also in `evaluate` and `predict`), for more processes than clips and batches larger than the training set,
    for a checkpoint of a run with another number of steps an epoch, for `ema_decay` with FSDP or `model_init`, for
    FSDP on CPUs, and while training when the loss is not a finite number.
    """

    optimizer: Any  # accelerate wraps it
    lr_scheduler: Any

    def __init__(
        self,
        model: PreTrainedModel | None,
        args: TrainingArguments,
        *,
        recipe: Recipe | str,
        class_weights: Mapping[str, torch.Tensor] | None = None,
        ema_decay: float | None = None,
        **options: Any,
    ):
        self.recipe = get_recipe(recipe) if isinstance(recipe, str) else recipe
        self.class_weights = class_weights
        self.given_sets = (options.get("train_dataset"), options.get("eval_dataset"))
        check_arguments(args, self.given_sets[0])
        if model is not None:
            self.look_at(model, args)
        elif ema_decay is not None:
            raise ValueError("ema_decay averages the weights of one model, but model_init makes several")
        if args.ddp_find_unused_parameters is None:
            # Every trained parameter gets a gradient in every step (zeros, if it has no effect), so searching for
            # unused ones only takes time.
            args.ddp_find_unused_parameters = False
        options.setdefault("compute_metrics", lambda prediction: compute_metrics(prediction, self.tasks))
        super().__init__(model, args, **options)
        if args.label_names is None:  # labels to evaluate; others, such as past labels, are only for the loss
            self.label_names = [task.labels for task in self.tasks]
        if args.fsdp and not self.is_fsdp_enabled:
            raise ValueError("FSDP needs GPUs: on CPUs accelerate would copy the model instead; leave out --fsdp")
        self.average: WeightAverage | None = None
        if ema_decay is not None:
            if self.is_fsdp_enabled or self.is_deepspeed_enabled:
                raise ValueError(
                    "ema_decay needs all weights on each device, so it does not work with FSDP and DeepSpeed"
                )
            self.average = WeightAverage(self.model, ema_decay)
            self.add_callback(self.average)
        self.stopwatch = Stopwatch()
        self.add_callback(Housekeeping(self))
        if is_in_notebook():
            from holovid.training.notebook_table import use_notebook_table  # needs IPython

            use_notebook_table(self)
        self.sampler: EpochSampler | None = None
        self.evaluating: dict[str, tuple[Any, DataLoader]] = {}  # with persistent workers
        self.reading: ContinuousDataLoader | None = None
        self.last_finite_loss: float | None = None
        self.saving_below: Path | None = None

    def look_at(self, model: PreTrainedModel, args: TrainingArguments) -> None:
        """Set the model's tasks. Raises `ValueError` if it does not fit the recipe or the data."""
        self.recipe.check_model(model.config)
        for dataset in self.given_sets:
            check_dataset(model.config, dataset)
        self.tasks = tasks_of(model, model.config)

    def call_model_init(self, trial: Any = None) -> PreTrainedModel:
        """As in Trainer. Raises `ValueError` for a model that does not fit."""
        model = super().call_model_init(trial)
        self.look_at(model, self.args)
        return model

    def train(self, *args: Any, **options: Any) -> Any:
        """As in Trainer. Raises `ValueError` when another run is writing to the same output folder."""
        with only_writer(self.args.output_dir) if self.is_world_process_zero() else nullcontext():
            try:
                return super().train(*args, **options)
            finally:
                if self.reading is not None:
                    self.reading.close()

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        if self.optimizer is None:
            check_arguments(self.args, self.train_dataset)  # a search may have changed them
            model = self.model if model is None else model
            self.optimizer = build_optimizer(model, self.recipe, self.args.learning_rate, self.args.weight_decay)
        return self.optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None) -> Any:
        if self.lr_scheduler is None:
            warmup = self.args.get_warmup_steps(num_training_steps) if self.args.warmup_steps else None
            self.lr_scheduler = build_schedule(
                optimizer or self.optimizer, self.recipe, num_training_steps, self.args.learning_rate, warmup
            )
            self._created_lr_scheduler = True
        return self.lr_scheduler

    def _get_train_sampler(self, train_dataset: Any = None) -> EpochSampler:
        dataset = self.train_dataset if train_dataset is None else train_dataset
        self.sampler = EpochSampler(len(dataset), seed=self.data_seed)
        return self.sampler

    @property
    def data_seed(self) -> int:
        return self.args.seed if self.args.data_seed is None else self.args.data_seed

    def _get_dataloader(self, dataset: Any, *args: Any, is_training: bool = False, **options: Any) -> DataLoader:
        """As in Trainer; training data need not know of epochs."""
        if is_training and not getattr(dataset, "takes_epochs", False):
            dataset = RowsByEpoch(dataset, self.data_seed)
        return super()._get_dataloader(dataset, *args, is_training=is_training, **options)

    def get_eval_dataloader(self, eval_dataset: Any = None) -> DataLoader:
        """As in Trainer, but persistent workers of one set are not those of another, and classes are checked."""
        if eval_dataset is None and self.eval_dataset is None:
            return super().get_eval_dataloader()  # raises
        if eval_dataset is not None and not isinstance(eval_dataset, str):
            return self.get_test_dataloader(eval_dataset)
        name, dataset = "eval", self.eval_dataset
        if isinstance(eval_dataset, str):
            name, dataset = eval_dataset, self.eval_dataset[eval_dataset]
        if name in self.evaluating and self.evaluating[name][0] is dataset:
            return self.evaluating[name][1]
        loader = self.get_test_dataloader(dataset)
        if self.args.dataloader_persistent_workers:
            self.evaluating[name] = dataset, loader
        return loader

    def get_test_dataloader(self, test_dataset: Any) -> DataLoader:
        """As in Trainer. Raises `ValueError` for a `ClipDataset` whose classes are not the model's."""
        check_dataset(self.model.config, test_dataset)
        return super().get_test_dataloader(test_dataset)

    def get_train_dataloader(self) -> DataLoader:
        """As in Trainer; with `dataloader_persistent_workers`, workers go on reading between epochs."""
        loader: Any = super().get_train_dataloader()
        base = getattr(loader, "base_dataloader", None)  # accelerate's loaders wrap torch's
        if type(base) is DataLoader and base.persistent_workers and find_sampler(base.batch_sampler) is not None:
            epochs = None if self.args.max_steps > 0 else math.ceil(self.args.num_train_epochs)
            self.reading = loader.base_dataloader = ContinuousDataLoader.of(base, epochs)
        return loader

    def _get_learning_rate(self) -> float:
        return float(
            max(self.lr_scheduler.get_last_lr())
        )  # the head's; with layer decay the first group learns slowest

    def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: torch.device) -> tuple[list, Any]:
        self.stopwatch.start()
        is_first = self.last_finite_loss is None
        with self.said_if_long(waiting_for_clips(self.args.dataloader_num_workers, is_first)):
            batches, num_items = super().get_batch_samples(epoch_iterator, num_batches, device)
        self.stopwatch.waited += self.stopwatch.stop()
        self.stopwatch.start()
        clips = sum(len(next(iter(batch.values()))) for batch in batches)
        self.stopwatch.clips += clips * self.accelerator.num_processes
        return batches, num_items

    def said_if_long(self, sentence: str) -> AbstractContextManager:
        return said_if_long(sentence) if self.is_world_process_zero() else nullcontext()

    def compute_loss(
        self, model: nn.Module, inputs: dict, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        if self.class_weights is None or not model.training:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        loss, outputs = weighted_loss(model, inputs, self.tasks, self.class_weights)
        return (loss, outputs) if return_outputs else loss

    def training_step(self, model: nn.Module, inputs: dict, num_items_in_batch: Any = None) -> torch.Tensor:
        of_the_first = self.said_if_long(waiting_for_the_first_step(self.args.torch_compile))
        with of_the_first if self.last_finite_loss is None else nullcontext():
            loss = super().training_step(model, inputs, num_items_in_batch)
        value = loss.item() * self.current_gradient_accumulation_steps
        if not math.isfinite(value):
            before = "no step before it" if self.last_finite_loss is None else f"before: {self.last_finite_loss:g}"
            raise ValueError(
                f"the loss became {value} at step {self.state.global_step + 1}, learning rate "
                f"{self._get_learning_rate():g} ({before}). The weights are still those of the step before; try a "
                "lower "
                "--learning_rate, --max_grad_norm 1, or --bf16 instead of --fp16."
            )
        self.last_finite_loss = value
        return loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        super().log(logs | self.stopwatch.read() if "loss" in logs else logs, start_time)

    def evaluate(self, *args: Any, **options: Any) -> dict[str, float]:
        # Loaders draw from torch's generator: without the fork, one evaluation more or less in a resumed run would
        # change the dropout of all later steps.
        with torch.random.fork_rng(devices=[]):
            if self.average is None or not self.is_in_train:
                return super().evaluate(*args, **options)
            with self.average.applied():
                return super().evaluate(*args, **options)

    def push_to_hub(
        self,
        commit_message: str | None = "End of training",
        *args: Any,
        license: Licence | str | None = None,
        **options: Any,
    ) -> Any:
        """With a `license`, publish the output folder as `holovid push` does: a card of facts, one checked commit.

        Args:
            license: the Hub's id of a licence, such as "apache-2.0", or a `Licence`. Without one, Trainer's own upload
                of the whole folder.
            args, options: as for Trainer; with a `license` those of `publish`, such as `private` and `token`.

        Returns a `Publication` on the first process, or Trainer's result. Raises what `publish` raises.
        """
        if license is None:
            return super().push_to_hub(commit_message, *args, **options)
        repo_id = self.hub_model_id or self.args.hub_model_id
        if repo_id is None:
            raise ValueError("name the repository: hub_model_id='user/name' in TrainingArguments")
        self.save_model(_internal_call=True)
        self.accelerator.wait_for_everyone()
        if not self.is_world_process_zero():
            return None
        self._finish_current_push()
        defaults = {"private": self.args.hub_private_repo, "token": self.args.hub_token, "message": commit_message}
        return publish(self.args.output_dir, repo_id, licence=license, **defaults | options)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        check_same_model(resume_from_checkpoint, self.model.config)
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        if self.average is not None:
            self.average.load(resume_from_checkpoint)

    def _init_training_state(
        self,
        max_steps: int,
        num_update_steps_per_epoch: int,
        num_train_epochs: int,
        resume_from_checkpoint: Any,
        *args: Any,
    ) -> tuple[int, int]:
        if resume_from_checkpoint is not None:
            check_same_steps(resume_from_checkpoint, num_update_steps_per_epoch)
        return super()._init_training_state(
            max_steps, num_update_steps_per_epoch, num_train_epochs, resume_from_checkpoint, *args
        )

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        try:
            return super()._determine_best_metric(metrics, trial)
        except KeyError as error:
            wanted = str(self.args.metric_for_best_model).removeprefix("eval_")
            there = [name.removeprefix("eval_") for name in metrics]
            raise ValueError(
                f"there is no metric {wanted!r} for --metric_for_best_model; {did_you_mean(wanted, there)}"
            ) from error

    def _load_best_model(self) -> None:
        super()._load_best_model()
        if self.average is not None:
            self.average.load(self.state.best_model_checkpoint)

    def _get_output_dir(self, trial: Any) -> str:
        return super()._get_output_dir(trial) if self.saving_below is None else str(self.saving_below)

    def _push_from_checkpoint(self, checkpoint_folder: str) -> None:
        if self.saving_below is None:  # else it will be renamed during the upload
            super()._push_from_checkpoint(checkpoint_folder)

    def _save(self, output_dir: str | None = None, state_dict: dict | None = None) -> None:
        """As in Trainer, but model and processor appear together, or the folder stays as it was."""
        output_dir = output_dir or self.args.output_dir
        if not self.args.should_save:
            super()._save(output_dir, state_dict)
            return
        with saved_whole(output_dir) as folder:
            super()._save(str(folder), state_dict)

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        """As in Trainer, but under another name until all of it is written."""
        run, name = Path(self._get_output_dir(trial)), f"checkpoint-{self.state.global_step}"
        writes = self.args.should_save
        below = run / "_unfinished"  # such names are not uploaded to the Hub
        if writes:
            shutil.rmtree(below, ignore_errors=True)  # left by a killed process
        self.accelerator.wait_for_everyone()
        self.saving_below = below
        try:
            super()._save_checkpoint(model, trial)
        finally:
            self.saving_below = None
        if writes and self.average is not None:
            self.average.save(below / name)
        best = run / f"checkpoint-{self.state.best_global_step}"
        if best.name == name or best.is_dir():  # on all processes, and also if the run was moved since
            self.state.best_model_checkpoint = str(best)
        if writes:
            self.state.save_to_json(str(below / name / TRAINER_STATE_NAME))
        self.accelerator.wait_for_everyone()
        if writes:
            shutil.rmtree(run / name, ignore_errors=True)  # from a run resumed at an earlier step
            (below / name).rename(run / name)
            below.rmdir()
            rotate_checkpoints(str(run), self.args.save_total_limit, self.state.best_model_checkpoint, use_mtime=True)
        self.accelerator.wait_for_everyone()
        if self.args.push_to_hub:
            self._push_from_checkpoint(str(run / name))


def check_arguments(args: TrainingArguments, train_dataset: Any) -> None:
    """Errors that can be found before anything starts; see [`VideoTrainer`]."""
    defaults = {field.name: field.default for field in fields(TrainingArguments)}
    if given := [name for name in OF_THE_RECIPE if getattr(args, name) != defaults[name]]:
        raise ValueError(
            f"{', '.join(given)}: the recipe decides this; use another recipe, or change one with dataclasses.replace"
        )
    started = int(os.environ.get("WORLD_SIZE", args.world_size))
    if started != args.world_size:
        raise ValueError(
            f"{started} processes were started, but this one knows of {args.world_size}; on CPUs pass --use_cpu true"
        )
    if train_dataset is not None:
        if isinstance(train_dataset, IterableDataset) or not hasattr(train_dataset, "__len__"):
            raise ValueError(
                f"VideoTrainer draws clips by number, which a {type(train_dataset).__name__} does not take; use a "
                "data set with __len__ and __getitem__, or transformers' Trainer"
            )
        if args.num_train_epochs <= 0 and args.max_steps <= 0:
            raise ValueError(
                "there is no step to train: pass --num_train_epochs above 0, or --max_steps of at least 1"
            )
        devices, clips = args.world_size * max(1, args.n_gpu), args.per_device_train_batch_size
        check_batch(len(train_dataset), devices, clips, args.gradient_accumulation_steps)


def check_dataset(config: PreTrainedConfig, dataset: Any) -> None:
    """Raise `ValueError` if the labels of a `ClipDataset`, or of one inside a torch wrapper, are not the model's."""
    if isinstance(dataset, ClipDataset):
        dataset.check_model(config)
    elif isinstance(dataset, dict):
        for each in dataset.values():
            check_dataset(config, each)
    elif isinstance(dataset, Subset):
        check_dataset(config, dataset.dataset)
    elif isinstance(dataset, ConcatDataset):
        for each in dataset.datasets:
            check_dataset(config, each)


def check_batch(clips: int, devices: int, per_device: int, accumulated: int) -> None:
    if devices > clips:
        raise ValueError(f"{devices} processes cannot share {clips} clips; start at most {clips} processes")
    batch = devices * per_device * accumulated
    if batch > clips:
        fitting = clips // (devices * accumulated)
        cure = f"--per_device_train_batch_size {fitting} or less"
        if not fitting:
            cure = f"--per_device_train_batch_size 1 --gradient_accumulation_steps {clips // devices} or less"
        raise ValueError(
            f"a batch of {batch} clips ({per_device} on each of {devices} devices, accumulated {accumulated} times) "
            f"is larger than the {clips} training clips; pass {cure}"
        )
