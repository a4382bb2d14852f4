"""What people ask for: fields of configurations, options of processors and pipelines, and command lines."""

import json
import os
import shlex
from pathlib import Path
from typing import Any

import numpy as np
from transformers import pipeline

from corpus import shared
from corpus.arrays import FITTING, frames
from corpus.cases import Case, Fault, Ran, command, described, gives, gives_or_refuses, refused, train
from corpus.rendering import cut, render
from corpus.tables import clips
from holovid import (
    CA2STConfig,
    CA2STForVideoClassification,
    HolovidFeatureExtractor,
    HolovidProcessor,
    HolovidVideoProcessor,
    VideoClassificationPipeline,
    XViTConfig,
    XViTForVideoClassification,
)

SIZES = {
    "image_size": 16, "patch_size": 8, "num_frames": 6, "hidden_size": 36, "num_hidden_layers": 3, "num_attention_heads": 3,
    "intermediate_size": 44,
}  # fmt: skip
NAN, INF = float("nan"), float("inf")
FINE = described(lambda ran: ran.status == 0, "status 0")
ANYTHING = gives_or_refuses()


def build(config: Any) -> str:
    """The name of a model that is made from options of a configuration, and answers."""
    kind, options = config
    if kind == "xvit":
        return type(XViTForVideoClassification(XViTConfig(**SIZES | options))).__name__
    sound = {"audio_frames": 40, "num_mel_bins": 24, "audio_patch_size": 8, "audio_stride": 6}
    return type(CA2STForVideoClassification(CA2STConfig(**SIZES | {"num_frames": 8} | sound | options))).__name__


COUNTS = [
    "patch_size",
    "num_channels",
    "num_frames",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
]
FIELDS: list[tuple[str, dict[str, Any]]] = [
    *[("xvit", {name: value}) for name in COUNTS for value in (0, -1, "8", 2.5)],
    *[("ca2st", {name: value}) for name in COUNTS for value in (0, -1, "8", 2.5)],
    *[("xvit", {"num_frame": 4}), ("xvit", {"hiden_size": 36}), ("ca2st", {"num_frame": 4}), ("ca2st", {"expert": ["space", "time"]})],
    *[("xvit", {"hidden_act": value}) for value in ("x", "", 3, None, "GELU", ["gelu"])],
    *[("xvit", {"image_size": value}) for value in (0, -16, "16", 17, [16], [16, 16, 16], [], [0, 16], ["a", "b"], 16.0, None)],
    *[("xvit", {"mix_divisor": value}) for value in (0, 1, -8, 1000, "8")],
    *[("xvit", {"mix_layers": value}) for value in ([99], [-1], "all", [0.5], 3, ["0"])],
    *[("xvit", {"mix_window": value}) for value in (0, -1, 100)],
    *[("xvit", {"mix_group": value}) for value in (0, -1, "2")],
    ("xvit", {"mix_direction": "future"}), ("xvit", {"pooling": "max"}), ("xvit", {"num_summary_tokens": -1}),
    ("xvit", {"pooler_output_size": 0}), ("xvit", {"temporal_embedding_length": 0}), ("xvit", {"num_attention_heads": 5}),
    ("xvit", {"hidden_size": 10**12}), ("xvit", {"drop_path_rate": "x"}), ("xvit", {"layer_norm_eps": None}),
    ("xvit", {"attn_implementation": "x"}), ("xvit", {"id2label": {1: "a", 2: "b"}}), ("xvit", {"id2label": {0: "a", 2: "b"}}),
    ("xvit", {"id2label": {"x": "a"}}), ("xvit", {"num_labels": 0}), ("xvit", {"num_labels": -1}), ("xvit", {"num_labels": "5"}),
    ("ca2st", {"experts": []}), ("ca2st", {"experts": ["space"]}), ("ca2st", {"experts": ["time", "space"]}), ("ca2st", {"experts": "space"}),
    ("ca2st", {"experts": ["space", "space"]}), ("ca2st", {"experts": ["space", "smell"]}), ("ca2st", {"experts": None}), ("ca2st", {"experts": 3}),
    ("ca2st", {"experts": ["space", 3]}), ("ca2st", {"num_frames": 7}), ("ca2st", {"tubelet_size": 0}), ("ca2st", {"bottleneck_ratio": 0}),
    ("ca2st", {"bottleneck_ratio": -1}), ("ca2st", {"bottleneck_ratio": NAN}), ("ca2st", {"bottleneck_ratio": INF}), ("ca2st", {"adapter_ratio": 0}),
    ("ca2st", {"exchange_layers": {"space_smell": [0]}}), ("ca2st", {"exchange_layers": {"space_time": [99]}}), ("ca2st", {"exchange_layers": []}),
    ("ca2st", {"exchange_layers": {"space_time": 3}}), ("ca2st", {"exchange_order": "x"}), ("ca2st", {"audio_positions": "x"}),
    ("ca2st", {"experts": ["space", "audio"], "audio_stride": 0}), ("ca2st", {"experts": ["space", "audio"], "audio_frames": 0}),
    ("ca2st", {"experts": ["space", "audio"], "audio_frames": 3}), ("ca2st", {"experts": ["space", "audio"], "num_mel_bins": 3}),
    ("ca2st", {"experts": ["space", "audio"], "audio_patch_size": 0}), ("ca2st", {"expert_sources": {"space": {}}}), ("ca2st", {"expert_sources": "x"}),
    ("ca2st", {"hidden_act": "x"}), ("ca2st", {"id2label": {1: "a", 2: "b"}}),
]  # fmt: skip
FINE_FIELDS: list[tuple[str, dict[str, Any]]] = [
    ("xvit", {}), ("ca2st", {}), ("xvit", {"image_size": [16, 24]}), ("xvit", {"image_size": (16, 24)}), ("xvit", {"id2label": {"0": "a", "1": "b"}}),
    ("xvit", {"id2label": {0: "a", 1: "b"}}), ("xvit", {"mix_layers": []}), ("xvit", {"mix_layers": (0, 1)}), ("xvit", {"hidden_act": "relu"}),
    ("ca2st", {"experts": ("space", "time", "audio")}), ("ca2st", {"experts": ["space", "audio"]}), ("xvit", {"num_labels": 1}),
]  # fmt: skip


