"""Which recipe for how many clips? A tiny backbone is fine-tuned on 40, 400 and 4,000 rendered clips.

    python examples/finetuning.py --output finetuning-output

The backbone is an XViT that `small` first trained on other rendered classes: squares, stars, rings and bars that go up
and down, or grow and shrink. It is then fine-tuned on discs and triangles that go left and right. Each run is one of
`holovid train`, except that clips are decoded once and kept in memory. The folder of a run stays, and a finished run
is not repeated. At the end the script prints a table of accuracies on other clips.
"""

import argparse
import csv
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # nothing here needs the network; this makes sure

from transformers import BatchFeature
from transformers.utils import logging

from holovid.data.synthetic import ClipSet, render_clips
from holovid.files import new_file
from holovid.recipes import get_recipe
from holovid.training.running import build_run

CLIP = {"size": 48, "frame_rate": 8, "seconds": 1.0, "sounds": ("tone",), "sampling_rate": 8000}
BEFORE = ClipSet(
    train=2400, shapes=("square", "star", "ring", "bar"), motions=("down", "up", "grow", "shrink"), **CLIP
)
AFTER = {"shapes": ("disc", "triangle"), "motions": ("right", "left")} | CLIP
PAPER = "xvit-ssv2"
RECIPES = ("finetune", "small", PAPER)
MANY = 1000  # clips: of more, a paper's recipe has fewer epochs here than there
EPOCHS_OF_MANY = 10
RESULTS = "all_results.json"


class Remembered:
    """A processor that decodes each clip once. It may, as it takes every frame here, whatever is drawn."""

    def __init__(self, processor: Callable[..., BatchFeature]):
        self.processor = processor
        self.known: dict[str, BatchFeature] = {}

    def __call__(self, video: dict[str, Any], **options: Any) -> BatchFeature:
        if video["path"] not in self.known:
            self.known[video["path"]] = self.processor(video, **options)
        return self.known[video["path"]]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.processor, name)


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clips", type=int, nargs="+", default=[40, 400, 4000], help="to train on, of each row")
    parser.add_argument("--val", type=int, default=400, help="clips to measure on")
    parser.add_argument("--recipes", nargs="+", default=RECIPES, help="to compare")
    parser.add_argument("--before", type=int, default=BEFORE.train, help="clips that the backbone is trained on first")
    parser.add_argument("--before-epochs", type=float, default=12, help="passes over them")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("finetuning-output"))
    return parser.parse_args(argv)


def render(args: argparse.Namespace) -> tuple[Path, Path]:
    """The clips of the backbone, and as many others as the longest row needs."""
    before = ClipSet(**vars(BEFORE) | {"train": args.before, "val": args.val, "seed": args.seed})
    after = ClipSet(train=max(args.clips), val=args.val, seed=args.seed + 1, **AFTER)
    return render_clips(args.output / "before", before, 1), render_clips(args.output / "after", after, 1)


def first_clips(folder: Path, split: str, count: int | None = None) -> Path:
    """A table of the first clips of a split, which has as many of each class; by default of all."""
    table = folder.parent / f"{split}-{count or 'all'}.csv"
    rows = list(csv.DictReader((folder / split / "metadata.csv").read_text(encoding="utf-8").splitlines()))[:count]
    with new_file(table) as unfinished, open(unfinished, "w", newline="", encoding="utf-8") as target:
        writer = csv.writer(target)
        writer.writerow(("path", "label"))
        writer.writerows(((folder / split / row["file_name"]).absolute(), row["label"]) for row in rows)
    return table


def train_once(output: Path, *arguments: str) -> dict[str, float]:
    """What a run measured in the end; its `eval_seconds` are those of training and measuring."""
    if not (output / RESULTS).is_file():
        words = [*arguments, "--output", str(output), "--save_total_limit", "1", "--disable_tqdm", "true"]
        trainer = build_run([*words, "--dataloader_num_workers", "0"]).trainer
        for clips in (trainer.train_dataset, trainer.eval_dataset):
            clips.processor = Remembered(clips.processor)
        started = time.monotonic()
        trainer.train()
        trainer.save_model()
        trainer.save_metrics("eval", trainer.evaluate() | {"eval_seconds": time.monotonic() - started})
    return json.loads((output / RESULTS).read_text(encoding="utf-8"))


def main(argv: list[str] | None = None) -> None:
    args = parse(argv)
    logging.disable_progress_bar()
    before, after = render(args)
    seed = ["--seed", str(args.seed)]
    backbone = args.output / "backbone"
    found = train_once(
        backbone, str(before), "--model", "xvit", "--recipe", "small", "--num_train_epochs", str(args.before_epochs),
        *seed,
    )  # fmt: skip
    said = f"The backbone labels {found['eval_top1']:.3f} of other clips of its own classes right."
    rows = [("clips", *(f"`{recipe}`" for recipe in args.recipes)), ("---:",) * (1 + len(args.recipes))]
    for count in args.clips:
        train, validation = first_clips(after, "train", count), first_clips(after, "val")
        row = [f"{count:,}"]
        for name in args.recipes:
            recipe = get_recipe(name)
            options = ["--validation", str(validation), "--model", str(backbone), "--recipe", name, *seed]
            if not recipe.fits_clips and recipe.batch_size > count:  # all there are
                options += ["--per_device_train_batch_size", str(count)]
            if name == PAPER and count > MANY:
                options += ["--num_train_epochs", str(EPOCHS_OF_MANY)]
            found = train_once(args.output / f"{name}-{count}", str(train), *options)
            row.append(f"{found['eval_top1']:.3f} ({found['eval_seconds']:.0f} s)")
        rows.append(tuple(row))
    print(said)
    for cells in rows:
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    sys.exit(main())
