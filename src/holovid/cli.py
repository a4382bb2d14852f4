"""The `holovid` command: one function a sub-command, each a thin wrapper of a function of the library.

Whatever cannot be done ends as one sentence on stderr and exit status 2. Torch and transformers are imported by the
commands that need them, after what is cheap to check: paths, names, columns.
"""

import sys
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table

from holovid.allocator import keep_memory
from holovid.cheap_checks import check_clip, check_clips, check_device, check_folder, check_model_name
from holovid.commands.app import PROGRAM, OneSentenceErrors
from holovid.commands.options import named_values, names_of_lines, split_names, whole_numbers
from holovid.commands.tables import accuracy_table, answer_record, answer_table, print_json

FAMILIES = ("xvit", "cast", "cava", "ca2st")  # of `convert`
FORMATS = ("onnx", "torch")  # of `export`
SKIPPED = 1  # exit status when some clips could not be read
OnBroken = Literal["raise", "skip"]
app = typer.Typer(
    cls=OneSentenceErrors,
    help="Space-time video transformers: label videos, evaluate, convert checkpoints, render data to try them on.",
    no_args_is_help=True,
    add_completion=False,
)
data = typer.Typer(help="Make sets of clips.", no_args_is_help=True)
app.add_typer(data, name="data")


def show_version(wanted: bool) -> None:
    if wanted:
        print(f"holovid {version('holovid')}")
        raise typer.Exit


@app.callback()
def options(
    _: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
):
    pass


@data.command()
def synth(
    output: Annotated[Path, typer.Argument(help="Folder to make; a complete set that is there already is kept.")],
    train: Annotated[int, typer.Option(min=0, help="Clips to train on.")] = 960,
    val: Annotated[int, typer.Option(min=0, help="Clips to validate on.")] = 320,
    shapes: Annotated[str, typer.Option(help="Of disc, square, triangle, star, ring, bar.")] = "disc,triangle",
    motions: Annotated[
        str, typer.Option(help="Of right, left, down, up, grow, shrink, appear, vanish.")
    ] = "right,left",
    sounds: Annotated[str, typer.Option(help="Of rise, fall, tone, noise.")] = "rise,fall",
    size: Annotated[int, typer.Option(help="Side of a frame in pixels.")] = 112,
    seconds: Annotated[float, typer.Option(help="Length of a clip.")] = 2.0,
    frame_rate: Annotated[int, typer.Option(min=1, help="Frames a second.")] = 12,
    sampling_rate: Annotated[int, typer.Option(help="Sound samples a second.")] = 16_000,
    seed: Annotated[int, typer.Option(min=0, help="Where all chance comes from.")] = 0,
    workers: Annotated[int | None, typer.Option(min=1, help="Clips to render at a time; default: one a core.")] = None,
):
    """Render labelled mp4 clips: shape x motion x sound, drawn independently, motions in exact reversal pairs.

    holovid data synth clips --train 64 --val 16
    """
    from holovid.data.synthetic import ClipSet, render_clips

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
    on_broken: Annotated[
        OnBroken, typer.Option(help="At a clip that cannot be read: end (raise), or say why and go on, with status 1.")
    ] = "raise",
    picture: Annotated[Path | None, typer.Option(help="Also draw what the model saw and said (.png, .jpg).")] = None,
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Run model code that comes from the Hub.")
    ] = False,
):
    """Say what happens in videos.

    holovid classify my-model clip.mp4 --top-k 3 --picture sheet.png
    """
    if picture is not None and picture.suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp"):
        raise ValueError(f"--picture must end in .png, .jpg or .webp, got {picture}")
    check_model_name(model)
    if on_broken == "raise":
        for clip in clips:
            check_clip(clip)

    from transformers import logging, pipeline

    from holovid import VideoClassificationPipeline
    from holovid.files import new_file
    from holovid.inference.contact_sheet import contact_sheet, stack
    from holovid.loading import load_classifier

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    network, processor = load_classifier(model, trust_remote_code)
    classifier = pipeline(
        "video-classification",
        model=network,
        video_processor=processor,
        pipeline_class=VideoClassificationPipeline,
    )
    answers = [classifier(clip, top_k=top_k, on_broken=on_broken) for clip in clips]
    answered = [(clip, answer) for clip, answer in zip(clips, answers, strict=True) if "error" not in answer]

    if picture is not None and answered:
        sheets = [contact_sheet(classifier.video_processor, clip, answer, title=clip) for clip, answer in answered]
        picture.parent.mkdir(parents=True, exist_ok=True)
        with new_file(picture) as unfinished:
            stack(sheets).save(unfinished)
    if as_json:
        print_json([answer_record(clip, answer) for clip, answer in zip(clips, answers, strict=True)])
    else:
        Console().print(answer_table(clips, answers))
        if picture is not None and answered:
            Console().print(f"Picture: {picture}", soft_wrap=True)
    if len(answered) < len(clips):
        print(f"{PROGRAM}: {len(clips) - len(answered)} of {len(clips)} clips could not be read", file=sys.stderr)
        raise typer.Exit(SKIPPED)


