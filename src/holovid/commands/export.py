"""`holovid export`: export a model to a file that runs without holovid."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from holovid.cheap_checks import check_model_name
from holovid.commands.options import Classifier, split_names
from holovid.commands.quiet import be_quiet
from holovid.commands.tables import print_json, say

FORMATS = ("onnx", "torch")


def export(
    model: Classifier,
    target: Annotated[Path, typer.Argument(help="New folder for the exported file, settings, labels and processor.")],
    format: Annotated[str, typer.Option(help="onnx (model.onnx), or torch (model.pt2, from torch.export).")] = "onnx",
    batch: Annotated[int | None, typer.Option(help="Fixed number of clips per batch. Default: any number.")] = None,
    inputs: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated inputs of the file, such as pixel_values_videos,input_values. Default: all inputs."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Export a model to a file that runs without holovid, and check that its outputs equal the model's.

    holovid export my-model my-model-onnx --format onnx
    """
    check_model_name(model)
    if format not in FORMATS:
        raise ValueError(f"unknown format {format!r}; choose from {', '.join(FORMATS)}")
    be_quiet()

    from holovid.inference.export import export as export_model

    given = None if inputs is None else split_names(inputs)
    exported = export_model(model, target, format=format, batch=batch, inputs=given)
    if as_json:
        print_json(asdict(exported))
    else:
        say(*exported.lines())
