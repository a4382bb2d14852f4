"""How close to the machine's limit do models recognise clips?   python examples/benchmark/forward.py

The rate of a forward pass in inference mode, over that of matrix products (limit.py): 1 would be a model that does
nothing but multiply. bf16 is the whole model in bfloat16. On a GPU: at the batch that comes closest to the limit, as
it is and compiled.
"""

from typing import Any

import torch
from limit import DTYPES, Limit, timed
from reporting import parse, report
from rounds import HEADINGS, OPTIONS, cells, rows
from subjects import SUBJECTS, count_gflop, describe, make_inputs, make_model

from holovid.allocator import keep_memory


def forward_row(
    name: str, limit: Limit, batch: int = 1, compiled: bool = False, quick: bool = False, **timing: Any
) -> dict[str, Any]:
    """One model at one batch; `timing` goes to `timed`."""
    subject = SUBJECTS[name]
    config, dtype = subject.make_config(quick), DTYPES[limit.dtype]
    gflop = count_gflop(subject, config)
    with torch.device(limit.device):
        model = make_model(subject, config).to(dtype)
        inputs = make_inputs(subject.model_class, config, batch, dtype)
    # the models of others may not fit in one graph
    run = torch.compile(model, mode="max-autotune", fullgraph=subject.ours) if compiled else model
    with torch.inference_mode():
        measured = timed(lambda: run(**inputs), gflop * batch, limit, **timing)
    return describe(subject, config, model) | {"batch": batch, "compiled": compiled, "gflop_a_clip": gflop} | measured


def main(argv: list[str] | None = None) -> None:
    args = parse(__doc__, argv, **OPTIONS)
    # XViT also in batches of 4, as the released code was measured
    jobs = [
        (name, dtype, batch)
        for dtype in args.dtypes
        for name in args.models
        for batch in ((1, 4) if name == "xvit-8" else (1,))
    ]
    found = list(rows(forward_row, jobs, args))
    report("forward", __doc__, args, found, HEADINGS, [cells(row) for row in found])


if __name__ == "__main__":
    keep_memory()
    main()
