"""Do products in int8 make a CPU faster than 16 bits?   python examples/benchmark/int8.py

XViT-B/16 as bfloat16.py has it, in float32, in bfloat16, and with the products of its linear layers in int8: weights
with a scale a row, rounded once, and what goes in rounded in each call (dynamic). Three libraries do that: torch's
own `quantize_dynamic`, torchao, and onnxruntime on the exported model; one that is not installed is not run. All take
turns on the same random clips; accuracy is the largest difference of a logit over the largest logit.
"""

import copy
import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bfloat16 import sharpen
from limit import spread, stopwatch
from reporting import parse, progress, report
from subjects import SUBJECTS, make_inputs, make_model
from torch import Tensor, nn

from holovid.allocator import keep_memory
from holovid.modeling.linear import use_torch

FLOAT, HALF = "float32", "bfloat16"
Logits = Callable[[Tensor], Tensor]  # of float32 clips


def of(model: nn.Module, dtype: torch.dtype = torch.float32) -> Logits:
    return lambda clips: model(pixel_values_videos=clips.to(dtype)).logits.float()


def by_torch(model: nn.Module) -> Logits:
    from torch.ao.quantization import quantize_dynamic

    use_torch(model)
    with warnings.catch_warnings(action="ignore"):  # that it moves to torchao
        return of(quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8))


def by_torchao(model: nn.Module) -> Logits:
    """Raises `ImportError` where torchao is not installed."""
    from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_

    use_torch(model)
    quantize_(model, Int8DynamicActivationInt8WeightConfig())
    return of(model)


def by_onnxruntime(model: nn.Module) -> Logits:
    """Raises `ImportError` where onnx, onnxscript or onnxruntime is not installed."""
    import onnxruntime
    from onnxruntime.quantization import quantize_dynamic

    class OfPixels(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, pixels: Tensor) -> Tensor:
            return self.model(pixel_values_videos=pixels).logits

    size = model.config.image_size
    clips = torch.zeros(1, model.config.num_frames, 3, size, size)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(action="ignore"):
        whole, small = str(Path(folder, "whole.onnx")), str(Path(folder, "int8.onnx"))
        torch.onnx.export(OfPixels().eval(), (clips,), whole, dynamo=True, verbose=False)
        quantize_dynamic(whole, small)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        session = onnxruntime.InferenceSession(small, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda clips: torch.from_numpy(np.asarray(session.run(None, {name: clips.numpy()})[0]))


LIBRARIES: dict[str, Callable[[nn.Module], Logits]] = {
    "int8, torch": by_torch, "int8, torchao": by_torchao, "int8, onnxruntime": by_onnxruntime,
}  # fmt: skip


def keep(answers: dict[str, Tensor], name: str, answer: Logits, clips: Tensor) -> None:
    answers[name] = answer(clips)


def measure(quick: bool = False, repeat: int = 5) -> list[dict[str, Any]]:
    """A row each: `over_float`, float32's time over its own; `over_half`, bfloat16's; `difference` of logits."""
    torch.manual_seed(0)
    subject = SUBJECTS["xvit-8"]
    config = subject.make_config(quick)
    exact = sharpen(make_model(subject, config))
    ways: dict[str, Logits] = {FLOAT: of(exact), HALF: of(copy.deepcopy(exact).to(torch.bfloat16), torch.bfloat16)}
    outcomes: dict[str, str] = {}
    for name, make in LIBRARIES.items():
        try:
            ways[name] = make(copy.deepcopy(exact))
        except ImportError as error:
            outcomes[name] = f"not run: {error}"
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    differences: dict[str, list[float]] = {name: [] for name in ways}
    largest: list[float] = []
    with torch.inference_mode():
        for index in progress(range(repeat + 1), "Clips"):
            clips = make_inputs(subject.model_class, config)["pixel_values_videos"]
            answers: dict[str, Tensor] = {}
            for name, answer in ways.items():
                taken = stopwatch(partial(keep, answers, name, answer, clips))
                if index:  # the first clip warms up
                    seconds[name].append(taken)
                    differences[name].append((answers[name] - answers[FLOAT]).abs().max().item())
            largest.append(answers[FLOAT].abs().max().item())
    rows: list[dict[str, Any]] = [
        {
            "way": name, "model": subject.name, "seconds": seconds[name],
            "over_float": [other / own for other, own in zip(seconds[FLOAT], seconds[name], strict=True)],
            "over_half": [other / own for other, own in zip(seconds[HALF], seconds[name], strict=True)],
            "difference": max(differences[name]) / max(largest[1:]),
        }
        for name in ways
    ]  # fmt: skip
    return rows + [{"way": name, "model": subject.name, "outcome": why} for name, why in outcomes.items()]


def main(argv: list[str] | None = None) -> None:
    args = parse(__doc__, argv)
    rows = measure(args.quick, args.repeat)
    cells = [
        [row["way"], row["outcome"], "", ""]
        if "outcome" in row
        else [row["way"], spread(row["over_float"]), spread(row["over_half"]), f"{row['difference']:.1e}"]
        for row in rows
    ]
    headings = ["products", "float32's time over its own", "bfloat16's", "difference over largest logit"]
    report("int8", __doc__, args, rows, headings, cells)


if __name__ == "__main__":
    keep_memory()
    main()
