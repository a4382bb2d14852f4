"""Temporal localisation in long films: predicted segments against a table `path,start,end,label`."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.progress import track
from transformers import BaseVideoProcessor, PreTrainedModel

from holovid.data.named_clips import NamedClip
from holovid.data.table_files import read_table, what_there_is
from holovid.inference.segments import Segment, SegmentRules, check_background, find_segments
from holovid.inference.timelines import Timeline, labels_of, task_over_time, timeline
from holovid.metrics.localisation import localisation

COLUMNS = ("start", "end", "label")


@dataclass(frozen=True)
class Localised:
    """`timelines` and predicted `segments` by film, and the `metrics` of `holovid.metrics.localisation`."""

    timelines: dict[str, Timeline]
    segments: dict[str, list[Segment]]
    metrics: dict[str, Any]


def read_truth(table: str | os.PathLike, root: str | os.PathLike | None = None) -> dict[str, list[Segment]]:
    """Path of each film -> its true segments, with a score of 1.

    Args:
        table: .csv or .parquet with a column of paths, `start` and `end` in seconds, and `label`.
        root: folder of relative paths; by default that of the table.

    Raises `ValueError` for a table without a column or a cell, or whose segments do not end after they start.
    """
    rows = read_table(Path(table), root, ["label"])
    for column in COLUMNS:
        if column not in rows.features:
            raise ValueError(f"{table} has no column {column!r}; {what_there_is(rows, COLUMNS)}")
    truth: dict[str, list[Segment]] = {}
    films: dict[str, str] = {}  # file -> its path as first written: another path of it is no other film
    cells = (rows[column][:] for column in ("video", *COLUMNS))
    for number, (video, start, end, label) in enumerate(zip(*cells, strict=True)):
        if label is None or not isinstance(start, int | float) or not isinstance(end, int | float):
            raise ValueError(f"row {number} of {table} lacks a start, an end or a label")
        if not 0 <= start < end:
            raise ValueError(f"row {number} of {table} goes from {start:g} s to {end:g} s; it must end later")
        if video["path"] is None:
            raise ValueError(f"row {number} of {table} holds a video, not its path")
        film = films.setdefault(NamedClip(video["path"]).key[0], video["path"])
        truth.setdefault(film, []).append(Segment(float(start), float(end), str(label), 1.0))
    return truth


def check_truth(truth: Mapping[str, Sequence[Segment]], labels: Sequence[str]) -> None:
    there = {segment.label for segments in truth.values() for segment in segments}
    if unknown := sorted(there - set(labels)):
        raise ValueError(
            f"the table has the label {unknown[0]!r}, which is not a class; classes are {', '.join(labels)}"
        )


def localise(
    model: PreTrainedModel,
    processor: BaseVideoProcessor,
    truth: Mapping[str, Sequence[Segment]],
    rules: SegmentRules | None = None,
    progress: bool = True,
    **options: Any,
) -> Localised:
    """Find segments in films and measure them: mean average precision at overlaps in time of 0.3 to 0.7.

    Args:
        model, processor: as in `timeline`.
        truth: of `read_truth`. Background labels of `rules` are left out.
        progress: show a progress bar of films.
        options: of `timeline`: window, stride, batch_size, stream.

    Raises `ValueError` for labels that are not classes of the model, and what `timeline` raises.
    """
    rules = rules or SegmentRules()
    labels = labels_of(model, task_over_time(model))
    check_background(rules, labels)
    check_truth(truth, labels)
    films = track(truth, "Scoring films", disable=not progress)
    timelines = {film: timeline(model, processor, film, progress=False, **options) for film in films}
    segments = {film: find_segments(scores, rules) for film, scores in timelines.items()}
    there = {
        film: [segment for segment in some if segment.label not in rules.background] for film, some in truth.items()
    }
    return Localised(timelines, segments, localisation(named_segments(segments), named_segments(there)))


def named_segments(segments: Mapping[str, Sequence[Segment]]) -> list[dict[str, Any]]:
    return [vars(one) | {"film": film} for film, some in segments.items() for one in some]
