"""How much faster is training on small files read?   python examples/benchmark/shrinking.py

Clips of 5 seconds, 1280x720 pixels at 30 frames a second, with sound, and what `holovid data shrink --short-side 256`
makes of them. For both: the CPU's time of decoding the frames that training takes of a clip, that of reading it for
training (frames, cut and turned at random, as the tiny XViT of loader.py takes them), and the share of time that this
model waits for its batches, with two workers.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from decoding import render
from limit import spread
from loader import BATCH, WORKERS, Training, make_config, read_data, waiting
from reporting import cores, parse, progress, report

from holovid.data import ClipDataset
from holovid.inference.shrunk_video import Shrinking, shrink_folder
from holovid.processing.video_decoding import open_video

SECONDS, LARGE, SHORT_SIDE, DIFFERENT = 5, (720, 1280), 256, 4
SETS = ("large", "small")


def make_clips(folder: Path, seconds: int, size: tuple[int, int]) -> None:
    """`large` and `small`, clips of two classes in each; all but `DIFFERENT` ones are other names of these."""
    count = WORKERS * 2 * BATCH  # so that each worker has some batches of an epoch
    paths = [Path("train", ("left", "right")[number % 2], f"{number:02}.mp4") for number in range(count)]
    for number, path in enumerate(progress(paths[:DIFFERENT], "Rendering clips")):
        (folder / "large" / path).parent.mkdir(parents=True, exist_ok=True)
        render(folder / "large" / path, seconds, size, seed=number)
    shrink_folder(folder / "large", folder / "small", Shrinking(min(SHORT_SIDE, min(size) // 2)), workers=1)
    for number, path in enumerate(paths[DIFFERENT:]):
        for name in SETS:
            os.link(folder / name / paths[number % DIFFERENT], folder / name / path)


def decode(dataset: ClipDataset, number: int) -> None:
    """Open a clip and decode the frames that training takes of it."""
    with open_video(dataset.rows[number]["video"]["path"]) as video:
        video.frames(dataset.processor.video_processor.sample_frames(video.metadata))


def seconds_of(work: Callable[[ClipDataset, int], Any], dataset: ClipDataset) -> float:
    """Of the CPU, the median over clips: other work on the machine counts little."""
    taken = []
    for number in range(DIFFERENT):
        before = time.process_time()
        work(dataset, number)
        taken.append(time.process_time() - before)
    return statistics.median(taken)


def measure(seconds: int = SECONDS, size: tuple[int, int] = LARGE, steps: int = 4, repeat: int = 3) -> dict[str, Any]:
    """Before and after, taking turns: CPU seconds of decoding and of reading a clip, shares of waiting, bytes."""
    torch.set_num_threads(1)  # the rest of the cores is the workers'
    config = make_config("tiny")
    training = Training(config)
    found: dict[str, Any] = {name: {"decoding": [], "reading": [], "waited": []} for name in SETS}
    with tempfile.TemporaryDirectory() as folder:
        make_clips(Path(folder), seconds, size)
        datasets = {name: read_data(Path(folder, name), config) for name in SETS}
        for _ in progress(range(repeat), "Reading"):
            for name, dataset in datasets.items():
                found[name]["decoding"].append(seconds_of(decode, dataset))
                found[name]["reading"].append(seconds_of(lambda clips, number: clips[0, number], dataset))
                found[name]["waited"].append(waiting(dataset, training, steps)["waited"])
        for name in SETS:
            found[name]["bytes"] = sum(path.stat().st_size for path in Path(folder, name).rglob("*.mp4"))
    for what in ("decoding", "reading"):
        before, after = found["large"][what], found["small"][what]
        found[f"{what}_ratios"] = [one / other for one, other in zip(before, after, strict=True)]
    return found | {"cores": cores()}


def main(argv: list[str] | None = None) -> None:
    args = parse(__doc__, argv)
    sizes = {"seconds": 1, "size": (96, 160), "steps": 1} if args.quick else {}
    row = measure(**sizes, repeat=args.repeat)
    cells = [
        [
            "tiny" if args.quick else "1280x720, 5 s",
            spread(row["decoding_ratios"]),
            spread(row["reading_ratios"]),
            f"{row['large']['bytes'] / row['small']['bytes']:.1f}",
            spread(row["large"]["waited"]),
            spread(row["small"]["waited"]),
        ]
    ]
    headings = ["clips", "decoding, before over after", "reading for training, likewise", "bytes, likewise"]
    headings += [f"share waited before, on {row['cores']} cores", "after"]
    report("shrinking", __doc__, args, [row], headings, cells)


if __name__ == "__main__":
    main()
