"""Second part of the demo: a tiny CA²ST learns shape, motion and sound of clips, which takes all of its experts.

Everything is trained from scratch: there are no experts to download here, and such small ones learn in a minute.
What each expert is for is shown by models that lack it. CA²ST without audio is CAST, and without time CAVA: these two
are trained alike and then measured. There is no member of the family without the space expert, so that one is blinded
in the trained model, where it sees grey frames; for comparison, so is the time expert.

Measured over seeds 0, 1 and 2, on 800 clips each:

                        label               shape               motion              sound
    full model          .985 .975 .963      .985 .975 .964     1.000 1.000 .999     1.000 1.000 1.000
    sound muted         .525 .497 .479      .984 .975 .960     1.000 1.000 .999      .535 .509 .504
    frames shuffled     .465 .489 .473      .970 .958 .938      .478 .507 .509      1.000 1.000 1.000
    space blinded       .860 .659 .760      .860 .659 .761     1.000 1.000 .999     1.000 1.000 1.000
    time blinded        .383 .280 .333      .782 .555 .661      .500 .499 .504      1.000 1.000 1.000
    CAVA (no time)      .621 .721 .769      .983 .969 .978      .632 .738 .782      1.000 1.000 1.000
    CAST (no audio)     .500 .482 .506      .975 .974 .963     1.000 1.000 1.000     .509 .500 .525

CAVA is above 0.5 in motion for two reasons. The space expert sees the later one of every two frames, which are not
those that it sees of the clip played backwards: trained with all frame_times equal, CAVA still gets about 0.6. And its
frames know their seconds when they exchange with the sound; through these it learns the rest, sooner or later.
"""

import argparse
import shutil
from itertools import product
from pathlib import Path

import av
import torch
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
from transformers import AutoModelForVideoClassification, AutoProcessor, Trainer, pipeline, set_seed

from holovid import CA2STConfig, CA2STForVideoClassification, HolovidProcessor
from holovid.data import load_clips
from holovid.synthetic import ClipSet, render_clips
from holovid.visualize import contact_sheet, stack

FACTORS = ["shape", "motion", "sound"]  # which a label names in this order
TITLE = "CA²ST: sees, follows and hears"
GOALS: Goals = {
    ("full model", "label"): "≥ 0.95",
    ("sound muted", "sound"): "≤ 0.55",
    ("frames shuffled", "motion"): "≤ 0.55",
}


def configure(experts: list[str], names: list[str]) -> CA2STConfig:
    return CA2STConfig(
        experts=experts,
        image_size=SIZE,
        patch_size=12,
        num_frames=NUM_FRAMES,
        audio_frames=96,  # a second, but for what the windows of the spectrogram and its patches leave over
        num_mel_bins=64,
        audio_stride=16,
        hidden_size=64,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=128,
        initializer_range=0.12,  # about 1 / sqrt(hidden_size); 0.02 is made for a width of 768
        audio_time_layout="aligned",
        feature_adapter_skip=True,  # adapters start at zero, and there is nothing else in front of the classifier
        id2label=dict(enumerate(names)),
        label2id={name: index for index, name in enumerate(names)},
    )


def train(config: CA2STConfig, clips: Clips, args: argparse.Namespace, folder: Path) -> Trainer:
    set_seed(args.seed)
    return fine_tune(CA2STForVideoClassification(config), HolovidProcessor.for_model(config), clips, args, folder)


def without_sound(clips: list[dict]) -> list[dict]:
    return [clip | {"audio_mask": torch.tensor(False)} for clip in clips]


def for_cast(clips: Clips) -> Clips:
    """The same clips for a model that takes nothing but frames."""
    return {
        split: [{name: clip[name] for name in ("pixel_values_videos", "labels")} for clip in some]
        for split, some in clips.items()
    }


def grey(module: torch.nn.Module, inputs: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
    return (torch.zeros_like(inputs[0]),)


def mute(source: Path, target: Path) -> None:
    """Copy a file without its sound track."""
    with av.open(str(source)) as whole, av.open(str(target), "w") as silent:
        video = silent.add_stream_from_template(whole.streams.video[0])
        for packet in whole.demux(video=0):
            if packet.size:
                packet.stream = video
                silent.mux(packet)


def run(args: argparse.Namespace, folder: Path) -> Results:
    """Everything, below `folder`."""
    console.rule("CA²ST 1. Render")
    clip_set = ClipSet(train=args.train, val=args.val, size=64, frame_rate=NUM_FRAMES, seconds=1.0, seed=args.seed)
    render_clips(folder / "clips", clip_set)
    names = sorted(map("-".join, product(clip_set.shapes, clip_set.motions, clip_set.sounds)))
    config = configure(["space", "time", "audio"], names)
    clips = decode(load_clips(folder / "clips"), HolovidProcessor.for_model(config))

    console.rule("CA²ST 2. Fine-tune")
    trainer = train(config, clips, args, folder / "model")
    trainer.save_model()  # weights, configuration and processor
    validation = clips["validation"]
    results = {
        "full model": measure(trainer, validation, FACTORS),
        "sound muted": measure(trainer, without_sound(validation), FACTORS),
        "frames shuffled": measure(trainer, shuffled(validation, args.seed), FACTORS),
    }
    for expert in ("space", "time"):
        with trainer.model.ca2st.embeddings[expert].register_forward_pre_hook(grey):
            results[f"{expert} blinded"] = measure(trainer, validation, FACTORS)
    console.print("Again, without the time expert (CAVA):")
    trainer = train(configure(["space", "audio"], names), clips, args, folder / "model")
    results["CAVA (no time)"] = measure(trainer, validation, FACTORS)
    console.print("Again, without the audio expert (CAST):")
    seen = for_cast(clips)
    trainer = train(configure(["space", "time"], names), seen, args, folder / "model")
    results["CAST (no audio)"] = measure(trainer, seen["validation"], FACTORS)

    console.rule("CA²ST 3. Load and label")
    model = AutoModelForVideoClassification.from_pretrained(folder / "model")
    processor = AutoProcessor.from_pretrained(folder / "model").video_processor
    classify = pipeline("video-classification", model=model, video_processor=processor)
    source = min((folder / "clips" / "val").glob("*-left-rise/*.mp4"))
    clips_shown = {"with its sound": Path(shutil.copy(source, folder / "clip.mp4")), "muted": folder / "muted.mp4"}
    mute(source, folder / "muted.mp4")
    sheets = []
    for how, clip in clips_shown.items():
        answers = classify(str(clip), top_k=3)
        show_answers(f"{source.parent.name}, {how}", answers)
        sheets.append(contact_sheet(processor, clip, answers, title=f"{source.relative_to(folder)}, {how}"))
    stack(sheets).save(folder / "clip.png")
    return results
