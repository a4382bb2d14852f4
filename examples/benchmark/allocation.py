"""What does a CPU gain when freed memory stays with the process?   python examples/benchmark/allocation.py

A forward pass over the limit, as the process starts, and after `holovid.allocator.keep_memory`; there is no way back,
so one comes after the other. Page faults are how often the system had to map a page of 4 KiB for one forward pass.
"""

import resource
from typing import Any

import torch
from forward import forward_row
from limit import QUICK, Limit
from reporting import parse, report
from subjects import SUBJECTS, clip_text, make_inputs, make_model
from turns import outcome

from holovid.allocator import keep_memory

JOBS = (("xvit-8", 1), ("xvit-8", 4))


@torch.inference_mode()
def page_faults(name: str, batch: int, quick: bool = False) -> int:
    """Of one forward pass, after one that settles what stays."""
    config = SUBJECTS[name].make_config(quick)
    model, inputs = make_model(SUBJECTS[name], config), make_inputs(SUBJECTS[name].model_class, config, batch)
    model(**inputs)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    model(**inputs)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def main(argv: list[str] | None = None) -> None:
    args = parse(__doc__, argv)
    limit = Limit("cpu", "fp32", **QUICK if args.quick else {})
    found: list[dict[str, Any]] = []
    for kept in (False, True):
        if kept and not keep_memory():
            found += [{"kept": True, "outcome": "not run: this C library cannot be told", "model": "all of these"}]
            break
        for name, batch in JOBS:
            row = forward_row(name, limit, batch, quick=args.quick, repeat=args.repeat)
            found.append(row | {"kept": kept, "page_faults": page_faults(name, batch, args.quick)})
    cells = [
        [
            row["model"],
            clip_text(row) if "frames" in row else "",
            str(row.get("batch", "")),
            "kept" if row["kept"] else "given back",
            f"{row['page_faults']:,}" if "page_faults" in row else "",
            outcome(row),
        ]
        for row in found
    ]
    headings = ["model", "frames x pixels", "batch", "freed memory is", "page faults", "of the limit"]
    report("allocation", __doc__, args, found, headings, cells)


if __name__ == "__main__":
    main()
