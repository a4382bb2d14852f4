"""`holovid watch`: predict the labels of a live video."""

from pathlib import Path
from typing import Annotated

import typer

from holovid.cheap_checks import check_device, check_ending, check_keeps_source, check_model_name
from holovid.commands.options import TopK
from holovid.commands.quiet import be_quiet
from holovid.commands.tables import say


def watch(
    model: Annotated[str, typer.Argument(help="Folder or Hub id of a video classifier.")],
    source: Annotated[str, typer.Argument(help="Video file, camera such as /dev/video0, or URL that FFmpeg opens.")],
    stride: Annotated[
        int | None,
        typer.Option(min=1, help="Frames of the source per prediction: the step to the next frame or window."),
    ] = None,
    every: Annotated[
        float | None,
        typer.Option(
            help="The same step in seconds. Default: the processor's sampling for a streaming model, else 0.5."
        ),
    ] = None,
    window: Annotated[
        float | None,
        typer.Option(help="Seconds of video per prediction. Default: 2, or single frames for a streaming model."),
    ] = None,
    top_k: TopK = 3,
    output: Annotated[Path | None, typer.Option(help="Also write the video with its labels to this file (.mp4).")] = (
        None
    ),
    device: Annotated[str, typer.Option(help="Device for the model: cpu, cuda, cuda:1, mps or xpu.")] = "cpu",
    container_format: Annotated[
        str | None,
        typer.Option("--format", help="FFmpeg's input format of a camera: v4l2 (Linux), avfoundation, dshow."),
    ] = None,
    allow_playlists: Annotated[
        bool, typer.Option("--allow-playlists", help="Allow playlists, which make FFmpeg open other files and URLs.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print every prediction, one JSON object per line.")] = False,
) -> None:
    """Predict the labels of a live video, or what comes next in it, until it ends or Ctrl-C is pressed.

    holovid watch my-model /dev/video0 --every 0.2 --output seen.mp4
    """
    if output is not None:
        check_ending("a video", output, (".mp4",))
        check_keeps_source(output, source)
    check_model_name(model)
    check_device(device)
    be_quiet()

    from contextlib import ExitStack

    from rich.console import Console

    from holovid.devices import move_to
    from holovid.inference.annotated_video import annotated_video
    from holovid.inference.watching import LabelLine, LiveSource, until_stopped
    from holovid.inference.watching import watch as watch_source
    from holovid.loading import load_classifier

    classifier, processor = load_classifier(model)
    with ExitStack() as stack:
        live = stack.enter_context(LiveSource(source, container_format, allow_playlists))
        video = output and stack.enter_context(annotated_video(output, live.frame_rate))
        line = stack.enter_context(LabelLine(Console(), as_json))
        is_stopped = stack.enter_context(until_stopped())
        has_answered = False
        classifier = move_to(classifier.eval(), device)
        for moment in watch_source(
            classifier, processor, live, stride=stride, every=every, window=window, top_k=top_k
        ):
            line.show(moment)
            if video:
                video.write(live.pixels(moment.picture), moment.seconds, moment.answers)
            has_answered |= moment.is_new
            if is_stopped():
                break
        else:
            if not has_answered:
                raise ValueError(f"{source!r} is too short: it ended before the first prediction")
    if output is not None and not as_json:
        say(f"Video: {output}")
