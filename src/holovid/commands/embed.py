"""`holovid embed`: compute vectors of clips, for search and for simple classifiers."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from holovid.cheap_checks import check_model_name, check_vectors_file
from holovid.commands.command_line import PROGRAM
from holovid.commands.options import SKIPPED, TrustRemoteCode, Work, check_sources, read_shard
from holovid.commands.quiet import be_quiet
from holovid.commands.tables import say


def embed(
    model: Annotated[str, typer.Argument(help="Folder or Hub id of a video model, with or without a head.")],
    data: Annotated[
        list[str],
        typer.Argument(help="Videos: files, URLs, folders, or tables (.csv, .parquet) with a column named path."),
    ],
    work: Work,
    output: Annotated[
        Path,
        typer.Option(
            help="File for the vectors (.parquet). Run the same command again to continue a run that was stopped."
        ),
    ],
    window: Annotated[
        float | None,
        typer.Option(help="Compute a vector for each window of this many seconds. Default: one for each clip."),
    ] = None,
    stride: Annotated[
        float | None, typer.Option(help="Seconds from one window to the next. Default: the window's length.")
    ] = None,
    shard: Annotated[
        str | None, typer.Option(help="Process one part of the clips, from 1/4 to 4/4, so that processes can share.")
    ] = None,
    trust_remote_code: TrustRemoteCode = False,
) -> None:
    """Compute a vector (embedding) for each clip and write all of them into a file.

    holovid embed my-model videos/ --output vectors.parquet

    One vector for every two seconds of long films:

    holovid embed my-model films/ --output vectors.parquet --window 2 --batch-size 8

    With several processes, which write into one folder; holovid search reads the folder as one file:

    holovid embed my-model videos/ --shard 1/2 --output vectors/1.parquet
    """
    part = None if shard is None else read_shard(shard)
    check_vectors_file(output)
    check_sources(data, work)
    check_model_name(model)
    be_quiet()

    from rich.console import Console
    from rich.progress import Progress

    from holovid.data.named_clips import named_clips
    from holovid.devices import move_to
    from holovid.inference import embed_clips
    from holovid.inference.embedding import part_of_clips
    from holovid.loading import load

    found = named_clips(data)
    count = len(found) if part is None else len(part_of_clips(found, *part))
    network, processor = load(model, trust_remote_code=trust_remote_code)
    network = move_to(network, work.device)
    with Progress(console=Console(stderr=True), transient=True, disable=count == 1) as progress:
        clock = progress.add_task("Embedding clips", total=count)
        table = embed_clips(
            network, processor, found, output, window=window, stride=stride, shard=part, batch_size=work.batch_size,
            num_workers=work.workers, on_broken=work.on_broken, advance=lambda done: progress.advance(clock, done),
        )  # fmt: skip
    broken = len(table) - table["error"].null_count
    say(f"{len(table) - broken} vectors of {table['vector'].type.list_size} numbers each: {output}")
    if broken:
        print(f"{PROGRAM}: {broken} of {count} clips could not be read", file=sys.stderr)
        raise typer.Exit(SKIPPED)
