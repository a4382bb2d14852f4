"""`holovid timeline`: what happens when in a long film."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from holovid.cheap_checks import TIMELINE_FILES, check_clip, check_device, check_model_name, check_timeline_file
from holovid.commands.options import AsJson, Classifier, TopK, TrustRemoteCode
from holovid.commands.quiet import be_quiet
from holovid.commands.tables import say, segment_table, show


@dataclass
class WindowOptions:
    window: Annotated[float, typer.Option(help="Seconds that the model looks at a time.")] = 2.0
    stride: Annotated[float, typer.Option(help="Seconds from one window to the next.")] = 0.5
    batch_size: Annotated[int, typer.Option(min=1, help="Windows that go through the model at once.")] = 8
    stream: Annotated[
        bool, typer.Option("--stream", help="Compute each frame once: XViT with groups or past frames, AVT.")
    ] = False


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


def timeline(
    model: Classifier,
    film: Annotated[str, typer.Argument(help="Path or URL of a video.")],
    windows: WindowOptions,
    segments: SegmentOptions,
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
    """Say what happens when in a long film.

    holovid timeline my-model film.mp4 --window 2 --stride 0.5 --output film.srt --output film.png
    """
    outputs = output or []
    for path in outputs:
        check_timeline_file(path)
    check_model_name(model)
    check_clip(film)
    check_device(device)
    be_quiet()

    import holovid.inference as inference
    from holovid.devices import move_to
    from holovid.inference.segments import check_background
    from holovid.inference.timeline_files import timeline_record
    from holovid.inference.timelines import labels_of, task_over_time
    from holovid.loading import load_classifier
    from holovid.processing.media_source import download

    rules = inference.SegmentRules(
        segments.threshold,
        segments.smooth,
        segments.peaks,
        segments.gap,
        segments.shortest,
        tuple(segments.background or ()),
    )
    network, processor = load_classifier(model, trust_remote_code)
    check_background(rules, labels_of(network, task_over_time(network)))
    source = download(film) if film.startswith(("http://", "https://")) else film
    scores = inference.timeline(
        move_to(network.eval(), device),
        processor,
        source,
        windows.window,
        windows.stride,
        batch_size=windows.batch_size,
        stream=windows.stream,
        progress=not as_json,
        name=film,
    )
    found = inference.find_segments(scores, rules)
    for path in outputs:
        inference.write_timeline(scores, found, path, source, top_k)
    show(timeline_record(scores, found), segment_table(found), as_json)
    if not as_json:
        for path in outputs:
            say(f"{TIMELINE_FILES[path.suffix.lower()]}: {path}")