def field_cases() -> list[Case]:
    cases = []
    for kind, options in FIELDS:
        unsure = (
            options.keys() & {"num_labels", "attn_implementation", "num_frame", "hiden_size", "expert"}
            or (kind == "ca2st" and "hidden_act" in options)
            or (
                kind,
                *options.values(),
            )
            == (
                "xvit",
                "GELU",
            )
        )
        name = f"{kind} with {', '.join(f'{key}={value!r}' for key, value in options.items())}"
        cases.append(
            Case(name, lambda folder, pair=(kind, options): pair, build, ANYTHING if unsure else refused(), memory=300)
        )
    for kind, options in FINE_FIELDS:
        name = f"{kind} with {options or 'nothing else'}"
        cases.append(
            Case(
                name,
                lambda folder, pair=(kind, options): pair,
                build,
                gives(lambda answer: answer.endswith("Classification")),
            )
        )
    return cases


def from_image(options: dict[str, Any]) -> list[str]:
    """The labels of a model that starts from an image ViT."""
    source = options.pop("source", shared.HERE / "image")
    model = XViTForVideoClassification.from_image_model(source, **{"num_frames": 4} | options)
    return [model.config.id2label[number] for number in range(model.config.num_labels)]


def image_cases() -> list[Case]:
    labelled = {
        "numbers": {0: "a", 1: "b"}, "texts of numbers": {"0": "a", "1": "b"}, "numbers of NumPy": {np.int64(0): "a", np.int64(1): "b"},
    }  # fmt: skip
    cases = [
        Case(f"labels by {name}", lambda folder, ids=ids: {"id2label": ids}, from_image, gives(["a", "b"]))
        for name, ids in labelled.items()
    ]
    for name, ids in {
        "counted from 1": {1: "a", 2: "b"}, "with a gap": {0: "a", 2: "b"}, "as a list": ["a", "b"], "as a text": "ab", "of words": {"a": 0, "b": 1},
        "negative": {-1: "a", 0: "b"}, "of fractions": {0.5: "a"}, "twice": {0: "a", "0": "b"}, "as a set": {"a", "b"}, "as a number": 3,
    }.items():  # fmt: skip
        right = gives_or_refuses(["a", "b"]) if name == "as a list" else refused("id2label")
        cases.append(Case(f"labels {name}", lambda folder, ids=ids: {"id2label": ids}, from_image, right))
    for options in (
        {"num_frame": 4}, {"num_frames": 0}, {"num_frames": -4}, {"num_frames": "4"}, {"num_frames": 2.5}, {"mix_divisor": 0}, {"nonsense": 1},
        {"hidden_size": 48}, {"source": "absent/model"}, {"source": "/absent"}, {"source": None}, {"source": 3}, {"source": ""}, {"source": "a/b/c"},
        {"num_labels": 2, "id2label": {0: "a"}}, {"image_size": 0},
    ):  # fmt: skip
        name = ", ".join(f"{key}={value!r}" for key, value in options.items())
        right = ANYTHING if options.keys() & {"hidden_size", "num_labels"} else refused()
        cases.append(
            Case(f"an image model with {name}", lambda folder, options=options: dict(options), from_image, right)
        )
    return cases


