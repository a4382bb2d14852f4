"""Measure how well a model labels clips, by the protocol of its paper.

    python examples/evaluate_clips.py MODEL clips --views 2 --crops 3 --output results
    torchrun --nproc_per_node 2 examples/evaluate_clips.py MODEL clips --views 2 --crops 3 --output results

If you stop it, the same command continues it. The folder then has results.json, predictions.parquet and confusion.png.
`holovid evaluate` does the same, with a table of results, several sets of clips, and ablations. Start from this script
to measure something of your own.
"""
# not called evaluate.py: scripts beside it would find it when they import the library of that name

import argparse
import json
import sys
from typing import NoReturn

from holovid.cheap_checks import check_clips, check_model_name
from holovid.commands.command_line import run_script
from holovid.evaluation import Protocol


def main() -> None:
    args = parse_arguments()
    check_model_name(args.model)
    check_clips(args.data, args.target or ())
    protocol = Protocol(
        views=args.views, crops=args.crops, flips=args.flips, ensemble=args.ensemble, autocast=args.autocast
    )

    from accelerate import PartialState

    from holovid.evaluation import evaluate_clips
    from holovid.evaluation.tasks import load_set
    from holovid.loading import load_classifier
    from holovid.records import public_command

    model, processor = load_classifier(args.model)
    clips = load_set(model, args.data, target=args.target, split=args.split, root=args.root)
    results = evaluate_clips(
        model,
        processor,
        clips.rows,
        protocol=protocol,
        target=args.target,
        batch_size=args.batch_size,
        num_workers=args.workers,
        output=args.output,
        about={
            "model": args.model,
            "dataset": clips.name,
            "split": clips.split,
            "command": public_command(["python", *sys.argv]),
        },
    )
    state = PartialState()
    if state.is_main_process:
        print(json.dumps(results["metrics"] | results["counts"], indent=2))
    state.destroy_process_group()


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:  # in a sentence, without the usage
        raise ValueError(message)


def parse_arguments() -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="folder or Hub id")
    parser.add_argument("data", help="folder, table or Hub id of labelled clips")
    parser.add_argument("--split", help="split to evaluate; default: the only one, else validation, else test")
    parser.add_argument("--target", nargs="+", help="columns of the labels; default: label, or verb noun")
    parser.add_argument("--root", help="folder that relative paths in tables start from")
    parser.add_argument("--views", type=int, default=1, help="views per clip: windows at different times")
    parser.add_argument("--crops", type=int, default=1, help="crops in space per view: 1 or 3")
    parser.add_argument("--flips", action="store_true", help="also evaluate each crop mirrored")
    parser.add_argument("--ensemble", help="average logits or probabilities; default: as in the model's paper")
    parser.add_argument("--batch-size", type=int, default=8, help="views per batch")
    parser.add_argument("--workers", type=int, default=0, help="processes that decode clips in advance")
    parser.add_argument("--autocast", help="mixed precision: bfloat16 or float16")
    parser.add_argument("--output", help="folder for results, predictions and the picture")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(run_script("evaluate_clips.py", main, "if --output was given, run the same command again to continue"))
