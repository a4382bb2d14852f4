"""`holovid embed`: vectors of clips, for search and for simple classifiers."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from holovid.cheap_checks import check_model_name, check_vectors_file
from holovid.commands.classify import SKIPPED, Work, check_sources
from holovid.commands.command_line import PROGRAM
from holovid.commands.options import TrustRemoteCode
from holovid.commands.quiet import be_quiet
from holovid.commands.tables import say


def embed(
    model: Annotated[str, typer.Argument(help="Folder or Hub id of a model of videos, with a head or without.")],
    data: Annotated[
        list[str], typer.Argument(help="Videos: paths, URLs, folders, or tables (.csv, .parquet) with a column path.")
    ],
    work: Work,
    output: Annotated[Path, typer.Option(help="File (.parquet) of the vectors; a run that was stopped goes on.")],
    window: Annotated[
        float | None, typer.Option(help="Cut each file into windows of so many seconds, a vector each.")
    ] = None,
    stride: Annotated[float | None, typer.Option(help="Seconds from one window to the next. Default: window.")] = None,
    trust_remote_code: TrustRemoteCode = False,
) -> None:
    """Write what a model makes of each clip, a vector, into a file.

    holovid embed my-model videos/ --output vectors.parquet

    Of long films, a vector for every two seconds:

    holovid embed my-model films/ --output vectors.parquet --window 2 --batch-size 8
    """
    check_vectors_file(output)
    check_sources(data, work)
    check_model_name(model)
    be_quiet()

    from rich.console import Console
    from rich.progress import Progress

    from holovid.data.named_clips import named_clips
    from holovid.devices import move_to
    from holovid.inference import embed_clips
    from holovid.loading import load

    found = named_clips(data)
    network, processor = load(model, trust_remote_code=trust_remote_code)
    network = move_to(network, work.device)
    with Progress(console=Console(stderr=True), transient=True, disable=len(found) == 1) as progress:
        clock = progress.add_task("Clips", total=len(found))
        table = embed_clips(
            network, processor, found, output, window=window, stride=stride, batch_size=work.batch_size,
            num_workers=work.workers, on_broken=work.on_broken, advance=lambda done: progress.advance(clock, done),
        )  # fmt: skip
    broken = len(table) - table["error"].null_count
    say(f"{len(table) - broken} vectors of {table['vector'].type.list_size} numbers: {output}")
    if broken:
        print(f"{PROGRAM}: {broken} of {len(found)} clips could not be read", file=sys.stderr)
        raise typer.Exit(SKIPPED)