def process(options: dict[str, Any]) -> tuple[int, ...]:
    """The shape of what a processor made with these options gives of 8 frames."""
    values = HolovidVideoProcessor(**FITTING | options)(frames(), return_tensors="pt")["pixel_values_videos"]
    if not values.isfinite().all():
        raise Fault("gives the model numbers that are not finite")
    return tuple(values.shape)


def process_once(options: dict[str, Any]) -> tuple[int, ...]:
    """The same, of options of the call."""
    processor = HolovidProcessor(HolovidVideoProcessor(**FITTING))
    values = processor(frames(), **{"return_tensors": "pt"} | options)["pixel_values_videos"]
    if not values.isfinite().all():
        raise Fault("gives the model numbers that are not finite")
    return tuple(values.shape)


BAD_OPTIONS: list[dict[str, Any]] = [
    *[{"num_frames": value} for value in (0, -1, "8", 2.5, NAN, [8], 10**12, True)],
    *[{"crop_size": value} for value in (0, -1, "24", {"height": 0, "width": 0}, {"height": 24}, {"height": -1, "width": 24}, {"h": 1, "w": 1}, [24, 24], {"height": 10**7, "width": 10**7}, 2.5)],
    *[{"size": value} for value in (0, -1, "24", {"shortest_edge": 0}, {"shortest_edge": -5}, {"shortest_edge": "24"}, {"side": 24}, {}, {"shortest_edge": 10**7}, {"height": 24}, {"height": 0, "width": 24})],
    *[{"fps": value} for value in (0, -1, "25", NAN, INF, [25])],
    *[{"frame_stride": value, "sampling": "dense"} for value in (0, -1, "2", 1.5)],
    *[{"num_views": value} for value in (0, -1, "2", 1.5, 10**9)],
    *[{"num_crops": value} for value in (0, 2, -1, "3", 3.5)],
    *[{"sampling": value} for value in ("x", "", 3, "Dense", ["dense"])],
    *[{"decoder": value} for value in ("x", "", 3, "opencv")],
    *[{"short_video": value} for value in ("x", 3)],
    *[{"image_mean": value} for value in ([0.5], [0.5, 0.5], ["a", "b", "c"], "x", [NAN, 0.5, 0.5], [0.5] * 4)],
    *[{"image_std": value} for value in ([0, 0, 0], [0.5, 0.5], 0, "x", [NAN, 1, 1], [INF, 1, 1])],
    *[{"rescale_factor": value} for value in ("1/255", NAN, INF)],
    *[{"resample": value} for value in (99, "x", -1)],
    *[{"do_resize": "no"}, {"do_normalize": 3}, {"do_sample_frames": "yes"}, {"input_data_format": "x"}, {"device": "x"}, {"device": "cuda:99"}],
    {"return_tensors": "x"}, {"num_crops": 3, "do_center_crop": False},
]  # fmt: skip
ONLY_ONCE = ("return_tensors", "input_data_format", "device")  # options of the call alone
FREE = [{"num_frames": True}, {"do_normalize": 3}, {"do_resize": "no"}, {"do_sample_frames": "yes"}, {"crop_size": [24, 24]}, {"size": {}}, {"resample": -1}, {"image_mean": [0.5]}]  # fmt: skip


