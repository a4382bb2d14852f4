"""The whole way in one run, offline and on a CPU: make demo

    render clips -> fine-tune a tiny model with Trainer -> save -> load with the Auto classes -> label a clip

First XViT (demo_order.py), on clips of a shape that goes right, goes left, grows or shrinks. "left" is "right" played
backwards and "shrink" is "grow" played backwards, frame for frame. A model that does not know the order of frames can
tell the two pairs apart, but not the motions within a pair: its accuracy is 0.5 at best. Then CA²ST (demo_hearing.py),
on clips whose label names shape, motion and sound (a tone that rises or falls), each drawn independently. A model that
cannot perceive one of them is at chance level for it, 0.5.

Goals; the exit status tells whether all are reached:

    XViT, motion
        as it is                >= 0.95
        frames shuffled         <= 0.55     the same frames in random order
        mixing off              <= 0.55     trained alike, keys and values stay in their frame
    CA²ST
        label                   >= 0.95     one of eight
        sound, muted            <= 0.55     the same clips, without their audio
        motion, frames shuffled <= 0.55
"""

import argparse
import json
import os
import shutil
import sys
import time
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # nothing here needs the network; this makes sure

import datasets
import demo_hearing
import demo_order
import torch
import transformers
from playground import compare, console

from holovid.files import new_folder

PARTS = {"order": demo_order, "hearing": demo_hearing}


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=Path("demo-output"), help="folder of the results")
    parser.add_argument("--train", type=int, nargs=2, default=(800, 2400), help="clips to train on, of each part")
    parser.add_argument("--val", type=int, default=800, help="clips to measure on")
    parser.add_argument("--epochs", type=float, nargs=2, default=(10, 6), help="passes over them, of each part")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse(argv)
    datasets.disable_progress_bars()
    transformers.logging.disable_progress_bar()
    # so small a model gains nothing from more, and on a busy machine threads that wait for each other take minutes
    torch.set_num_threads(1)
    start = time.monotonic()
    if (args.output / "results.json").is_file():  # an earlier run's; anything else is not ours to remove
        shutil.rmtree(args.output)
    with new_folder(args.output) as folder:
        results = {}
        for (name, part), train, epochs in zip(PARTS.items(), args.train, args.epochs, strict=True):
            own = argparse.Namespace(**vars(args) | {"train": train, "epochs": epochs})
            results[name] = part.run(own, folder if name == "order" else folder / name)
        (folder / "results.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")

    console.rule("Result")
    reached = [compare(part.TITLE, results[name], part.GOALS) for name, part in PARTS.items()]
    console.print("All goals are reached." if all(reached) else "[bold red]Goals are missed.")
    console.print(
        f"{time.monotonic() - start:.0f} s. Models, clips and pictures of what they saw are in {args.output}/"
    )
    console.print("Now try:", style="bold")
    for command in (
        f"holovid classify {args.output}/model {args.output}/clip.mp4 --top-k 3",
        f"holovid classify {args.output}/hearing/model {args.output}/hearing/clip.mp4 {args.output}/hearing/muted.mp4",
    ):
        console.print(f"  {command}", soft_wrap=True)
    return int(not all(reached))


if __name__ == "__main__":
    sys.exit(main())
