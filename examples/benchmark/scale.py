"""What do a million clips cost, and a billion?   python examples/benchmark/scale.py --table docs/scale.md

Measured here: the processor seconds that it takes to read a clip of 10 seconds (340x256, 30 frames a second, as
Kinetics is kept) for XViT-B/16, on one core, and the bytes of the clip and of its vector. Assumed, and to be given
where it is known better: what a GPU does (`--rate` of the bf16 matrix rate, `--share` of it), what core, GPU and
storage cost, and the bandwidth of a node. Everything else is multiplied out, so that one sees what is short: cores,
GPUs, or the network.
"""

import argparse
import json
import math
import re
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from decoding import render
from subjects import SUBJECTS, count_gflop

from holovid import HolovidProcessor
from holovid.files import write_whole

MODEL = "xvit-8"
VECTOR = 4 * 768 + 100  # bytes of a row: 768 numbers of 32 bits, a name and two times
EPOCHS = 35  # of the recipe xvit-ssv2
BACKWARD = 3  # a training step over a forward pass
BEGIN, END = "<!-- the table is written by: python examples/benchmark/scale.py -->", "<!-- end of the table -->"


@dataclass(frozen=True)
class Measured:
    """Of one clip: processor seconds of reading it, bytes of its file, 10^9 operations of a forward pass."""

    read_seconds: float
    clip_bytes: int
    gflop: float


@dataclass(frozen=True)
class Assumed:
    rate: float  # 10^12 operations a second of a GPU
    share: float  # of it that a forward pass reaches
    training_share: float
    core_hour: float  # dollars
    gpu_hour: float
    gigabyte_month: float
    node_gpus: int = 8


def measure(repeat: int, seconds: int = 10) -> Measured:
    torch.set_num_threads(1)
    subject = SUBJECTS[MODEL]
    config = subject.make_config()
    processor = HolovidProcessor.for_model(config)
    with tempfile.TemporaryDirectory() as folder:
        clip = render(Path(folder, "clip.mp4"), seconds)
        taken = []
        for index in range(repeat + 1):
            begin = time.process_time()
            processor(str(clip), return_tensors="pt")
            if index:  # the first call warms up
                taken.append(time.process_time() - begin)
        return Measured(statistics.median(taken), clip.stat().st_size, count_gflop(subject, config))


def rows(clips: float, measured: Measured, assumed: Assumed) -> list[list[str]]:
    """Cells of labelling, embedding and training on so many clips."""
    found = []
    for what, passes, share, work in (
        ("label", 1, assumed.share, 1),
        ("embed", 1, assumed.share, 1),
        (f"train, {EPOCHS} epochs", EPOCHS, assumed.training_share, BACKWARD),
    ):
        read = clips * passes
        core_hours = read * measured.read_seconds / 3600
        a_second = 1e3 * assumed.rate * share / (measured.gflop * work)  # clips of a GPU
        gpu_hours = read / a_second / 3600
        gigabits = 8e-9 * a_second * measured.clip_bytes * assumed.node_gpus
        kept = clips * VECTOR if what == "embed" else 0.0
        found.append(
            [
                f"{clips:,.0f}", what, amount(core_hours), amount(gpu_hours),
                f"{math.ceil(a_second * measured.read_seconds)}", f"{gigabits:.1f}",
                amount(kept / 1e9) + " GB" if kept else "",
                "$ " + amount(core_hours * assumed.core_hour + gpu_hours * assumed.gpu_hour),
            ]
        )  # fmt: skip
    return found


def amount(value: float) -> str:
    """Two digits that count, and a comma each thousand."""
    digits = 0 if value >= 10 or value == 0 else 1
    if value >= 100:
        value = round(value, 1 - int(math.log10(value)))
    return f"{value:,.{digits}f}"


def table(counts: list[float], measured: Measured, assumed: Assumed) -> str:
    headings = ["clips", "to", "core hours of reading", "GPU hours", "cores that keep a GPU busy",
                f"Gbit/s into a node of {assumed.node_gpus}", "vectors", "cost"]  # fmt: skip
    cells = [row for count in counts for row in rows(count, measured, assumed)]
    lines = [headings, ["---:" if index != 1 else "---" for index in range(len(headings))], *cells]
    stored = ", ".join(
        f"{count:,.0f} clips are {amount(count * measured.clip_bytes / 1e12)} TB, "
        f"$ {amount(count * measured.clip_bytes / 1e9 * assumed.gigabyte_month)} a month"
        for count in counts
    )
    return "\n\n".join(
        [
            f"Measured on one core: {1000 * measured.read_seconds:.0f} ms to read a clip of "
            f"{measured.clip_bytes / 1e6:.2f} MB. Counted: {measured.gflop:.0f} GFLOP a view. Assumed: a GPU that "
            f"multiplies bf16 matrices at {assumed.rate:g} TFLOP/s, of which inference reaches {assumed.share:g} and "
            f"training {assumed.training_share:g} (predicted, not run: [log/gpu.md](log/gpu.md)); "
            f"$ {assumed.core_hour:g} a core and hour, $ {assumed.gpu_hour:g} a GPU and hour, "
            f"$ {assumed.gigabyte_month:g} a GB and month.",
            "\n".join("| " + " | ".join(line) + " |" for line in lines),
            f"Storage: {stored}.",
        ]
    )


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("   ")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--clips", nargs="+", type=float, default=[1e6, 1e9], help="how many")
    parser.add_argument("--rate", type=float, default=780.0, help="TFLOP/s of a GPU's bf16 products")
    parser.add_argument("--share", type=float, default=0.6, help="of it that inference reaches")
    parser.add_argument("--training-share", type=float, default=0.45, help="of it that training reaches")
    parser.add_argument("--core-hour", type=float, default=0.04, help="dollars")
    parser.add_argument("--gpu-hour", type=float, default=3.0, help="dollars")
    parser.add_argument("--gigabyte-month", type=float, default=0.02, help="dollars")
    parser.add_argument("--repeat", type=int, default=9, help="readings, of which the median counts")
    parser.add_argument("--table", type=Path, help="a page whose table is written anew")
    args = parser.parse_args(argv)
    assumed = Assumed(
        args.rate, args.share, args.training_share, args.core_hour, args.gpu_hour, args.gigabyte_month, 8
    )
    measured = measure(args.repeat)
    text = table(args.clips, measured, assumed)
    print(text)
    if args.table is not None:
        page = args.table.read_text(encoding="utf-8")
        if not re.search(f"{BEGIN}.*{END}", page, re.S):
            parser.error(f"{args.table} has no place for the table, between {BEGIN} and {END}")
        write_whole(args.table, re.sub(f"{BEGIN}.*{END}", lambda _: f"{BEGIN}\n\n{text}\n\n{END}", page, flags=re.S))
    print(json.dumps({"question": "scale", "read_seconds": measured.read_seconds, "clip_bytes": measured.clip_bytes}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