def option_cases() -> list[Case]:
    cases = []
    for number, options in enumerate(BAD_OPTIONS):
        name = ", ".join(f"{key}={value!r}" for key, value in options.items())
        right = ANYTHING if options in FREE else refused()
        if not options.keys() & set(ONLY_ONCE):
            cases.append(
                Case(f"a processor of {name}", lambda folder, options=options: options, process, right, memory=300)
            )
        if number % 3 == 0 or options.keys() & set(ONLY_ONCE):
            cases.append(
                Case(
                    f"a call of a processor with {name}",
                    lambda folder, options=options: options,
                    process_once,
                    right,
                    memory=300,
                )
            )
    for options in (
        {"num_frame": 8},
        {"frames": 8},
        {"stride": 2},
        {"top_k": 3},
        {"audio_config": {}},
        {"generator": 3},
        {"videos_kwargs": 3},
        {"videos_kwargs": {"num_frame": 3}},
    ):
        name = ", ".join(f"{key}={value!r}" for key, value in options.items())
        right = ANYTHING if "videos_kwargs" in options and options["videos_kwargs"] != 3 else refused()
        cases.append(
            Case(f"a call with an unknown option {name}", lambda folder, options=options: options, process_once, right)
        )
    for options, shape in (
        ({}, (1, 8, 3, 24, 24)), ({"num_frames": 4}, (1, 4, 3, 24, 24)), ({"crop_size": 16}, (1, 8, 3, 16, 16)), ({"num_views": 2}, (1, 2, 8, 3, 24, 24)),
        ({"num_crops": 3}, (1, 3, 8, 3, 24, 24)), ({"size": 32}, (1, 8, 3, 24, 24)), ({"size": {"height": 30, "width": 40}}, (1, 8, 3, 24, 24)),
        ({"num_frames": np.int64(4)}, (1, 4, 3, 24, 24)), ({"crop_size": {"height": 40, "width": 40}}, (1, 8, 3, 40, 40)), ({"resample": 3}, (1, 8, 3, 24, 24)),
    ):  # fmt: skip
        right = (
            gives(shape)
            if "num_frames" not in options or isinstance(options["num_frames"], int)
            else gives_or_refuses(shape)
        )
        cases.append(
            Case(
                f"a processor of {options or 'nothing else'}", lambda folder, options=options: options, process, right
            )
        )
    for options in (
        {"sampling_rate": "16000"}, {"sampling_rate": 0}, {"sampling_rate": -1}, {"sampling_rate": 10**9}, {"num_mel_bins": 0}, {"num_mel_bins": "24"}, {"num_mel_bins": 10**7},
        {"audio_frames": 0}, {"audio_frames": 2.5}, {"audio_frames": 10**9}, {"mean": "x"}, {"std": 0}, {"std": NAN}, {"mean": NAN}, {"std": "x"},
    ):  # fmt: skip
        make = lambda folder, options=options: options  # noqa: E731
        do = lambda options: HolovidFeatureExtractor(**options)(np.zeros(100), sampling_rate=16_000) and None  # noqa: E731
        cases.append(Case(f"a feature extractor of {options}", make, do, refused(), memory=300))
    return cases


def answer(request: Any) -> Any:
    """What our pipeline says, with options of the call."""
    video, options = request
    classify = pipeline(
        "video-classification", model=str(shared.HERE / "model"), pipeline_class=VideoClassificationPipeline
    )
    return classify(video, **options)


