"""What demo and ablation share: tiny models, rendered clips in memory, a training run, accuracies by factor, goals.

Alphabet: T frames, C channels, H, W pixels.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
import transformers
from datasets import Dataset as Rows
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor
from torch.utils.data import Dataset
from transformers import PreTrainedConfig, PreTrainedModel, TrainerCallback, TrainingArguments, set_seed

from holovid import CA2STConfig, XViTConfig
from holovid.data import ClipDataset
from holovid.families import families
from holovid.interventions import shuffle_frames
from holovid.modeling.tasks import LABEL
from holovid.recipes import get_recipe
from holovid.training import VideoTrainer

NUM_FRAMES = 8  # of what the models see; clips are rendered with as many, 64 pixels wide
CLIP = {"size": 64, "frame_rate": NUM_FRAMES, "seconds": 1.0}
SHUFFLES = 3  # orders of every clip, so that chance does not decide whether 0.5 looks like 0.55
Inputs = dict[str, Tensor]
Results = dict[str, dict[str, float]]  # what was measured -> accuracy on "label" or on a factor of it
Goals = dict[tuple[str, str], str]  # the keys of some of those -> such as "≥ 0.95"
console = Console()


def tiny(model_type: str, names: Sequence[str], **overrides: Any) -> PreTrainedConfig:
    """The toy model of a family, for labels of these names."""
    family = families()[model_type]
    return family.config_class(**family.toy | {"num_frames": NUM_FRAMES} | LABEL.settings(names) | overrides)


def tiny_xvit(names: Sequence[str], **overrides: Any) -> XViTConfig:
    """All frames share one temporal embedding, so that mixing is the only way for order to get in."""
    return tiny("xvit", names, **overrides)


def tiny_ca2st(experts: Sequence[str], names: Sequence[str], **overrides: Any) -> CA2STConfig:
    return tiny("ca2st", names, experts=list(experts), **overrides)


class DecodedClips(Dataset):
    """Clips in memory: what a processor gave of all of them, (clips, ...), and their classes by factor, (clips,)."""

    def __init__(self, inputs: Inputs, classes: dict[str, Tensor], names: dict[str, list[str]], target: str):
        self.inputs, self.classes, self.names, self.target = inputs, classes, names, target

    def __len__(self) -> int:
        return len(self.inputs["pixel_values_videos"])

    def __getitem__(self, key: int | tuple[int, int]) -> Inputs:
        index = key[-1] if isinstance(key, tuple) else key  # an epoch and a clip: nothing here is drawn by epoch
        return {name: tensor[index] for name, tensor in self.inputs.items()} | {
            "labels": self.classes[self.target][index]
        }

    def about(self, target: str) -> "DecodedClips":
        """The same clips with another factor as their label."""
        return DecodedClips(self.inputs, self.classes, self.names, target)

    def seen_by(self, model: PreTrainedModel) -> "DecodedClips":
        """Without the sound, if the model does not hear."""
        hears = "audio" in getattr(model.config, "experts", ())
        inputs = self.inputs if hears else {"pixel_values_videos": self.inputs["pixel_values_videos"]}
        return DecodedClips(inputs, self.classes, self.names, self.target)

    def first(self, count: int) -> "DecodedClips":
        inputs, classes = ({name: t[:count] for name, t in some.items()} for some in (self.inputs, self.classes))
        return DecodedClips(inputs, classes, self.names, self.target)


def decode(rows: Rows, processor: Any, factors: Sequence[str], progress: str | None = None) -> DecodedClips:
    """So small a set fits into memory, so every clip is decoded once. The first of `factors` is the label."""
    lazy = ClipDataset(rows, processor, target=list(factors))
    clips = [lazy[index] for index in track(range(len(lazy)), progress or "", disable=progress is None)]
    stacked = {name: torch.stack([clip[name] for clip in clips]) for name in clips[0]}
    classes = {factor: stacked.pop(f"{factor}_labels") for factor in factors}
    return DecodedClips(stacked, classes, lazy.names, factors[0])


class EpochLine(TrainerCallback):
    """One line an epoch, in place of Trainer's own bars and dictionaries."""

    def __init__(self):
        self.start = time.monotonic()

    def on_evaluate(self, args, state, control, metrics, **kwargs):
        loss = next(entry["loss"] for entry in reversed(state.log_history) if "loss" in entry)
        console.print(
            f"  epoch {state.epoch:2.0f}   loss {float(loss):.3f}   accuracy {metrics['eval_top1']:.3f}"
            f"   {time.monotonic() - self.start:3.0f} s"
        )


