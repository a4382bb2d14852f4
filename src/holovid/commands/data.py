"""`holovid data`: sets of clips to try models on."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from holovid.commands.options import split_names
from holovid.commands.tables import say


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