def pipeline_cases() -> list[Case]:
    five = gives(lambda labels: len(labels) == 5 and abs(sum(label["score"] for label in labels) - 1) < 1e-4)
    clip = lambda folder: str(shared.clip(folder))  # noqa: E731
    cases = [Case("a clip for the pipeline", lambda folder: (clip(folder), {}), answer, five)]
    for options in ({"top_k": 0}, {"top_k": -1}, {"top_k": "3"}, {"top_k": 2.5}, {"function_to_apply": "x"}, {"batch_size": 0}, {"batch_size": -1}, {"batch_size": "2"}, {"num_workers": -1}, {"num_frames": 0}, {"num_frame": 8}, {"sampling": "x"}, {"on_broken": "x"}, {"sampling_rate": 16_000, "audio": np.zeros(9)}):  # fmt: skip
        cases.append(Case(f"the pipeline with {options}", lambda folder, options=options: ([clip(folder)] * 2, options), answer, ANYTHING if options.keys() & {"top_k"} and options != {"top_k": "3"} else refused()))  # fmt: skip
    cases.append(
        Case("the pipeline with more answers than labels", lambda folder: (clip(folder), {"top_k": 99}), answer, five)
    )
    cases.append(Case("the pipeline with no clips", lambda folder: ([], {}), answer, gives([])))
    for name, video in {"None": None, "a number": 3, "a path of nothing": "absent.mp4", "text": b"text", "an empty dict": {}, "a dict of None": {"video": None}, "a list of None": [None]}.items():  # fmt: skip
        cases.append(Case(f"the pipeline with {name}", lambda folder, video=video: (video, {}), answer, refused()))
    broken = lambda folder: [clip(folder), b"broken", clip(folder)]  # noqa: E731
    cases.append(Case("the pipeline with one broken clip", lambda folder: (broken(folder), {}), answer, refused()))
    cases.append(
        Case(
            "the pipeline that raises at a broken clip",
            lambda folder: (broken(folder), {"on_broken": "raise"}),
            answer,
            refused(),
        )
    )
    cases.append(
        Case(
            "the pipeline that skips a broken clip",
            lambda folder: (broken(folder), {"on_broken": "skip"}),
            answer,
            gives(lambda answers: len(answers) == 3 and len(answers[0]) == len(answers[2]) == 5),
        )
    )
    return cases


def for_model(options: Any) -> tuple[int, int]:
    processor = HolovidProcessor.for_model(XViTConfig(**SIZES), **options).video_processor
    return processor.num_frames, processor.crop_size["height"]


