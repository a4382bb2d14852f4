"""How good does a clip look? A tiny StarVQA learns it in minutes on a CPU, from clips of known quality.

    python examples/quality.py --real bigbuckbunny.mp4 bikes.mp4 --held-out carphone_pristine.mp4

Clips are blurred, noisy, blocky, or miss frames: see quality_clips.py. The clips for measuring show other shapes,
scenes and videos than those for training. The model sees 16 x 16 pixels: any part of a clip in training, and nine
parts of a clip that is measured, whose scores are averaged. Then the frames are put into random order. That removes
what tells dropped frames, and nothing of what tells blur. Goals; the exit status tells whether all are reached:

    all clips                       SROCC >= 0.9
    dropped frames, shuffled        SROCC <= 0.3
    blur, shuffled                  not more than 0.1 below blur
"""

import argparse
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import datasets
import torch
import transformers
from datasets import Dataset as Rows
from playground import console
from quality_clips import DISTORTIONS, NUM_FRAMES, SEEN, SIZE, TEST_SHAPES, TRAIN_SHAPES, read_video, render
from rich.progress import track
from torch import Tensor
from torch.utils.data import Dataset
from transformers import TrainingArguments, set_seed

from holovid import HolovidProcessor, HolovidVideoProcessor, StarVQAConfig, StarVQAForVideoQuality
from holovid.data import ClipDataset, load_clips
from holovid.evaluation.scatter import draw_scores
from holovid.files import new_folder
from holovid.interventions import shuffle_frames
from holovid.metrics.score_errors import score_errors
from holovid.recipes import get_recipe
from holovid.training import VideoTrainer
from holovid.visualize import contact_sheet, stack

ORDERS = 24  # random ones of each clip, whose scores are averaged
MOST_SHUFFLED, LEAST, MOST_LOST = 0.3, 0.9, 0.1
SHOWN = 3  # best and worst clips in the picture
TINY = {
    "image_size": SEEN, "patch_size": 4, "num_frames": NUM_FRAMES, "hidden_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "intermediate_size": 96, "initializer_range": 0.12, "drop_path_rate": 0.0,
}  # fmt: skip
Measured = dict[str, dict[str, float | None]]  # row of the table -> column -> SROCC


class Clips(Dataset):
    """Clips in memory: frames (clips, T, C, H, W), whole, and scores (clips,). An item is cut out anywhere."""

    def __init__(self, rows: Rows, processor: HolovidVideoProcessor, progress: str):
        lazy = ClipDataset(rows, processor, target="quality")
        read = [lazy[index] for index in track(range(len(lazy)), progress)]
        self.frames = torch.stack([clip["pixel_values_videos"] for clip in read])
        self.scores = torch.stack([clip["labels"] for clip in read])
        self.paths = [video["path"] for video in rows.with_format(None)["video"]]
        self.distortions, self.sources = rows["distortion"][:], rows["source"][:]

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, key: int | tuple[int, int]) -> dict[str, Tensor]:
        index = key[-1] if isinstance(key, tuple) else key  # an epoch and a clip
        frames = self.frames[index]
        down, right = torch.randint(SIZE - SEEN + 1, (2,)).tolist()
        frames = frames[..., down : down + SEEN, right : right + SEEN]
        return {
            "pixel_values_videos": frames.flip(-1) if torch.rand(()) < 0.5 else frames,
            "labels": self.scores[index],
        }


def train(clips: Clips, args: argparse.Namespace, folder: Path) -> StarVQAForVideoQuality:
    set_seed(args.seed)
    config = StarVQAConfig(**TINY, score_range=(0, 100), score_mean=round(clips.scores.mean().item(), 2))
    trainer = VideoTrainer(
        StarVQAForVideoQuality(config),
        TrainingArguments(
            output_dir=str(folder),
            num_train_epochs=args.epochs,
            per_device_train_batch_size=32,
            learning_rate=args.learning_rate,
            weight_decay=0.05,
            logging_strategy="epoch",
            save_strategy="no",
            report_to="none",
            dataloader_pin_memory=False,
            disable_tqdm=True,
            seed=args.seed,
        ),
        recipe=get_recipe("small"),
        train_dataset=clips,
    )
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.train()
    return trainer.model.eval()


