"""What does training CAST take, and what do frozen experts save?   python examples/benchmark/training_memory.py

Four ways to train the same model, float32, each in a process of its own, beside the first:
kept = what the forward pass keeps for the backward pass, each piece of memory once, without weights and inputs;
peak = the most that all tensors took together during a step of AdamW: weights, gradients, the optimizer's state, and
activations, as PyTorch's allocator counts them (a process holds some hundred MiB more, whatever is trained);
step = seconds of forward pass, backward pass and AdamW, the median.
CAST-B/16 with everything trained on one clip takes 6 GB.
"""

import itertools
import json
import statistics
from collections.abc import Callable
from typing import Any

import torch
from limit import stopwatch
from memory import MEBIBYTE
from reporting import ask_alone, parse, progress, report
from subjects import SUBJECTS, make_inputs, make_model
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile
from training_step import training_step
from transformers import PreTrainedModel

WAYS = {
    "everything is trained": lambda model: None,
    "experts frozen, nothing computed again": lambda model: model.freeze_experts(recompute=False),
    "experts frozen": lambda model: model.freeze_experts(),
    "experts frozen, activation checkpointing": lambda model: checkpointed(model),
}
HEADINGS = ["model", "way", "kept, MiB", "", "peak, MiB", "", "time of a step"]


def checkpointed(model: PreTrainedModel) -> None:
    model.freeze_experts()
    model.activation_checkpointing_enable()


def kept_for_backward(model: nn.Module, inputs: dict[str, Tensor]) -> int:
    """Bytes of what a forward pass of `model` keeps for the backward pass, without weights and inputs.

    Memory that several tensors share counts once.
    """
    given = {
        tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers(), *inputs.values())
    }
    kept: dict[int, torch.UntypedStorage] = {}  # held, so that no address is used twice

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in given:
            kept[storage.data_ptr()] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model(**inputs)
    return sum(storage.nbytes() for storage in kept.values())


def measure(name: str, way: str, args: Any) -> dict[str, Any]:
    """A row; its peak is only right in a process that has run no other model."""
    subject = SUBJECTS[name]
    config = subject.make_config(args.quick)

    def start() -> tuple[PreTrainedModel, dict[str, Tensor], Callable[[], None]]:
        with torch.device(args.device):
            model = make_model(subject, config).train()
            inputs = make_inputs(subject.model_class, config, args.batch, labels=True)
            WAYS[way](model)
            return model, inputs, training_step(model, inputs)

    (model, inputs, step), most = peak_of(start)
    if args.device == "cuda":
        most = torch.cuda.max_memory_allocated()
    seconds = [stopwatch(step, args.device) for _ in range(args.repeat)]
    return {
        "model": subject.name,
        "way": way,
        "kept": kept_for_backward(model, inputs) / MEBIBYTE,
        "peak": most / MEBIBYTE,
        "seconds": statistics.median(seconds),
    }


def peak_of(start: Callable[[], tuple[Any, ...]]) -> tuple[tuple[Any, ...], int]:
    """What `start` makes, a step of training last, and the most bytes of a CPU's tensors in two of these steps."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        made = start()
        for _ in range(2):  # from the second one on, the optimizer has its state from the beginning: the peak is in it
            made[-1]()
    return made, most_allocated(profiled)


def most_allocated(profiled: profile) -> int:
    """The most bytes that lay in a CPU's tensors at a time, of those made within the profile."""
    changes = [event for event in profiled.profiler.kineto_results.events() if event.name() == "[memory]"]
    changes.sort(key=lambda event: event.start_ns())
    return max(itertools.accumulate(event.nbytes() for event in changes))


def measure_alone(name: str, way: str, args: Any) -> dict[str, Any]:
    """`measure` in a process of its own."""
    options = ["--model", name, "--one", way, "--device", args.device]
    options += ["--batch", str(args.batch), "--repeat", str(args.repeat), *(["--quick"] if args.quick else [])]
    return ask_alone(__file__, *options)


def main(argv: list[str] | None = None) -> None:
    args = parse(
        __doc__, argv,
        model={"choices": ["cast", "cava", "ca2st"], "default": "cast", "help": "which of them"},
        batch={"type": int, "default": 1, "help": "clips of a step"},
        one={"choices": list(WAYS), "help": "measure this way, here, and print its row"},
        device={"choices": ["cpu", "cuda"], "default": "cpu", "help": "where"},
    )  # fmt: skip
    if args.one:
        print(json.dumps(measure(args.model, args.one, args)))
        return
    found = [measure_alone(args.model, way, args) for way in progress(WAYS, "Memory")]
    cells = []
    for row in found:
        numbers = [(f"{row[what]:,.{digits}f}", f"{row[what] / found[0][what]:.2f}")
                   for what, digits in (("kept", 0), ("peak", 0), ("seconds", 1))]  # fmt: skip
        *memory, (_, time) = numbers  # seconds would say nothing of another machine
        cells.append([row["model"], row["way"], *(text for pair in memory for text in pair), time])
    report("training_memory", __doc__, args, found, HEADINGS, cells)


if __name__ == "__main__":
    main()
