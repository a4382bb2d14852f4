"""The rows of forward.py and training_step.py: every model on the CPU, and on a GPU at its best batch."""

import argparse
import gc
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from limit import DTYPES, NO_CUDA, NO_HALF, NO_TIME, QUICK, Limit
from reporting import has_half, progress
from subjects import SUBJECTS, clip_text, describe
from turns import outcome, told

Row = dict[str, Any]
RowMaker = Callable[..., Row]  # (name of a subject, limit, batch, compiled, quick=, repeat=, patience=) -> its row
CUDA_BATCHES = (1, 4, 8, 16, 32, 64, 128)
HEADINGS = [
    "model", "frames x pixels", "batch", "how", "attention", "GFLOP a clip", "of the limit", "fastest over fastest",
    "rate over that of",
]  # fmt: skip
OPTIONS: dict[str, dict[str, Any]] = {
    "models": {
        "nargs": "+",
        "choices": list(SUBJECTS),
        "default": [name for name in SUBJECTS if SUBJECTS[name].ours],
        "help": "which",
    },
    "dtypes": {"nargs": "+", "choices": list(DTYPES), "default": list(DTYPES), "help": "on the CPU"},
    "patience": {"type": float, "default": 100.0, "help": "seconds; longer repetitions are left out"},
    "seconds": {"type": float, "default": float("inf"), "help": "no row begins after so many"},
}


def rows(make_row: RowMaker, jobs: Sequence[tuple[str, str, int]], args: argparse.Namespace) -> Iterator[Row]:
    """Rows of `jobs` (model, type, batch) on the CPU, then of `args.models` on a GPU, or that there is none."""
    options = {"quick": args.quick, "repeat": args.repeat, "patience": args.patience}
    limits = {dtype: Limit("cpu", dtype, **QUICK if args.quick else {}) for dtype in args.dtypes}
    start = time.monotonic()
    for name, dtype, batch in progress(jobs, "On the CPU"):
        gc.collect()  # a model refers to itself: the one before is still there
        outcome = NO_HALF if dtype == "bf16" and not (args.quick or has_half()) else NO_TIME
        if outcome == NO_TIME and time.monotonic() - start < args.seconds:
            yield make_row(name, limits[dtype], batch, **options)
        else:
            ran = {"device": "cpu", "dtype": dtype, "batch": batch, "outcome": outcome}
            yield describe(SUBJECTS[name], SUBJECTS[name].make_config(args.quick)) | ran
    if not torch.cuda.is_available():
        yield {"model": "all of these", "device": "cuda", "dtype": "bf16", "outcome": NO_CUDA}
        return
    limit = Limit("cuda", "bf16")
    for name in progress(args.models, "On the GPU"):
        if time.monotonic() - start >= args.seconds:
            yield {"model": SUBJECTS[name].name, "device": "cuda", "dtype": "bf16", "outcome": NO_TIME}
            continue
        yield from best_batch(
            lambda batch, compiled, name=name: make_row(name, limit, batch, compiled, **options), CUDA_BATCHES
        )


def best_batch(row_at: Callable[[int, bool], Row], batches: Sequence[int]) -> list[Row]:
    """Rows of a GPU, of (batch, compiled): the batch that comes closest to the limit, as it is and compiled.

    Batches grow until one does not fit. Raises `ValueError` when the first does not.
    """
    tried: list[Row] = []
    for batch in batches:
        gc.collect()
        try:
            tried.append(row_at(batch, False))
        except torch.OutOfMemoryError:
            break
    if not tried:
        raise ValueError(f"not even a batch of {batches[0]} fits on this GPU")
    best = max(tried, key=lambda row: statistics.median(row["ratios"]))
    return [best, row_at(best["batch"], True)]


def cells(row: Row) -> list[str]:
    """A row for people."""
    how = f"{row['device']} {row['dtype']}" + (", compiled" if row.get("compiled") else "")
    gflop = f"{row['gflop_a_clip']:.0f}" if "gflop_a_clip" in row else ""
    batch, attention = str(row.get("batch", "")), row.get("attention", "")
    clip = clip_text(row) if "frames" in row else ""
    fastest = f"{row['fastest']:.2f}" if "fastest" in row else ""
    peer = f"{row['peer']}: {told(row['over_peer'], row['peer_interval'])}" if row.get("over_peer") else ""
    return [row["model"], clip, batch, how, attention, gflop, outcome(row), fastest, peer]
