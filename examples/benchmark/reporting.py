"""What the questions of this folder have in common: their options, a table for people, and a line of JSON."""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
import transformers
from rich.console import Console
from rich.progress import track
from rich.table import Table

T = TypeVar("T")
FEATURES = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")  # of CPUs, that decide how fast products can be


def parse(description: str | None, argv: list[str] | None, **more: dict[str, Any]) -> argparse.Namespace:
    """The options of a question; `more` are those that it alone has, by name."""
    parser = argparse.ArgumentParser(description=(description or "").partition("   ")[0])
    parser.add_argument("--quick", action="store_true", help="tiny models, to see whether everything runs")
    parser.add_argument("--repeat", type=int, default=3, help="repetitions, of which the median counts")
    for name, options in more.items():
        parser.add_argument(f"--{name}", **options)
    args = parser.parse_args(argv)
    if args.repeat < 1:
        parser.error(f"--repeat must be at least 1, got {args.repeat}")
    return args


def progress(work: Iterable[T], what: str) -> Iterable[T]:
    """The same, with a bar on stderr; stdout is for answers."""
    return track(work, what, console=Console(stderr=True), transient=True)


def versions() -> dict[str, str]:
    """What numbers depend on, and nothing that tells one machine from another of its kind."""
    found = {"python": platform.python_version(), "torch": torch.__version__, "transformers": transformers.__version__}
    flags = cpu_flags()
    found["cpu"] = ", ".join(f"{name} {'yes' if name in flags else 'no'}" for name in FEATURES)
    found["threads"] = str(torch.get_num_threads())
    found["gpu"] = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return found


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ask_alone(script: str, *options: str) -> dict[str, Any]:
    """What a script prints as the JSON of its last line, in a process of its own."""
    run = subprocess.run([sys.executable, script, *options], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(run.stdout.splitlines()[-1])


def cpu_flags(path: str | os.PathLike = "/proc/cpuinfo") -> set[str]:
    """What the CPU says it can; nothing where the system does not tell."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return set()
    return next((set(line.partition(":")[2].split()) for line in lines if line.startswith("flags")), set())


def has_half() -> bool:
    """Whether the CPU multiplies numbers of 16 bits, as far as it tells; others are slower with them than with 32."""
    flags = cpu_flags()
    return not flags or bool(flags & {"avx512_bf16", "amx_bf16"})


def report(
    question: str,
    title: str | None,
    args: argparse.Namespace,
    rows: Sequence[dict[str, Any]],
    headings: Sequence[str],
    cells: Sequence[Sequence[str]],
) -> None:
    """Print the table, and then everything on one line of JSON, which run.py reads."""
    asked = (title or "").partition("   ")[0]
    table = Table(*headings, title=asked)
    for row in cells:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 130).print(table)
    answer = {
        "question": question,
        "title": asked,
        "options": {name: value for name, value in vars(args).items() if name != "argv"},
        "versions": versions(),
        "rows": list(rows),
        "headings": list(headings),
        "cells": [list(row) for row in cells],
    }
    print(json.dumps(answer, ensure_ascii=False), flush=True)
