"""What do packed weights bring on a CPU?   python examples/benchmark/packing.py

Models with `holovid.modeling.linear.pack_weights` take turns with themselves without it, and with the limit
(turns.py): one clip, in float32. Packing takes the memory of the weights once more; it is asked for, never done
unasked.
"""

import copy
from typing import Any

import torch
from limit import QUICK, Limit
from reporting import parse, progress, report
from subjects import SUBJECTS, clip_text, count_gflop, describe, make_inputs, make_model
from turns import ROUNDS, outcome, take_turns, told

from holovid.allocator import keep_memory
from holovid.modeling.linear import pack_weights

MODELS = ("xvit-8", "cast", "ca2st")


def measure(name: str, limit: Limit, quick: bool, repeat: int) -> dict[str, Any]:
    subject = SUBJECTS[name]
    config = subject.make_config(quick)
    gflop, plain = count_gflop(subject, config), make_model(subject, config)
    inputs = make_inputs(subject.model_class, config)
    packed = copy.deepcopy(plain)
    pack_weights(packed)
    with torch.inference_mode():
        taken = take_turns(
            lambda: packed(**inputs),
            gflop,
            limit,
            lambda: plain(**inputs),
            gflop,
            repeat=max(repeat, 1 if quick else ROUNDS),
        )
    return describe(subject, config, plain) | taken


def main(argv: list[str] | None = None) -> None:
    args = parse(__doc__, argv)
    limit = Limit("cpu", "fp32", **QUICK if args.quick else {})
    rows = [measure(name, limit, args.quick, args.repeat) for name in progress(MODELS, "Models")]
    cells = [
        [row["model"], clip_text(row), outcome(row), told(row["over_peer"], row["peer_interval"])] for row in rows
    ]
    report("packing", __doc__, args, rows, ["model", "frames x pixels", "of the limit", "rate over unpacked"], cells)


if __name__ == "__main__":
    keep_memory()
    main()
