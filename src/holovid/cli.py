"""The `holovid` command: one function a sub-command, each a thin wrapper of a function of the library.

Whatever cannot be done ends as one sentence on stderr and exit status 2. Torch and transformers are imported by the
commands that need them.
"""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from huggingface_hub.errors import StrictDataclassError
from rich.console import Console
from rich.table import Table
from typer.core import TyperGroup


class OneSentenceErrors(TyperGroup):
    """A command group whose users see what was wrong with their input instead of a traceback."""

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except (ValueError, OSError) as error:
            # transformers and the Hub's client append lines of advice
            print(f"holovid: {str(error).strip().splitlines()[0]}", file=sys.stderr)
            raise typer.Exit(2) from error
        except StrictDataclassError as error:  # a configuration's refusal, wrapped
            print(f"holovid: {error.__cause__ or error}", file=sys.stderr)
            raise typer.Exit(2) from error


app = typer.Typer(
    cls=OneSentenceErrors,
    help="Space-time video transformers: label videos, convert checkpoints, render data to try them on.",
    no_args_is_help=True,
    add_completion=False,
)
data = typer.Typer(help="Make sets of clips.", no_args_is_help=True)
app.add_typer(data, name="data")


@data.command()
def synth(
    output: Annotated[Path, typer.Argument(help="Folder to make; a complete set that is there already is kept.")],
    train: Annotated[int, typer.Option(help="Clips to train on.")] = 960,
    val: Annotated[int, typer.Option(help="Clips to validate on.")] = 320,
    shapes: Annotated[str, typer.Option(help="Of disc, square, triangle, star, ring, bar.")] = "disc,triangle",
    motions: Annotated[
        str, typer.Option(help="Of right, left, down, up, grow, shrink, appear, vanish.")
    ] = "right,left",
    sounds: Annotated[str, typer.Option(help="Of rise, fall, tone, noise.")] = "rise,fall",
    size: Annotated[int, typer.Option(help="Side of a frame in pixels.")] = 112,
    seconds: Annotated[float, typer.Option(help="Length of a clip.")] = 2.0,
    frame_rate: Annotated[int, typer.Option(help="Frames a second.")] = 12,
    sampling_rate: Annotated[int, typer.Option(help="Sound samples a second.")] = 16_000,
    seed: Annotated[int, typer.Option(help="Where all chance comes from.")] = 0,
    workers: Annotated[int | None, typer.Option(help="Clips to render at a time; default: one a core.")] = None,
):
    """Render labelled mp4 clips: shape x motion x sound, drawn independently, motions in exact reversal pairs."""
    from holovid.synthetic import ClipSet, render_clips

    clips = ClipSet(
        train=train,
        val=val,
        shapes=split_names(shapes),
        motions=split_names(motions),
        sounds=split_names(sounds),
        size=size,
        seconds=seconds,
        frame_rate=frame_rate,
        sampling_rate=sampling_rate,
        seed=seed,
    )
    Console().print(f"{train + val} clips in {render_clips(output, clips, workers)}", soft_wrap=True)


