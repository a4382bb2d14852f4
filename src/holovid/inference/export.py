"""Exports trained classifiers to files that run without holovid: `model.onnx` for ONNX, `model.pt2` for torch alone.

    exported = export("demo-output/model", "xvit-onnx")
    exported.inputs, exported.outputs, exported.differences

The folder also has the settings, the labels and the processor, as ONNX users of transformers expect. The file's
outputs are compared with the model's before the folder appears.
"""

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from transformers import PreTrainedConfig, PreTrainedModel

from holovid.cheap_checks import check_model_name
from holovid.families.family import family_of
from holovid.files import new_folder, write_whole
from holovid.inference.pipeline import check_finite
from holovid.loading import classifier_of, load, read_config

TOLERANCE = 1e-4  # largest difference of a logit, in float32
RECORD = "export.json"
BATCH = "batch"  # name of a dynamic batch size in files
TRACED = 2  # batch size of the trace; 0 and 1 would become constants
CHECKED = (1, 3)  # other batch sizes, for the check

Run = Callable[[dict[str, Tensor]], dict[str, Tensor]]


@dataclass(frozen=True)
class Export:
    """
    Args:
        file: path of the exported file, in a folder with `config.json`, the processor and this as `export.json`.
        format: "onnx" or "torch".
        model: folder name or Hub id of the exported model, and `model_class`, its class in transformers.
        inputs: name -> shape, whose first size is "batch" if that is dynamic. All are float32 except `audio_mask`.
        outputs: names of the logits.
        differences: batch size -> largest difference from the model's own logits.
        versions: of the packages that made the file.
    """

    file: str
    format: str
    model: str
    model_class: str
    inputs: dict[str, list[int | str]]
    outputs: list[str]
    differences: dict[int, float]
    versions: dict[str, str]

    def lines(self) -> list[str]:
        sizes = ", ".join(f"{name} ({', '.join(map(str, shape))})" for name, shape in self.inputs.items())
        checked = " and ".join(f"{difference:.1e} ({clips})" for clips, difference in self.differences.items())
        return [
            f"{self.file}: {Path(self.file).stat().st_size:,} bytes",
            f"takes {sizes}",
            f"returns {', '.join(self.outputs)}; largest difference from the model's, by batch size: {checked}",
        ]


class Logits(nn.Module):
    """The exported part of a classifier: inputs by name -> logits by name."""

    def __init__(self, model: PreTrainedModel):
        super().__init__()
        self.model = model

    def forward(
        self,
        pixel_values_videos: Tensor,
        input_values: Tensor | None = None,
        audio_mask: Tensor | None = None,
        frame_times: Tensor | None = None,
        audio_span: Tensor | None = None,
    ) -> dict[str, Tensor]:
        sound = {
            "input_values": input_values,
            "audio_mask": audio_mask,
            "frame_times": frame_times,
            "audio_span": audio_span,
        }
        given = {name: tensor for name, tensor in sound.items() if tensor is not None}
        outputs = self.model(pixel_values_videos, **given, return_dict=True)
        return {name: value for name, value in outputs.items() if name.endswith("logits")}


def export(
    source: str | os.PathLike,
    target: str | os.PathLike,
    *,
    format: str = "onnx",
    batch: int | None = None,
    inputs: Iterable[str] | None = None,
) -> Export:
    """Write a model as one file, with its settings and processor, to the new folder `target`.

    It computes in float32; number and size of frames are fixed to those of the processor.

    Args:
        source: folder or Hub id of a holovid classifier with its processor.
        target: appears when everything is written and checked, or not at all.
        format: "onnx", or "torch" for `torch.export`.
        batch: fixed batch size; default: dynamic.
        inputs: the inputs of the file. Default: all that the model reads; those left out, such as `audio_mask`, take
            the model's defaults.

    Raises `ValueError` when `source` is not a holovid classifier with its processor, is quantised, `target` exists, or
    the file's outputs differ from the model's; `ImportError` when a package is missing.
    """
    check_request(format, batch)
    model, processor = load_for_export(source)
    shapes = input_shapes(model.config, processor, inputs)
    network = Logits(model).eval()
    kind = FORMATS[format]
    with new_folder(target) as folder:
        file = folder / kind.file
        program = trace(network, shapes, batch)
        outputs = list(program.call_spec.out_spec.context)  # keys of the dictionary
        kind.write(program, list(shapes), outputs, batch is None, file)
        run = kind.run(file)
        differences = {
            clips: largest_difference(network, run, example(shapes, clips))
            for clips in ((batch,) if batch else CHECKED)
        }
        wrong = {clips: difference for clips, difference in differences.items() if not difference <= TOLERANCE}
        if wrong:
            found = ", ".join(f"{difference:.1e} for {clips} clips" for clips, difference in wrong.items())
            raise ValueError(f"{file.name} was not written: its logits differ from the model's by {found}")
        model.config.save_pretrained(folder)
        processor.save_pretrained(folder)
        exported = Export(
            file=str(Path(target) / file.name),
            format=format,
            model=Path(source).name if Path(source).is_dir() else str(source),
            model_class=type(model).__name__,
            inputs={name: [batch or BATCH, *shape] for name, shape in shapes.items()},
            outputs=outputs,
            differences=differences,
            versions={name: version(name) for name in ("holovid", "torch", "transformers", *kind.packages)},
        )
        write_whole(
            folder / RECORD, json.dumps(asdict(exported) | {"file": file.name}, indent=2, allow_nan=False) + "\n"
        )
    return exported


