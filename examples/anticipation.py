"""Does a tiny AVT predict the next action?   python examples/anticipation.py

Renders films of a world with a grammar. A shape moves out and back, left, right, up or down, for two seconds each. Its
next motion depends on its motion, on the one before, and on its sound: discs rise, triangles fall. One time in five it
does anything, so the best possible accuracy is known.

A table `path,start,end,label` lists the actions. A tiny AVT learns to predict what starts in a second. Then the script
measures what it needs for that:

- the past: a model that sees one frame should be at chance level;
- its three losses, each left out once;
- time: 3 or 5 seconds ahead, accuracy should fall as the grammar predicts.

docs/anticipation.md has what it prints, and the picture of `--picture docs/anticipation.png`. Takes five minutes of
one core.
"""

import csv
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from rich.progress import track
from torch import Tensor
from torch.utils.data import Dataset
from transformers import TrainingArguments, set_seed

from holovid import AVTConfig, AVTForActionAnticipation, HolovidProcessor
from holovid.data import ClipDataset, load_clips
from holovid.data.anticipation import seen_by
from holovid.data.synthetic import SHAPES, ClipSet, draw_background, draw_sound, write_mp4
from holovid.recipes import get_recipe
from holovid.training import VideoTrainer

ACTIONS = ("left", "right", "up", "down")
TOWARDS = np.array([[-1, 0], [1, 0], [0, -1], [0, 1]])
ACTORS = {"disc": "rise", "triangle": "fall"}  # who acts, and how it sounds
OBEYS = 0.8  # how often the grammar decides; else it is any action
SECONDS = 2.0  # of an action
SIZE, FRAME_RATE, SAMPLING_RATE = 32, 8, 16_000
SEEN_RATE = 2.0  # frames a second that a model is shown
NUM_FRAMES = 8
FEATURES = 0.1  # weight of the loss of features; with 1, as in the paper, a new image model makes them all alike
RENDERED = ClipSet(train=1, val=0, size=SIZE, seconds=SECONDS, frame_rate=FRAME_RATE, sampling_rate=SAMPLING_RATE)


def follows(before: int, now: int, actor: int) -> int:
    """What the grammar wants next. Whoever does not know one of the three can only guess."""
    return (now + before + 1) % 4 if actor == 0 else (now - before) % 4


def chances(steps: int) -> np.ndarray:
    """Of each state (before, now, actor), how likely each action is `steps` actions later, (4, 4, 2, 4)."""
    found = np.zeros((4, 4, 2, 4))
    for before in range(4):
        for now in range(4):
            for actor in range(2):
                states = {(before, now): 1.0}
                for _ in range(steps):
                    later: dict[tuple[int, int], float] = {}
                    for (first, second), chance in states.items():
                        for action in range(4):
                            obeyed = OBEYS * (follows(first, second, actor) == action)
                            key = second, action
                            later[key] = later.get(key, 0.0) + chance * (obeyed + (1 - OBEYS) / 4)
                    states = later
                for (_, action), chance in states.items():
                    found[before, now, actor, action] += chance
    return found


def ceiling(steps: int) -> float:
    """How often one is right who knows the grammar and sees all but the last `steps - 1` actions.

    States are equally frequent: for each actor, `follows` is a permutation of (before, now) -> (now, next).
    """
    return float(chances(steps).max(axis=-1).mean())


