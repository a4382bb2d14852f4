"""`holovid map`: draw vectors as a map in two dimensions."""

from pathlib import Path
from typing import Annotated

import typer

from holovid.cheap_checks import check_clips, check_ending, check_root
from holovid.commands.options import Column, Root, VectorsFile
from holovid.commands.quiet import be_quiet
from holovid.commands.tables import say

PICTURES = (".png", ".jpg", ".svg", ".pdf")


def map(
    vectors: VectorsFile,
    output: Annotated[Path, typer.Option(help="File for the picture (.png, .jpg, .svg, .pdf).")],
    labels: Annotated[
        str | None, typer.Option(help="Folder or table of the same clips with labels: each class gets a colour.")
    ] = None,
    target: Annotated[str, typer.Option(help="Column of the labels.")] = "label",
    root: Root = None,
    column: Column = "vector",
    most: Annotated[
        int, typer.Option(min=4, help="Largest number of vectors to draw; of more, a random sample is drawn.")
    ] = 5000,
    seed: Annotated[int, typer.Option(min=0, help="Random seed of the layout and the sample.")] = 0,
) -> None:
    """Draw vectors as a map: each clip is a dot, and clips that are similar to the model are close together.

    holovid map vectors.parquet --output map.png --labels clips.csv
    """
    check_ending("a map", output, PICTURES)
    if labels is not None:
        check_clips(labels, (target,))
        check_root(root)
    be_quiet()

    from holovid.data.tables import load_clips
    from holovid.evaluation.probing import labels_of_vectors
    from holovid.files import new_file
    from holovid.inference import draw_map, read_vectors

    known = read_vectors(vectors, column)
    names = None
    if labels is not None:
        clips = load_clips(labels, target=target, root=root, missing="ignore")
        names = labels_of_vectors(known, clips, target)
    figure = draw_map(known, names, most=most, seed=seed, title="" if column == "vector" else column)
    output.parent.mkdir(parents=True, exist_ok=True)
    with new_file(output) as unfinished:
        figure.savefig(unfinished)
    say(f"Picture: {output}")
