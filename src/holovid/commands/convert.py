"""`holovid convert`: a released checkpoint as a folder that the Auto classes load."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from holovid.commands.options import names_of_lines, whole_numbers
from holovid.commands.quiet import be_quiet
from holovid.commands.tables import say

FAMILIES = ("xvit", "cast", "cava", "ca2st")


@dataclass
class Settings:
    """What the tensors of a checkpoint do not tell."""

    image_size: Annotated[int | None, typer.Option(min=1, help="Side of a frame in pixels.")] = None
    num_frames: Annotated[int | None, typer.Option(min=1, help="Frames of a clip.")] = None
    num_attention_heads: Annotated[int | None, typer.Option(min=1, help="Default: one for each 64 channels.")] = None
    temporal_num_attention_heads: Annotated[
        int | None, typer.Option(min=1, help="xvit: those of the temporal head.")
    ] = None
    mix_group: Annotated[int | None, typer.Option(min=1, help="xvit: frames that are mixed with one another.")] = None
    mix_divisor: Annotated[int | None, typer.Option(min=1, help="xvit: 8 (Kinetics) or 4 (Something-Something).")] = (
        None
    )
    mix_layers: Annotated[str | None, typer.Option(help="xvit: layers that mix, as in 0,1,2.")] = None
    audio_frames: Annotated[int | None, typer.Option(min=1, help="cava, ca2st: rows of the spectrogram.")] = None
    audio_stride: Annotated[int | None, typer.Option(min=1, help="cava, ca2st: step of its patches.")] = None
    num_mel_bins: Annotated[int | None, typer.Option(min=1, help="cava, ca2st: its columns.")] = None
    exchange_order: Annotated[str | None, typer.Option(help="ca2st: sequential or parallel.")] = None


def convert(
    source: Annotated[Path, typer.Argument(help="Checkpoint: .pth, .pt, .pyth, .bin or .safetensors.")],
    family: Annotated[str, typer.Option(help="xvit, cast, cava or ca2st.")],
    output: Annotated[Path, typer.Option(help="New folder: safetensors, configuration, processor.")],
    settings: Settings,
    labels: Annotated[Path | None, typer.Option(help="File with the name of each class, one a line.")] = None,
    sampling: Annotated[
        str, typer.Option(help="How the processor picks frames: uniform, segments, dense or strided.")
    ] = "uniform",
    frame_stride: Annotated[
        int, typer.Option(min=1, help="Frames between those picked, of --sampling dense and strided.")
    ] = 1,
) -> None:
    """Turn a released checkpoint into a folder that the Auto classes load.

    holovid convert checkpoint.pyth --family xvit --output xvit-k600 --num-frames 16 --mix-group 8
    """
    if family not in FAMILIES:
        raise ValueError(f"unknown family {family!r}; known are {', '.join(FAMILIES)}")
    if not source.is_file():
        raise ValueError(f"{source} is not a file")
    given: dict[str, Any] = {name: value for name, value in asdict(settings).items() if value is not None}
    if settings.mix_layers is not None:
        given["mix_layers"] = whole_numbers("--mix-layers", settings.mix_layers)
    if labels is not None:
        given["id2label"] = dict(enumerate(names_of_lines(labels)))
    be_quiet(warnings=True)

    from holovid.conversion.convert import convert

    model = convert(source, family, output, {"sampling": sampling, "frame_stride": frame_stride}, **given)
    say(f"{model.num_parameters():,} parameters in {output}")
