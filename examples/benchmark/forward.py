"""How close to the machine's limit do models recognise clips?   python examples/benchmark/forward.py

The rate of a forward pass in inference mode, over that of matrix products (limit.py): 1 would be a model that does
nothing but multiply. Models of ours take turns with a model of transformers (turns.py): its rate is beside theirs.
bf16 is the whole model in bfloat16. On a GPU: at the batch that comes closest to the limit, as it is and compiled.
"""

from typing import Any

import torch
from limit import DTYPES, Limit
from reporting import parse, report
from rounds import HEADINGS, OPTIONS, cells, rows
from subjects import PEERS, SUBJECTS, count_gflop, describe, make_inputs, make_model
from turns import Call, take_turns

from holovid.allocator import keep_memory


def forward_row(
    name: str, limit: Limit, batch: int = 1, compiled: bool = False, quick: bool = False, **timing: Any
) -> dict[str, Any]:
    """One model at one batch, beside its peer; `timing` goes to `take_turns`."""
    row, call, gflop = side_of(name, limit, batch, compiled, quick)
    if (other := PEERS.get(name)) is not None:
        peer, peer_call, peer_gflop = side_of(other, limit, batch, compiled, quick)
        row |= {"peer": peer["model"]}
        timing |= {"peer": peer_call, "peer_gflop": peer_gflop * batch}
    with torch.inference_mode():
        return row | take_turns(call, gflop * batch, limit, **timing)


def side_of(name: str, limit: Limit, batch: int, compiled: bool, quick: bool) -> tuple[dict[str, Any], Call, float]:
    """What there is to say of a model, a forward pass of a batch, and the 10^9 operations of one clip."""
    subject = SUBJECTS[name]
    config, dtype = subject.make_config(quick), DTYPES[limit.dtype]
    gflop = count_gflop(subject, config)
    with torch.device(limit.device):
        model = make_model(subject, config).to(dtype)
        inputs = make_inputs(subject.model_class, config, batch, dtype)
    # the models of others may not fit in one graph
    run = torch.compile(model, mode="max-autotune", fullgraph=subject.ours) if compiled else model
    row = describe(subject, config, model) | {"batch": batch, "compiled": compiled, "gflop_a_clip": gflop}
    return row, lambda: run(**inputs), gflop


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
