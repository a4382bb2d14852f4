"""`holovid timeline`: find what happens when in a long film."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holovid.cheap_checks import (
    TIMELINE_FILES,
    check_clip,
    check_clips,
    check_device,
    check_keeps_source,
    check_model_name,
    check_root,
    check_timeline_file,
)
from holovid.commands.command_line import PROGRAM
from holovid.commands.options import AsJson, Classifier, TopK, TrustRemoteCode
from holovid.commands.quiet import be_quiet
from holovid.commands.tables import localisation_table, say, segment_table, show
from holovid.extras import check_there

if TYPE_CHECKING:
    from holovid.inference.segments import SegmentRules

OF_SEVERAL = (".csv", ".json")  # formats that can hold several films


@dataclass
class WindowOptions:
    window: Annotated[float, typer.Option(help="Seconds of film per prediction.")] = 2.0
    stride: Annotated[float, typer.Option(help="Seconds from one window to the next.")] = 0.5
    batch_size: Annotated[int, typer.Option(min=1, help="Windows per batch.")] = 8
    stream: Annotated[
        bool,
        typer.Option(
            "--stream", help="Compute each frame once, for models that can: XViT with groups or past frames, AVT."
        ),
    ] = False
    why: Annotated[
        bool,
        typer.Option("--why", help="Also write into .json and .png which moments of video and audio matter."),
    ] = False

    def options(self) -> dict[str, Any]:
        return vars(self)


@dataclass
class SegmentOptions:
    threshold: Annotated[float, typer.Option(help="Lowest score of a segment.")] = 0.5
    smooth: Annotated[float, typer.Option(help="Average scores over this many seconds first.")] = 0.0
    peaks: Annotated[
        bool, typer.Option("--peaks", help="Take a segment around each peak of the scores, down to half its height.")
    ] = False
    gap: Annotated[float, typer.Option(help="Join segments of a label up to this many seconds apart.")] = 0.0
    shortest: Annotated[float, typer.Option(help="Drop segments that are shorter than this many seconds.")] = 0.0
    background: Annotated[
        list[str] | None, typer.Option(help="Label that means that nothing happens; can be repeated.")
    ] = None

    def rules(self) -> "SegmentRules":
        """Raises `ValueError` for numbers out of range."""
        from holovid.inference.segments import SegmentRules

        return SegmentRules(**vars(self) | {"background": tuple(self.background or ())})


@dataclass
class TruthOptions:
    truth: Annotated[
        Path | None,
        typer.Option(
            help="Measure how well segments are found: a table of films with columns path,start,end,label. Prints mAP "
            "at temporal IoU 0.3 to 0.7."
        ),
    ] = None
    root: Annotated[Path | None, typer.Option(help="Folder that relative paths in that table start from.")] = None


def timeline(
    model: Classifier,
    windows: WindowOptions,
    segments: SegmentOptions,
    measured: TruthOptions,
    film: Annotated[
        str | None, typer.Argument(help="Path or URL of a video. Leave it out with --truth, which names the films.")
    ] = None,
    output: Annotated[
        list[Path] | None,
        typer.Option(
            help="File to write: segments (.csv), segments and all scores (.json), subtitles (.vtt, .srt), a picture "
            "(.png), the film with labels (.mp4). Can be repeated."
        ),
    ] = None,
    top_k: TopK = 3,
    device: Annotated[str, typer.Option(help="Device for the model: cpu, cuda, cuda:1, mps or xpu.")] = "cpu",
    as_json: AsJson = False,
    trust_remote_code: TrustRemoteCode = False,
) -> None:
    """Find what happens when in a long film; with --truth, measure how well it is found.

    holovid timeline my-model film.mp4 --window 2 --stride 0.5 --output film.srt --output film.png

    holovid timeline my-model --truth films.csv --background nothing --shortest 1
    """
    outputs = output or []
    for path in outputs:
        check_timeline_file(path)
        check_keeps_source(path, film)
        if path.suffix.lower() == ".png":
            check_there("matplotlib", "a picture of a timeline")
        if measured.truth is not None and path.suffix.lower() not in OF_SEVERAL:
            raise ValueError(f"with --truth, --output must end in {' or '.join(OF_SEVERAL)}, got {path}")
    check_model_name(model)
    if (film is None) == (measured.truth is None):
        raise ValueError("give either a film, or --truth with a table of films and their segments")
    if film is not None:
        check_clip(film)
    elif measured.truth is not None:
        check_clips(str(measured.truth), ("start", "end", "label"))
        check_root(measured.root)
    check_device(device)
    be_quiet()

    import holovid.inference as inference
    from holovid.devices import move_to
    from holovid.inference.segments import check_background, check_threshold, highest_score
    from holovid.inference.timeline_files import timeline_record, write_records
    from holovid.inference.timelines import labels_of, task_over_time
    from holovid.loading import load_classifier
    from holovid.processing.media_source import download

    rules = segments.rules()
    truth = None if measured.truth is None else inference.read_truth(measured.truth, measured.root)
    network, processor = load_classifier(model, trust_remote_code)
    task = task_over_time(network.eval())
    check_threshold(rules, task.kind)
    network = move_to(network, device)
    options = windows.options() | {"progress": not as_json}
    if truth is not None:
        localised = inference.localise(network, processor, truth, rules, **options)
        record = {"metrics": localised.metrics} | {
            "films": [timeline_record(localised.timelines[name], found) for name, found in localised.segments.items()]
        }
        for path in outputs:
            write_records(path, record, localised.segments)
        show(record, localisation_table(localised.metrics), as_json)
    elif film is not None:
        check_background(rules, labels_of(network, task))
        source = download(film) if film.startswith(("http://", "https://")) else film
        scores = inference.timeline(network, processor, source, name=film, **options)
        found = inference.find_segments(scores, rules)
        for path in outputs:
            inference.write_timeline(scores, found, path, source, top_k)
        show(timeline_record(scores, found), segment_table(found), as_json)
        highest, label = highest_score(scores, rules)
        if label and highest < rules.threshold:
            below = f"no score reaches --threshold {rules.threshold:g}; the highest is {highest:.4g} ({label})"
            print(f"{PROGRAM}: {below}", file=sys.stderr)
    if not as_json:
        for path in outputs:
            say(f"{TIMELINE_FILES[path.suffix.lower()]}: {path}")