@app.command()
def watch(
    model: Annotated[str, typer.Argument(help="Folder or Hub id of an XViT that labels videos.")],
    source: Annotated[str, typer.Argument(help="File, camera such as /dev/video0, or URL that FFmpeg reads.")],
    stride: Annotated[
        int | None, typer.Option(min=1, help="Frames of the source from one that the model is shown to the next.")
    ] = None,
    every: Annotated[
        float | None, typer.Option(help="The same in seconds. Default: as the model's processor samples.")
    ] = None,
    top_k: Annotated[int, typer.Option(min=1, help="Labels to show, best first.")] = 3,
    output: Annotated[Path | None, typer.Option(help="Also write what was seen with its labels (.mp4).")] = None,
    device: Annotated[str, typer.Option(help="Where the model runs, such as cuda.")] = "cpu",
    container_format: Annotated[
        str | None, typer.Option("--format", help="FFmpeg's name of a camera's interface: v4l2, avfoundation, dshow.")
    ] = None,
    allow_playlists: Annotated[
        bool, typer.Option("--allow-playlists", help="Follow a playlist to the files and addresses that it names.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print all answers, a JSON object a line.")] = False,
):
    """Say what happens in a video while it comes in, until it ends or Ctrl-C is pressed.

    holovid watch my-model /dev/video0 --every 0.2 --output seen.mp4
    """
    check_model_name(model)
    check_device(device)

    from contextlib import ExitStack

    from transformers import logging

    from holovid.devices import move_to
    from holovid.inference.annotated_video import annotated_video
    from holovid.inference.watching import LabelLine, LiveSource, until_stopped
    from holovid.inference.watching import watch as watch_source
    from holovid.loading import load_classifier

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    classifier, processor = load_classifier(model)
    with ExitStack() as stack:
        live = stack.enter_context(LiveSource(source, container_format, allow_playlists))
        video = output and stack.enter_context(annotated_video(output, live.frame_rate))
        line = stack.enter_context(LabelLine(Console(), as_json))
        is_stopped = stack.enter_context(until_stopped())
        has_answered = False
        for moment in watch_source(
            move_to(classifier.eval(), device),
            processor,
            live,
            stride=stride,
            every=every,
            top_k=top_k,
        ):
            line.show(moment)
            if video:
                video.write(live.pixels(moment.picture), moment.seconds, moment.answers)
            has_answered |= moment.is_new
            if is_stopped():
                break
        else:
            if not has_answered:
                raise ValueError(f"{source!r} ended before the model had seen enough of it to answer")
    if output is not None and not as_json:
        Console().print(f"Video: {output}", soft_wrap=True)


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="Folder or Hub id of a video classifier.")],
    data: Annotated[list[str], typer.Argument(help="Folders, tables or Hub ids of labelled clips.")],
    views: Annotated[int | None, typer.Option(min=1, help="Passes over a clip in time. Default: 1.")] = None,
    crops: Annotated[int | None, typer.Option(help="1 or 3 of each. Default: 1.")] = None,
    ensemble: Annotated[
        str | None,
        typer.Option(help="What is averaged over them: logits or probabilities. Default: as the paper does."),
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(help="Views, crops, average and sampling of a recipe, such as xvit-ssv2.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Default: the only one; or validation, or else test.")] = None,
    target: Annotated[str | None, typer.Option(help="Column of classes. Default: label; or verb,noun.")] = None,
    root: Annotated[Path | None, typer.Option(help="Folder that paths in tables start from.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Views that go through the model at once.")] = 8,
    workers: Annotated[int, typer.Option(min=0, help="Processes that decode ahead.")] = 0,
    autocast: Annotated[str | None, typer.Option(help="bfloat16 or float16.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder for results, predictions, pictures; goes on where it was stopped.")
    ] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Predictions as CSV too.")] = False,
    on_broken: Annotated[str, typer.Option(help="At a clip that cannot be read: skip or raise.")] = "skip",
    shuffle_frames: Annotated[
        bool, typer.Option("--shuffle-frames", help="Ablation: frames in random order.")
    ] = False,
    static: Annotated[bool, typer.Option("--static", help="Ablation: the middle frame all the time.")] = False,
    mute: Annotated[bool, typer.Option("--mute", help="Ablation: no sound.")] = False,
    drop_expert: Annotated[
        list[str] | None, typer.Option(help="Ablation: space, time or audio perceives nothing.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Run model code that comes from the Hub.")
    ] = False,
):
    """Measure how well a model labels clips; with several sets of them, also the harmonic mean.

    holovid evaluate xvit-ssv2 ssv2/validation.csv --root ssv2/videos --views 2 --crops 3 --output results
    """
    from holovid.recipes import get_recipe

    check_model_name(model)
    known_recipe = None if recipe is None else get_recipe(recipe)
    targets = () if target is None else split_names(target)
    if target is not None and not targets:
        raise ValueError("--target names a column of classes, or two as in verb,noun; got none")
    for source in data:
        check_clips(source, targets)

    from accelerate import PartialState
    from transformers import logging

    from holovid.evaluation.evaluate import evaluate_clips, evaluate_sets, recipe_protocol
    from holovid.evaluation.tasks import load_set
    from holovid.loading import load_classifier
    from holovid.records import public_command

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    switches = {"hold_still": static, "shuffle_frames": shuffle_frames, "mute": mute}
    switches |= {f"without_{expert}": True for expert in drop_expert or []}
    given = {"num_views": views, "num_crops": crops, "ensemble": ensemble}
    protocol = {name: value for name, value in given.items() if value is not None}
    classifier, processor = load_classifier(model, trust_remote_code)
    if known_recipe is not None:
        protocol = recipe_protocol(known_recipe, classifier.config) | protocol
    options: dict[str, Any] = protocol | {
        "target": targets or None,
        "batch_size": batch_size,
        "num_workers": workers,
        "autocast": autocast,
        "output": output,
        "csv": csv,
        "on_broken": on_broken,
        "intervention": [name for name, wanted in switches.items() if wanted],
    }
    sets = [load_set(classifier, source, target=options["target"], split=split, root=root) for source in data]
    about = {"model": model, "command": public_command(["holovid", *sys.argv[1:]])}
    if len(sets) == 1:
        about |= {"dataset": sets[0].name, "split": sets[0].split}
        results = evaluate_clips(classifier, processor, sets[0].rows, about=about, **options)
        columns = {sets[0].name: results}
        means = {}
    else:
        results = evaluate_sets(classifier, processor, sets, about=about, **options)
        columns, means = results["sets"], results["harmonic_mean"]
    state = PartialState()
    state.destroy_process_group()
    if not state.is_main_process:
        return
    if as_json:
        print_json(results)
    else:
        Console().print(accuracy_table(columns, means))
        if output is not None:
            Console().print(f"Results, predictions and pictures: {output}", soft_wrap=True)


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(help="Checkpoint: .pth, .pt, .pyth, .bin or .safetensors.")],
    family: Annotated[str, typer.Option(help="xvit, cast, cava or ca2st.")],
    output: Annotated[Path, typer.Option(help="New folder: safetensors, configuration, processor.")],
    labels: Annotated[Path | None, typer.Option(help="File with the name of each class, one a line.")] = None,
    sampling: Annotated[
        str, typer.Option(help="How the processor picks frames: uniform, segments, dense or strided.")
    ] = "uniform",
    frame_stride: Annotated[
        int, typer.Option(min=1, help="Frames between those picked, of --sampling dense and strided.")
    ] = 1,
    image_size: Annotated[int | None, typer.Option(min=1, help="Side of a frame in pixels.")] = None,
    num_frames: Annotated[int | None, typer.Option(min=1, help="Frames of a clip.")] = None,
    num_attention_heads: Annotated[int | None, typer.Option(min=1, help="Default: one for each 64 channels.")] = None,
    temporal_num_attention_heads: Annotated[
        int | None, typer.Option(min=1, help="xvit: those of the temporal head.")
    ] = None,
    mix_group: Annotated[int | None, typer.Option(min=1, help="xvit: frames that are mixed with one another.")] = None,
    mix_divisor: Annotated[
        int | None, typer.Option(min=1, help="xvit: 8 (Kinetics) or 4 (Something-Something).")
    ] = None,
    mix_layers: Annotated[str | None, typer.Option(help="xvit: layers that mix, as in 0,1,2.")] = None,
    audio_frames: Annotated[int | None, typer.Option(min=1, help="cava, ca2st: rows of the spectrogram.")] = None,
    audio_stride: Annotated[int | None, typer.Option(min=1, help="cava, ca2st: step of its patches.")] = None,
    num_mel_bins: Annotated[int | None, typer.Option(min=1, help="cava, ca2st: its columns.")] = None,
    exchange_order: Annotated[str | None, typer.Option(help="ca2st: sequential or parallel.")] = None,
):
    """Turn a released checkpoint into a folder that the Auto classes load.

    holovid convert checkpoint.pyth --family xvit --output xvit-k600 --num-frames 16 --mix-group 8
    """
    if family not in FAMILIES:
        raise ValueError(f"unknown family {family!r}; known are {', '.join(FAMILIES)}")
    if not source.is_file():
        raise ValueError(f"{source} is not a file")
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
        "id2label": None if labels is None else dict(enumerate(names_of_lines(labels))),
    }
    settings = {name: value for name, value in given.items() if value is not None}

    from transformers import logging

    from holovid.conversion.convert import convert

    logging.disable_progress_bar()
    model = convert(source, family, output, {"sampling": sampling, "frame_stride": frame_stride}, **settings)
    Console().print(f"{model.num_parameters():,} parameters in {output}", soft_wrap=True)


