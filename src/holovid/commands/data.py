"""`holovid data`: render, check, split and shrink data sets of clips."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from holovid.cheap_checks import check_clips, check_new_file, check_root
from holovid.commands.options import AsJson, Column, Root, split_names
from holovid.commands.quiet import be_quiet
from holovid.commands.tables import say, set_table, show

PICTURES = (".png", ".jpg", ".jpeg")
SEVERE = 1  # exit status if clips cannot be used as they are


@dataclass
class Rendering:
    """Options of `ClipSet`; lists of names are given as one string."""

    train: Annotated[int, typer.Option(min=0, help="Number of training clips.")] = 960
    val: Annotated[int, typer.Option(min=0, help="Number of validation clips.")] = 320
    shapes: Annotated[str, typer.Option(help="Comma-separated, from disc, square, triangle, star, ring, bar.")] = (
        "disc,triangle"
    )
    motions: Annotated[
        str, typer.Option(help="Comma-separated, from right, left, down, up, grow, shrink, appear, vanish.")
    ] = "right,left"
    sounds: Annotated[
        str,
        typer.Option(
            help="Comma-separated, from rise, fall, tone, noise, siren, clicks, trill, buzz. With --events: one for "
            "each shape, or a folder with one recording for each class."
        ),
    ] = "rise,fall"
    size: Annotated[int, typer.Option(help="Width and height of a frame in pixels.")] = 112
    seconds: Annotated[float, typer.Option(help="Length of a clip in seconds.")] = 2.0
    frame_rate: Annotated[int, typer.Option(min=1, help="Frames per second.")] = 12
    sampling_rate: Annotated[int, typer.Option(help="Audio samples per second.")] = 16_000
    seed: Annotated[int, typer.Option(min=0, help="Random seed: the same seed gives the same clips.")] = 0
    events: Annotated[
        bool,
        typer.Option("--events", help="Clips of events: a table says where and when each one is visible and audible."),
    ] = False
    pictures: Annotated[
        Path | None,
        typer.Option(help="With --events: a folder of cut-out photographs, <class>.png or <class>/*.png."),
    ] = None


def synth(
    output: Annotated[Path, typer.Argument(help="New folder. A complete set that exists already is kept.")],
    rendering: Rendering,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Clips to render in parallel. Default: one per core.")
    ] = None,
) -> None:
    """Render a data set of labelled mp4 clips to try models on.

    Shape, motion and sound of each clip are drawn independently. Motions come in pairs that are exact reversals of
    each other: only the order of frames tells them apart.

    holovid data synth clips --train 64 --val 16

    With --events, each clip shows and sounds an event, and a table says where and when.

    holovid data synth clips --events --shapes disc,star,ring --sounds rise,noise,clicks
    """
    from holovid.data.synthetic import ClipSet, render_clips

    names: dict = {name: split_names(getattr(rendering, name)) for name in ("shapes", "motions", "sounds")}
    if rendering.events and Path(rendering.sounds).is_dir():
        names["sounds"] = rendering.sounds
    clips = ClipSet(**asdict(rendering) | names)
    say(f"{clips.train + clips.val} clips in {render_clips(output, clips, workers)}")


def check(
    data: Annotated[str, typer.Argument(help="Folder or table of labelled clips, as for training.")],
    target: Annotated[str, typer.Option(help="Column of the labels.")] = "label",
    root: Root = None,
    picture: Annotated[
        Path | None, typer.Option(help="Also draw some clips of each class into this file (.png, .jpg).")
    ] = None,
    vectors: Annotated[
        Path | None,
        typer.Option(help="File that holovid embed wrote for these clips: also find near-duplicates."),
    ] = None,
    near: Annotated[
        float,
        typer.Option(
            help="With --vectors: largest distance between near-duplicates, from 0 to 1, where 1 is the average "
            "distance of two clips."
        ),
    ] = 0.02,
    column: Column = "vector",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Clips to open in parallel. Default: one per core.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a data set of clips: print its size, lengths and classes, and what is wrong with it.

    holovid data check clips --picture set.png

    The exit status is 1 if clips cannot be read, are in two splits, or have two labels. With vectors, it is also 1 for
    copies of a clip in two splits that differ in size or bit rate:

    holovid embed my-model clips --output vectors.parquet

    holovid data check clips --vectors vectors.parquet --near 0.02
    """
    if picture is not None and picture.suffix.lower() not in PICTURES:
        raise ValueError(f"--picture must end in .png or .jpg, got {picture}")
    if picture is not None:
        check_new_file(picture)
    check_clips(data)
    check_root(root)
    be_quiet(warnings=not as_json)

    from rich.console import Console
    from rich.progress import Progress

    from holovid.data import load_clips
    from holovid.data.checking import inspect_clips
    from holovid.data.thumbnails import thumbnails
    from holovid.files import new_file
    from holovid.inference import read_vectors
    from holovid.inference.near_duplicates import add_near_duplicates

    known = None if vectors is None else read_vectors(vectors, column)
    clips = load_clips(data, target=target, root=root, missing="ignore")
    with Progress(console=Console(stderr=True), transient=True, disable=as_json) as progress:
        clock = progress.add_task("Opening clips", total=sum(map(len, clips.values())))
        report = inspect_clips(clips, target, workers, lambda: progress.advance(clock))
    if known is not None:
        report = add_near_duplicates(report, known, near)
    if picture is not None:
        picture.parent.mkdir(parents=True, exist_ok=True)
        with new_file(picture) as unfinished:
            thumbnails(report.clips).save(unfinished)
    show(report.as_json(), set_table(report.splits()), as_json)
    if not as_json:
        say(*(fault.sentence() for fault in report.faults), *([f"Picture: {picture}"] if picture is not None else []))
        if not report.faults:
            say("No problems found.")
    if report.is_severe:
        raise typer.Exit(SEVERE)


