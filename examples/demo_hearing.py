"""Second part of the demo: a tiny CA²ST learns shape, motion and sound of clips, which takes all of its experts.

Everything is trained from scratch: there are no experts to download here, and such small ones learn in a minute.
Models that lack an expert show what it is for. CA²ST without audio is CAST, and without time CAVA; both are trained
and measured in the same way. Every model of the family has the space expert, so the script gives it grey frames in the
trained model instead; for comparison, it does the same to the time expert.

docs/ablation.md has the results of three seeds, and explains why CAVA is above 0.5 for the motion.
"""

import argparse
import shutil
from pathlib import Path

import av
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
    tiny_ca2st,
    training_options,
)
from transformers import AutoModelForVideoClassification, AutoProcessor, pipeline, set_seed

from holovid import CA2STForVideoClassification, HolovidProcessor
from holovid.data import load_clips
from holovid.interventions import mute, without_expert
from holovid.processing.media_containers import open_container
from holovid.synthetic import ClipSet, render_clips
from holovid.training import VideoTrainer
from holovid.visualize import contact_sheet, stack

FACTORS = ["shape", "motion", "sound"]  # which a label names in this order
TITLE = "CA²ST: sees, follows and hears"
GOALS: Goals = {
    ("full model", "label"): "≥ 0.95",
    ("sound muted", "sound"): "≤ 0.55",
    ("frames shuffled", "motion"): "≤ 0.55",
}


def train(experts: list[str], clips: dict[str, DecodedClips], args: argparse.Namespace, folder: Path) -> VideoTrainer:
    set_seed(args.seed)
    config = tiny_ca2st(experts, clips["train"].names["label"])
    return fine_tune(
        CA2STForVideoClassification(config),
        clips["train"],
        clips["validation"],
        folder,
        **training_options(args),
        processor=HolovidProcessor.for_model(config),
    )


def copy_muted(source: Path, target: Path) -> None:
    """Copy a file without its sound track."""
    with open_container(str(source), str(source)) as whole, av.open(str(target), "w") as silent:
        video = silent.add_stream_from_template(whole.streams.video[0])
        for packet in whole.demux(video=0):
            if packet.size:
                packet.stream = video
                silent.mux(packet)


def run(args: argparse.Namespace, folder: Path) -> Results:
    """Everything, below `folder`."""
    console.rule("CA²ST 1. Render")
    render_clips(folder / "clips", ClipSet(train=args.train, val=args.val, seed=args.seed, **CLIP))
    rows = load_clips(folder / "clips")
    experts = ["space", "time", "audio"]
    processor = HolovidProcessor.for_model(tiny_ca2st(experts, rows["train"].features["label"].names))
    clips = {split: decode(rows[split], processor, ["label"], f"Decoding {split} clips") for split in rows}

    console.rule("CA²ST 2. Fine-tune")
    trainer = train(experts, clips, args, folder / "model")
    trainer.save_model()  # weights, configuration and processor
    model, validation = trainer.model, clips["validation"]
    results = {
        "full model": measure(model, validation, FACTORS),
        "sound muted": measure(model, validation, FACTORS, mute),
        "frames shuffled": measure(model, validation, FACTORS, **shuffling(args.seed)),
    }
    for expert in ("space", "time"):
        blinded = without_expert(model, expert)
        results[f"{expert} blinded"] = measure(model, validation, FACTORS, within=blinded)
    for name, some in (("CAVA (no time)", ["space", "audio"]), ("CAST (no audio)", ["space", "time"])):
        console.print(f"Again, {name}:")
        results[name] = measure(train(some, clips, args, folder / "model").model, validation, FACTORS)

    console.rule("CA²ST 3. Load and label")
    model = AutoModelForVideoClassification.from_pretrained(folder / "model")
    processor = AutoProcessor.from_pretrained(folder / "model").video_processor
    classify = pipeline("video-classification", model=model, video_processor=processor)
    source = min((folder / "clips" / "val").glob("*-left-rise/*.mp4"))
    clips_shown = {"with its sound": Path(shutil.copy(source, folder / "clip.mp4")), "muted": folder / "muted.mp4"}
    copy_muted(source, folder / "muted.mp4")
    sheets = []
    for how, clip in clips_shown.items():
        answers = classify(str(clip), top_k=3)
        show_answers(f"{source.parent.name}, {how}", answers)
        sheets.append(contact_sheet(processor, clip, answers, title=f"{source.relative_to(folder)}, {how}"))
    stack(sheets).save(folder / "clip.png")
    return results
