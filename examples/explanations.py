"""Are explanations true? Tiny models of all families, on clips for which the truth is known.

    python examples/explanations.py --table docs/explanations.md

A clip shows a shape of its class at some place for some time, and sounds as its class does at another time; other
shapes and sounds are of no class. Each model learns to tell the classes, and is then explained by each method that
works for it. The table has the accuracy and, for each method,

    pointing     how often the highest point of a frame's map is in the shape's box, the highest moment in the time
                 when it is visible, and the highest step of audio in the time when it sounds
    deletion     the mean probability of the predicted class while patches are blurred, the highest of the map first;
                 in brackets with patches in random order. Lower is better. The clip is muted meanwhile
    insertion    the same while patches are restored. Higher is better
    sanity       Spearman's correlation with the map of a model with random weights; near 0 is sane

as means over seeds; behind pointing, the lowest and the highest seed are in brackets. Models that use audio are
trained with a third of the clips silent and a third of them without a picture, so that they have to use both.
"""

import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from colorsys import hsv_to_rgb
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from localisation import with_drawn_positions
from PIL import Image
from rich.progress import track
from torch import Tensor
from transformers import AutoModelForVideoClassification, PreTrainedModel, set_seed

from holovid import HolovidProcessor, WhereWhenForVideoClassification
from holovid.data import ClipDataset, load_clips, read_events
from holovid.data.drawing import shape_coverage
from holovid.data.synthetic import ClipSet, render_clips
from holovid.explanation import evaluate, explain, methods_of
from holovid.explanation.scoring import without_foreign_times
from holovid.families.family import family_of_variant, variants

CLASSES, SOUNDS = ("ring", "bar", "disc"), ("rise", "siren", "clicks")
OTHERS = ("star", "triangle", "square")
SIZE, PATCH, NUM_FRAMES, SECONDS = 48, 8, 8, 2.0
ROWS, BINS, AUDIO_PATCH = 192, 64, 16  # of the spectrogram
BATCH = 32
LAYERS: dict[str, Any] = {
    "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128,
    "initializer_range": 0.12,
}  # fmt: skip
FRAMES = {"image_size": SIZE, "patch_size": PATCH}
VIT = {"model_type": "vit", **FRAMES, **LAYERS}
AST = {
    "model_type": "audio-spectrogram-transformer", "max_length": ROWS, "num_mel_bins": BINS, "patch_size": AUDIO_PATCH,
    "time_stride": AUDIO_PATCH, "frequency_stride": AUDIO_PATCH, **LAYERS,
}  # fmt: skip
EXPERTS = {
    "audio_frames": ROWS, "num_mel_bins": BINS, "audio_patch_size": AUDIO_PATCH, "audio_stride": AUDIO_PATCH,
    "audio_time_layout": "aligned", "feature_adapter_skip": True,
}  # fmt: skip


def draw_pictures(folder: Path) -> Path:
    """Cut-outs of the classes and of others, each in a colour of its own, so that tiny models soon tell them apart."""
    random = np.random.default_rng(0)
    side = 64
    for number, name in enumerate((*CLASSES, *OTHERS)):
        (folder / name).mkdir(parents=True)
        coverage = shape_coverage(name, side, np.full((2, 1), side / 2), np.array([side / 2.7]), 0.0)[0]
        for shade in range(4):
            hue = (number / len((*CLASSES, *OTHERS)) + random.uniform(-0.03, 0.03)) % 1.0
            colour = [
                round(255 * part) for part in hsv_to_rgb(hue, random.uniform(0.8, 1.0), random.uniform(0.8, 1.0))
            ]
            picture = Image.new("RGBA", (side, side), tuple(colour))
            picture.putalpha(Image.fromarray((255 * coverage).astype(np.uint8)))
            picture.save(folder / name / f"{shade}.png")
    return folder


