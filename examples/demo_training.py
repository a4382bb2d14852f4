"""What both parts of the demo need: clips in memory, a training run, frames in random order, a table of goals."""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
import transformers
from datasets import DatasetDict
from rich.console import Console
from rich.progress import track
from rich.table import Table
from transformers import PreTrainedModel, Trainer, TrainerCallback, TrainingArguments

from holovid import HolovidProcessor, HolovidVideoProcessor
from holovid.data import ClipDataset

NUM_FRAMES, SIZE = 8, 48  # of what the models see; clips are rendered with as many frames, 64 pixels wide
SHUFFLES = 3  # permutations of every clip, so that chance does not decide whether 0.5 looks like 0.55
Clips = dict[str, list[dict]]  # "train" and "validation" -> what a model takes, clip by clip
Results = dict[str, dict[str, float]]  # what was measured -> accuracy on "label" or on a factor of it
Goals = dict[tuple[str, str], str]  # the keys of some of those -> such as "≥ 0.95"
console = Console()


def decode(clips: DatasetDict, processor: HolovidProcessor | HolovidVideoProcessor, target: str = "label") -> Clips:
    """So small a set fits into memory, so every clip is decoded once."""
    lazy = {split: ClipDataset(rows, processor, target=target) for split, rows in clips.items()}
    return {split: list(track(lazy[split], f"Decoding {split} clips")) for split in lazy}


class EpochLine(TrainerCallback):
    """One line an epoch, in place of Trainer's own bars and dictionaries."""

    def __init__(self):
        self.start = time.monotonic()

    def on_evaluate(self, args, state, control, metrics, **kwargs):
        loss = next(entry["loss"] for entry in reversed(state.log_history) if "loss" in entry)
        console.print(
            f"  epoch {state.epoch:2.0f}   loss {float(loss):.3f}   accuracy {metrics['eval_accuracy']:.3f}"
            f"   {time.monotonic() - self.start:3.0f} s"
        )


def accuracy(prediction: transformers.EvalPrediction) -> dict[str, float]:
    return {"accuracy": float(np.mean(prediction.predictions.argmax(-1) == prediction.label_ids))}


def fine_tune(
    model: PreTrainedModel,
    processor: HolovidProcessor | HolovidVideoProcessor,
    clips: Clips,
    args: argparse.Namespace,
    folder: Path,
) -> Trainer:
    """Train; the Trainer then measures and saves the model."""
    trainer = Trainer(
        model,
        TrainingArguments(
            output_dir=folder,
            num_train_epochs=args.epochs,
            per_device_train_batch_size=args.batch_size,
            per_device_eval_batch_size=100,
            learning_rate=args.learning_rate,
            lr_scheduler_type="cosine",
            warmup_steps=0.1,
            weight_decay=0.05,
            eval_strategy="epoch",
            logging_strategy="epoch",
            save_strategy="no",
            report_to="none",
            dataloader_pin_memory=False,
            disable_tqdm=True,
            seed=args.seed,
        ),
        train_dataset=clips["train"],
        eval_dataset=clips["validation"][:200],  # a look at it on the way; what counts is measured on all of them
        processing_class=processor,
        compute_metrics=accuracy,
    )
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.add_callback(EpochLine)
    trainer.train()
    return trainer


def measure(trainer: Trainer, clips: list[dict], factors: list[str]) -> dict[str, float]:
    """Accuracies on the factors that a label names, such as shape-motion-sound; of several, also on all together."""
    prediction = trainer.predict(clips)
    names = np.array([name.split("-") for _, name in sorted(trainer.model.config.id2label.items())])
    right = names[prediction.predictions.argmax(-1)] == names[prediction.label_ids]  # (clips, factors)
    whole = {"label": float(right.all(axis=1).mean())} if len(factors) > 1 else {}
    return whole | dict(zip(factors, right.mean(axis=0).tolist(), strict=True))


def shuffled(clips: list[dict], seed: int) -> list[dict]:
    """Every clip `SHUFFLES` times, its frames in random order."""
    generator = torch.Generator().manual_seed(seed)

    def shuffle(frames: torch.Tensor) -> torch.Tensor:
        return frames[torch.randperm(len(frames), generator=generator)]

    return [
        clip | {"pixel_values_videos": shuffle(clip["pixel_values_videos"])} for clip in clips for _ in range(SHUFFLES)
    ]


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