def training_options(args: argparse.Namespace) -> dict[str, Any]:
    """Arguments of `fine_tune` that a command line gives."""
    return {name: getattr(args, name) for name in ("epochs", "learning_rate", "batch_size", "seed")}


def fine_tune(
    model: PreTrainedModel,
    train: DecodedClips,
    validation: DecodedClips | None,
    folder: Path,
    *,
    epochs: float,
    learning_rate: float = 2e-3,
    batch_size: int = 32,
    seed: int = 0,
    processor: Any = None,
) -> VideoTrainer:
    """Train by the recipe `small`. With `validation`, a line an epoch says how far it is."""
    set_seed(seed)
    trainer = VideoTrainer(
        model,
        TrainingArguments(
            output_dir=str(folder),
            num_train_epochs=epochs,
            per_device_train_batch_size=batch_size,
            per_device_eval_batch_size=100,
            learning_rate=learning_rate,
            eval_strategy="no" if validation is None else "epoch",
            logging_strategy="epoch",
            save_strategy="no",
            report_to="none",
            dataloader_pin_memory=False,
            disable_tqdm=True,
            seed=seed,
        ),
        recipe=get_recipe("small"),
        train_dataset=train.seen_by(model),
        # a look at it on the way; what counts is measured on all of them
        eval_dataset=None if validation is None else validation.seen_by(model).first(200),
        processing_class=processor,
    )
    trainer.remove_callback(transformers.PrinterCallback)
    if validation is not None:
        trainer.add_callback(EpochLine)
    trainer.train()
    return trainer


@torch.inference_mode()
def measure(
    model: PreTrainedModel,
    clips: DecodedClips,
    factors: Sequence[str],
    change: Callable[[Inputs], Inputs] | None = None,
    within: Any = None,
    repeats: int = 1,
) -> dict[str, float]:
    """Accuracies on the factors that a label names, such as shape-motion-sound; of several, also on all together.

    Args:
        change: is done to the inputs of each batch, `repeats` times, if it draws at random.
        within: a context to do it in.
    """
    model.eval()
    clips = clips.seen_by(model)
    names = [model.config.id2label[index].split("-") for index in range(model.config.num_labels)]
    truth = [clips.names[clips.target][label].split("-") for label in clips.classes[clips.target].tolist()]
    right = []
    with within or nullcontext():
        for _ in range(repeats):
            for start in range(0, len(clips), 100):
                inputs = {name: tensor[start : start + 100] for name, tensor in clips.inputs.items()}
                answers = model(**(change(inputs) if change else inputs)).logits.argmax(-1).tolist()
                expected = truth[start : start + 100]
                right += [
                    [said == meant for said, meant in zip(names[answer], wanted, strict=True)]
                    for answer, wanted in zip(answers, expected, strict=True)
                ]
    found = torch.tensor(right, dtype=torch.float64)  # (clips, factors), 1 where the answer is right
    whole = {"label": found.prod(dim=1).mean().item()} if len(factors) > 1 else {}
    return whole | dict(zip(factors, found.mean(dim=0).tolist(), strict=True))


def shuffling(seed: int) -> dict[str, Any]:
    """Arguments of `measure` that put the frames of every clip into random order."""
    generator = torch.Generator().manual_seed(seed)
    return {"change": lambda inputs: shuffle_frames(inputs, generator), "repeats": SHUFFLES}


def reached(value: float, goal: str) -> bool:
    """
    >>> reached(0.97, "≥ 0.95"), reached(0.6, "≤ 0.55")
    (True, False)
    """
    bound, limit = goal.split()
    return value >= float(limit) if bound == "≥" else value <= float(limit)


def compare(title: str, results: Results, goals: Goals) -> bool:
    """Print what was measured, beside what was to be; returns whether all goals are reached."""
    table = Table("accuracy", *next(iter(results.values())))
    for row, measured in results.items():
        cells = []
        for column, value in measured.items():
            goal = goals.get((row, column))
            verdict = f" {goal} [green]✓" if goal and reached(value, goal) else f" {goal} [bold red]✗" if goal else ""
            cells.append(f"{value:.3f}{verdict}")
        table.add_row(row, *cells)
    console.print(title, table)
    return all(reached(results[row][column], goal) for (row, column), goal in goals.items())


def show_answers(name: str, answers: list[dict]) -> None:
    console.print(f"{name}: " + ", ".join(f"{answer['label']} {answer['score']:.3f}" for answer in answers))
