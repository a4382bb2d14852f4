"""`holovid evaluate`: how well a model labels clips."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from holovid.cheap_checks import check_clips, check_model_name
from holovid.commands.options import AsJson, Classifier, TrustRemoteCode, split_names
from holovid.commands.protocol_options import ProtocolOptions
from holovid.commands.quiet import be_quiet
from holovid.commands.tables import accuracy_table, say, show


@dataclass
class ClipOptions:
    split: Annotated[str | None, typer.Option(help="Default: the only one; or validation, or else test.")] = None
    target: Annotated[str | None, typer.Option(help="Column of classes. Default: label; or verb,noun.")] = None
    root: Annotated[Path | None, typer.Option(help="Folder that paths in tables start from.")] = None


@dataclass
class WorkOptions:
    batch_size: Annotated[int, typer.Option(min=1, help="Views that go through the model at once.")] = 8
    workers: Annotated[int, typer.Option(min=0, help="Processes that decode ahead.")] = 0
    output: Annotated[
        Path | None, typer.Option(help="Folder for results, predictions, pictures; goes on where it was stopped.")
    ] = None
    csv: Annotated[bool, typer.Option("--csv", help="Predictions as CSV too.")] = False
    scores: Annotated[bool, typer.Option("--scores", help="Keep the scores of all classes, for --fuse.")] = False
    on_broken: Annotated[str, typer.Option(help="At a clip that cannot be read: skip or raise.")] = "skip"


def evaluate(
    model: Classifier,
    data: Annotated[list[str], typer.Argument(help="Folders, tables or Hub ids of labelled clips.")],
    how: ProtocolOptions,
    clips: ClipOptions,
    work: WorkOptions,
    fuse: Annotated[
        bool,
        typer.Option("--fuse", help="Instead of MODEL and DATA, predictions.parquet:WEIGHT of two or more models."),
    ] = False,
    as_json: AsJson = False,
    trust_remote_code: TrustRemoteCode = False,
) -> None:
    """Measure how well a model labels clips; with several sets of them, also the harmonic mean.

    holovid evaluate xvit-ssv2 ssv2/validation.csv --root ssv2/videos --views 2 --crops 3 --output results

    holovid evaluate --fuse avt/predictions.parquet:2.5 objects/predictions.parquet:0.5
    """
    if fuse:
        return evaluate_fusion([model, *data], how, clips, work, as_json)
    check_model_name(model)
    how.check()
    target = None if clips.target is None else split_names(clips.target)
    if target == ():
        raise ValueError("--target names a column of classes, or two as in verb,noun; got none")
    for source in data:
        check_clips(source, target or ())
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
    if work.output is not None and not as_json:
        say(f"Results, predictions and pictures: {work.output}")


def evaluate_fusion(
    files: list[str], how: ProtocolOptions, clips: ClipOptions, work: WorkOptions, as_json: bool
) -> None:
    """Measure how well models answer together, of whose evaluations these are the predictions and weights."""
    others = how.given() != ProtocolOptions().given() or how.recipe is not None or clips != ClipOptions()
    if others or work != WorkOptions(output=work.output, csv=work.csv):
        raise ValueError("with --fuse nothing is evaluated again, so that only --output, --csv and --json count")
    if models := [text for text in files if ".parquet" not in text]:
        raise ValueError(
            f"--fuse takes files predictions.parquet:WEIGHT in the place of MODEL and DATA, got {models[0]!r}"
        )
    be_quiet()

    from holovid.evaluation.fusion import fuse, weighted_file
    from holovid.records import public_command

    weighted = [weighted_file(text) for text in files]
    if len(dict(weighted)) < len(weighted):
        raise ValueError(f"--fuse got a file twice: {' '.join(files)}")
    command = public_command(["holovid", *sys.argv[1:]])
    results = fuse(dict(weighted), output=work.output, csv=work.csv, command=command)
    show(results, accuracy_table({results["model"]["name"]: results}, {}), as_json)
    if work.output is not None and not as_json:
        say(f"Results, predictions and pictures: {work.output}")
