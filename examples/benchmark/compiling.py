"""Does torch.compile take models whole, and once for all batches?   python examples/benchmark/compiling.py

Counted rather than timed, so that it can be told without a GPU, on small models, as sizes do not matter: the graphs
that a model becomes at a batch of 2 (more than one means breaks), and those that other batches add with `dynamic=True`
(each is a compilation again). And of the model as it is, which kernels compute attention.
"""

from collections.abc import Sequence
from typing import Any

import torch
from limit import DTYPES, NO_CUDA, devices
from reporting import parse, progress, report
from subjects import SUBJECTS, make_inputs, make_model
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

MODELS = ("xvit-8", "cast", "cava", "ca2st")
BATCHES = (2, 3, 8)
ATTENTION = ("bmm", "baddbmm", "scaled_dot_product")  # what computes it, plain or fused


def graphs(model: nn.Module, inputs: Sequence[dict[str, Tensor]]) -> tuple[int, int]:
    """(graphs that the first input makes of a model, graphs that the others add)."""
    found: list[Any] = []

    def count(graph: Any, example: Any) -> Any:
        found.append(graph)
        return graph.forward

    torch.compiler.reset()
    compiled = torch.compile(model, backend=count, dynamic=True)
    compiled(**inputs[0])
    first = len(found)
    for other in inputs[1:]:
        compiled(**other)
    return first, len(found) - first


def attention_kernels(model: nn.Module, inputs: dict[str, Tensor]) -> list[str]:
    """Names of the operations that compute attention, as torch dispatches them."""
    with FlopCounterMode(display=False) as counter:
        model(**inputs)
    names = {str(operation).removeprefix("aten.") for operation in counter.get_flop_counts()["Global"]}
    return sorted(name for name in names if any(part in name for part in ATTENTION))


@torch.no_grad()
def measure(name: str, device: str = "cpu", dtype: str = "bf16") -> dict[str, Any]:
    subject = SUBJECTS[name]
    config = subject.make_config(quick=True)
    with torch.device(device):
        model = make_model(subject, config).to(DTYPES[dtype])
        inputs = [make_inputs(subject.model_class, config, batch, DTYPES[dtype]) for batch in BATCHES]
    kernels = attention_kernels(model, inputs[0])
    first, more = graphs(model, inputs)
    return {
        "model": subject.name, "device": device, "dtype": dtype, "graph_breaks": first - 1, "recompilations": more,
        "kernels": kernels, "without_flash": not all("flash" in kernel for kernel in kernels),
    }  # fmt: skip


def main(argv: list[str] | None = None) -> None:
    args = parse(__doc__, argv)
    jobs = [(name, device) for device in devices() for name in MODELS]
    found = [measure(name, device) for name, device in progress(jobs, "Compiling")]
    cells = [
        [
            row["model"],
            f"{row['device']} {row['dtype']}",
            str(row["graph_breaks"]),
            str(row["recompilations"]),
            ", ".join(row["kernels"]),
        ]
        for row in found
    ]
    cells += [] if torch.cuda.is_available() else [["all", "cuda bf16", NO_CUDA, "", ""]]
    headings = ["model", "how", "graph breaks", "recompilations at batches 3 and 8", "attention"]
    report("compiling", __doc__, args, found, headings, cells)


if __name__ == "__main__":
    main()
