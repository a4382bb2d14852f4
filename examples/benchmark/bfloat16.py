"""What does bfloat16 cost in accuracy, and what does it bring?   python examples/benchmark/bfloat16.py

XViT-B/16 with weights so large that attention is far from uniform (small ones would hide errors), in float32 and in
bfloat16, on the same random clips one after the other: the ratio of their seconds, the largest difference of a logit
over the largest logit, and how often both have the same first class.
"""

import copy
from typing import Any

import torch
from limit import NO_CUDA, devices, spread, stopwatch
from reporting import parse, progress, report
from subjects import SUBJECTS, make_inputs, make_model
from torch import nn

from holovid.allocator import keep_memory

CLIPS = 8


def sharpen(model: nn.Module) -> nn.Module:
    """Weights of about 1 / sqrt(their inputs), so that every layer changes what it is given."""
    for parameter in model.parameters():
        if parameter.ndim > 1 and min(parameter.shape) > 1:
            nn.init.normal_(parameter, std=1.5 * parameter[0].numel() ** -0.5)
    return model


def compare(device: str = "cpu", clips: int = CLIPS, quick: bool = False) -> dict[str, Any]:
    """One row: `speedups` of bfloat16 clip by clip, `difference` of logits, `agreement` of first classes."""
    torch.manual_seed(0)
    subject = SUBJECTS["xvit-8"]
    config = subject.make_config(quick)
    with torch.device(device):
        exact = sharpen(make_model(subject, config))
        rounded = copy.deepcopy(exact).to(torch.bfloat16)
    speedups, differences, largest, same = [], [], [], []
    with torch.inference_mode():
        for index in progress(range(clips + 1), "Clips"):
            with torch.device(device):
                inputs = make_inputs(subject.model_class, config)
            answers = []

            def recognise(model: nn.Module, dtype: torch.dtype, inputs=inputs, answers=answers) -> None:
                clip = {name: value.to(dtype) for name, value in inputs.items()}
                answers.append(model(**clip).logits.float())

            slow = stopwatch(lambda: recognise(exact, torch.float32), device)
            fast = stopwatch(lambda: recognise(rounded, torch.bfloat16), device)
            if index:  # the first clip warms up
                speedups.append(slow / fast)
                differences.append((answers[0] - answers[1]).abs().max().item())
                largest.append(answers[0].abs().max().item())
                same.append((answers[0].argmax() == answers[1].argmax()).item())
    return {
        "device": device, "model": subject.name, "clips": clips, "speedups": speedups,
        "difference": max(differences) / max(largest), "agreement": sum(same) / clips,
    }  # fmt: skip


def main(argv: list[str] | None = None) -> None:
    args = parse(__doc__, argv, clips={"type": int, "default": CLIPS, "help": "how many, each in both types"})
    found = [compare(device, args.clips, args.quick) for device in devices()]
    cells = [
        [
            row["device"],
            f"{row['model']}, {row['clips']} clips",
            spread(row["speedups"]),
            f"{row['difference']:.1e}",
            f"{row['agreement']:.0%}",
        ]
        for row in found
    ]
    cells += [] if torch.cuda.is_available() else [["cuda", "", NO_CUDA, "", ""]]
    headings = ["device", "of", "float32's time over bfloat16's", "difference over largest logit", "same first class"]
    report("bfloat16", __doc__, args, found, headings, cells)


if __name__ == "__main__":
    keep_memory()
    main()