MODEL, CLIP = "MODEL", "CLIP"  # stand for the paths in command lines
LINES: list[tuple[str, Any]] = [
    ("--version", gives(FINE)), ("--help", gives(FINE)), ("classify --help", gives(FINE)), ("nonsense", refused()), ("--nonsense", refused()),
    ("classify", refused()), (f"classify {MODEL}", refused()), (f"classify {MODEL} absent.mp4", refused("absent.mp4")), (f"classify absent {CLIP}", refused()),
    (f"classify ../.. {CLIP}", refused()), (f"classify a/b/c {CLIP}", refused()), (f"classify {MODEL} {CLIP} --top-k 0", refused()), (f"classify {MODEL} {CLIP} --top-k x", refused()),
    (f"classify {MODEL} {CLIP} --top-k 99", gives(FINE)), (f"classify {MODEL} {CLIP} --json", gives(FINE)), (f"classify {MODEL} {CLIP} --picture x.txt", refused()),
    (f"classify {MODEL} {CLIP} --picture {CLIP}/x.png", refused()), (f"classify {MODEL} {CLIP} --nonsense", refused()), (f"classify {MODEL} broken.mp4", refused("broken.mp4")),
    (f"classify {MODEL} {CLIP} broken.mp4 --on-broken raise", refused("broken.mp4")), (f"classify {MODEL} {CLIP} --on-broken x", refused()),
    (f"classify {MODEL} playlist.m3u8", refused()), (f"classify {MODEL} .", refused()), (f"classify {MODEL} /dev/null", refused()), (f"classify {MODEL} http://127.0.0.1:9/x.mp4 ", refused()),
    (f"classify empty {CLIP}", refused()), (f"classify {CLIP} {CLIP}", refused()), (f"classify {MODEL} empty.mp4", refused()),
    ("info", refused()), ("info absent", refused()), ("info empty", refused()), (f"info {CLIP}", refused()), (f"info {MODEL}", gives(FINE)), (f"info {MODEL} --json", gives(FINE)), ("info ''", refused()),
    (f"evaluate {MODEL}", refused()), (f"evaluate {MODEL} absent", refused("absent")), (f"evaluate {MODEL} empty", refused()), (f"evaluate {MODEL} SET", gives(FINE)),
    (f"evaluate {MODEL} SET --views 0", refused("views")), (f"evaluate {MODEL} SET --views -1", refused()), (f"evaluate {MODEL} SET --crops 2", refused()), (f"evaluate {MODEL} SET --batch-size 0", refused()),
    (f"evaluate {MODEL} SET --batch-size -3", refused()), (f"evaluate {MODEL} SET --workers -1", refused()), (f"evaluate {MODEL} SET --ensemble x", refused()), (f"evaluate {MODEL} SET --recipe x", refused("x")),
    (f"evaluate {MODEL} SET --split x", refused()), (f"evaluate {MODEL} SET --target x", refused("x")), (f"evaluate {MODEL} SET --autocast float7", refused()), (f"evaluate {MODEL} SET --on-broken x", refused()),
    (f"evaluate {MODEL} SET --drop-expert smell", refused()), (f"evaluate {MODEL} SET --drop-expert space", refused()), (f"evaluate {MODEL} SET --mute", refused()), (f"evaluate {MODEL} SET --output {CLIP}", refused()),
    (f"evaluate {MODEL} SET --root absent", ANYTHING), (f"evaluate {MODEL} {CLIP}", refused()), (f"evaluate {MODEL} OTHER", refused()), (f"evaluate {MODEL} BROKEN --on-broken raise", refused()),
    (f"watch {MODEL}", refused()), (f"watch {MODEL} absent.mp4", refused()), (f"watch {MODEL} {CLIP} --stride 0", refused()), (f"watch {MODEL} {CLIP} --every -1", refused()), (f"watch {MODEL} {CLIP} --every nan", refused()),
    (f"watch {MODEL} {CLIP} --stride 1 --every 1", refused()), (f"watch {MODEL} {CLIP}", ANYTHING), (f"watch {MODEL} {CLIP} --stride 1 --json", gives(FINE)), (f"watch {MODEL} {CLIP} --stride 1 --device x", refused()),
    (f"watch {MODEL} {CLIP} --stride 1 --device cuda:99", refused()), (f"watch {MODEL} {CLIP} --format x", refused()), (f"watch {MODEL} {CLIP} --stride 1 --output x.txt", refused()), (f"watch {MODEL} broken.mp4 --stride 1", refused()),
    (f"watch {MODEL} playlist.m3u8 --stride 1", refused()), (f"watch {MODEL} . --stride 1", refused()), (f"watch {MODEL} {CLIP} --stride 1 --top-k 0", refused()), (f"watch {MODEL} {CLIP} --stride 1000", refused()),
    (f"watch {MODEL} list.mp4 --stride 1", refused()), (f"watch {MODEL} {CLIP} --format concat --stride 1", refused()), (f"watch {MODEL} {CLIP} --format hls --stride 1", refused()),
    (f"export {MODEL} made --format x", refused()), (f"export {MODEL} made --format torch --batch 0", refused()), (f"export {MODEL} made --format torch --batch -1", refused()), (f"export {MODEL} made --format torch --inputs x", refused("x")),
    (f"export {MODEL} SET --format torch", refused()), ("export absent made", refused()), (f"export {MODEL} {CLIP} --format torch", refused()), (f"export {MODEL} {CLIP}/x --format torch", refused()),
    ("card absent --licence mit", refused("absent")), (f"card {MODEL}", refused()), (f"card {MODEL} --licence x", refused()), (f"card {MODEL} --licence other", refused()), (f"card {MODEL} --licence mit", gives(FINE)), ("card empty --licence mit", refused()),
    (f"card {MODEL} --licence mit --repo-id a/b/c", refused()), (f"card {MODEL} --licence mit --output absent/x.md", ANYTHING), (f"card {MODEL} --licence mit --output {CLIP}/x.md", refused()),
    (f"push {MODEL} user/name --licence mit --dry-run --include '../../*'", refused()), (f"push {MODEL} user/name --licence mit --dry-run --include '/etc/*'", refused()), (f"push {MODEL} user/name --licence mit --dry-run --include 'x/../../y'", refused()),
    (f"push {MODEL} user/name --licence mit --dry-run --include '..'", refused()), (f"push {MODEL} user/name --licence mit --dry-run --include '~/*'", ANYTHING), (f"push {MODEL} user/name --licence mit --dry-run --include ''", refused()),
    (f"push {MODEL} user/name --licence mit --dry-run --include '**/../*'", refused()), (f"push {MODEL} user/name --licence mit --dry-run --include 'C:/x'", ANYTHING), (f"push {MODEL} user/name --licence mit --dry-run --include '..\\..\\*'", ANYTHING),
    (f"push {MODEL} name --licence mit --dry-run", ANYTHING), (f"push {MODEL} a/b/c --licence mit --dry-run", refused()), (f"push {MODEL} user/name --licence x --dry-run", refused()), ("push absent user/name --licence mit --dry-run", refused("absent")),
    (f"push {MODEL} user/name --licence mit --dry-run --max-shard-size x", refused()), (f"push {MODEL} user/name --licence mit --dry-run --max-shard-size 0", refused()), (f"push {MODEL} user/name --licence mit --dry-run --max-shard-size -1GB", ANYTHING),
    (f"push {MODEL} user/name --licence mit --dry-run --expert x", refused()), (f"push {MODEL} user/name --licence mit --dry-run --expert space=absent", refused()), (f"push {MODEL} user/name --licence mit --dry-run --adapters-only", refused()),
    ("convert absent.pth --family xvit --output made", refused("absent")), ("convert broken.mp4 --family xvit --output made", refused()), ("convert broken.pth --family xvit --output made", refused()), ("convert broken.pth --family x --output made", refused("x")),
    ("convert broken.pth --family xvit --output made --labels absent.txt", refused("absent")), ("convert broken.pth --family xvit --output made --mix-layers a,b", refused("mix-layers")), ("convert broken.pth --family xvit --output made --labels broken.mp4", refused()),
    ("data synth made --train 0 --val 0", refused()), ("data synth made --train -1", refused()), ("data synth made --shapes x", refused("x")), ("data synth made --motions x", refused("x")), ("data synth made --sounds x", refused("x")), ("data synth made --size 0", refused()),
    ("data synth made --size -5", refused()), ("data synth made --seconds 0", refused()), ("data synth made --seconds nan", refused()), ("data synth made --seconds inf", refused()), ("data synth made --frame-rate 0", refused()), ("data synth made --sampling-rate 0", refused()),
    ("data synth made --workers 0 --train 2 --val 2", refused()), ("data synth made --shapes '' --train 2 --val 2", refused()), (f"data synth {CLIP} --train 2 --val 2", refused()), ("data synth made --shapes disc,disc --train 2 --val 2", ANYTHING), ("data", refused()),
]  # fmt: skip
TRAINING: list[tuple[str, Any]] = [
    ("", refused()), ("--help", ANYTHING), ("--data SET", refused()), ("--data SET --recipe x --model xvit --output_dir run", refused("x")), ("--data SET --recipe small --output_dir run", refused()), ("--data absent --recipe small --model xvit --output_dir run", refused("absent")),
    ("--data SET --recipe small --model absent --output_dir run", refused()), ("--data SET --recipe small --model zvit --output_dir run", refused()), ("--data SET --recipe small --model xvit --experts space=x time=y --output_dir run", refused()),
    ("--data SET --recipe small --model xvit --output_dir run --num_frames 0", refused("num_frames")), ("--data SET --recipe small --model xvit --output_dir run --num_frames -1", refused()), ("--data SET --recipe small --model xvit --output_dir run --num_frames x", refused()),
    ("--data SET --recipe small --model xvit --output_dir run --image_size 0", refused()), ("--data SET --recipe small --model xvit --output_dir run --image_size 47", refused()), ("--data SET --recipe small --model xvit --output_dir run --target x", refused("x")),
    ("--data SET --recipe small --model xvit --output_dir run --target verb noun", refused()), ("--data SET --recipe small --model xvit --output_dir run --lerning_rate 1", refused("learning_rate")), ("--data SET --recipe small --model xvit --output_dir run --missing x", refused()),
    ("--data SET --recipe small --model xvit --output_dir run --on_broken x", refused()), ("--data SET --recipe small --model xvit --output_dir run --adapters_only true", refused()), ("--data SET --recipe small --model xvit --output_dir run --freeze_experts true", refused()),
    ("--data SET --recipe small --model xvit --output_dir run --ema_decay 2", refused()), ("--data SET --recipe small --model xvit --output_dir run --learning_rate x", refused()), ("--data SET --recipe small --model xvit --output_dir run --num_train_epochs x", refused()),
    ("--data SET --recipe small --model xvit --output_dir run --resume_from_checkpoint absent", refused()), ("--data SET --recipe small --model xvit --output_dir run --eval_strategy x", refused()), ("--data SET --recipe small --model xvit --output_dir run --lr_scheduler_type x", refused()),
    ("--data SET --recipe small --experts space --output_dir run", refused()), ("--data SET --recipe small --experts space=x smell=y --output_dir run", refused()), ("--data SET --recipe small --experts space=absent time=absent --output_dir run", refused()), ("--data SET --recipe cast-ssv2 --model xvit --output_dir run", refused()),
    ("absent.yaml", refused()), ("broken.yaml", refused()), ("list.yaml", refused()), ("bomb.yaml", refused()), ("python.yaml", refused()), ("unknown.yaml", refused("nonsense")), ("types.yaml", refused()), ("empty.yaml", refused()), ("tab.yaml", refused()), ("broken.json", refused()),
    ("deep.yaml", refused()), ("empty", refused()), ("twice.yaml", ANYTHING), ("noise.yaml", refused()), ("number.json", refused()), ("anchor.yaml", refused()),
]  # fmt: skip


