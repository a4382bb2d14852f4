"""`holovid timeline`: what happens when in a long film."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holovid.cheap_checks import (
    TIMELINE_FILES,
    check_clip,
    check_clips,
    check_device,
    check_model_name,
    check_timeline_file,
)
from holovid.commands.options import AsJson, Classifier, TopK, TrustRemoteCode
from holovid.commands.quiet import be_quiet
from holovid.commands.tables import localisation_table, say, segment_table, show
from holovid.extras import check_there

if TYPE_CHECKING:
    from holovid.inference.segments import SegmentRules

OF_SEVERAL = (".csv", ".json")  # endings of files that are about several films


@dataclass
class WindowOptions:
    window: Annotated[float, typer.Option(help="Seconds that the model looks at a time.")] = 2.0
    stride: Annotated[float, typer.Option(help="Seconds from one window to the next.")] = 0.5
    batch_size: Annotated[int, typer.Option(min=1, help="Windows that go through the model at once.")] = 8
    stream: Annotated[
        bool, typer.Option("--stream", help="Compute each frame once: XViT with groups or past frames, AVT.")
    ] = False
    why: Annotated[
        bool, typer.Option("--why", help="Also say when what counts is seen and heard, in .json and .png.")
    ] = False

    def options(self) -> dict[str, Any]:
        """Of `holovid.inference.timeline`."""
        return vars(self)


@dataclass
class SegmentOptions:
    threshold: Annotated[float, typer.Option(help="Score from which on something happens.")] = 0.5
    smooth: Annotated[float, typer.Option(help="Seconds over which scores are averaged.")] = 0.0
    peaks: Annotated[bool, typer.Option("--peaks", help="Segments are hills of scores, cut at half their height.")] = (
        False
    )
    gap: Annotated[float, typer.Option(help="Seconds between two segments up to which they are one.")] = 0.0
    shortest: Annotated[float, typer.Option(help="Seconds that a segment lasts at least.")] = 0.0
    background: Annotated[
        list[str] | None, typer.Option(help="Label that stands for nothing; may be given several times.")
    ] = None

    def rules(self) -> "SegmentRules":
        """Raises `ValueError` for numbers out of range."""
        from holovid.inference.segments import SegmentRules

        return SegmentRules(**vars(self) | {"background": tuple(self.background or ())})


@dataclass
class TruthOptions:
    truth: Annotated[
        Path | None,
        typer.Option(help="Table path,start,end,label of what happens: measure mAP at overlaps in time of .3 to .7."),
    ] = None
    root: Annotated[Path | None, typer.Option(help="Folder that paths in that table start from.")] = None


def timeline(
    model: Classifier,
    windows: WindowOptions,
    segments: SegmentOptions,
    measured: TruthOptions,
    film: Annotated[str | None, typer.Argument(help="Path or URL of a video; with --truth, its films.")] = None,
    output: Annotated[
        list[Path] | None,
        typer.Option(
            help="Segments (.csv), all scores too (.json), subtitles (.vtt, .srt), a picture (.png), the film with "
            "labels (.mp4); may be given several times."
        ),
    ] = None,
    top_k: TopK = 3,
    device: Annotated[str, typer.Option(help="Where the model runs, such as cuda.")] = "cpu",
    as_json: AsJson = False,
    trust_remote_code: TrustRemoteCode = False,
) -> None:
    """Say what happens when in a long film, or measure how well that is found.

    holovid timeline my-model film.mp4 --window 2 --stride 0.5 --output film.srt --output film.png

    holovid timeline my-model --truth films.csv --background nothing --shortest 1
    """
    outputs = output or []
    for path in outputs:
        check_timeline_file(path)
        if path.suffix.lower() == ".png":
            check_there("matplotlib", "a picture of a timeline")
        if measured.truth is not None and path.suffix.lower() not in OF_SEVERAL:
            raise ValueError(f"with --truth, --output ends in {' or '.join(OF_SEVERAL)}; name a film for {path}")
    check_model_name(model)
    if (film is None) == (measured.truth is None):
        raise ValueError("give a film, or with --truth a table of films and what happens in them")
    if film is not None:
        check_clip(film)
    elif measured.truth is not None:
        check_clips(str(measured.truth), ("start", "end", "label"))
    check_device(device)
    be_quiet()

    import holovid.inference as inference
    from holovid.devices import move_to
    from holovid.inference.segments import check_background
    from holovid.inference.timeline_files import table_of, timeline_record, write_records
    from holovid.inference.timelines import labels_of, task_over_time
    from holovid.loading import load_classifier
    from holovid.processing.media_source import download

    rules = segments.rules()
    truth = None if measured.truth is None else inference.read_truth(measured.truth, measured.root)
    network, processor = load_classifier(model, trust_remote_code)
    network = move_to(network.eval(), device)
    options = windows.options() | {"progress": not as_json}
    if truth is not None:
        localised = inference.localise(network, processor, truth, rules, **options)
        record = {"metrics": localised.metrics} | {
            "films": [timeline_record(localised.timelines[name], found) for name, found in localised.segments.items()]
        }
        for path in outputs:
            write_records(path, record, table_of(localised.segments))
        show(record, localisation_table(localised.metrics), as_json)
    elif film is not None:
        check_background(rules, labels_of(network, task_over_time(network)))
        source = download(film) if film.startswith(("http://", "https://")) else film
        scores = inference.timeline(network, processor, source, name=film, **options)
        found = inference.find_segments(scores, rules)
        for path in outputs:
            inference.write_timeline(scores, found, path, source, top_k)
        show(timeline_record(scores, found), segment_table(found), as_json)
    if not as_json:
        for path in outputs:
            say(f"{TIMELINE_FILES[path.suffix.lower()]}: {path}")