def split(
    data: Annotated[str, typer.Argument(help="Folder or table of labelled clips without splits.")],
    output: Annotated[Path, typer.Argument(help="New folder for train.csv and validation.csv.")],
    by: Annotated[
        str,
        typer.Option(
            help="Clips with the same value stay in the same split. The value is path (the file), a column, or a "
            "regular expression with a group that is searched in paths, such as '(P[0-9]+)_'."
        ),
    ] = "path",
    validation: Annotated[float, typer.Option(help="Share of the clips for validation, from 0 to 1.")] = 0.2,
    target: Annotated[str, typer.Option(help="Column of the labels.")] = "label",
    root: Root = None,
    seed: Annotated[int, typer.Option(min=0, help="Random seed: the same seed gives the same split.")] = 0,
) -> None:
    """Split clips into training and validation, keeping parts of one film, or clips of one person, together.

    holovid data split clips.csv split --by person
    """
    check_clips(data)
    check_root(root)
    be_quiet(warnings=True)

    from holovid.data import load_clips
    from holovid.data.splitting import split_rows, write_split

    clips = load_clips(data, target=target, root=root)
    if len(clips) > 1:
        raise ValueError(f"{data} already has the splits {', '.join(clips)}; give a folder or table without splits")
    (rows,) = clips.values()
    found = split_rows(rows, target, by, validation, seed)
    write_split(output, found, [name for name in rows.features if name != "video"])
    say(f"{len(found['train'])} training clips and {len(found['validation'])} validation clips: {output}")


def shrink(
    source: Annotated[Path, typer.Argument(help="Folder of clips, with folders inside it.")],
    target: Annotated[Path, typer.Argument(help="Folder for the new files. Files that exist already are kept.")],
    short_side: Annotated[
        int, typer.Option(min=16, help="Shorter side of the new clips in pixels. Smaller clips are not enlarged.")
    ] = 256,
    frame_rate: Annotated[
        float | None, typer.Option(help="Highest number of frames per second. Default: as in the clip.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(help="Keep only the first seconds of each clip. Default: all of it.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Clips to write in parallel. Default: one per core.")
    ] = None,
) -> None:
    """Make smaller copies of clips, with their audio, that training reads faster.

    holovid data shrink films small --short-side 256

    To continue a run that was stopped, run the same command again. The exit status is 1 if clips could not be read.
    """
    if not source.is_dir():
        raise ValueError(f"there is no folder {source}")
    be_quiet(warnings=True)

    from rich.console import Console
    from rich.progress import Progress

    from holovid.data.clip_folders import find_clips, with_path
    from holovid.inference.shrunk_video import Shrinking, outdated_tables, shrink_folder

    how = Shrinking(short_side, frame_rate, seconds)
    found = find_clips(source)
    count = len(found.clips)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        clock = progress.add_task("Writing clips", total=count)
        broken = shrink_folder(source, target, how, workers, lambda: progress.advance(clock), found)
    unreadable = [f"left out: {with_path(str(path), error)}" for path, error in broken.items()]
    outdated = [
        f"warning: {table} was copied as it is: change the paths in it that do not end in .mp4"
        for table in outdated_tables(found, source, target)
    ]
    say(f"{count - len(broken)} clips in {target}", *unreadable, *outdated)
    if broken:
        raise typer.Exit(SEVERE)
