"""Size and cost of every model, next to those of the released code.   python examples/benchmark/model_table.py

Prints the short table of README.md, then the long one of docs/models.md. Columns: parameters; *tuned*, those that
training changes (in the CA²ST family, what `freeze_experts()` leaves); GMAC, 10^9 multiply-adds of a clip in one view.
All are counted on tensors without memory, by torch's FlopCounterMode: seconds on any machine.

Papers: CAST tunes 44.8 M parameters at 391 GMAC (arXiv:2311.18825); XViT prints 425 and 850 GMAC for three views
(arXiv:2106.05968, Table 5). The numbers of the released Video Swin were measured on its released code.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from holovid import (
    AVTConfig,
    AVTForActionAnticipation,
    CA2STConfig,
    CA2STForActionRecognition,
    CA2STForVideoClassification,
    StarVQAConfig,
    StarVQAForVideoQuality,
    TimeSformerConfig,
    TimeSformerForVideoClassification,
    VideoSwinConfig,
    VideoSwinForVideoClassification,
    WhereWhenConfig,
    WhereWhenForVideoClassification,
    XViTConfig,
    XViTForVideoClassification,
)
from holovid.facts import model_facts
from holovid.families.family import variant_of

timesformer = TimeSformerForVideoClassification
cast, cava, ca2st = CA2STConfig.cast_base, CA2STConfig.cava_base, CA2STConfig.ca2st_base
EVERYWHERE = {"exchange_layers": {pair: list(range(12)) for pair in ("space_audio", "time_audio")}}
LONG = {"audio_frames": 1024}
OWN = {"share_projections": False}


def time_sformer(**fields: Any) -> TimeSformerConfig:
    return TimeSformerConfig(num_labels=400, **fields)


SSV2 = partial(VideoSwinConfig.base, window_size=(16, 7, 7), num_labels=174)


def video_swin(size: str, config: Callable, *released: str) -> tuple:
    """A row of 32 x 224², of 400 classes unless `config` says so."""
    labels = {} if isinstance(config, partial) else {"num_labels": 400}
    return f"Video Swin-{size} 32x224", VideoSwinForVideoClassification, config(**labels), *released


# name, model class, configuration; of the released code: parameters, tuned parameters, GMAC (empty: not known)
MODELS = (
    ("XViT-B/16 8x224", XViTForVideoClassification, XViTConfig(num_labels=400), "93,790,864", "93.79 M", "140.6"),
    (
        "XViT-B/16 16x224", XViTForVideoClassification,
        XViTConfig(num_labels=400, num_frames=16, temporal_embedding_length=8), "93,790,864", "93.79 M", "281.1",
    ),
    ("TimeSformer-B/16 8x224", timesformer, time_sformer(), "121,566,352", "121.57 M", "195.8"),
    (
        "TimeSformer-B/16 8x224, joint", timesformer, time_sformer(attention_type="joint_space_time"),
        "86,112,400", "86.11 M", "179.6",
    ),
    (
        "TimeSformer-B/16 8x224, space only", timesformer, time_sformer(attention_type="space_only"),
        "86,106,256", "86.11 M", "140.5",
    ),
    (
        "TimeSformer-HR 16x448", timesformer, time_sformer(num_frames=16, image_size=448),
        "122,024,080", "122.02 M", "1702.7",
    ),
    ("TimeSformer-L 96x224", timesformer, time_sformer(num_frames=96), "121,633,936", "121.63 M", "2379.9"),
    video_swin("T", VideoSwinConfig.tiny, "28,158,070", "28.16 M", "87.8"),
    video_swin("S", VideoSwinConfig.small, "49,816,678", "49.82 M", "165.7"),
    video_swin("B", VideoSwinConfig.base, "88,048,984", "88.05 M", "281.3"),
    video_swin("B, windows of 16", SSV2, "88,834,038", "88.83 M", "320.4"),
    video_swin("L", VideoSwinConfig.large, "196,953,916", "196.95 M", "603.3"),
    ("StarVQA-B/16 8x224", StarVQAForVideoQuality, StarVQAConfig(), "", "", "195.8"),
    (
        "StarVQA-B/16 52x224", StarVQAForVideoQuality, StarVQAConfig(num_frames=52),
        "121,887,750", "121.89 M", "1280.8",
    ),
    ("AVT-b 10x224", AVTForActionAnticipation, AVTConfig(num_labels=3806), "396,122,078", "396.12 M", ""),
    ("WhereWhen-B/16 8x224", WhereWhenForVideoClassification, WhereWhenConfig(num_labels=28), "", "", ""),
    ("CAST-B/16", CA2STForVideoClassification, cast(num_labels=174), "217.23 M", "45.21 M", "390.5"),
    ("CAST-B/16, verbs and nouns", CA2STForActionRecognition, cast(), "216.81 M", "44.78 M", "390.5"),
    ("CAVA-B/16, 4 s", CA2STForVideoClassification, cava(num_labels=44), "215.23 M", "43.82 M", "241.5"),
    (
        "CAVA-B/16, 10 s, learned positions", CA2STForVideoClassification,
        cava(num_labels=309, audio_positions="learned", **LONG), "228.47 M", "56.49 M", "365.2",
    ),
    ("CA²ST-B/16, 4 s", CA2STForActionRecognition, ca2st(), "320.18 M", "62.54 M", "459.1"),
    ("CA²ST-B/16, own projections", CA2STForActionRecognition, ca2st(**OWN), "325.50 M", "67.86 M", "459.1"),
    (
        "CA²ST-B/16, audio in all layers", CA2STForActionRecognition, ca2st(**EVERYWHERE),
        "346.82 M", "89.18 M", "522.7",
    ),
    ("CA²ST-B/16, both", CA2STForActionRecognition, ca2st(**EVERYWHERE, **OWN), "368.09 M", "110.45 M", "522.7"),
    ("CA²ST-B/16, 10 s", CA2STForActionRecognition, ca2st(**LONG), "", "", "566.8"),
    (
        "CA²ST-B/16, 10 s, audio in all layers", CA2STForActionRecognition,
        ca2st(**LONG, **EVERYWHERE), "", "", "678.5",
    ),
)  # fmt: skip


# models of README's table: what they are called there, and the section of docs/models.md about their family
SHORT = {
    "XViT-B/16 16x224": ("XViT-B/16", "xvit"),
    "TimeSformer-B/16 8x224": ("TimeSformer-B/16", "timesformer"),
    "Video Swin-T 32x224": ("Video Swin-T", "video-swin"),
    "Video Swin-B 32x224": ("Video Swin-B", "video-swin"),
    "StarVQA-B/16 52x224": ("StarVQA-B/16", "starvqa"),
    "AVT-b 10x224": ("AVT-b", "avt"),
    "WhereWhen-B/16 8x224": ("WhereWhen-B/16", "wherewhen"),
    "CAST-B/16": ("CAST-B/16", "the-ca2st-family"),
    "CAVA-B/16, 4 s": ("CAVA-B/16", "the-ca2st-family"),
    "CA²ST-B/16, 4 s": ("CA²ST-B/16", "the-ca2st-family"),
}
LONG_HEAD = (
    "| model | parameters | released | tuned | released | GMAC | released | GFLOP | parity |",
    "|---|---:|---:|---:|---:|---:|---:|---:|---|",
)
SHORT_HEAD = (
    "| model | paper | frames | parameters | tuned | GMAC | parity | page |",
    "|---|---|---:|---:|---:|---:|---|---|",
)


def tables() -> tuple[list[str], list[str]]:
    """Lines of Markdown: README's table, and that of docs/models.md."""
    short, long = list(SHORT_HEAD), list(LONG_HEAD)
    for name, model_class, config, *released in MODELS:
        facts, variant = model_facts(config, model_class), variant_of(config)
        own = f"{facts.parameters:,}", f"{facts.tuned_parameters / 1e6:.2f} M", f"{facts.gflop / 2:.1f}"
        cells = [cell for pair in zip(own, released, strict=True) for cell in pair]
        parity = "1e-5" if variant.parity else "no released code"
        long.append(f"| {name} | {' | '.join(cells)} | {facts.gflop:.1f} | {parity} |")
        if name in SHORT:
            paper = variant.papers[0]
            millions = (f"{count / 1e6:.1f}" for count in (facts.parameters, facts.tuned_parameters))
            title, section = SHORT[name]
            short.append(
                f"| {title} | [{paper.year}]({paper.address}) | {config.num_frames} | {' | '.join(millions)} "
                f"| {facts.gflop / 2:.1f} | {parity} | [{variant.title}](docs/models.md#{section}) |"
            )
    return short, long


if __name__ == "__main__":
    print(*tables()[0], "", *tables()[1], sep="\n")
