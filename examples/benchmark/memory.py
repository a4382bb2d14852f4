"""How much memory does it take to recognise a clip, and to learn from one?   python examples/benchmark/memory.py

The most that a process of its own held at a time, beyond what it held before it made the model: weights, activations
and, for a step of training with AdamW, gradients and the optimizer's state. One clip, float32; on a GPU as PyTorch's
allocator counts it, and in training with products in bfloat16. Experts are frozen, as in the papers.
"""

import gc
import json
from pathlib import Path
from typing import Any

import torch
from limit import NO_CUDA
from reporting import ask_alone, parse, progress, report
from subjects import SUBJECTS, clip_text, describe, make_inputs, make_model
from training_step import training_step

MODELS = ("xvit-8", "cast", "ca2st", "timesformer", "timesformer-transformers", "videomae")
STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
MEBIBYTE = 2**20
HEADINGS = {"weights": "weights, MiB", "inference": "inference, MiB", "training": "training step, MiB"}


class Peak:
    """The most memory held from `reset` on, in MiB: of the process, or on the GPU."""

    def __init__(self, device: str):
        self.device = device
        self.before = self.held()

    def held(self, most: bool = False) -> float:
        if self.device == "cuda":
            return (torch.cuda.max_memory_allocated() if most else torch.cuda.memory_allocated()) / MEBIBYTE
        field = "VmHWM:" if most else "VmRSS:"
        lines = STATUS.read_text(encoding="utf-8").splitlines()
        return int(next(line for line in lines if line.startswith(field)).split()[1]) / 1024

    def reset(self) -> None:
        gc.collect()
        if self.device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        else:
            RESET.write_text("5", encoding="utf-8")

    def most(self) -> float:
        return self.held(most=True) - self.before


def measure(name: str, device: str = "cpu", quick: bool = False) -> dict[str, Any]:
    """A row, in MiB; only right in a process that has run no other model."""
    subject = SUBJECTS[name]
    config = subject.make_config(quick)
    peak = Peak(device)
    with torch.device(device):
        model = make_model(subject, config)
        inputs = make_inputs(subject.model_class, config, labels=True)
    weights = peak.held() - peak.before
    peak.reset()
    with torch.inference_mode():
        model(**{name: value for name, value in inputs.items() if name != "labels"})
    inference = peak.most()
    if hasattr(model, "freeze_experts"):
        model.freeze_experts()
    step = training_step(model.train(), inputs)
    peak.reset()
    with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
        step()
    row = describe(subject, config) | {"device": device}
    return row | {"weights": weights, "inference": inference, "training": peak.most()}


def measure_alone(name: str, device: str, quick: bool = False) -> dict[str, Any]:
    """`measure` in a process of its own."""
    return ask_alone(__file__, "--one", name, "--device", device, *(["--quick"] if quick else []))


def main(argv: list[str] | None = None) -> None:
    args = parse(
        __doc__, argv,
        models={"nargs": "+", "choices": list(SUBJECTS), "default": list(MODELS), "help": "which of them"},
        one={"choices": list(SUBJECTS), "help": "measure this one, here, and print its row"},
        device={"choices": ["cpu", "cuda"], "default": "cpu", "help": "of --one"},
    )  # fmt: skip
    if args.one:
        print(json.dumps(measure(args.one, args.device, args.quick)))
        return
    missing = {} if RESET.exists() else {"cpu": "not run: no Linux, whose kernel tells it"}
    missing |= {} if torch.cuda.is_available() else {"cuda": NO_CUDA}
    jobs = [(device, name) for device in ("cpu", "cuda") if device not in missing for name in args.models]
    found = [measure_alone(name, device, args.quick) for device, name in progress(jobs, "Memory")]
    cells = [
        [row["model"], clip_text(row), row["device"], *(f"{row[what]:,.0f}" for what in HEADINGS)] for row in found
    ]
    cells += [["all", "", device, why, "", ""] for device, why in missing.items()]
    report("memory", __doc__, args, found, ["model", "frames x pixels", "device", *HEADINGS.values()], cells)


if __name__ == "__main__":
    main()