def workplace(folder: Path) -> Path:
    """The files that command lines name."""
    shared.copy_of("model", folder)
    shared.clip(folder)
    (folder / "empty").mkdir()
    (folder / "empty.mp4").touch()
    clips(folder / "SET", "left/a.mp4", "right/b.mp4")
    clips(folder / "OTHER", "sideways/a.mp4", "right/b.mp4")
    clips(folder / "BROKEN", "left/a.mp4", "right/b.mp4")
    half = cut(render(), 0.2)
    for name in ("broken.mp4", "broken.pth", "BROKEN/left/a.mp4"):
        (folder / name).write_bytes(half)
    (folder / "playlist.m3u8").write_text("#EXTM3U\n#EXTINF:1,\nclip.mp4\n#EXT-X-ENDLIST\n")
    (folder / "list.mp4").write_text("ffconcat version 1.0\nfile clip.mp4\n")
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    for name, text in {
        "broken.yaml": "data: [x", "list.yaml": "- a\n- b\n", "bomb.yaml": "\n".join(lines), "python.yaml": "data: !!python/object/apply:os.mkdir [made]",
        "unknown.yaml": "data: SET\nrecipe: small\nmodel: xvit\nnonsense: 1\n", "types.yaml": "data: [1, 2]\nrecipe: {a: 1}\nmodel: 3\n", "empty.yaml": "",
        "tab.yaml": "data:\tSET\n\trecipe: x\n", "broken.json": '{"data": ', "deep.yaml": "[" * 5000, "twice.yaml": "data: SET\ndata: OTHER\nrecipe: x\n",
        "number.json": "3", "anchor.yaml": "data: &a [*a]\nrecipe: small\nmodel: xvit\n",
    }.items():  # fmt: skip
        (folder / name).write_text(text)
    (folder / "noise.yaml").write_bytes(bytes(range(256)))
    return folder


def split(line: str) -> list[str]:
    places = {MODEL: "model", CLIP: "clip.mp4"}
    return [places.get(word, word.replace(CLIP, "clip.mp4")) for word in shlex.split(line, posix=True)]


def run(line: str) -> Ran:
    ran = command(split(line))
    if "--json" in line and ran.status == 0:
        for answer in ran.out.splitlines():
            json.loads(answer)
    return ran


def run_training(line: str) -> Ran:
    try:
        return train(split(line))
    finally:
        if os.path.exists("made"):
            raise Fault("code of a file of arguments ran")


def line_cases() -> list[Case]:
    def placed(line: str):
        def make(folder: Path) -> str:
            workplace(folder)
            return line

        return make

    return [
        *[
            Case(f"holovid {line}", placed(line), run, right, seconds=60, network="http:" in line)
            for line, right in LINES
        ],
        *[Case(f"train {line}", placed(line), run_training, right, seconds=60) for line, right in TRAINING],
    ]


CASES = [*field_cases(), *image_cases(), *option_cases(), *pipeline_cases(), *line_cases()]