def steps_ahead(anticipation_seconds: float) -> int:
    """How many actions lie between what is seen and what is asked, itself included."""
    return 1 + int(anticipation_seconds // SECONDS)


def render_film(path: Path, random: np.random.Generator, count: int) -> list[int]:
    """A film of `count` actions; which."""
    actor = int(random.integers(2))
    actions = list(random.integers(4, size=2))
    while len(actions) < count:
        obeys = random.random() < OBEYS
        actions.append(follows(*actions[-2:], actor) if obeys else int(random.integers(4)))
    shape, sound = list(ACTORS.items())[actor]
    background, colour = draw_background(random, SIZE), random.uniform(150, 255, 3)
    radius, steps = SIZE * random.uniform(0.14, 0.18), round(SECONDS * FRAME_RATE)
    reach = SIZE * 0.28 * np.sin(np.pi * (np.arange(steps) + 0.5) / steps)
    centres = SIZE / 2 + np.concatenate([reach[:, None] * TOWARDS[action] for action in actions])
    row, column = np.mgrid[0:SIZE, 0:SIZE] + 0.5
    x = (column - centres[:, 0, None, None]) / radius
    y = (row - centres[:, 1, None, None]) / radius
    coverage = np.clip(0.5 - radius * SHAPES[shape](x, y), 0, 1)[..., None]
    frames = background + coverage * (colour - background) + random.normal(0, 3, (*coverage.shape[:3], 3))
    heard = np.concatenate([draw_sound(random, RENDERED, sound) for _ in actions])
    write_mp4(path, frames.round().clip(0, 255).astype(np.uint8), heard, FRAME_RATE, SAMPLING_RATE)
    return [int(action) for action in actions]


def render_world(folder: Path, films: dict[str, int], count: int, seed: int = 0) -> dict[str, Path]:
    """Split -> table of what happens when in its films."""
    tables = {}
    for split, number in films.items():
        rows = []
        for index in track(range(number), f"Rendering films to {split}"):
            random = np.random.default_rng((seed, list(films).index(split), index))
            name = f"{split}_{index:04d}.mp4"
            actions = render_film(folder / name, random, count)
            rows += [
                (name, place * SECONDS, (place + 1) * SECONDS, ACTIONS[action]) for place, action in enumerate(actions)
            ]
        tables[split] = folder / f"{split}.csv"
        with open(tables[split], "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("path", "start", "end", "label"), *rows])
    return tables


@dataclass(frozen=True)
class Question:
    """What a model is asked, and what it has for that."""

    name: str
    anticipation_seconds: float = 1.0
    num_frames: int = NUM_FRAMES
    weights: dict[str, float] = field(default_factory=dict)

    def config(self) -> AVTConfig:
        return AVTConfig(
            backbone_config={
                "model_type": "vit", "image_size": SIZE, "patch_size": 8, "hidden_size": 48, "num_hidden_layers": 2,
                "num_attention_heads": 2, "intermediate_size": 96, "initializer_range": 0.14,
            },
            num_frames=self.num_frames,
            frame_rate=SEEN_RATE,
            observation_seconds=self.num_frames / SEEN_RATE,
            anticipation_seconds=self.anticipation_seconds,
            head_hidden_size=64,
            head_num_hidden_layers=2,
            head_num_attention_heads=4,
            head_dropout=0.0,
            classifier_dropout=0.0,
            max_position_embeddings=NUM_FRAMES,
            initializer_range=0.12,
            linear_initializer_range=0.12,
            id2label=dict(enumerate(ACTIONS)),
            label2id={name: number for number, name in enumerate(ACTIONS)},
            **{"feature_weight": FEATURES} | self.weights,
        )  # fmt: skip


QUESTIONS = (
    Question("all three losses"),
    Question("the loss on features as heavy as in the paper", weights={"feature_weight": 1.0}),
    Question("without the loss on past actions", weights={"past_weight": 0.0}),
    Question("without the loss on features", weights={"feature_weight": 0.0}),
    Question("only the loss on the next action", weights={"past_weight": 0.0, "feature_weight": 0.0}),
    Question("without the past: one frame", num_frames=1),
    Question("3 s ahead", anticipation_seconds=3.0),
    Question("5 s ahead", anticipation_seconds=5.0),
)


class Decoded(Dataset):
    """Rows in memory; nothing about them is random, so that no epoch differs from another."""

    def __init__(self, rows: list[dict[str, Tensor]]):
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: int | tuple[int, int]) -> dict[str, Tensor]:
        return self.rows[key[1] if isinstance(key, tuple) else key]


def shown(question: Question, tables: dict[str, Path]) -> dict[str, Decoded]:
    """What a model is shown before each action whose two deciding ones it could see, decoded once."""
    config = question.config()
    processor = HolovidProcessor.for_model(config)
    splits = seen_by(config, load_clips(tables, names={"label": list(ACTIONS)}))
    first = (steps_ahead(question.anticipation_seconds) + 1) * SECONDS
    rows = {}
    for split, seen in splits.items():
        kept = seen.select([row for row, start in enumerate(seen["action_start"]) if start >= first])
        dataset = ClipDataset(kept, processor, model=config)
        rows[split] = Decoded([dataset[row] for row in track(range(len(kept)), f"Decoding for {question.name}")])
    return rows


def accuracy(question: Question, rows: dict[str, Decoded], epochs: float, seed: int) -> float:
    """Top-1 on films that were not trained on."""
    set_seed(seed)
    model = AVTForActionAnticipation(question.config())
    with tempfile.TemporaryDirectory() as folder:
        args = TrainingArguments(
            folder, num_train_epochs=epochs, per_device_train_batch_size=32, per_device_eval_batch_size=64,
            learning_rate=2e-3, seed=seed, use_cpu=True, save_strategy="no", report_to="none", disable_tqdm=True,
            max_grad_norm=0.0, logging_steps=1000, weight_decay=0.05,
        )  # fmt: skip
        recipe = replace(get_recipe("small"), epochs=epochs)
        trainer = VideoTrainer(
            model, args, recipe=recipe, train_dataset=rows["train"], eval_dataset=rows["validation"]
        )
        trainer.train()
        return trainer.evaluate()["eval_top1"]


def table_of(found: dict[str, list[float]]) -> list[str]:
    lines = ["| a tiny AVT | accuracy | best possible |", "|---|---:|---:|"]
    for question in QUESTIONS:
        if question.name in found:
            most = ceiling(steps_ahead(question.anticipation_seconds))
            each = found[question.name]
            lines.append(f"| {question.name} | {np.mean(each):.3f} | {most:.3f} |")
    return lines


def draw(found: dict[str, list[float]], path: Path) -> None:
    """How accuracy falls with time, beside what can be known."""
    seconds = np.arange(0, 7.01, 0.02)
    figure, axes = plt.subplots(figsize=(6, 3.4), layout="constrained")
    axes.plot(seconds, [ceiling(steps_ahead(ahead)) for ahead in seconds], color="0.6", label="can be known")
    asked = [question for question in QUESTIONS if not question.weights and question.num_frames == NUM_FRAMES]
    axes.plot(
        [question.anticipation_seconds for question in asked],
        [np.mean(found[question.name]) for question in asked],
        "o-", color="tab:blue", label="AVT",
    )  # fmt: skip
    blind = next(question for question in QUESTIONS if question.num_frames == 1)
    axes.plot(blind.anticipation_seconds, np.mean(found[blind.name]), "s", color="tab:red", label="AVT, one frame")
    axes.axhline(1 / len(ACTIONS), color="0.8", linestyle=":", label="chance level")
    axes.set(xlabel="seconds ahead", ylabel="right", ylim=(0, 1))
    axes.legend(frameon=False)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main(arguments: Sequence[str]) -> None:
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--films", type=int, default=240, help="to train on; a third as many to ask about")
    parser.add_argument("--actions", type=int, default=10, help="of a film")
    parser.add_argument("--epochs", type=float, default=6)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--picture", type=Path, help="where to draw how accuracy falls with time (.png)")
    args = parser.parse_args(arguments)
    started = time.perf_counter()
    torch.set_num_threads(1)  # pieces of work are so small that a second thread costs more than it does
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        tables = render_world(Path(folder), {"train": args.films, "validation": max(1, args.films // 3)}, args.actions)
        decoded: dict[tuple[float, int], dict[str, Decoded]] = {}
        for question in QUESTIONS:
            key = question.anticipation_seconds, question.num_frames
            decoded[key] = decoded.get(key) or shown(question, tables)
            found[question.name] = [accuracy(question, decoded[key], args.epochs, seed) for seed in range(args.seeds)]
            print(f"{question.name}: {np.mean(found[question.name]):.3f}", flush=True)
    print(*table_of(found), sep="\n")
    print(f"{time.perf_counter() - started:.0f} s")
    if args.picture is not None:
        draw(found, args.picture)


if __name__ == "__main__":
    main(sys.argv[1:])