@torch.inference_mode()
def score(model: StarVQAForVideoQuality, frames: Tensor) -> Tensor:
    """Scores (clips,) of whole frames: the mean of those of nine parts."""
    places = [(SIZE - SEEN) * step // 2 for step in range(3)]
    parts = [frames[..., down : down + SEEN, right : right + SEEN] for down in places for right in places]
    return torch.stack([torch.cat([model(some).scores for some in part.split(100)]) for part in parts]).mean(dim=0)


def measure(model: StarVQAForVideoQuality, clips: Clips, seed: int) -> tuple[Measured, Tensor]:
    """SROCC by distortion and by source, as the clips are and with their frames in random order; and the scores."""
    generator = torch.Generator().manual_seed(seed)
    as_it_is = score(model, clips.frames)
    orders = [shuffle_frames({"pixel_values_videos": clips.frames}, generator) for _ in range(ORDERS)]
    shuffled = torch.stack([score(model, each["pixel_values_videos"]) for each in orders]).mean(dim=0)
    rows = {"all clips": torch.ones(len(clips), dtype=torch.bool)}
    rows |= {name: torch.tensor([each == name for each in clips.distortions]) for name in DISTORTIONS}
    rows |= {name: torch.tensor([each == name for each in clips.sources]) for name in dict.fromkeys(clips.sources)}
    found: Measured = {}
    for name, kept in rows.items():
        right = clips.scores[kept].numpy()
        measured = {
            column: score_errors(scores[kept].numpy(), right)
            for column, scores in (("as it is", as_it_is), ("frames shuffled", shuffled))
        }
        found[name] = {
            "clips": int(kept.sum()),
            "SROCC": measured["as it is"]["spearman"],
            "PLCC": measured["as it is"]["pearson"],
            "SROCC, frames shuffled": measured["frames shuffled"]["spearman"],
        }
    return found, as_it_is


def missed(found: Measured) -> list[str]:
    """What did not come out as it was to."""

    def of(row: str, column: str) -> float:
        return found[row][column] or 0.0

    goals = {
        f"all clips: SROCC {LEAST} or more": of("all clips", "SROCC") >= LEAST,
        f"dropped frames, shuffled: {MOST_SHUFFLED} or less": of("dropped frames", "SROCC, frames shuffled")
        <= MOST_SHUFFLED,
        f"blur, shuffled: at most {MOST_LOST} below blur": of("blur", "SROCC, frames shuffled")
        >= of("blur", "SROCC") - MOST_LOST,
    }
    return [goal for goal, is_reached in goals.items() if not is_reached]


def markdown(found: Measured) -> list[str]:
    columns = next(iter(found.values()))
    lines = [f"| held-out clips | {' | '.join(columns)} |", f"| --- |{' ---: |' * len(columns)}"]
    for name, values in found.items():
        cells = (
            f"{value}" if isinstance(value, int) else "" if value is None else f"{value:.3f}"
            for value in values.values()
        )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def draw_extremes(folder: Path, clips: Clips, scores: Tensor, whole: HolovidVideoProcessor) -> None:
    """The clips that the model finds best and worst, whole."""
    order = scores.argsort(descending=True).tolist()
    sheets = []
    for index in [*order[:SHOWN], *order[-SHOWN:]]:
        answer = {"label": f"quality (known: {clips.scores[index]:.0f})", "score": scores[index].item()}
        sheets.append(contact_sheet(whole, clips.paths[index], [answer], clips.distortions[index], is_share=False))
    stack(sheets).save(folder / "best-and-worst.png")


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=Path("quality-output"), help="folder of the results")
    parser.add_argument("--real", type=Path, nargs="*", default=[], help="videos to learn from, beside drawn scenes")
    parser.add_argument("--held-out", type=Path, nargs="*", default=[], help="other videos, to measure on")
    parser.add_argument("--train", type=int, default=4000, help="clips to train on")
    parser.add_argument("--test", type=int, default=400, help="clips to measure on")
    parser.add_argument("--epochs", type=float, default=20)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--table", type=Path, help="also write the table to this file")
    args = parser.parse_args(argv)
    if bool(args.real) != bool(args.held_out) or {*args.real} & {*args.held_out}:
        parser.error("--real and --held-out are different videos, and given together")
    return args


def main(argv: list[str] | None = None) -> int:
    args = parse(argv)
    datasets.disable_progress_bars()
    transformers.logging.disable_progress_bar()
    # on a busy machine, threads of so small a model that wait for each other take minutes
    torch.set_num_threads(2)
    if (args.output / "results.md").is_file():  # an earlier run's; anything else is not ours to remove
        shutil.rmtree(args.output)
    with new_folder(args.output) as folder:
        console.rule("1. Render clips of known quality")
        videos: dict[str, Any] = {name: [*map(read_video, getattr(args, name))] for name in ("real", "held_out")}
        train_table = render(folder / "train", args.train, args.seed, 0, videos["real"], TRAIN_SHAPES)
        test_table = render(folder / "test", args.test, args.seed, 1, videos["held_out"], TEST_SHAPES)
        rows = load_clips({"train": train_table, "test": test_table}, target="quality", problem_type="regression")
        processor = HolovidProcessor.for_model(StarVQAConfig(**TINY), size={"shortest_edge": SIZE}).video_processor
        whole = HolovidProcessor.for_model(StarVQAConfig(**TINY | {"image_size": SIZE})).video_processor
        clips = {split: Clips(rows[split], whole, f"Decoding {split} clips") for split in rows}

        console.rule("2. Train")
        start, busy = time.monotonic(), time.process_time()
        model = train(clips["train"], args, folder / "training")
        seconds, busy = time.monotonic() - start, time.process_time() - busy
        model.save_pretrained(folder / "model")
        processor.save_pretrained(folder / "model")

        console.rule("3. Measure")
        found, scores = measure(model, clips["test"], args.seed)
        draw_extremes(folder, clips["test"], scores, whole)
        draw_scores(scores.tolist(), clips["test"].scores.tolist(), "quality").savefig(folder / "scores.png")
        told = (
            f"{len(clips['train']):,} clips, {args.epochs:g} epochs: trained in {seconds:.0f} s, {busy:.0f} s of "
            f"processor time; torch {torch.__version__}, seed {args.seed}."
        )
        text = "\n".join([*markdown(found), "", told, ""])
        (folder / "results.md").write_text(text, encoding="utf-8")
        shutil.rmtree(folder / "training", ignore_errors=True)
    if args.table is not None:
        args.table.write_text(text, encoding="utf-8")
    print(text)
    failed = missed(found)
    console.print(f"Missed: {'; '.join(failed)}." if failed else "All goals are reached.")
    console.print(f"Model, clips and pictures are in {args.output}/. Now try:")
    console.print(f"  holovid classify {args.output}/model {args.output}/test/00000.mp4", soft_wrap=True)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
