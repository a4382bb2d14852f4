"""What does a longer clip cost XViT?   python examples/benchmark/frames.py

Seconds of a forward pass over those of 8 frames, for one clip. The numbers of frames take turns, so that each ratio is
of neighbours in time. Twice the frames are twice the tokens, and attention stays within a frame: 32 frames cost 4
times what 8 do, where attention over all tokens of the clip would make it more.
"""

from collections.abc import Sequence
from typing import Any

import torch
from limit import NO_CUDA, devices, spread, stopwatch
from reporting import parse, progress, report
from subjects import SUBJECTS, count_gflop, make_inputs, make_model, xvit

from holovid.allocator import keep_memory

FRAMES = (4, 8, 16, 32, 64)
BASE = 8


def rows(device: str, frames: Sequence[int] = FRAMES, quick: bool = False, repeat: int = 3) -> list[dict[str, Any]]:
    """One row for each number of frames: `ratios` of seconds and of operations to those of `BASE` frames."""
    subjects = {number: xvit(number) for number in sorted({*frames, BASE})}
    configs = {number: subject.make_config(quick) for number, subject in subjects.items()}
    with torch.device(device):
        # one model: its weights do not depend on how many frames it is given
        model = make_model(SUBJECTS["xvit-8"], configs[BASE])
        inputs = {number: make_inputs(subjects[number].model_class, config) for number, config in configs.items()}
    seconds: dict[int, list[float]] = {number: [] for number in configs}
    with torch.inference_mode():
        model(**inputs[BASE])
        for _ in progress(range(repeat), "Frames"):
            for number, clip in inputs.items():
                seconds[number].append(stopwatch(lambda clip=clip: model(**clip), device))
    gflop = {number: count_gflop(subjects[number], config) for number, config in configs.items()}
    return [
        {
            "device": device, "frames": number, "seconds": seconds[number], "gflop": gflop[number],
            "gflop_ratio": gflop[number] / gflop[BASE],
            "ratios": [own / base for own, base in zip(seconds[number], seconds[BASE], strict=True)],
        }
        for number in configs
    ]  # fmt: skip


def main(argv: list[str] | None = None) -> None:
    args = parse(__doc__, argv)
    found = [row for device in devices() for row in rows(device, quick=args.quick, repeat=args.repeat)]
    cells = [[row["device"], str(row["frames"]), f"{row['gflop_ratio']:.2f}", spread(row["ratios"])] for row in found]
    cells += [] if torch.cuda.is_available() else [["cuda", "4 to 64", "", NO_CUDA]]
    report(
        "frames", __doc__, args, found, ["device", "frames", "operations over 8 frames'", "time over 8 frames'"], cells
    )


if __name__ == "__main__":
    keep_memory()
    main()
