"""First part of the demo: a tiny XViT learns motions, for which it needs its mixing, the way the order gets in.

It must be the only way, so all frames share one temporal embedding (temporal_embedding_length=1): with one for each
frame, "early and on the left" could be learned from single frames. For the same reason a clip has as many frames as
the model takes: fewer would not be picked alike from both ends.
"""

import argparse
import shutil
from pathlib import Path

from demo_training import (
    NUM_FRAMES,
    SIZE,
    Clips,
    Goals,
    Results,
    console,
    decode,
    fine_tune,
    measure,
    show_answers,
    shuffled,
)
from transformers import AutoModelForVideoClassification, AutoVideoProcessor, Trainer, pipeline, set_seed

from holovid import HolovidVideoProcessor, XViTConfig, XViTForVideoClassification
from holovid.data import load_clips
from holovid.synthetic import ClipSet, render_clips
from holovid.visualize import contact_sheet

TITLE = "XViT: the order of frames gets in through mixing"
GOALS: Goals = {
    ("as it is", "motion"): "≥ 0.95",
    ("frames shuffled", "motion"): "≤ 0.55",
    ("mixing off", "motion"): "≤ 0.55",
}


def train(
    mix: bool,
    clips: Clips,
    names: list[str],
    processor: HolovidVideoProcessor,
    args: argparse.Namespace,
    folder: Path,
) -> Trainer:
    set_seed(args.seed)
    config = XViTConfig(
        image_size=SIZE,
        patch_size=16,
        num_frames=NUM_FRAMES,
        hidden_size=64,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=128,
        initializer_range=0.12,  # about 1 / sqrt(hidden_size); 0.02 is made for a width of 768
        mix_divisor=4,
        mix_layers=None if mix else [],
        temporal_embedding_length=1,
        pooling="mean",
        classifier_dropout=0.0,
        id2label=dict(enumerate(names)),
        label2id={name: index for index, name in enumerate(names)},
    )
    return fine_tune(XViTForVideoClassification(config), processor, clips, args, folder)


def run(args: argparse.Namespace, folder: Path) -> Results:
    """Everything, below `folder`."""
    console.rule("XViT 1. Render")
    clip_set = ClipSet(
        train=args.train,
        val=args.val,
        motions=("right", "left", "grow", "shrink"),
        size=64,
        frame_rate=NUM_FRAMES,
        seconds=1.0,
        seed=args.seed,
    )
    render_clips(folder / "clips", clip_set)
    processor = HolovidVideoProcessor(size={"shortest_edge": SIZE}, crop_size=SIZE, num_frames=NUM_FRAMES)
    rows = load_clips(folder / "clips", target="motion")
    names = rows["train"].features["motion"].names
    clips = decode(rows, processor, target="motion")

    console.rule("XViT 2. Fine-tune")
    trainer = train(True, clips, names, processor, args, folder / "model")
    results = {
        "as it is": measure(trainer, clips["validation"], ["motion"]),
        "frames shuffled": measure(trainer, shuffled(clips["validation"], args.seed), ["motion"]),
    }
    trainer.save_model()  # weights, configuration and processor
    console.print("Again, with mixing off:")
    trainer = train(False, clips, names, processor, args, folder / "model")
    results["mixing off"] = measure(trainer, clips["validation"], ["motion"])

    console.rule("XViT 3. Load and label")
    model = AutoModelForVideoClassification.from_pretrained(folder / "model")
    processor = AutoVideoProcessor.from_pretrained(folder / "model")
    source = min((folder / "clips" / "val").glob("*-left-*/*.mp4"))
    clip = shutil.copy(source, folder / "clip.mp4")
    answers = pipeline("video-classification", model=model, video_processor=processor)(str(clip), top_k=3)
    contact_sheet(processor, clip, answers, title=str(source.relative_to(folder))).save(folder / "clip.png")
    show_answers(source.parent.name, answers)
    return results
