"""`holovid evaluate`: measure the accuracy of a model on labelled clips."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from holovid.cheap_checks import check_clips, check_model_name, check_new_folder, check_root
from holovid.commands.command_line import PROGRAM
from holovid.commands.options import AsJson, Classifier, Root, TrustRemoteCode, split_names
from holovid.commands.protocol_options import ProtocolOptions
from holovid.commands.quiet import be_quiet
from holovid.commands.tables import accuracy_table, say, show

MOST_TOLD = 3  # clips that are left out, by name


@dataclass
class ClipOptions:
    split: Annotated[
        str | None, typer.Option(help="Split to evaluate. Default: the only one, else validation, else test.")
    ] = None
    target: Annotated[
        str | None, typer.Option(help="Column of the labels. Default: label, or verb,noun for models of both.")
    ] = None
    root: Root = None


@dataclass
class WorkOptions:
    batch_size: Annotated[int, typer.Option(min=1, help="Views per batch.")] = 8
    workers: Annotated[
        int, typer.Option(min=0, help="Processes that decode clips in advance; 0 decodes in the main process.")
    ] = 0
    output: Annotated[
        Path | None,
        typer.Option(
            help="Folder for results, predictions and pictures. Run the same command again to continue a run that was "
            "stopped."
        ),
    ] = None
    csv: Annotated[bool, typer.Option("--csv", help="Also write the predictions as CSV.")] = False
    scores: Annotated[
        bool, typer.Option("--scores", help="Also store the scores of all classes, which --fuse needs.")
    ] = False
    on_broken: Annotated[
        str, typer.Option(help="If a clip cannot be read: skip leaves it out and counts it, raise stops.")
    ] = "skip"


def evaluate(
    model: Classifier,
    data: Annotated[list[str], typer.Argument(help="Labelled clips: folders, tables or Hub ids of data sets.")],
    how: ProtocolOptions,
    clips: ClipOptions,
    work: WorkOptions,
    fuse: Annotated[
        bool,
        typer.Option(
            "--fuse",
            help="Evaluate an ensemble: in place of MODEL and DATA, give predictions.parquet:WEIGHT of two or more "
            "models.",
        ),
    ] = False,
    as_json: AsJson = False,
    trust_remote_code: TrustRemoteCode = False,
) -> None:
    """Measure the accuracy of a model on labelled clips; with several data sets, also their harmonic mean.

    holovid evaluate xvit-ssv2 ssv2/validation.csv --root ssv2/videos --views 2 --crops 3 --output results

    holovid evaluate --fuse avt/predictions.parquet:2.5 objects/predictions.parquet:0.5
    """
    if fuse:
        return evaluate_fusion([model, *data], how, clips, work, as_json)
    check_model_name(model)
    how.check()
    check_root(clips.root)
    target = None if clips.target is None else split_names(clips.target)
    if target == ():
        raise ValueError("--target must name a column of labels, or two as in verb,noun; got none")
    for source in data:
        check_clips(source, target or ())
    if work.output is not None:
        check_new_folder(work.output)
    be_quiet()

    from holovid.evaluation.evaluate import PartialState, evaluate_clips, evaluate_sets
    from holovid.evaluation.tasks import load_set
    from holovid.loading import load_classifier
    from holovid.records import public_command

    classifier, processor = load_classifier(model, trust_remote_code)
    options: dict[str, Any] = {
        "protocol": how.read(classifier.config), "target": target, "batch_size": work.batch_size,
        "num_workers": work.workers, "output": work.output, "csv": work.csv,
        "scores": work.scores, "on_broken": work.on_broken,
    }  # fmt: skip
    sets = [load_set(classifier, source, target=target, split=clips.split, root=clips.root) for source in data]
    about = {"model": model, "command": public_command(["holovid", *sys.argv[1:]])}
    if len(sets) == 1:
        about |= {"dataset": sets[0].name, "split": sets[0].split}
        results = evaluate_clips(classifier, processor, sets[0].rows, about=about, **options)
        table = accuracy_table({sets[0].name: results}, {})
    else:
        results = evaluate_sets(classifier, processor, sets, about=about, **options)
        table = accuracy_table(results["sets"], results["harmonic_mean"])
    state = PartialState()
    state.destroy_process_group()
    if not state.is_main_process:
        return
    show(results, table, as_json)
    tell_left_out([clip for each in results.get("sets", {"": results}).values() for clip in each["broken"]])
    if work.output is not None and not as_json:
        say(f"Results, predictions and pictures: {work.output}")


def tell_left_out(broken: list[dict[str, str]]) -> None:
    """Say on stderr which clips the results leave out, and why."""
    if broken:
        clips = "1 clip is" if len(broken) == 1 else f"{len(broken)} clips are"
        more = "" if len(broken) <= MOST_TOLD else f"; and {len(broken) - MOST_TOLD} more, which --output lists"
        reasons = "; ".join(clip["reason"] for clip in broken[:MOST_TOLD])
        print(f"{PROGRAM}: {clips} left out: {reasons}{more}", file=sys.stderr)


def evaluate_fusion(
    files: list[str], how: ProtocolOptions, clips: ClipOptions, work: WorkOptions, as_json: bool
) -> None:
    """Measure an ensemble from the predictions of its models' evaluations, `predictions.parquet:WEIGHT` each."""
    others = how.given() != ProtocolOptions().given() or how.recipe is not None or clips != ClipOptions()
    if others or work != WorkOptions(output=work.output, csv=work.csv):
        raise ValueError("--fuse reads stored predictions: the only other options are --output, --csv and --json")
    if models := [text for text in files if ".parquet" not in text]:
        raise ValueError(
            f"--fuse takes files predictions.parquet:WEIGHT in place of MODEL and DATA, got {models[0]!r}"
        )
    be_quiet()

    from holovid.evaluation.fusion import fuse, weighted_file
    from holovid.records import public_command

    weighted = [weighted_file(text) for text in files]
    if len(dict(weighted)) < len(weighted):
        raise ValueError(f"--fuse got the same file twice: {' '.join(files)}")
    command = public_command(["holovid", *sys.argv[1:]])
    results = fuse(dict(weighted), output=work.output, csv=work.csv, command=command)
    show(results, accuracy_table({results["model"]["name"]: results}, {}), as_json)
    if work.output is not None and not as_json:
        say(f"Results, predictions and pictures: {work.output}")
