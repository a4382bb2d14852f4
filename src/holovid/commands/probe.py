"""`holovid probe`: measure the accuracy of simple classifiers on vectors."""

from dataclasses import asdict
from typing import Annotated

import typer

from holovid.cheap_checks import check_clips, check_root
from holovid.commands.options import AsJson, Column, Root, VectorsFile
from holovid.commands.quiet import be_quiet
from holovid.commands.tables import probe_table, show


def probe(
    vectors: VectorsFile,
    labels: Annotated[str, typer.Argument(help="Folder or table of the same clips with their labels.")],
    target: Annotated[str, typer.Option(help="Column of the labels.")] = "label",
    column: Column = "vector",
    root: Root = None,
    folds: Annotated[int, typer.Option(min=2, help="Folds of the cross-validation.")] = 5,
    neighbours: Annotated[int, typer.Option(min=1, help="Neighbours of the nearest-neighbour classifier.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Random seed of the folds.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Measure the accuracy of simple classifiers on vectors: nearest neighbours and logistic regression.

    holovid probe vectors.parquet clips.csv
    """
    check_clips(labels, (target,))
    check_root(root)
    be_quiet()

    from holovid.data.tables import load_clips
    from holovid.evaluation.probing import probe_vectors
    from holovid.inference import read_vectors

    known = read_vectors(vectors, column)
    clips = load_clips(labels, target=target, root=root, missing="ignore")
    found = probe_vectors(known, clips, target, folds=folds, neighbours=neighbours, seed=seed)
    show(asdict(found), probe_table(found), as_json)
