"""What it costs to see no later frame: tiny XViT models that mix both ways, or from the past.

    python examples/causality.py

The clips show a disc that moves right, left, up or down. Each motion is the reversal of another, and all frames share
one temporal embedding, so only mixing tells the model about order. Both kinds of model start from the same weights and
are trained alike, for few and for many epochs: one kind may learn more slowly and reach the other later. The model
that mixes from the past is measured twice: on whole clips, and streamed frame by frame. After the last frame, both
must give the same logits; the stream also gives those after each earlier frame.
"""

import argparse
import tempfile
from pathlib import Path

import torch
from playground import CLIP, NUM_FRAMES, DecodedClips, decode, fine_tune, tiny_xvit
from torch import Tensor
from transformers import set_seed

from holovid import HolovidProcessor, XViTForVideoClassification, XViTStream
from holovid.data import load_clips
from holovid.synthetic import ClipSet, render_clips

BOTH, PAST = "mixing both ways", "mixing from the past"
STREAMED = f"{PAST}, streamed"
AFTER = "after each frame"
MOTIONS = ("right", "left", "up", "down")
Results = dict[str, list[float]]  # what was measured -> accuracy for each number of epochs, or after each frame


@torch.inference_mode()
def whole(model: XViTForVideoClassification, clips: Tensor) -> Tensor:
    """Logits (clips, labels) of clips (clips, T, C, H, W)."""
    return torch.cat([model(some).logits for some in clips.split(100)])


def streamed(model: XViTForVideoClassification, clips: Tensor) -> Tensor:
    """Logits (T, clips, labels) after each frame, all clips being streams of one batch."""
    stream = XViTStream(model)
    return torch.stack([stream(frame).logits for frame in clips.split(1, dim=1)])


def accuracy(logits: Tensor, labels: Tensor) -> float:
    return (logits.argmax(-1) == labels).double().mean().item()


def train(clips: dict[str, DecodedClips], direction: str, epochs: float, seed: int, folder: Path):
    set_seed(seed)
    model = XViTForVideoClassification(tiny_xvit(clips["train"].names["motion"], mix_direction=direction))
    trainer = fine_tune(model, clips["train"], None, folder, epochs=epochs, learning_rate=1e-3, seed=seed)
    return trainer.model.eval()


def measure(folder: Path, args: argparse.Namespace, seed: int) -> tuple[Results, float]:
    """Accuracies of the models of a seed, and the largest difference between logits that are to be equal."""
    clip_set = ClipSet(
        train=args.train, val=args.val, motions=MOTIONS, shapes=("disc",), sounds=("tone",), seed=seed, **CLIP
    )
    rows = load_clips(render_clips(folder / f"clips-{seed}", clip_set, progress=False), target="motion")
    processor = HolovidProcessor.for_model(tiny_xvit(rows["train"].features["motion"].names)).video_processor
    clips = {split: decode(rows[split], processor, ["motion"]) for split in rows}
    frames, labels = clips["validation"].inputs["pixel_values_videos"], clips["validation"].classes["motion"]

    found: Results = {BOTH: [], PAST: [], STREAMED: []}
    difference = 0.0
    for epochs in args.epochs:
        found[BOTH].append(accuracy(whole(train(clips, "both", epochs, seed, folder / "run"), frames), labels))
        model = train(clips, "past", epochs, seed, folder / "run")
        offline, online = whole(model, frames), streamed(model, frames)
        found[PAST].append(accuracy(offline, labels))
        found[STREAMED].append(accuracy(online[-1], labels))
        found[AFTER] = [accuracy(logits, labels) for logits in online]
        difference = max(difference, (offline - online[-1]).abs().max().item())
    return found, difference


def table(header: list[str], rows: dict[str, list[str]]) -> list[str]:
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *([name, *cells] for name, cells in rows.items())]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def report(results: dict[int, Results], epochs: list[float], difference: float) -> str:
    """Markdown; accuracies are those of the seeds, one after the other."""

    def row(name: str) -> list[str]:
        by_seed = [found[name] for found in results.values()]
        return [" / ".join(f"{value:.3f}" for value in values) for values in zip(*by_seed, strict=True)]

    trained = table(
        ["XViT", *(f"{count:g} epochs" for count in epochs)], {name: row(name) for name in (BOTH, PAST, STREAMED)}
    )
    frames = table(["frames", *(str(count) for count in range(1, NUM_FRAMES + 1))], {STREAMED: row(AFTER)})
    seeds = " / ".join(str(seed) for seed in results)
    lines = [
        f"Accuracy on the motion, one of {len(MOTIONS)}, for seeds {seeds}:", "", *trained, "",
        f"Streamed or not, logits differ by at most {difference:.0e}.",
        f"After so many frames of the stream ({epochs[-1]:g} epochs):", "", *frames,
    ]  # fmt: skip
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> dict[int, Results]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--train", type=int, default=960, help="clips to train on")
    parser.add_argument("--val", type=int, default=400, help="clips to measure on")
    parser.add_argument("--epochs", type=float, nargs="+", default=[2, 10], help="to train for, each from the start")
    args = parser.parse_args(argv)
    results, difference = {}, 0.0
    with tempfile.TemporaryDirectory() as folder:
        for seed in args.seeds:
            results[seed], apart = measure(Path(folder), args, seed)
            difference = max(difference, apart)
    print(report(results, args.epochs, difference))
    return results


if __name__ == "__main__":
    main()
