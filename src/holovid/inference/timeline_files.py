"""Writes timelines to files: the suffix decides between table, JSON, subtitles, picture and labelled film."""

import csv
import io
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from holovid.cheap_checks import check_keeps_source, check_timeline_file
from holovid.data.named_clips import path_from
from holovid.files import new_file, write_whole
from holovid.inference.annotated_video import annotated_video
from holovid.inference.kept_sound import kept_sound
from holovid.inference.segments import Segment
from holovid.inference.subtitles import subrip, webvtt
from holovid.inference.timelines import Timeline
from holovid.processing.media_source import MediaSource
from holovid.processing.video_decoding import VideoFile, open_video

COLUMNS = ("path", "start", "end", "label", "score")


def write_timeline(
    timeline: Timeline,
    segments: Sequence[Segment],
    path: str | os.PathLike,
    film: MediaSource | None = None,
    top_k: int = 3,
) -> None:
    """Write a file, complete or not at all.

    Args:
        path: its suffix decides the content:

            - `.csv`: the segments, with the columns path, start, end, label and score, as in tables of clips;
            - `.json`: the segments, and the scores of all windows;
            - `.vtt`, `.srt`: the segments as subtitles;
            - `.png`: scores and segments over time;
            - `.mp4`: the film with its sound, and below each frame the best predictions of the nearest window.

        film: needed for `.mp4`.
        top_k: predictions in `.mp4`.

    Raises `ValueError` for another suffix, a missing film, and the film's own file.
    """
    path = Path(path)
    check_timeline_file(path)
    check_keeps_source(path, film)
    path.parent.mkdir(parents=True, exist_ok=True)
    suffix = path.suffix.lower()
    if suffix == ".csv":
        write_whole(path, table_of({timeline.name: segments}, path.parent))
    elif suffix == ".json":
        write_whole(path, json.dumps(timeline_record(timeline, segments), allow_nan=False))
    elif suffix == ".vtt":
        write_whole(path, webvtt(segments))
    elif suffix == ".srt":
        write_whole(path, subrip(segments))
    elif suffix == ".png":
        from holovid.inference.timeline_picture import DOTS_PER_INCH, draw_timeline

        with new_file(path) as unfinished:
            draw_timeline(timeline, segments).savefig(unfinished, format="png", dpi=DOTS_PER_INCH)
    elif film is None:
        raise ValueError("an .mp4 needs the film: pass film as well")
    else:
        write_labelled_film(timeline, film, path, top_k)


def write_records(path: str | os.PathLike, record: Any, found: Mapping[str, Sequence[Segment]]) -> None:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    is_table = path.suffix.lower() == ".csv"
    write_whole(path, table_of(found, path.parent) if is_table else json.dumps(record, allow_nan=False))


def table_of(found: Mapping[str, Sequence[Segment]], folder: Path) -> str:
    """A table of clips for a file in `folder`: there relative paths of a table start."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for film, segments in found.items():
        # URLs and other names stay
        path = path_from(folder, film) if os.path.isfile(film) and not os.path.isabs(film) else film
        for segment in segments:
            table.writerow([path, f"{segment.start:.3f}", f"{segment.end:.3f}", segment.label, f"{segment.score:.4f}"])
    return text.getvalue()


def timeline_record(timeline: Timeline, segments: Sequence[Segment]) -> dict[str, Any]:
    ends = (timeline.starts + timeline.window).clip(max=timeline.seconds)
    return {
        "film": timeline.name,
        "seconds": timeline.seconds,
        "kind": timeline.kind,
        "ahead": timeline.ahead,
        "labels": list(timeline.labels),
        "segments": [vars(segment) for segment in segments],
        "windows": [
            {
                "start": float(start),
                "end": float(end),
                "scores": scores.tolist(),
                **reasons_of_window(timeline, number),
            }
            for number, (start, end, scores) in enumerate(zip(timeline.starts, ends, timeline.scores, strict=True))
        ],
    }


def reasons_of_window(timeline: Timeline, number: int) -> dict[str, Any]:
    """Seconds in the film, and shares, of the moments behind a window's best prediction, as far as known."""
    told = {"seen": timeline.seen, "heard": timeline.heard}
    return {
        sense: {"seconds": moments.seconds[number].tolist(), "shares": moments.shares[number].tolist()}
        for sense, moments in told.items()
        if moments is not None
    }


def write_labelled_film(timeline: Timeline, film: MediaSource, path: Path, top_k: int) -> None:
    """All frames and the sound of a film, each frame with the predictions of the nearest window."""
    with ExitStack() as stack:
        video: Any = stack.enter_context(open_video(film))
        if not isinstance(video, VideoFile):
            raise ValueError(f"{video.name} is a picture; a film must be a video")
        sound = stack.enter_context(kept_sound(film, video.start))
        written = stack.enter_context(annotated_video(path, video.metadata.fps, sound))
        for number, pixels in video.in_order(range(len(video))):
            second = float(video.times[number]) - video.start
            written.write(pixels, second, timeline.best(second, top_k))
