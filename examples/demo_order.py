"""First part of the demo: a tiny XViT learns motions, for which it needs its mixing.

Only mixing may tell it about order, so all frames share one temporal embedding (temporal_embedding_length=1). With one
for each frame, the model could learn "early and on the left" from single frames. For the same reason a clip has as
many frames as the model takes: sampling fewer would pick other frames of a clip than of its reversal.
"""

import argparse
import shutil
from pathlib import Path

from playground import (
    CLIP,
    DecodedClips,
    Goals,
    Results,
    console,
    decode,
    fine_tune,
    measure,
    show_answers,
    shuffling,
    tiny_xvit,
    training_options,
)
from transformers import AutoModelForVideoClassification, AutoVideoProcessor, pipeline, set_seed

from holovid import HolovidProcessor, HolovidVideoProcessor, XViTForVideoClassification
from holovid.data import load_clips
from holovid.synthetic import ClipSet, render_clips
from holovid.training import VideoTrainer
from holovid.visualize import contact_sheet

TITLE = "XViT: mixing tells the model about the order of frames"
GOALS: Goals = {
    ("as it is", "motion"): "≥ 0.95",
    ("frames shuffled", "motion"): "≤ 0.55",
    ("mixing off", "motion"): "≤ 0.55",
}


def train(
    mix: bool, clips: dict[str, DecodedClips], processor: HolovidVideoProcessor, args: argparse.Namespace, folder: Path
) -> VideoTrainer:
    set_seed(args.seed)
    config = tiny_xvit(clips["train"].names["motion"], mix_layers=None if mix else [])
    return fine_tune(
        XViTForVideoClassification(config),
        clips["train"],
        clips["validation"],
        folder,
        **training_options(args),
        processor=processor,
    )


def run(args: argparse.Namespace, folder: Path) -> Results:
    """Everything, below `folder`."""
    console.rule("XViT 1. Render")
    clip_set = ClipSet(
        train=args.train,
        val=args.val,
        motions=("right", "left", "grow", "shrink"),
        seed=args.seed,
        **CLIP,
    )
    render_clips(folder / "clips", clip_set)
    rows = load_clips(folder / "clips", target="motion")
    processor = HolovidProcessor.for_model(tiny_xvit(rows["train"].features["motion"].names)).video_processor
    clips = {split: decode(rows[split], processor, ["motion"], f"Decoding {split} clips") for split in rows}

    console.rule("XViT 2. Fine-tune")
    trainer = train(True, clips, processor, args, folder / "model")
    results = {
        "as it is": measure(trainer.model, clips["validation"], ["motion"]),
        "frames shuffled": measure(trainer.model, clips["validation"], ["motion"], **shuffling(args.seed)),
    }
    trainer.save_model()  # weights, configuration and processor
    console.print("Again, with mixing off:")
    trainer = train(False, clips, processor, args, folder / "model")
    results["mixing off"] = measure(trainer.model, clips["validation"], ["motion"])

    console.rule("XViT 3. Load and label")
    model = AutoModelForVideoClassification.from_pretrained(folder / "model")
    processor = AutoVideoProcessor.from_pretrained(folder / "model")
    source = min((folder / "clips" / "val").glob("*-left-*/*.mp4"))
    clip = shutil.copy(source, folder / "clip.mp4")
    answers = pipeline("video-classification", model=model, video_processor=processor)(str(clip), top_k=3)
    contact_sheet(processor, clip, answers, title=str(source.relative_to(folder))).save(folder / "clip.png")
    show_answers(source.parent.name, answers)
    return results
