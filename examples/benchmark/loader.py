"""Does a loader keep up with a tiny model?   python examples/benchmark/loader.py

The tiny XViT is trained on rendered clips, and on what `holovid data shrink` makes of them, read by a `DataLoader` of
two workers, and the time for which a step has nothing to do but wait for its batch is counted. Beside it stands what
decides that: the time of reading a clip, and that of a step for a clip, each alone on a core. With c cores, of which
the model takes one, a clip takes the longer of its step, of its reading shared by the workers, and of both shared by
the cores: that gives a share of waiting that no loader can go below, and the model, as a multiple of this one, that
is not kept waiting longer than `WANTED`.
"""

import itertools
import statistics
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from limit import spread
from reporting import cores, parse, progress, report

from holovid import HolovidProcessor, XViTConfig, XViTForVideoClassification
from holovid.augmentation import build_augmentation
from holovid.data import ClipDataset, ContinuousDataLoader, EpochSampler, load_clips
from holovid.families import families
from holovid.inference.shrunk_video import Shrinking, shrink_folder
from holovid.recipes import get_recipe
from holovid.synthetic import ClipSet, render_clips

WORKERS, BATCH, WANTED, PREFETCHED = 2, 16, 0.10, 4
RENDERED, SHRUNK = "as rendered", "shrunk"
SHORT_SIDE = 56  # pixels of what is made of the rendered clips, which have 112
MODELS = {"tiny": {}, "twice as deep": {"num_hidden_layers": 6}, "patches of 8": {"patch_size": 8}}


def make_config(name: str) -> XViTConfig:
    """Raises `KeyError` for a name that is not in `MODELS`."""
    sizes = {"num_frames": get_recipe("small").num_frames, "num_labels": 8}
    return XViTConfig(**families()["xvit"].toy | sizes | MODELS[name])


def read_data(folder: Path, config: XViTConfig) -> ClipDataset:
    """Training clips of a folder, as the recipe for small models reads them."""
    recipe = get_recipe("small")
    options = recipe.processor_options() | {"num_frames": config.num_frames}
    processor = HolovidProcessor.for_model(config, **options)
    rows = load_clips(str(folder))["train"]
    return ClipDataset(rows, processor, augmentation=build_augmentation(recipe, processor))


class Training:
    """Steps of a model that starts from new weights."""

    def __init__(self, config: XViTConfig):
        self.model = XViTForVideoClassification(config).train()
        self.optimizer = torch.optim.AdamW(self.model.parameters())

    def step(self, batch: dict[str, torch.Tensor]) -> None:
        self.optimizer.zero_grad()
        self.model(**batch).loss.backward()
        self.optimizer.step()


def alone(dataset: ClipDataset, training: Training, batches: int) -> dict[str, list[float]]:
    """Seconds a clip of reading by one worker, after it has read each once, and of a step, with nothing beside."""
    found: dict[str, list[float]] = {"read": [], "step": []}
    rows = forever(dataset, workers=1)
    for _ in range(-(-len(dataset) // BATCH) + PREFETCHED):
        batch = next(rows)
    for _ in range(batches):
        begin = time.perf_counter()
        batch = next(rows)
        found["read"].append((time.perf_counter() - begin) / BATCH)
    del rows
    for _ in range(batches):
        begin = time.perf_counter()
        training.step(batch)
        found["step"].append((time.perf_counter() - begin) / BATCH)
    return found


def forever(dataset: ClipDataset, workers: int) -> Iterator[dict[str, torch.Tensor]]:
    """Batches, epoch after epoch, as `holovid train` reads them."""
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # that there are more workers than cores
        loader = ContinuousDataLoader(
            dataset, BATCH, sampler=EpochSampler(len(dataset)), num_workers=workers, persistent_workers=True,
            prefetch_factor=PREFETCHED, drop_last=True,
        )  # fmt: skip
        for epoch in itertools.count():
            loader.set_epoch(epoch)
            yield from loader


def waiting(dataset: ClipDataset, training: Training, steps: int) -> dict[str, float]:
    """The share of waiting, and seconds a clip, over `steps` steps once the workers have started."""
    batches = forever(dataset, WORKERS)
    for _ in range(2 * WORKERS):
        training.step(next(batches))
    waited, start = 0.0, time.perf_counter()
    for _ in range(steps):
        before = time.perf_counter()
        batch = next(batches)
        waited += time.perf_counter() - before
        training.step(batch)
    seconds = time.perf_counter() - start
    return {"waited": waited / seconds, "seconds_a_clip": seconds / steps / BATCH}


def least_waiting(read: float, step: float, cores: int) -> float:
    """The share of waiting that is left when nothing but work takes time, see above."""
    return 1 - step / max(step, read / WORKERS, (read + step) / cores)


def break_even(read: float, step: float, cores: int) -> float:
    """The longest step in `WANTED` waiting, over this one: 1 where this model is not kept waiting longer anyway."""
    kept = 1 - WANTED
    slower = [kept * read / WORKERS]
    slower.append(kept * read / (cores - kept) if cores > kept else float("inf"))
    return max(1.0, *(needed / step for needed in slower))


def measure(
    name: str = "tiny", data: str = RENDERED, clips: int = 96, steps: int = 60, repeat: int = 3
) -> dict[str, Any]:
    """A row, see the top of this file. Raises `KeyError` for a name that is not in `MODELS`."""
    torch.set_num_threads(1)  # the rest of the cores is the workers'
    config = make_config(name)
    with tempfile.TemporaryDirectory() as folder:
        rendered = render_clips(Path(folder, "clips"), ClipSet(train=clips, val=0), progress=False)
        if data == SHRUNK:
            shrink_folder(rendered, Path(folder, SHRUNK), Shrinking(SHORT_SIDE), workers=1)
            rendered = Path(folder, SHRUNK)
        dataset = read_data(rendered, config)
        training = Training(config)
        seconds = alone(dataset, training, 4 * repeat)
        runs = [waiting(dataset, training, steps) for _ in range(repeat)]
    read, step = (statistics.median(seconds[what]) for what in ("read", "step"))
    return {
        "model": name,
        "data": data,
        "cores": cores(),
        "waited": [run["waited"] for run in runs],
        "seconds_a_clip": [run["seconds_a_clip"] for run in runs],
        "seconds_alone": seconds,
        "read_over_step": read / step,
        "least_waiting": {str(count): least_waiting(read, step, count) for count in (cores(), WORKERS + 1)},
        "break_even": {str(count): break_even(read, step, count) for count in (cores(), WORKERS + 1)},
    }


def main(argv: list[str] | None = None) -> None:
    args = parse(__doc__, argv)
    names, size = (["tiny"], (32, 2)) if args.quick else (list(MODELS), (96, 60))
    jobs = [*((name, RENDERED) for name in names), ("tiny", SHRUNK)]
    rows = [measure(*job, *size, args.repeat) for job in progress(jobs, "Training")]
    here, enough = str(cores()), str(WORKERS + 1)
    cells = [
        [
            row["model"],
            row["data"],
            spread(row["waited"]),
            f"{row['read_over_step']:.2f}",
            *(f"{row['least_waiting'][count]:.2f}" for count in (here, enough)),
            *(f"{row['break_even'][count]:.2f}" for count in (here, enough)),
        ]
        for row in rows
    ]
    headings = ["XViT", "clips", f"share waited, on {here} cores", "reading a clip over its step"]
    headings += [f"least share, {count} cores" for count in (here, enough)]
    headings += [f"step kept busy, {count} cores, over this one" for count in (here, enough)]
    report("loader", __doc__, args, rows, headings, cells)


if __name__ == "__main__":
    main()
