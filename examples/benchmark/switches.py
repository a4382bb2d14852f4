"""Which of torch's switches make a GPU faster?   python examples/benchmark/switches.py --models xvit-8 cast ca2st

A forward pass in bfloat16, as it is, and with what torch has for it: cuDNN's attention, which torch does not choose by
itself; compilation; `max-autotune`, which measures kernels and puts GELU into the products before it; CUDA graphs, for
a few clips at a time; products in fp8 (torchao). Each in rounds with the limit (turns.py): the rate over it, clips a
second, the most memory, and how far the largest logit moves, for nothing may change numbers unseen. On a CPU only the
first is run.
"""

import gc
import statistics
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import torch
from limit import DTYPES, NO_CUDA, QUICK, Limit, devices
from reporting import parse, progress, report
from subjects import SUBJECTS, count_gflop, make_inputs, make_model
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from turns import outcome, take_turns

from holovid.allocator import keep_memory

BATCHES = (1, 4, 32)
DEFAULT = ("xvit-8", "cast", "ca2st", "timesformer", "avt", "videomae")


class Way(NamedTuple):
    """How a model is run: `change` is made to it, calls go through `around`; `most` clips at a time."""

    change: Callable[[nn.Module], Any] = lambda model: model
    around: Callable[[], AbstractContextManager] = nullcontext
    most: int = max(BATCHES)


def compiled(mode: str) -> Callable[[nn.Module], Any]:
    return lambda model: torch.compile(model, mode=mode, fullgraph=True)


def in_fp8(model: nn.Module) -> Any:
    """Raises `ImportError` where torchao is not installed."""
    from torchao.quantization import Float8DynamicActivationFloat8WeightConfig, quantize_

    quantize_(model, Float8DynamicActivationFloat8WeightConfig())
    return torch.compile(model, fullgraph=True)


def cudnn_first() -> AbstractContextManager:
    backends = [
        SDPBackend.CUDNN_ATTENTION,
        SDPBackend.FLASH_ATTENTION,
        SDPBackend.EFFICIENT_ATTENTION,
        SDPBackend.MATH,
    ]
    return sdpa_kernel(backends, set_priority=True)


AS_IT_IS = "as it is"
WAYS = {
    AS_IT_IS: Way(),
    "cuDNN's attention": Way(around=cudnn_first),
    "compiled": Way(compiled("default")),
    "compiled, cuDNN's attention": Way(compiled("default"), cudnn_first),
    "max-autotune, cuDNN's attention": Way(compiled("max-autotune-no-cudagraphs"), cudnn_first),
    "CUDA graphs": Way(compiled("reduce-overhead"), most=4),
    "fp8": Way(in_fp8),
}


def measure(name: str, device: str, batch: int, limit: Limit, quick: bool, repeat: int) -> list[dict[str, Any]]:
    """A row for each of `WAYS`."""
    subject, dtype = SUBJECTS[name], DTYPES[limit.dtype]
    config = subject.make_config(quick)
    gflop = count_gflop(subject, config)
    with torch.device(device):
        inputs = make_inputs(subject.model_class, config, batch, dtype)
    rows, exact = [], None
    for way, (change, around, most) in WAYS.items():
        row: dict[str, Any] = {"model": subject.name, "device": device, "batch": batch, "way": way}
        if batch > most:
            continue
        if device == "cpu" and way != AS_IT_IS:
            rows.append(row | {"outcome": NO_CUDA})
            continue
        torch.manual_seed(0)  # the same weights each time
        with torch.device(device):
            model = make_model(subject, config).to(dtype)
        if device == "cuda":
            torch.compiler.reset()
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        try:
            run = change(model)
            with torch.inference_mode(), around():
                logits = run(**inputs).logits.float().clone()
                exact = logits if exact is None else exact
                taken = take_turns(lambda run=run: run(**inputs), gflop * batch, limit, repeat=repeat)
        except Exception as error:  # what a card or a version of torch does not have
            rows.append(row | {"outcome": f"failed: {str(error).splitlines()[0][:80]}"})
            continue
        row |= taken | {
            "clips_a_second": batch / statistics.median(taken["seconds"]),
            "mib": torch.cuda.max_memory_allocated() / 2**20 if device == "cuda" else None,
            "difference": ((logits - exact).abs().max() / exact.abs().max()).item(),
        }
        rows.append(row)
        del model, run
        gc.collect()
    return rows


def main(argv: list[str] | None = None) -> None:
    args = parse(
        __doc__, argv,
        models={"nargs": "+", "choices": list(SUBJECTS), "default": list(DEFAULT), "help": "which"},
        batches={"nargs": "+", "type": int, "default": list(BATCHES), "help": "clips at once"},
    )  # fmt: skip
    device = devices()[-1]
    limit = Limit(device, "bf16", **QUICK if args.quick else {})
    batches = args.batches[:1] if args.quick else args.batches
    models = args.models[:1] if args.quick else args.models
    jobs = [(name, batch) for name in models for batch in batches]
    rows = [
        row
        for name, batch in progress(jobs, "Models")
        for row in measure(name, device, batch, limit, args.quick, args.repeat)
    ]
    cells = [
        [row["model"], str(row["batch"]), row["way"], outcome(row), *("",) * 3]
        if "outcome" in row
        else [
            row["model"], str(row["batch"]), row["way"], outcome(row),
            f"{row['clips_a_second']:.0f}" if device == "cuda" else "",
            f"{row['mib']:.0f}" if device == "cuda" else "", f"{row['difference']:.1e}",
        ]
        for row in rows
    ]  # fmt: skip
    headings = [
        "model",
        "clips at once",
        "how",
        "of the limit",
        "clips a second",
        "MiB",
        "difference over largest logit",
    ]
    report("switches", __doc__, args, rows, headings, cells)


if __name__ == "__main__":
    keep_memory()
    main()