@dataclass(frozen=True)
class Student:
    """A model: the name of its variant, fields of its configuration, and how many clips are to be gone through."""

    name: str
    fields: dict[str, Any] = field(default_factory=dict)
    epochs: int = 15

    def build(self) -> PreTrainedModel:
        family, variant = family_of_variant(self.name), variants()[self.name]
        config = family.config_class(
            **{**variant.settings, **self.fields}, num_frames=NUM_FRAMES, id2label=dict(enumerate(CLASSES)),
            label2id={name: number for number, name in enumerate(CLASSES)},
        )  # fmt: skip
        model = AutoModelForVideoClassification.from_config(config)
        return with_drawn_positions(model) if isinstance(model, WhereWhenForVideoClassification) else model


STUDENTS = (
    Student(
        "wherewhen",
        {
            # ViT's own small weights: patches start as themselves, and read little of one another
            "visual_config": VIT | {"num_hidden_layers": 1, "initializer_range": 0.02},
            "audio_config": AST | {"num_hidden_layers": 1},
            **LAYERS,
            "num_hidden_layers": 1,
        },
    ),
    Student("xvit", {**FRAMES, **LAYERS, "pooling": "attention"}),
    Student("timesformer", {**FRAMES, **LAYERS}),
    Student("cast", {**FRAMES, **LAYERS, **EXPERTS}),
    Student("cava", {**FRAMES, **LAYERS, **EXPERTS}),
    Student("ca2st", {**FRAMES, **LAYERS, **EXPERTS}),
    Student(
        "videoswin",
        {"image_size": SIZE, "patch_size": (1, 4, 4), "embed_dim": 32, "depths": (2, 2), "num_heads": (2, 4),
         "window_size": (4, 3, 3), "mlp_ratio": 2.0, "initializer_range": 0.12},
    ),
)  # fmt: skip


@dataclass
class Clips:
    """Clips in memory, as a model that sees and hears takes them, with `labels`."""

    inputs: dict[str, Tensor]

    def batches(self, size: int, order: Tensor | None = None) -> Iterator[dict[str, Tensor]]:
        order = torch.arange(len(self.inputs["labels"])) if order is None else order
        for rows in order.split(size):
            yield {name: values[rows] for name, values in self.inputs.items()}


def decoded(folder: Path) -> dict[str, Clips]:
    """Both splits, decoded once."""
    processor = HolovidProcessor.for_model(STUDENTS[0].build())
    found = {}
    for split, rows in load_clips(folder, names={"label": list(CLASSES)}).items():
        dataset = ClipDataset(rows, processor)
        items = [dataset[index] for index in track(range(len(dataset)), f"Decoding {split}")]
        inputs = {name: torch.stack([torch.as_tensor(item[name]) for item in items]) for name in items[0]}
        found[split] = Clips(inputs)
    return found