@app.command()
def classify(
    model: Annotated[str, typer.Argument(help="Folder or Hub id of a video classifier.")],
    clips: Annotated[list[str], typer.Argument(help="Paths or URLs of videos.")],
    top_k: Annotated[int, typer.Option(min=1, help="Labels to show, best first.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    picture: Annotated[Path | None, typer.Option(help="Also draw what the model saw and said (.png, .jpg).")] = None,
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Run model code that comes from the Hub.")
    ] = False,
):
    """Say what happens in videos."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id
    from transformers import AutoModelForVideoClassification, AutoVideoProcessor, logging, pipeline

    from holovid import VideoClassificationPipeline
    from holovid.visualize import contact_sheet, stack

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    if picture is not None and picture.suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp"):
        raise ValueError(f"--picture must end in .png, .jpg or .webp, got {picture}")
    if not Path(model).is_dir():
        try:
            validate_repo_id(model)
        except HFValidationError as error:
            raise ValueError(f"there is no folder {model!r}, and the Hub has no models of such names") from error
    classifier = pipeline(
        "video-classification",
        model=AutoModelForVideoClassification.from_pretrained(model, trust_remote_code=trust_remote_code),
        video_processor=AutoVideoProcessor.from_pretrained(model, trust_remote_code=trust_remote_code),
        pipeline_class=VideoClassificationPipeline,
    )
    answers = [classifier(clip, top_k=top_k) for clip in clips]

    if picture is not None:
        sheets = [
            contact_sheet(classifier.video_processor, clip, answer, title=clip)
            for clip, answer in zip(clips, answers, strict=True)
        ]
        picture.parent.mkdir(parents=True, exist_ok=True)
        unfinished = picture.with_name(f".{picture.name}")
        stack(sheets).save(unfinished)
        unfinished.replace(picture)
    if as_json:
        print(json.dumps([{"clip": clip, "answers": answer} for clip, answer in zip(clips, answers, strict=True)]))
    else:
        Console().print(answer_table(clips, answers))
        if picture is not None:
            Console().print(f"Picture: {picture}", soft_wrap=True)


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(help="Checkpoint: .pth, .pt, .pyth, .bin or .safetensors.")],
    family: Annotated[str, typer.Option(help="xvit, cast, cava or ca2st.")],
    output: Annotated[Path, typer.Option(help="New folder: safetensors, configuration, processor.")],
    labels: Annotated[Path | None, typer.Option(help="File with the name of each class, one a line.")] = None,
    sampling: Annotated[
        str, typer.Option(help="How the processor picks frames: uniform, segments or dense.")
    ] = "uniform",
    frame_stride: Annotated[int, typer.Option(help="Frames between those picked, of --sampling dense.")] = 1,
    image_size: Annotated[int | None, typer.Option(help="Side of a frame in pixels.")] = None,
    num_frames: Annotated[int | None, typer.Option(help="Frames of a clip.")] = None,
    num_attention_heads: Annotated[int | None, typer.Option(help="Default: one for each 64 channels.")] = None,
    temporal_num_attention_heads: Annotated[int | None, typer.Option(help="xvit: those of the temporal head.")] = None,
    mix_group: Annotated[int | None, typer.Option(help="xvit: frames that are mixed with one another.")] = None,
    mix_divisor: Annotated[int | None, typer.Option(help="xvit: 8 (Kinetics) or 4 (Something-Something).")] = None,
    mix_layers: Annotated[str | None, typer.Option(help="xvit: layers that mix, as in 0,1,2.")] = None,
    audio_frames: Annotated[int | None, typer.Option(help="cava, ca2st: rows of the spectrogram.")] = None,
    audio_stride: Annotated[int | None, typer.Option(help="cava, ca2st: step of its patches.")] = None,
    num_mel_bins: Annotated[int | None, typer.Option(help="cava, ca2st: its columns.")] = None,
    exchange_order: Annotated[str | None, typer.Option(help="ca2st: sequential or parallel.")] = None,
):
    """Turn a released checkpoint into a folder that the Auto classes load.

    holovid convert checkpoint.pyth --family xvit --output xvit-k600 --num-frames 16 --mix-group 8
    """
    from holovid.convert import convert

    given = {
        "image_size": image_size,
        "num_frames": num_frames,
        "num_attention_heads": num_attention_heads,
        "temporal_num_attention_heads": temporal_num_attention_heads,
        "mix_group": mix_group,
        "mix_divisor": mix_divisor,
        "mix_layers": None if mix_layers is None else whole_numbers("--mix-layers", mix_layers),
        "audio_frames": audio_frames,
        "audio_stride": audio_stride,
        "num_mel_bins": num_mel_bins,
        "exchange_order": exchange_order,
        "id2label": None if labels is None else dict(enumerate(labels.read_text().splitlines())),
    }
    settings = {name: value for name, value in given.items() if value is not None}
    model = convert(source, family, output, {"sampling": sampling, "frame_stride": frame_stride}, **settings)
    Console().print(f"{model.num_parameters():,} parameters in {output}", soft_wrap=True)


def whole_numbers(option: str, text: str) -> list[int]:
    """ "0, 1" -> [0, 1]."""
    try:
        return [int(number) for number in split_names(text)]
    except ValueError as error:
        raise ValueError(f"{option} takes whole numbers as in 0,1,2, got {text!r}") from error


def answer_table(clips: list[str], answers: list[list[dict]]) -> Table:
    table = Table("clip", "label", "score")
    table.columns[0].overflow = "fold"
    table.columns[2].justify = "right"
    for clip, answer in zip(clips, answers, strict=True):
        for rank, entry in enumerate(answer):
            first, last = rank == 0, rank == len(answer) - 1
            score = f"{entry['score']:.3f}"
            table.add_row(
                clip if first else "", entry["label"], score, style="bold" if first else None, end_section=last
            )
    return table


def split_names(names: str) -> tuple[str, ...]:
    """ "right, left" -> ("right", "left")."""
    return tuple(name.strip() for name in names.split(",") if name.strip())


def main():
    app(prog_name="holovid")
