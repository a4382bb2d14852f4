"""`holovid convert`: a released checkpoint as a folder that the Auto classes load."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from holovid.commands.options import named_values, names_of_lines, sort_words
from holovid.commands.quiet import be_quiet
from holovid.commands.tables import say
from holovid.families.family import converter_of, converters, family_of_variant

# options of a family's converter are not known before the family is
CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True}


def convert(
    context: typer.Context,
    family: Annotated[str, typer.Option(help=f"Whose checkpoint it is: {', '.join(converters())}.")],
    source: Annotated[Path | None, typer.Argument(help="Checkpoint: .pth, .pt, .pyth, .bin or .safetensors.")] = None,
    output: Annotated[Path | None, typer.Option(help="New folder: safetensors, configuration, processor.")] = None,
    labels: Annotated[Path | None, typer.Option(help="File with the name of each class, one a line.")] = None,
    recipe: Annotated[
        str | None, typer.Option(help="The recipe it was trained with: how the processor picks frames.")
    ] = None,
    sampling: Annotated[
        str | None,
        typer.Option(help="How it picks frames: uniform (mostly the default), segments, dense, strided or spread."),
    ] = None,
    frame_stride: Annotated[
        int | None, typer.Option(min=1, help="Frames between those picked, of --sampling dense, strided and spread.")
    ] = None,
    image_size: Annotated[int | None, typer.Option(min=1, help="Side of a frame in pixels.")] = None,
    num_frames: Annotated[int | None, typer.Option(min=1, help="Frames of a clip.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="name=value, an option of the family; or --name value.")
    ] = None,
    options: Annotated[bool, typer.Option("--options", help="List the options of the family, and end.")] = False,
) -> None:
    """Turn a released checkpoint into a folder that the Auto classes load.

    holovid convert checkpoint.pyth --family xvit --output xvit-k600 --num-frames 16 --set mix_group=8

    holovid convert TimeSformer_divST_8x32_224_K400.pyth --family timesformer --recipe timesformer-k400 --output k400
    """
    converter_of(family)
    if options:
        Console().print(table_of_options(family))
        return
    words, own = sort_words([*([] if source is None else [str(source)]), *context.args])
    if len(words) != 1 or output is None:
        raise ValueError(
            f"convert takes one checkpoint, and --output for the new folder; got {' '.join(words) or 'none'}"
        )
    if not Path(words[0]).is_file():
        raise ValueError(f"{words[0]} is not a file")
    plain: dict[str, Any] = {"image_size": image_size, "num_frames": num_frames}
    given = {name: value for name, value in plain.items() if value is not None}
    by_name = named_values("--set", settings or [])
    if twice := by_name.keys() & (own.keys() | given.keys()):
        raise ValueError(f"{', '.join(sorted(twice))} is given twice, by --set and by an option of its own")
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
    say(f"{model.num_parameters():,} parameters in {output}")


def table_of_options(family: str) -> Table:
    from holovid.conversion.options import option_lines

    table = Table("--set", "takes", "default", title=f"Options of {family}")
    for line in option_lines(family):
        table.add_row(*line)
    return table