def taken_by(model: PreTrainedModel, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """What of a batch the model takes, and the times of frames, which explanations want."""
    heard = {"input_values", "audio_mask", "audio_span"}
    return {name: values for name, values in batch.items() if model.config.hears or name not in heard}


def partly_hidden(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """A third of the clips silent, a third of them not seen."""
    draw = torch.rand(len(batch["labels"]))
    pixels = batch["pixel_values_videos"]
    unseen = pixels.mean(dim=(1, 3, 4), keepdim=True).expand_as(pixels)
    return batch | {
        "pixel_values_videos": torch.where((draw > 2 / 3)[:, None, None, None, None], unseen, pixels),
        "audio_mask": batch["audio_mask"] & (draw > 1 / 3),
    }


def trained(student: Student, clips: Clips, seed: int) -> PreTrainedModel:
    set_seed(seed)
    model = student.build().train()
    steps = student.epochs * -(-len(clips.inputs["labels"]) // BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2e-3, total_steps=steps, pct_start=0.15)
    for _ in track(range(student.epochs), f"{student.name}, seed {seed}"):
        for batch in clips.batches(BATCH, torch.randperm(len(clips.inputs["labels"]))):
            if model.config.hears:
                batch = partly_hidden(batch)
            loss = model(**without_foreign_times(model, taken_by(model, batch))).loss
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    return model.eval()


@torch.no_grad()
def accuracy(model: PreTrainedModel, clips: Clips) -> float:
    right = []
    for batch in clips.batches(64):
        inputs = without_foreign_times(model, taken_by(model, batch))
        labels = inputs.pop("labels")
        right.append(model(**inputs).logits.argmax(dim=1) == labels)
    return torch.cat(right).float().mean().item()


MEASURED = ("pointing_space", "pointing_time", "pointing_sound")


def measured(model: PreTrainedModel, clips: Clips, truth: Any, method: str) -> dict[str, Any]:
    batches = [taken_by(model, batch) for batch in clips.batches(BATCH)]
    return evaluate(
        model, batches, lambda *given, **options: explain(*given, method=method, **options), truth=truth,
        parts=("patches",), sanity=method != "occlusion", size=SIZE, steps=12, batch_size=64, alone=True,
    )  # fmt: skip


def cell(rows: Sequence[dict[str, Any]], name: str, spread: bool = False) -> str:
    values = [row[name] for row in rows if row.get(name) is not None]
    if not values:
        return "cannot see it" if name == "pointing_sound" else "-"
    text = f"{sum(values) / len(values):.2f}"
    return f"{text} ({min(values):.2f}-{max(values):.2f})" if spread and len(values) > 1 else text


def table_of(found: dict[tuple[str, str], list[dict[str, Any]]]) -> list[str]:
    lines = [
        "| model | accuracy | method | pointing, space | pointing, time | pointing, sound | deletion (random) | "
        "insertion (random) | sanity |",
        "|---|---:|---|---:|---:|---:|---:|---:|---:|",
    ]
    for (name, method), rows in found.items():
        curves = [f"{cell(rows, f'{kind}_patches')} ({cell(rows, f'{kind}_patches_random')})"
                  for kind in ("deletion", "insertion")]  # fmt: skip
        cells = [variants()[name].title, cell(rows, "accuracy"), method, *(cell(rows, m, True) for m in MEASURED),
                 *curves, cell(rows, "sanity_where")]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def with_table(page: Path, lines: Sequence[str]) -> str:
    """The text of a page with the table in place of the one that it has; the table alone if there is no page.

    Raises `ValueError` for a page without such a table.
    """
    if not page.exists():
        return "\n".join(lines) + "\n"
    before, head, after = page.read_text(encoding="utf-8").partition(lines[0])
    if not head:
        raise ValueError(f"{page} has no table of explanations to write over; name another file")
    rest = after.splitlines()[1:]
    rows = next((number for number, line in enumerate(rest) if not line.startswith("|")), len(rest))
    return "\n".join([before + lines[0], *lines[1:], *rest[rows:]]) + "\n"


def main(arguments: Sequence[str]) -> None:
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=1200, help="to train on; an eighth as many to explain")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--models", nargs="+", default=[student.name for student in STUDENTS])
    parser.add_argument("--methods", nargs="+", help="default: all but occlusion")
    parser.add_argument("--table", type=Path, help="a page (.md) to write the table to, over the one that it has")
    args = parser.parse_args(arguments)
    started = time.perf_counter()
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        rendered = ClipSet(
            train=args.clips,
            val=args.clips // 8,
            shapes=CLASSES,
            size=SIZE,
            seconds=SECONDS,
            frame_rate=8,
            sounds=SOUNDS,
            pictures=draw_pictures(Path(folder) / "pictures"),
            events=True,
        )
        clips_folder = render_clips(Path(folder) / "clips", rendered)
        clips, truth = decoded(clips_folder), read_events(clips_folder / "val")
        for student in STUDENTS:
            if student.name not in args.models:
                continue
            for seed in range(args.seeds):
                model = trained(student, clips["train"], seed)
                right = accuracy(model, clips["validation"])
                for method in args.methods or methods_of(model)[:-1]:
                    row = measured(model, clips["validation"], truth, method) | {"accuracy": right}
                    found.setdefault((student.name, method), []).append(row)
                    print(
                        *table_of({(student.name, method): [row]})[-1:],
                        f"{time.perf_counter() - started:.0f} s",
                        flush=True,
                    )
    lines = table_of(found)
    print(*lines, sep="\n")
    if args.table is not None:
        args.table.write_text(with_table(args.table, lines), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
