"""How close to the machine's limit do models learn?   python examples/benchmark/training_step.py

The rate of forward pass, loss, backward pass and AdamW's step, over that of matrix products (limit.py). The experts of
the CA²ST family are frozen, as its papers train it, and what then need not be computed is not counted. bf16 is what
`TrainingArguments(bf16=True)` does: weights in float32, products in bfloat16.
"""

from collections.abc import Callable
from typing import Any

import torch
from limit import DTYPES, Limit
from reporting import parse, report
from rounds import HEADINGS, OPTIONS, cells, rows
from subjects import SUBJECTS, count_gflop, describe, make_inputs, make_model
from torch import Tensor, nn
from turns import take_turns

from holovid.allocator import keep_memory

BFLOAT16 = ("xvit-8", "cast")  # on the CPU: a comparison of types, not of models


def training_step(model: nn.Module, inputs: dict[str, Tensor], run: Callable | None = None) -> Callable[[], None]:
    """A function that takes a step in the middle of training `model`; `run` is the model, compiled."""
    return step_of(model, lambda: (run or model)(**inputs).loss)


def step_of(model: nn.Module, loss: Callable[[], Tensor]) -> Callable[[], None]:
    """The same of a model whose loss a function gives."""
    tuned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(tuned, lr=1e-4, fused=True)
    for parameter in tuned:
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()  # makes its state
    optimizer.zero_grad()

    def step() -> None:
        loss().backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def training_row(
    name: str, limit: Limit, batch: int = 1, compiled: bool = False, quick: bool = False, **timing: Any
) -> dict[str, Any]:
    """One model at one batch; `timing` goes to `take_turns`."""
    subject = SUBJECTS[name]
    config = subject.make_config(quick)
    gflop = count_gflop(subject, config, training=True)
    with torch.device(limit.device):
        model = make_model(subject, config, training=True)
        inputs = make_inputs(subject.model_class, config, batch, labels=True)
    run = torch.compile(model, fullgraph=subject.ours) if compiled else model
    step = training_step(model, inputs, run)
    with torch.autocast(limit.device, torch.bfloat16, enabled=DTYPES[limit.dtype] == torch.bfloat16):
        measured = take_turns(step, gflop * batch, limit, **timing)
    return describe(subject, config, model) | {"batch": batch, "compiled": compiled, "gflop_a_clip": gflop} | measured


def main(argv: list[str] | None = None) -> None:
    args = parse(__doc__, argv, **OPTIONS)
    jobs = [(name, dtype, 1) for dtype in args.dtypes for name in args.models if dtype == "fp32" or name in BFLOAT16]
    found = list(rows(training_row, jobs, args))
    report("training_step", __doc__, args, found, HEADINGS, [cells(row) for row in found])


if __name__ == "__main__":
    keep_memory()
    main()
