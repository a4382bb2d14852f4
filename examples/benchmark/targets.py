"""What was to be reached, and whether it was: all of it found in the answers to the questions, none of it typed in.

Answers are what the questions' lines of JSON hold, by question. Those of a run without a GPU say so in place of a
number.
"""

import operator
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from limit import NO_CUDA, NO_HALF

Answers = Mapping[str, dict[str, Any]]
NOT_ASKED = "not asked: make bench, make bench-long"
COMPARISONS = {"≥": operator.ge, "≤": operator.le}


class NotRun(Exception):
    """Why there is no number."""


@dataclass(frozen=True)
class Target:
    """`find` a number in the answers, that is to be `bound`, such as "≥ 0.90"."""

    what: str
    bound: str
    find: Callable[[Answers], float]

    def judge(self, answers: Answers) -> list[str]:
        """What was to be reached, the bound, what was measured, and the verdict."""
        comparison, limit = self.bound.split()
        try:
            value = self.find(answers)
        except NotRun as reason:
            return [self.what, self.bound, str(reason), ""]
        digits = max(2, len(limit.partition(".")[2]) + 1)
        reached = COMPARISONS[comparison](value, float(limit))
        return [self.what, self.bound, f"{value:.{digits}f}", "reached" if reached else "**missed**"]


def find_row(answers: Answers, question: str, **wanted: Any) -> dict[str, Any]:
    """The row of an answer whose fields are as wanted. Raises `NotRun` when there is none, or it has no number."""
    answer = answers.get(question)
    if answer is None:
        raise NotRun(NOT_ASKED)
    if "failed" in answer:
        raise NotRun(answer["failed"])
    rows = [row for row in answer["rows"] if all(row.get(name) == value for name, value in wanted.items())]
    if not rows:
        no_gpu = answer["versions"]["gpu"] == "none" and wanted.get("device") == "cuda"
        raise NotRun(NO_CUDA if no_gpu else "not measured")
    if "outcome" in rows[0]:
        raise NotRun(rows[0]["outcome"])
    return rows[0]


def ratio_to_limit(question: str, model: str, frames: int, **wanted: Any) -> Callable[[Answers], float]:
    """The median ratio of a model's row; on a GPU of the better of its two, as it is and compiled."""

    def find(answers: Answers) -> float:
        rows = [find_row(answers, question, model=model, frames=frames, **wanted)]
        if wanted["device"] == "cuda":
            rows.append(find_row(answers, question, model=model, frames=frames, compiled=True, **wanted))
        return max(statistics.median(row["ratios"]) for row in rows)

    return find


def median_of(question: str, field: str, **wanted: Any) -> Callable[[Answers], float]:
    return lambda answers: statistics.median(find_row(answers, question, **wanted)[field])


def peak_over_everything(way: str) -> Callable[[Answers], float]:
    """The peak of a way to train CAST over that of training all of it."""

    def find(answers: Answers) -> float:
        peaks = [find_row(answers, "training_memory", way=each)["peak"] for each in (way, "everything is trained")]
        return peaks[0] / peaks[1]

    return find


def bfloat16_speedup(answers: Answers) -> float:
    if "avx512_bf16 no, amx_bf16 no" in answers.get("bfloat16", {}).get("versions", {}).get("cpu", ""):
        raise NotRun(NO_HALF)
    return median_of("bfloat16", "speedups", device="cpu")(answers)


def all_compiled(field: str, device: str) -> Callable[[Answers], float]:
    """The sum over all models."""

    def find(answers: Answers) -> float:
        find_row(answers, "compiling", device=device)
        return sum(row[field] for row in answers["compiling"]["rows"] if row["device"] == device)

    return find


def worst_beside(field: str, what: str, **wanted: Any) -> Callable[[Answers], float]:
    """The greatest median, of several batches, of a model beside that of others."""

    def find(answers: Answers) -> float:
        find_row(answers, "beside", what=what, **wanted)
        rows = [row for row in answers["beside"]["rows"] if row["what"] == what]
        fitting = [row for row in rows if all(row.get(name) == value for name, value in wanted.items())]
        return max(statistics.median(row[field]) for row in fitting)

    return find


