"""Video Swin against torchvision's, of the same weights.   python examples/benchmark/against_torchvision.py

Both run in turn on the same clip, and the ratios are medians over pairs of neighbours, so that a machine that is busy
slows both. Memory is what one training step adds to a fresh process at most.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torchvision.models import get_model

from holovid.conversion.from_video_swin import from_torchvision

MODELS = {"swin3d_t": "T", "swin3d_s": "S", "swin3d_b": "B"}
CLASS = 200  # any of 400


def pair(name: str, frames: int, side: int) -> dict[str, Callable[[], Tensor]]:
    """ "theirs" and "ours": functions that give logits of one clip; their models share their weights."""
    oracle: nn.Module = get_model(name, weights=None)
    model = from_torchvision(oracle)
    clip = torch.randn(1, frames, 3, side, side)
    oracle.eval()
    return {"theirs": lambda: oracle(clip.transpose(1, 2)), "ours": lambda: model(clip).logits}


def forward(logits: Callable[[], Tensor]) -> None:
    with torch.inference_mode():
        logits()


def training_step(logits: Callable[[], Tensor]) -> None:
    """Forward and backward: what an optimiser adds is the same for both."""
    nn.functional.cross_entropy(logits(), torch.tensor([CLASS])).backward()


QUESTIONS = {"forward": forward, "training step": training_step}


def seconds(run: Callable[[], None]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def ratios(question: str, both: dict[str, Callable[[], Tensor]], repeats: int) -> tuple[float, float]:
    """(median of ours over theirs, our best seconds)."""
    ask = QUESTIONS[question]
    for logits in both.values():
        ask(logits)
    taken = [{whose: seconds(lambda: ask(logits)) for whose, logits in both.items()} for _ in range(repeats)]  # noqa: B023
    return statistics.median(each["ours"] / each["theirs"] for each in taken), min(each["ours"] for each in taken)


def peak(whose: str, arguments: list[str]) -> float:
    """MB that a training step adds, in a process of its own."""
    command = [sys.executable, __file__, *arguments, "--peak-of", whose]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])


def own_peak(logits: Callable[[], Tensor]) -> float:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    training_step(logits)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=["swin3d_t", "swin3d_b"])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--side", type=int, default=224, help="of a frame in pixels")
    parser.add_argument("--peak-of", choices=["theirs", "ours"], help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    if args.peak_of:
        print(own_peak(pair(args.models[0], args.frames, args.side)[args.peak_of]))
        return
    print("| model | forward | training step | memory of a training step |")
    print("|---|---:|---:|---:|")
    for name in args.models:
        both = pair(name, args.frames, args.side)
        answers = [ratios(question, both, args.repeats) for question in QUESTIONS]
        cells = [f"{ratio:.2f} ({best:.1f} s)" for ratio, best in answers]
        sizes = {"models": name, "threads": args.threads, "frames": args.frames, "side": args.side}
        arguments = [word for option, value in sizes.items() for word in (f"--{option}", str(value))]
        theirs, ours = (peak(whose, arguments) for whose in ("theirs", "ours"))
        share = f"{ours / theirs:.2f}" if theirs else "too little to measure"
        print(f"| Video Swin-{MODELS[name]} | {' | '.join(cells)} | {share} ({ours:,.0f} MB) |", flush=True)


if __name__ == "__main__":
    main()
