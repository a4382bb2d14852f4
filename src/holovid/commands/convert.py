"""`holovid convert`: convert a released checkpoint into a folder that the Auto classes load."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from holovid.commands.options import named_values, names_of_lines, sort_words
from holovid.commands.quiet import be_quiet
from holovid.commands.tables import plain_console, say
from holovid.families.family import converter_of, converters, family_of_variant

# typer cannot declare the options of a family's converter, since they depend on --family
CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True}


def convert(
    context: typer.Context,
    family: Annotated[str, typer.Option(help=f"Model of the checkpoint: {', '.join(converters())}.")],
    source: Annotated[
        Path | None, typer.Argument(help="Checkpoint file: .pth, .pt, .pyth, .bin or .safetensors.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="New folder for weights, configuration and processor.")] = None,
    labels: Annotated[Path | None, typer.Option(help="Text file with the names of the classes, one per line.")] = None,
    recipe: Annotated[
        str | None,
        typer.Option(help="Recipe that the model was trained with: sets how the processor samples frames."),
    ] = None,
    sampling: Annotated[
        str | None,
        typer.Option(
            help="How the processor samples frames: uniform, segments, dense, strided or spread. Default: depends on "
            "the family, mostly uniform."
        ),
    ] = None,
    frame_stride: Annotated[
        int | None, typer.Option(min=1, help="Step between sampled frames, for dense, strided and spread sampling.")
    ] = None,
    image_size: Annotated[int | None, typer.Option(min=1, help="Width and height of a frame in pixels.")] = None,
    num_frames: Annotated[int | None, typer.Option(min=1, help="Frames per clip.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="name=value: an option of the family; can be repeated. --name value works too."),
    ] = None,
    options: Annotated[bool, typer.Option("--options", help="List the options of the family and exit.")] = False,
) -> None:
    """Convert a released checkpoint into a folder that the Auto classes load.

    holovid convert checkpoint.pyth --family xvit --output xvit-k600 --num-frames 16 --set mix_group=8

    holovid convert TimeSformer_divST_8x32_224_K400.pyth --family timesformer --recipe timesformer-k400 --output k400
    """
    converter_of(family)
    if options:
        plain_console().print(table_of_options(family))
        return
    words, own = sort_words([*([] if source is None else [str(source)]), *context.args])
    if len(words) != 1 or output is None:
        raise ValueError(
            f"convert needs one checkpoint file, and --output for the new folder; got {' '.join(words) or 'no file'}"
        )
    if not Path(words[0]).is_file():
        raise ValueError(f"there is no file {words[0]}")
    plain: dict[str, Any] = {"image_size": image_size, "num_frames": num_frames}
    given = {name: value for name, value in plain.items() if value is not None}
    by_name = named_values("--set", settings or [])
    if twice := by_name.keys() & (own.keys() | given.keys()):
        raise ValueError(f"{', '.join(sorted(twice))} is given twice, by --set and as an option: give it once")
    if labels is not None:
        given["id2label"] = dict(enumerate(names_of_lines(labels)))
    be_quiet(warnings=True)

    from holovid.conversion.convert import convert
    from holovid.conversion.options import read_options
    from holovid.recipes import get_recipe

    given |= read_options(family, own | by_name)
    picking: dict[str, Any] = {}
    if recipe is not None:
        trained = get_recipe(recipe)
        trained.check_model(family_of_variant(family).config_class())
        picking |= trained.picking_options()
    asked = {"sampling": sampling, "frame_stride": frame_stride}
    picking |= {name: value for name, value in asked.items() if value is not None}
    model = convert(words[0], family, output, picking, **given)
    say(f"Converted {model.num_parameters():,} parameters: {output}")


def table_of_options(family: str) -> Table:
    from holovid.conversion.options import option_lines

    table = Table("--set", "values", "default", title=f"Options of {family}")
    for line in option_lines(family):
        table.add_row(*line)
    return table