@app.command()
def export(
    model: Annotated[str, typer.Argument(help="Folder or Hub id of a video classifier.")],
    target: Annotated[Path, typer.Argument(help="New folder: the file, settings, labels, processor.")],
    format: Annotated[str, typer.Option(help="onnx (model.onnx), or torch (model.pt2, of torch.export).")] = "onnx",
    batch: Annotated[int | None, typer.Option(help="Clips that it takes at once. Default: any number.")] = None,
    inputs: Annotated[
        str | None,
        typer.Option(help="Such as pixel_values_videos,input_values. Default: all that the model reads."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of sentences.")] = False,
):
    """Write a model as a file that runs without holovid, once it is shown to compute what the model does.

    holovid export my-model my-model-onnx --format onnx
    """
    check_model_name(model)
    if format not in FORMATS:
        raise ValueError(f"unknown format {format!r}; known are {', '.join(FORMATS)}")

    from transformers import logging

    from holovid.inference.export import export as export_model

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    given = None if inputs is None else split_names(inputs)
    exported = export_model(model, target, format=format, batch=batch, inputs=given)
    if as_json:
        print_json(asdict(exported))
        return
    for line in exported.lines():
        Console().print(line, soft_wrap=True, highlight=False, markup=False)


@app.command()
def info(
    model: Annotated[str, typer.Argument(help="Folder or Hub id of a model of holovid.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
):
    """Say what a model is, costs and takes; of a Hub id, only its small files are fetched.

    holovid info demo-output/model
    """
    check_model_name(model)

    from transformers import logging

    from holovid.facts import fact_lines, model_facts

    logging.set_verbosity_error()
    facts = model_facts(model)
    if as_json:
        print_json(facts.to_dict())
        return
    table = Table.grid(padding=(0, 2))
    for name, value in fact_lines(facts).items():
        table.add_row(name, value)
    Console().print(table)


@app.command()
def card(
    folder: Annotated[Path, typer.Argument(help="Folder of a model with its processor.")],
    licence: Annotated[str, typer.Option("--licence", "--license", help="As the Hub calls it, such as apache-2.0.")],
    output: Annotated[Path | None, typer.Option(help="File to write. Default: README.md in the folder.")] = None,
    repo_id: Annotated[str | None, typer.Option(help="user/name. Default: the name of the folder.")] = None,
    licence_name: Annotated[str | None, typer.Option(help="With --licence other.")] = None,
    licence_link: Annotated[str | None, typer.Option(help="With --licence other.")] = None,
):
    """Write the model card: how to use the model, what it takes, costs and can, whose weights and data it is made of.

    holovid card my-model --licence apache-2.0 --repo-id user/my-model
    """
    check_folder(folder)

    from transformers import logging

    from holovid.hub import CARD
    from holovid.publishing.card import build_card, write_card

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    made = build_card(folder, licence=licence, repo_id=repo_id, licence_name=licence_name, licence_link=licence_link)
    path = output or folder / CARD
    write_card(made, path)
    Console().print(f"Model card: {path}", soft_wrap=True)


@app.command()
def push(
    folder: Annotated[Path, typer.Argument(help="Folder of a model with its processor.")],
    repo_id: Annotated[str, typer.Argument(help="user/name on the Hub; made if it is not there.")],
    licence: Annotated[str, typer.Option("--licence", "--license", help="As the Hub calls it, such as apache-2.0.")],
    licence_name: Annotated[str | None, typer.Option(help="With --licence other.")] = None,
    licence_link: Annotated[str | None, typer.Option(help="With --licence other.")] = None,
    private: Annotated[
        bool | None, typer.Option("--private/--public", help="Default: a new repository is private, others stay.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Put together and check, upload nothing.")] = False,
    message: Annotated[str | None, typer.Option(help="Of the commit.")] = None,
    max_shard_size: Annotated[str, typer.Option(help="Of one file of weights.")] = "5GB",
    adapters_only: Annotated[
        bool | None,
        typer.Option("--adapters-only/--all-weights", help="With or without the experts. Default: as saved."),
    ] = None,
    expert: Annotated[
        list[str] | None, typer.Option(help="Where an expert is that the weights lack, such as space=FOLDER.")
    ] = None,
    include: Annotated[list[str] | None, typer.Option(help="Further files of the folder, such as *.png.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
):
    """Publish a model: weights, processor, source, card and results, checked first, then uploaded in one commit.

    holovid push my-model user/my-model --licence apache-2.0 --dry-run
    """
    check_folder(folder)
    experts = named_values("--expert", expert or [])

    from transformers import logging

    from holovid.publishing.push import publish

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    publication = publish(
        folder,
        repo_id,
        licence=licence,
        licence_name=licence_name,
        licence_link=licence_link,
        private=private,
        dry_run=dry_run,
        message=message,
        max_shard_size=max_shard_size,
        adapters_only=adapters_only,
        experts=experts,
        include=include or (),
    )
    if as_json:
        print_json(asdict(publication))
        return
    table = Table("file", "size", "what it is")
    table.columns[1].justify = "right"
    for file in publication.files:
        table.add_row(file.path, f"{file.size:,}", file.kind)
    Console().print(table)
    for line in publication.lines():
        Console().print(line, soft_wrap=True, highlight=False, markup=False)


def main():
    keep_memory()
    app(prog_name="holovid")


if __name__ == "__main__":  # torchrun -m holovid.cli evaluate ...
    main()
