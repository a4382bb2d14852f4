"""How do models do beside those of others that compute the same?   python examples/benchmark/beside.py

Ours and theirs take turns in one process, float32 on the CPU, so that whatever slows the machine slows both: seconds
of ours over theirs, of a forward pass and of a training step (forward pass, backward pass, AdamW). And of ours, how
close the forward pass comes to the limit (limit.py). The peak is the most that all tensors of a training step took
together, weights and the optimizer's state included, each model in a process of its own: ours over theirs. And the
same without what both have in any case, four times the weights: they, gradients and the optimizer's state.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from limit import QUICK, Limit, spread, stopwatch
from reporting import ask_alone, parse, progress, report
from subjects import SUBJECTS, clip_shape, make_model
from torch import Tensor, nn
from torchvision.models import get_model
from torchvision.ops import StochasticDepth
from training_memory import peak_of
from training_step import step_of
from turns import take_turns, told

from holovid.allocator import keep_memory
from holovid.conversion.from_video_swin import from_torchvision
from holovid.facts import model_facts

HEADINGS = ["model", "frames x pixels", "beside", "batch", "what", "ours over theirs", "ours, of the limit"]
TRAINED = 4  # weights, gradients, and the two states of AdamW


@dataclass(frozen=True)
class Side:
    """A model, and how it gives logits of a clip (B, T, C, H, W) of this `shape` without B."""

    model: nn.Module
    logits: Callable[[Tensor], Tensor]
    shape: tuple[int, int, int, int]

    def clip(self, batch: int) -> Tensor:
        return torch.randn(batch, *self.shape)

    def step(self, batch: int) -> Callable[[], None]:
        """A function that takes a step in the middle of training the model."""
        clip, labels = self.clip(batch), torch.zeros(batch, dtype=torch.long)
        self.model.train()
        for module in self.model.modules():
            if isinstance(module, StochasticDepth):  # what is dropped would be another branch of each model
                module.p = 0.0
        return step_of(self.model, lambda: nn.functional.cross_entropy(self.logits(clip), labels))


def of_subject(name: str, quick: bool) -> Side:
    config = SUBJECTS[name].make_config(quick)
    model = make_model(SUBJECTS[name], config)
    return Side(model, lambda clip: model(clip).logits, clip_shape(config))


def of_torchvision(name: str, ours: bool, quick: bool) -> Side:
    """A model of torchvision, or ours with its weights."""
    theirs = get_model(name, weights=None).eval()
    shape = (4, 3, 32, 32) if quick else (32, 3, 224, 224)
    if not ours:
        return Side(theirs, lambda clip: theirs(clip.transpose(1, 2)), shape)
    model = from_torchvision(theirs)
    return Side(model, lambda clip: model(clip).logits, shape)


@dataclass(frozen=True)
class Pair:
    name: str
    beside: str
    ours: Callable[[bool], Side]
    theirs: Callable[[bool], Side]
    batches: tuple[int, ...] = (1,)


def video_swin(size: str) -> Pair:
    sides = (partial(of_torchvision, f"swin3d_{size}", ours) for ours in (True, False))
    return Pair(f"Video Swin-{size.upper()}", "torchvision", *sides)


PAIRS = {
    "timesformer": Pair(
        "TimeSformer-B/16", "transformers", partial(of_subject, "timesformer"),
        partial(of_subject, "timesformer-transformers"), (1, 4),
    ),
    "video-swin-t": video_swin("t"),
    "video-swin-b": video_swin("b"),
}  # fmt: skip


QUICKEST = ["timesformer", "video-swin-t"]  # ten minutes on two cores; the other one takes six more


def forward(sides: tuple[Side, Side], batch: int, limit: Limit, repeat: int) -> dict[str, Any]:
    """Both and the limit take turns."""
    ours, theirs = sides
    clip = ours.clip(batch)
    gflop = model_facts(ours.model.config, type(ours.model)).gflop * batch  # type: ignore[arg-type]
    with torch.inference_mode():
        row = take_turns(lambda: ours.logits(clip), gflop, limit, lambda: theirs.logits(clip), gflop, repeat=repeat)
    return {
        "what": "forward pass", "batch": batch, "of_the_limit": row["ratios"], "interval": row["interval"],
        "over_theirs": [1 / ratio for ratio in row["over_peer"]],
        "peer_interval": [1 / ratio for ratio in reversed(row["peer_interval"])],
    }  # fmt: skip


def training(sides: tuple[Side, Side], repeat: int) -> dict[str, Any]:
    steps = [side.step(1) for side in sides]
    pairs = [[stopwatch(step) for step in steps] for _ in range(repeat + 1)][1:]
    return {"what": "training step", "batch": 1, "over_theirs": [own / other for own, other in pairs]}


def peak(make: Callable[[bool], Side], batch: int, quick: bool) -> dict[str, float]:
    """Bytes; only right in a process that has run no other model."""

    def start() -> tuple[Side, Callable[[], None]]:
        side = make(quick)
        return side, side.step(batch)

    (side, _), most = peak_of(start)
    weights = sum(parameter.numel() * parameter.element_size() for parameter in side.model.parameters())
    return {"peak": most, "weights": weights}


def measure(name: str, limit: Limit, args: Any) -> list[dict[str, Any]]:
    """The rows of a pair."""
    pair = PAIRS[name]
    sides = pair.ours(args.quick), pair.theirs(args.quick)
    found = [forward(sides, batch, limit, args.repeat) for batch in progress(pair.batches, f"{name}: forward passes")]
    found.append(training(sides, args.repeat))
    for batch in pair.batches:
        options = ["--batch", str(batch), *(["--quick"] if args.quick else [])]
        own, other = (ask_alone(__file__, "--peak", f"{name} {whose}", *options) for whose in ("ours", "theirs"))
        found.append(
            {
                "what": "peak memory of a training step", "batch": batch,
                "over_theirs": [own["peak"] / other["peak"]],
                "activations": [
                    (own["peak"] - TRAINED * own["weights"]) / (other["peak"] - TRAINED * other["weights"])
                ],
            }
        )  # fmt: skip
    frames, _, height, width = sides[0].shape
    return [
        {"model": pair.name, "beside": pair.beside, "frames": frames, "size": [height, width]} | row for row in found
    ]


def cells(row: dict[str, Any]) -> list[str]:
    """A row for people."""
    ratio = told(row["over_theirs"], row["peer_interval"]) if "peer_interval" in row else spread(row["over_theirs"])
    if "activations" in row:
        ratio += f"; without what both have, {row['activations'][0]:.2f}"
    clip = f"{row['frames']} x {row['size'][0]}²"
    limit = told(row["of_the_limit"], row["interval"]) if "of_the_limit" in row else ""
    return [row["model"], clip, row["beside"], str(row["batch"]), row["what"], ratio, limit]


def main(argv: list[str] | None = None) -> None:
    args = parse(
        __doc__, argv,
        models={"nargs": "+", "choices": list(PAIRS), "default": QUICKEST, "help": "which of ours"},
        batch={"type": int, "default": 1, "help": "of --peak"},
        peak={"help": "measure the peak of a model, such as 'timesformer theirs', here, and print it"},
    )  # fmt: skip
    if args.peak:
        name, whose = args.peak.split()
        print(json.dumps(peak(getattr(PAIRS[name], whose), args.batch, args.quick)))
        return
    limit = Limit("cpu", "fp32", **QUICK if args.quick else {})
    found = [row for name in args.models for row in measure(name, limit, args)]
    report("beside", __doc__, args, found, HEADINGS, [cells(row) for row in found])


if __name__ == "__main__":
    keep_memory()
    main()
