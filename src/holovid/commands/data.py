"""`holovid data`: sets of clips to try models on."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from holovid.cheap_checks import check_clips
from holovid.commands.options import AsJson, Column, split_names
from holovid.commands.quiet import be_quiet
from holovid.commands.tables import say, set_table, show

PICTURES = (".png", ".jpg", ".jpeg")
SEVERE = 1  # exit status when clips cannot be used as they are


@dataclass
class Rendering:
    """What is rendered, as `ClipSet` takes it but for names that stand in one string."""

    train: Annotated[int, typer.Option(min=0, help="Clips to train on.")] = 960
    val: Annotated[int, typer.Option(min=0, help="Clips to validate on.")] = 320
    shapes: Annotated[str, typer.Option(help="Of disc, square, triangle, star, ring, bar.")] = "disc,triangle"
    motions: Annotated[str, typer.Option(help="Of right, left, down, up, grow, shrink, appear, vanish.")] = (
        "right,left"
    )
    sounds: Annotated[
        str,
        typer.Option(
            help="Of rise, fall, tone, noise, siren, clicks, trill, buzz. Of events: one for each shape, or a folder "
            "of recordings, one for each class."
        ),
    ] = "rise,fall"
    size: Annotated[int, typer.Option(help="Side of a frame in pixels.")] = 112
    seconds: Annotated[float, typer.Option(help="Length of a clip.")] = 2.0
    frame_rate: Annotated[int, typer.Option(min=1, help="Frames a second.")] = 12
    sampling_rate: Annotated[int, typer.Option(help="Sound samples a second.")] = 16_000
    seed: Annotated[int, typer.Option(min=0, help="Where all chance comes from.")] = 0
    events: Annotated[
        bool, typer.Option("--events", help="Something is seen somewhere, and heard some time; the table says where.")
    ] = False
    pictures: Annotated[
        Path | None, typer.Option(help="Of events: a folder of cut-out photographs, <class>.png or <class>/*.png.")
    ] = None


def synth(
    output: Annotated[Path, typer.Argument(help="Folder to make; a complete set that is there already is kept.")],
    rendering: Rendering,
    workers: Annotated[int | None, typer.Option(min=1, help="Clips to render at a time; default: one a core.")] = None,
) -> None:
    """Render labelled mp4 clips: shape x motion x sound, drawn independently, motions in exact reversal pairs.

    holovid data synth clips --train 64 --val 16

    With --events, clips of which is known where and when they show and sound what they are labelled with.

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
    picture: Annotated[Path | None, typer.Option(help="Draw some clips of each class (.png, .jpg).")] = None,
    vectors: Annotated[
        Path | None, typer.Option(help="What holovid embed wrote of these clips: also find those that look the same.")
    ] = None,
    near: Annotated[float, typer.Option(help="How far vectors of one clip may be apart, where 1 is usual.")] = 0.02,
    column: Column = "vector",
    workers: Annotated[int | None, typer.Option(min=1, help="Clips to open at a time; default: one a core.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say what there is in a set of clips, and what is wrong with it.

    holovid data check clips --picture set.png

    The status is 1 when clips cannot be read, are in two splits, or have two labels; with vectors also when they are
    in two splits at another size or bit rate:

    holovid embed my-model clips --output vectors.parquet

    holovid data check clips --vectors vectors.parquet --near 0.02
    """
    if picture is not None and picture.suffix.lower() not in PICTURES:
        raise ValueError(f"--picture must end in .png or .jpg, got {picture}")
    check_clips(data)
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
    clips = load_clips(data, target=target, missing="ignore")
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
            say("Nothing is wrong with it.")
    if report.is_severe:
        raise typer.Exit(SEVERE)


def split(
    data: Annotated[str, typer.Argument(help="Folder or table of labelled clips that is not split yet.")],
    output: Annotated[Path, typer.Argument(help="Folder to make, with train.csv and validation.csv.")],
    by: Annotated[
        str,
        typer.Option(
            help="What stays on one side: path, the file; a column; or an expression with brackets that is searched "
            "for in paths, such as '(P[0-9]+)_'."
        ),
    ] = "path",
    validation: Annotated[float, typer.Option(help="Share of clips to validate on.")] = 0.2,
    target: Annotated[str, typer.Option(help="Column of the labels.")] = "label",
    seed: Annotated[int, typer.Option(min=0, help="Where all chance comes from.")] = 0,
) -> None:
    """Divide clips into training and validation, so that parts of one film, or one person, are on one side.

    holovid data split clips.csv split --by person
    """
    check_clips(data)
    be_quiet(warnings=True)

    from holovid.data import load_clips
    from holovid.data.splitting import split_rows, write_split

    clips = load_clips(data, target=target)
    if len(clips) > 1:
        raise ValueError(f"{data} is split already: {', '.join(clips)}")
    (rows,) = clips.values()
    found = split_rows(rows, target, by, validation, seed)
    write_split(output, found, [name for name in rows.features if name != "video"])
    say(f"{len(found['train'])} clips to train on and {len(found['validation'])} to validate on: {output}")


def shrink(
    source: Annotated[Path, typer.Argument(help="Folder of clips, as deep as one likes.")],
    target: Annotated[Path, typer.Argument(help="Folder for the new files; what is there already is kept.")],
    short_side: Annotated[int, typer.Option(min=16, help="Pixels; smaller clips stay as large as they are.")] = 256,
    frame_rate: Annotated[float | None, typer.Option(help="Frames a second at most.")] = None,
    seconds: Annotated[float | None, typer.Option(help="How much of each clip, from its start.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Clips to write at a time; default: one a core.")] = None,
) -> None:
    """Write clips anew for training: smaller, quick to read anywhere, with their sound.

    holovid data shrink films small --short-side 256

    A run that was stopped goes on by the same command. The status is 1 when clips could not be read.
    """
    if not source.is_dir():
        raise ValueError(f"there is no folder {source}")
    be_quiet(warnings=True)

    from rich.console import Console
    from rich.progress import Progress

    from holovid.data.clip_folders import find_clips
    from holovid.inference.shrunk_video import Shrinking, shrink_folder

    how = Shrinking(short_side, frame_rate, seconds)
    count = len(find_clips(source).clips)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        clock = progress.add_task("Writing clips", total=count)
        broken = shrink_folder(source, target, how, workers, lambda: progress.advance(clock))
    say(f"{count - len(broken)} clips in {target}", *(f"not read: {path}: {error}" for path, error in broken.items()))
    if broken:
        raise typer.Exit(SEVERE)
