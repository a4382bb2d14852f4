"""Which recipe for how many clips? A tiny backbone is fine-tuned on rendered sets of 40, 400 and more clips.

    python examples/finetuning.py --clips 40 400 --output finetuning-output
    python examples/finetuning.py --clips 4000 --recipes finetune small --output finetuning-output

The backbone is an XViT that was first trained, by `small`, on other rendered classes than those it is fine-tuned on:
squares, stars, rings and bars that go up and down; then discs and triangles that go left and right. Each run is one of
`holovid train`, whose folder stays; what is there already is not run again. At the end the table is printed.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # nothing here needs the network; this makes sure

from holovid.commands.train import run
from holovid.data.synthetic import ClipSet, render_clips
from holovid.recipes import get_recipe

CLIP = {"size": 64, "frame_rate": 8, "seconds": 1.0, "sounds": ("tone",)}
BEFORE = ClipSet(train=1600, shapes=("square", "star", "ring", "bar"), motions=("down", "up"), **CLIP)
AFTER = {"shapes": ("disc", "triangle"), "motions": ("right", "left")} | CLIP
PAPER = "xvit-ssv2"
RECIPES = ("finetune", "small", PAPER)
RESULTS = "all_results.json"


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clips", type=int, nargs="+", default=[40, 400], help="to train on, a set for each number")
    parser.add_argument("--val", type=int, default=200, help="clips to measure on")
    parser.add_argument("--recipes", nargs="+", default=RECIPES, help="to compare")
    parser.add_argument("--before", type=int, default=BEFORE.train, help="clips that the backbone is trained on first")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("finetuning-output"))
    return parser.parse_args(argv)


def train_once(clips: Path, output: Path, *options: str) -> dict[str, float]:
    """What a run measured in the end; its `seconds` are those of training."""
    if not (output / RESULTS).is_file():
        started = time.monotonic()
        run([str(clips), "--output", str(output), "--save_total_limit", "1", "--disable_tqdm", "true", *options])
        (output / "seconds.json").write_text(json.dumps(time.monotonic() - started))
    return json.loads((output / RESULTS).read_text()) | {"seconds": json.loads((output / "seconds.json").read_text())}


def main(argv: list[str] | None = None) -> None:
    args = parse(argv)
    seed = ["--seed", str(args.seed)]
    other = ClipSet(**vars(BEFORE) | {"train": args.before, "val": args.val, "seed": args.seed})
    backbone = args.output / "backbone"
    train_once(render_clips(args.output / "before", other), backbone, "--model", "xvit", "--recipe", "small", *seed)
    rows = [("clips", *(f"`{recipe}`" for recipe in args.recipes)), ("---:",) * (1 + len(args.recipes))]
    for count in args.clips:
        clips = render_clips(
            args.output / f"clips-{count}", ClipSet(train=count, val=args.val, seed=args.seed + 1, **AFTER)
        )
        row = [f"{count:,}"]
        for name in args.recipes:
            options = ["--model", str(backbone), "--recipe", name, *seed]
            if not get_recipe(name).fits_clips and get_recipe(name).batch_size > count:  # of a paper's, all there are
                options += ["--per_device_train_batch_size", str(count)]
            found = train_once(clips, args.output / f"{name}-{count}", *options)
            row.append(f"{found['eval_top1']:.3f} ({found['seconds']:.0f} s)")
        rows.append(tuple(row))
    for cells in rows:
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    sys.exit(main())
