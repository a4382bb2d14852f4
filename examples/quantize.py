"""What int8 weights cost in accuracy and save in bytes, on the models of the demo:

    make demo && pip install 'holovid[int8]'
    python examples/quantize.py demo-output           a minute
    python examples/quantize.py --base                the size and the speed of an XViT-B/16; three minutes

Weights of linear layers become int8 with a scale for each row (torchao's Int8WeightOnlyConfig). Everything else stays
in float32, and products are computed in float32. The model labels the validation clips of the demo before and after,
and once more after the quantised model was saved and loaded. The script prints a table, then one line of JSON. The
exit status is 1 when a linear layer was left out, or when the loaded model computes something else than the saved one.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import datasets
import torch
import transformers
from playground import DecodedClips, console, decode
from rich.table import Table
from torch import Tensor, nn
from torchao.quantization import Int8WeightOnlyConfig
from torchao.utils import TorchAOBaseTensor
from transformers import AutoModelForVideoClassification, AutoProcessor, PreTrainedModel, TorchAoConfig

from holovid import XViTConfig, XViTForVideoClassification
from holovid.data import load_clips

PARTS = {"XViT": ("", "motion"), "CA²ST": ("hearing", "label")}  # name -> folder in that of the demo, what it labels
REPEATS = 7


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("demo", type=Path, nargs="?", default=Path("demo-output"), help="what make demo wrote")
    parser.add_argument("--part", choices=PARTS, action="append", help="default: all")
    parser.add_argument("--base", action="store_true", help="instead: an XViT-B/16 of random weights")
    return parser.parse_args(argv)


def load(folder: Path, **options: Any) -> PreTrainedModel:
    return AutoModelForVideoClassification.from_pretrained(folder, **options).eval()


def load_as_int8(folder: Path) -> PreTrainedModel:
    return load(folder, quantization_config=TorchAoConfig(Int8WeightOnlyConfig()))


def left_out(model: nn.Module) -> list[str]:
    """Names of linear layers whose weight is not stored in int8."""
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
        and not (isinstance(module.weight, TorchAOBaseTensor) and module.weight.qdata.dtype == torch.int8)
    ]


def size_of(folder: Path) -> int:
    """Bytes of the weights in a folder."""
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))


@torch.inference_mode()
def label(model: PreTrainedModel, clips: DecodedClips) -> Tensor:
    """Logits (clips, classes)."""
    inputs = clips.seen_by(model).inputs
    batches = zip(*(tensor.split(100) for tensor in inputs.values()), strict=True)
    return torch.cat([model(**dict(zip(inputs, batch, strict=True))).logits for batch in batches])


def compare(folder: Path, clips: DecodedClips) -> dict[str, Any]:
    """A saved model before and after, on labelled clips."""
    before, quantised = load(folder), load_as_int8(folder)
    with tempfile.TemporaryDirectory() as saved:
        quantised.save_pretrained(saved)
        size, again = size_of(Path(saved)), load(Path(saved))
    want, rounded, loaded = (label(model, clips) for model in (before, quantised, again))
    truth = clips.classes[clips.target]
    return {
        "clips": len(clips),
        "left_out": left_out(again),
        "loaded_the_same": torch.equal(loaded, rounded),
        "accuracy": [(some.argmax(-1) == truth).double().mean().item() for some in (want, rounded)],
        "other_answers": (want.argmax(-1) != rounded.argmax(-1)).sum().item(),
        "largest_difference": (want - rounded).abs().max().item(),
        "largest_logit": want.abs().max().item(),
        "bytes": [size_of(folder), size],
    }


def seconds(model: PreTrainedModel, clip: Tensor) -> float:
    start = time.perf_counter()
    with torch.inference_mode():
        model(clip)
    return time.perf_counter() - start


def measure_base() -> dict[str, Any]:
    """Bytes on disk, and seconds a clip over those of float32, each pair of runs right after one another."""
    clip = torch.randn(1, 8, 3, 224, 224)
    with tempfile.TemporaryDirectory() as place:
        whole, small = Path(place) / "whole", Path(place) / "int8"
        XViTForVideoClassification(XViTConfig(num_frames=8)).save_pretrained(whole)
        model, quantised = load(whole), load_as_int8(whole)
        quantised.save_pretrained(small)
        sizes, again = [size_of(whole), size_of(small)], load(small)
    with torch.inference_mode():  # all have warmed up then
        want, rounded, loaded = (some(clip).logits for some in (model, quantised, again))
    ratios = sorted(seconds(quantised, clip) / seconds(model, clip) for _ in range(REPEATS))
    return {
        "left_out": left_out(again),
        "loaded_the_same": torch.equal(loaded, rounded),
        "largest_difference": (want - rounded).abs().max().item(),
        "largest_logit": want.abs().max().item(),
        "bytes": sizes,
        "time_ratio": [statistics.median(ratios), ratios[0], ratios[-1]],
        "threads": torch.get_num_threads(),
    }


def show(results: dict[str, dict[str, Any]]) -> None:
    table = Table("", *results)
    rows = {
        "accuracy": lambda r: "{:.4f} -> {:.4f}".format(*r["accuracy"]),
        "other answers": lambda r: f"{r['other_answers']} of {r['clips']}",
        "largest difference of a logit": lambda r: f"{r['largest_difference']:.3f} of {r['largest_logit']:.1f}",
        "bytes": lambda r: "{:,} -> {:,}".format(*r["bytes"]),
        "time, int8 / float32": lambda r: "{:.2f} ({:.2f} to {:.2f})".format(*r["time_ratio"]),
    }
    for name, cell in rows.items():
        try:
            table.add_row(name, *map(cell, results.values()))
        except KeyError:  # not measured here
            continue
    console.print(table)


def main(argv: list[str] | None = None) -> int:
    args = parse(argv)
    datasets.disable_progress_bars()
    transformers.logging.disable_progress_bar()
    results = {}
    if args.base:
        results["XViT-B/16, 8 x 224"] = measure_base()
    for name in [] if args.base else args.part or PARTS:
        place, target = PARTS[name]
        folder = args.demo / place
        rows = load_clips(folder / "clips", target=target)["validation"]
        processor = AutoProcessor.from_pretrained(folder / "model")
        results[name] = compare(folder / "model", decode(rows, processor, [target]))
    show(results)
    versions = {name: version(name) for name in ("torch", "torchao", "transformers")}
    print(json.dumps({"results": results, "versions": versions}))
    return int(any(result["left_out"] or not result["loaded_the_same"] for result in results.values()))


if __name__ == "__main__":
    sys.exit(main())
