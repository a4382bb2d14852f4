"""How do models do beside those of others that compute the same?   python examples/benchmark/beside.py

Ours and theirs take turns in one process, float32 on the CPU, so that whatever slows the machine slows both: seconds
of ours over theirs, of a forward pass and of a training step (forward pass, backward pass, AdamW). And of ours, how
close the forward pass comes to the limit (limit.py). The peak is the most that all tensors of a training step took
together, weights and the optimizer's state included, each model in a process of its own: ours over theirs.
"""

import json
import statistics
from typing import Any

import torch
from limit import QUICK, Limit, Timing, spread, stopwatch
from reporting import ask_alone, parse, progress, report
from subjects import SUBJECTS, count_gflop, describe, make_inputs, make_model
from torch.profiler import ProfilerActivity, profile
from training_memory import most_allocated
from training_step import training_step

from holovid.allocator import keep_memory

PAIRS = {"timesformer": "timesformer-transformers"}
BATCHES = (1, 4)
HEADINGS = ["model", "beside", "batch", "what", "ours over theirs", "ours, of the limit"]


def forward(ours: str, theirs: str, batch: int, limit: Limit, quick: bool, repeat: int) -> dict[str, Any]:
    """Seconds of both, taking turns after one turn that warms up, and the limit before and after ours."""
    configs = [SUBJECTS[name].make_config(quick) for name in (ours, theirs)]
    models = [make_model(SUBJECTS[name], config) for name, config in zip((ours, theirs), configs, strict=True)]
    inputs = [
        make_inputs(SUBJECTS[name].model_class, config, batch)
        for name, config in zip((ours, theirs), configs, strict=True)
    ]
    timing = Timing(count_gflop(SUBJECTS[ours], configs[0]) * batch, limits=[])
    seconds: list[float] = []
    with torch.inference_mode():
        for turn in range(repeat + 1):
            before, own = limit(), stopwatch(lambda: models[0](**inputs[0]))
            after, other = limit(), stopwatch(lambda: models[1](**inputs[1]))
            if turn:
                timing.seconds.append(own)
                timing.limits.append(statistics.mean((before, after)))
                seconds.append(other)
    return {
        "what": "forward pass",
        "over_theirs": [own / other for own, other in zip(timing.seconds, seconds, strict=True)],
        "of_the_limit": [timing.gflop / own / rate for own, rate in zip(timing.seconds, timing.limits, strict=True)],
    }


def training(ours: str, theirs: str, batch: int, quick: bool, repeat: int) -> dict[str, Any]:
    steps = []
    for name in (ours, theirs):
        config = SUBJECTS[name].make_config(quick)
        model = make_model(SUBJECTS[name], config, training=True)
        steps.append(training_step(model, make_inputs(SUBJECTS[name].model_class, config, batch, labels=True)))
    pairs = [[stopwatch(step) for step in steps] for _ in range(repeat + 1)][1:]
    return {"what": "training step", "over_theirs": [own / other for own, other in pairs]}


def peak(name: str, batch: int, quick: bool) -> float:
    """Bytes; only right in a process that has run no other model."""
    config = SUBJECTS[name].make_config(quick)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        model = make_model(SUBJECTS[name], config, training=True)
        step = training_step(model, make_inputs(SUBJECTS[name].model_class, config, batch, labels=True))
        step()
        step()  # from the second one on, the optimizer has its state from the beginning
    return most_allocated(profiled)


def measure(ours: str, limit: Limit, args: Any) -> list[dict[str, Any]]:
    """The rows of a pair."""
    theirs, quick = PAIRS[ours], ["--quick"] if args.quick else []
    found = [
        forward(ours, theirs, batch, limit, args.quick, args.repeat) | {"batch": batch}
        for batch in progress(BATCHES, f"{ours}: forward passes")
    ]
    found.append(training(ours, theirs, 1, args.quick, args.repeat) | {"batch": 1})
    for batch in BATCHES:
        own, other = (
            ask_alone(__file__, "--one", name, "--batch", str(batch), *quick)["peak"] for name in (ours, theirs)
        )
        found.append({"what": "peak memory of a training step", "over_theirs": [own / other], "batch": batch})
    described = describe(SUBJECTS[ours], SUBJECTS[ours].make_config(args.quick)) | {"beside": SUBJECTS[theirs].name}
    return [described | row for row in found]


def main(argv: list[str] | None = None) -> None:
    args = parse(
        __doc__, argv,
        models={"nargs": "+", "choices": list(PAIRS), "default": list(PAIRS), "help": "which of ours"},
        batch={"type": int, "default": 1, "help": "of --one"},
        one={"choices": list(SUBJECTS), "help": "measure the peak of this model, here, and print it"},
    )  # fmt: skip
    if args.one:
        print(json.dumps({"peak": peak(args.one, args.batch, args.quick)}))
        return
    limit = Limit("cpu", "fp32", **QUICK if args.quick else {})
    found = [row for name in args.models for row in measure(name, limit, args)]
    cells = [
        [
            row["model"], row["beside"], str(row["batch"]), row["what"], spread(row["over_theirs"]),
            spread(row["of_the_limit"]) if "of_the_limit" in row else "",
        ]
        for row in found
    ]  # fmt: skip
    report("beside", __doc__, args, found, HEADINGS, cells)


if __name__ == "__main__":
    keep_memory()
    main()