FORWARD, STEP, PEAK = "forward pass", "training step", "peak memory of a training step"
CPU = {"device": "cpu", "dtype": "fp32"}
CUDA = {"device": "cuda", "dtype": "bf16"}
TARGETS = (
    Target(
        "XViT-B/16, 8 x 224², fp32, a clip: of the limit (the released code: 0.79)", "≥ 0.90",
        ratio_to_limit("forward", "XViT-B/16", 8, batch=1, **CPU),
    ),
    Target(
        "the same, 4 clips (the released code: 0.72)", "≥ 0.88",
        ratio_to_limit("forward", "XViT-B/16", 8, batch=4, **CPU),
    ),
    *(
        Target(f"TimeSformer-B/16, 8 x 224², fp32, {batch} a batch: of the limit", "≥ 0.90",
               median_of("beside", "of_the_limit", model="TimeSformer-B/16", what=FORWARD, batch=batch))
        for batch in (1, 4)
    ),
    Target("the same: time over that of transformers' class, at 1 and 4 a batch", "≤ 1.0",
           worst_beside("over_theirs", FORWARD, model="TimeSformer-B/16")),
    Target("the same: peak memory of a training step over that of transformers' class, one clip", "≤ 0.8",
           median_of("beside", "over_theirs", model="TimeSformer-B/16", what=PEAK, batch=1)),
    Target("the same, of 4 clips", "≤ 0.8",
           median_of("beside", "over_theirs", model="TimeSformer-B/16", what=PEAK, batch=4)),
    *(
        Target(f"Video Swin-{size}, 32 x 224², fp32: {what} over that of torchvision", bound,
               median_of("beside", "over_theirs", model=f"Video Swin-{size}", what=what))
        for size in "TB"
        for what, bound in ((FORWARD, "≤ 0.85"), (STEP, "≤ 0.9"), (PEAK, "≤ 0.75"))
    ),
    Target("XViT-B/16: time of 32 frames over 8", "≤ 4.1", median_of("frames", "ratios", device="cpu", frames=32)),
    Target(
        "CAST-B/16, 16 x 224², fp32: of the limit (the released code: 0.58)", "≥ 0.88",
        ratio_to_limit("forward", "CAST-B/16", 16, batch=1, **CPU),
    ),
    Target(
        "CA²ST-B/16, 16 x 224² and 4 s of sound, fp32: of the limit", "≥ 0.86",
        ratio_to_limit("forward", "CA²ST-B/16", 16, batch=1, **CPU),
    ),
    *(
        Target(f"{model}, {frames} x 224², bf16, a clip: of the limit", bound,
               ratio_to_limit("forward", model, frames, batch=1, device="cpu", dtype="bf16"))
        for model, frames, bound in (
            ("XViT-B/16", 8, "≥ 0.85"), ("CAST-B/16", 16, "≥ 0.80"), ("CA²ST-B/16", 16, "≥ 0.78")
        )
    ),
    Target("CAST-B/16, experts frozen: peak memory of training over that of everything trained", "≤ 0.6",
           peak_over_everything("experts frozen")),
    Target("the same, with activation checkpointing", "≤ 0.3",
           peak_over_everything("experts frozen, activation checkpointing")),
    Target("XViT-B/16, bf16 on the CPU: times as fast as fp32", "≥ 1.5", bfloat16_speedup),
    Target(
        "file to input, of file to label: XViT-B/16 on the CPU", "≤ 0.10",
        median_of("decoding", "input_of_label", model="XViT-B/16", device="cpu"),
    ),
    Target(
        "share of its time that a tiny model waits for a DataLoader of two workers", "≤ 0.15",
        median_of("loader", "waited", model="tiny", data="as rendered"),
    ),
    Target("the same, after holovid data shrink", "≤ 0.10",
           median_of("loader", "waited", model="tiny", data="shrunk")),
    Target(
        "8 frames of a clip, rate of reading over that of the fastest reader", "≥ 0.90",
        median_of("decoders", "of_the_fastest", clip="all"),
    ),
    Target(
        "reading a 720p clip for training, over reading what holovid data shrink makes of it", "≥ 4",
        median_of("shrinking", "reading_ratios"),
    ),
    Target(
        "import holovid, over import transformers, torch", "≤ 1.1",
        median_of("import_time", "ratios", statement="import holovid"),
    ),
    Target(
        "import transformers, torch, holovid, over the same without holovid", "≤ 1.1",
        median_of("import_time", "ratios", statement="import transformers, torch, holovid"),
    ),
    Target(
        "stream of single frames, 8 of them over a clip of 8", "≤ 1.15",
        median_of("streaming", "ratios", device="cpu", frames=8, mixing="from the past, frame by frame"),
    ),
    Target(
        "stream in groups of 8, 16 frames over a clip of 16", "≤ 1.15",
        median_of("streaming", "ratios", device="cpu", mixing="both ways, groups of 8"),
    ),
    Target(
        "stream of AVT-b while its window fills, 10 frames over a clip of 10", "≤ 1.15",
        median_of("streaming", "ratios", device="cpu", mixing="AVT-b, 1 at once, while its window fills"),
    ),
    Target(
        "the same, the window full: the decoder reads all 10 anew", "≤ 1.15",
        median_of("streaming", "ratios", device="cpu", mixing="AVT-b, 1 at once, its window full"),
    ),
    Target(
        "film in windows an eighth apart, by a stream from the past, over windows side by side", "≤ 1.15",
        median_of("films", "ratios", mixing="from the past", way="the stream", stride=0.25),
    ),
    Target(
        "film in windows a half apart, by a stream in groups of 4, over windows side by side", "≤ 1.15",
        median_of("films", "ratios", mixing="both ways, groups of 4", way="the stream", stride=1.0),
    ),
    Target("graph breaks under torch.compile, of all models, CPU", "≤ 0", all_compiled("graph_breaks", "cpu")),
    Target("recompilations for other batches, of all models, CPU", "≤ 0", all_compiled("recompilations", "cpu")),
    Target(
        "XViT-B/16, bf16 on a GPU: inference, of the limit", "≥ 0.60",
        ratio_to_limit("forward", "XViT-B/16", 8, **CUDA),
    ),
    Target(
        "XViT-B/16, bf16 on a GPU: training, of the limit", "≥ 0.45",
        ratio_to_limit("training_step", "XViT-B/16", 8, **CUDA),
    ),
    Target(
        "CAST-B/16, bf16 on a GPU: inference, of the limit", "≥ 0.55",
        ratio_to_limit("forward", "CAST-B/16", 16, **CUDA),
    ),
    Target(
        "CA²ST-B/16, bf16 on a GPU: inference, of the limit", "≥ 0.55",
        ratio_to_limit("forward", "CA²ST-B/16", 16, **CUDA),
    ),
    Target(
        "CAST-B/16, experts frozen, bf16 on a GPU: training, of the limit", "≥ 0.40",
        ratio_to_limit("training_step", "CAST-B/16", 16, **CUDA),
    ),
    Target("models whose attention is not all flash, on a GPU", "≤ 0", all_compiled("without_flash", "cuda")),
    Target("graph breaks under torch.compile, of all models, GPU", "≤ 0", all_compiled("graph_breaks", "cuda")),
    Target("recompilations for other batches, of all models, GPU", "≤ 0", all_compiled("recompilations", "cuda")),
)  # fmt: skip