def check_request(format: str, batch: int | None) -> None:
    if format not in FORMATS:
        raise ValueError(f"unknown format {format!r}; choose from {', '.join(FORMATS)}")
    if batch is not None and batch < 1:
        raise ValueError(f"batch must be at least 1 clip, got {batch}")
    missing = [name for name in FORMATS[format].packages if not find_spec(name)]
    if missing:
        raise ImportError(f"format {format} needs {', '.join(missing)}: pip install 'holovid[{format}]'")


def load_for_export(source: str | os.PathLike) -> tuple[PreTrainedModel, Any]:
    check_model_name(source)
    config = read_config(source)
    family_of(config, str(source))
    classifier_of(config, str(source))
    if getattr(config, "quantization_config", None):
        raise ValueError(f"{source} is quantised; export the model before quantisation")
    # flash attention and others cannot be exported
    return load(source, dtype=torch.float32, attn_implementation="sdpa")


def input_shapes(
    config: PreTrainedConfig, processor: Any, inputs: Iterable[str] | None = None
) -> dict[str, tuple[int, ...]]:
    """Name -> shape of the file's inputs, without the batch. Raises `ValueError` for unknown and missing inputs."""
    video_processor = getattr(processor, "video_processor", processor)
    frames = video_processor.num_frames or config.num_frames
    size = size_of_frames(video_processor) or config.frame_size
    shapes: dict[str, tuple[int, ...]] = {"pixel_values_videos": (frames, config.num_channels, *size)}
    needed = ["pixel_values_videos"]
    if config.hears:
        needed.append("input_values")
        shapes |= {"input_values": (config.audio_frames, config.num_mel_bins), "audio_mask": ()}
        if config.reads_times:
            shapes |= {"frame_times": (frames,), "audio_span": (2,)}
    if inputs is None:
        return shapes
    inputs = list(inputs)
    if not set(needed) <= set(inputs) <= set(shapes):
        optional = [name for name in shapes if name not in needed]
        takes = f"inputs must have {' and '.join(needed)}"
        takes += f", and may have {', '.join(optional)}" if optional else " and nothing else"
        raise ValueError(f"{takes}; got {', '.join(inputs) or 'none'}")
    return {name: shape for name, shape in shapes.items() if name in inputs}


def size_of_frames(video_processor: Any) -> tuple[int, int] | None:
    """(height, width) of all frames that a processor returns; `None` if it depends on the video."""
    for does, name in (("do_center_crop", "crop_size"), ("do_resize", "size")):
        size = dict(getattr(video_processor, name) or {}) if getattr(video_processor, does) else {}
        if size.get("height") and size.get("width"):
            return size["height"], size["width"]
    return None


def example(shapes: dict[str, tuple[int, ...]], clips: int) -> dict[str, Tensor]:
    """Fixed noise of these shapes; with several clips the second has no sound."""
    generator = torch.Generator().manual_seed(clips)
    tensors = {name: torch.randn(clips, *shape, generator=generator) for name, shape in shapes.items()}
    if "audio_mask" in tensors:
        tensors["audio_mask"] = torch.arange(clips) != 1
    for name in {"frame_times", "audio_span"} & set(tensors):  # ascending seconds
        tensors[name] = tensors[name].abs().cumsum(dim=1)
    return tensors


@torch.no_grad()
def trace(network: Logits, shapes: dict[str, tuple[int, ...]], batch: int | None) -> ExportedProgram:
    sizes = {name: None if batch else {0: Dim(BATCH)} for name in shapes}
    return torch.export.export(network, (), example(shapes, batch or TRACED), dynamic_shapes=sizes, strict=False)


@torch.no_grad()
def largest_difference(network: Logits, run: Run, inputs: dict[str, Tensor]) -> float:
    want, got = network(**inputs), run(inputs)
    for logits in want.values():
        check_finite(logits)
    return max((got[name] - logits).abs().max().item() for name, logits in want.items())


def write_onnx(program: ExportedProgram, inputs: list[str], outputs: list[str], dynamic: bool, file: Path) -> None:
    # this only names a size that the program knows; a repeated name is a warning
    first, *others = inputs
    names = {first: {0: BATCH}} | {name: {0: Dim.DYNAMIC} for name in others} if dynamic else None
    torch.onnx.export(
        program,
        f=file,
        external_data=False,  # up to 2 GB; larger models need model.onnx.data
        dynamo=True,
        verbose=False,
        input_names=inputs,
        output_names=outputs,
        dynamic_shapes=names,
    )


def run_onnx(file: Path) -> Run:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    outputs = [output.name for output in session.get_outputs()]

    def run(inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        logits = session.run(outputs, {name: tensor.numpy() for name, tensor in inputs.items()})
        return {name: torch.from_numpy(values) for name, values in zip(outputs, logits, strict=True)}

    return run


def write_torch(program: ExportedProgram, inputs: list[str], outputs: list[str], dynamic: bool, file: Path) -> None:
    content = BytesIO()  # torch's own writer aborts the process if the disk is full
    torch.export.save(program, content)
    write_whole(file, content.getbuffer())


def run_torch(file: Path) -> Run:
    module = torch.export.load(file).module()
    return lambda inputs: module(**inputs)


@dataclass(frozen=True)
class Format:
    """A format's file name, writer and runner; `packages` that it needs besides holovid's own."""

    file: str
    packages: tuple[str, ...]
    write: Callable[[ExportedProgram, list[str], list[str], bool, Path], None]
    run: Callable[[Path], Run]


FORMATS = {
    "onnx": Format("model.onnx", ("onnx", "onnxscript", "onnxruntime"), write_onnx, run_onnx),
    "torch": Format("model.pt2", (), write_torch, run_torch),
}
