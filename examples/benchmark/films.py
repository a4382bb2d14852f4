"""What do overlapping windows of a film cost?   python examples/benchmark/films.py

A film is scored by `holovid.inference.timeline`, from file to scores, in windows of 2 s that start one window, a half
and an eighth of one apart: once as windows that are computed each for itself, and once with `stream=True`. Seconds of
the CPU, which other work on it disturbs less than those of the clock, are divided by those of the windows that do not
overlap, measured in the same round: 1.00 is the price of looking at each part of the film once. Windows by themselves
cost as many times that as they overlap.
"""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from limit import spread
from reporting import parse, progress, report
from subjects import xvit

from holovid import HolovidProcessor, XViTConfig, XViTForVideoClassification
from holovid.allocator import keep_memory
from holovid.inference import timeline
from holovid.synthetic import ClipSet, render_clips

WINDOW, FRAMES = 2.0, 8
MIXINGS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("from the past", {"mix_direction": "past"}),
    ("both ways, groups of 4", {"mix_group": 4, "temporal_embedding_length": 4}),
)
PARTS = (1, 2, 8)  # of a window, after which the next one starts


def render_film(folder: Path, seconds: float) -> Path:
    """One of 256 x 256 pixels, 12 a second."""
    clips = ClipSet(train=1, val=0, size=256, seconds=seconds)
    return next(render_clips(folder / "clips", clips, progress=False).rglob("*.mp4"))


def rows(film: Path, quick: bool = False, repeat: int = 2) -> Iterator[dict[str, Any]]:
    """A row for each way and stride: `ratios` to windows side by side, one of each round."""
    subject = xvit(FRAMES)
    for name, mixing in progress(MIXINGS, "Films"):
        config = XViTConfig(**subject.settings | mixing | (subject.tiny if quick else {}) | {"num_frames": FRAMES})
        model = XViTForVideoClassification(config).eval()
        step = WINDOW * (config.mix_group or 1) / FRAMES
        strides = [WINDOW / part for part in PARTS if WINDOW / part >= step]
        score(model, film, WINDOW, stream=False)  # the first one warms up
        seconds: dict[tuple[bool, float], list[float]] = {}
        for _ in range(repeat):
            for stream in (False, True):
                for stride in strides:
                    seconds.setdefault((stream, stride), []).append(score(model, film, stride, stream))
        whole = seconds[False, WINDOW]
        for (stream, stride), each in seconds.items():
            ratios = [own / one for own, one in zip(each, whole, strict=True)]
            way = "the stream" if stream else "each window"
            yield {"mixing": name, "way": way, "stride": stride, "seconds": each, "ratios": ratios}


def score(model: XViTForVideoClassification, film: Path, stride: float, stream: bool) -> float:
    """Seconds of the CPU for a timeline, from file to scores."""
    processor = HolovidProcessor.for_model(model)
    start = time.process_time()
    timeline(model, processor, film, WINDOW, stride, batch_size=1, stream=stream, progress=False)
    return time.process_time() - start


def main(argv: list[str] | None = None) -> None:
    length: dict[str, Any] = {"type": float, "default": 8.0, "help": "of the film"}
    args = parse(__doc__, argv, seconds=length)
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        film = render_film(Path(folder), args.seconds)
        found = list(rows(film, quick=args.quick, repeat=args.repeat))
    cells = [[row["mixing"], row["way"], f"{row['stride']:g} s", spread(row["ratios"])] for row in found]
    report("films", __doc__, args, found, ["mixing", "computed", "stride", "over windows side by side"], cells)


if __name__ == "__main__":
    keep_memory()
    main()
