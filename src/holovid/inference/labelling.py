"""Resumable labelling of many clips into one file."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.csv
import pyarrow.parquet

from holovid.data.named_clips import NamedClip
from holovid.files import new_file
from holovid.inference.going_on import Videos, go_through

Answer = list[dict[str, Any]] | dict[str, str]  # labels and scores, best first, or {"error": reason}
COLUMNS = pyarrow.schema(
    [
        ("path", pyarrow.string()),
        ("start", pyarrow.float64()),
        ("end", pyarrow.float64()),
        ("rank", pyarrow.int64()),
        ("label", pyarrow.string()),
        ("score", pyarrow.float64()),
        ("error", pyarrow.string()),
    ]
)


def label_into(
    target: Path,
    clips: Sequence[NamedClip],
    answers_of: Callable[[Videos], Iterable[Answer]],
    facts: Mapping[str, Any],
    advance: Callable[[int], Any] = lambda done: None,
) -> list[Answer]:
    """Label clips into a table (.csv, .parquet) or .json, and return the predictions.

    Resumes as [`go_through`], with its `facts`, `advance` and errors. `answers_of` returns predictions for videos in
    order, as a pipeline does.
    """

    def lines_of(left: list[NamedClip]) -> Iterator[dict[str, Any]]:
        for answer in answers_of(Videos(left)):
            yield {"broken": answer["error"]} if isinstance(answer, dict) else {"answers": answer}

    def write(lines: Iterable[Mapping[str, Any]]) -> None:
        write_answers(target, clips, list(map(answer_in, lines)))

    return list(map(answer_in, go_through(target, clips, lines_of, facts, write, advance)))


def answer_in(line: Mapping[str, Any]) -> Answer:
    return line["answers"] if "answers" in line else {"error": line["broken"]}


def write_answers(target: Path, clips: Sequence[NamedClip], answers: Sequence[Answer]) -> None:
    """A row for each prediction of each clip, or one with the `error`; in .json an entry for each clip."""
    with new_file(target) as unfinished:
        if target.suffix.lower() == ".json":
            records = [
                {**asdict(clip), **(answer if isinstance(answer, dict) else {"answers": answer})}
                for clip, answer in zip(clips, answers, strict=True)
            ]
            unfinished.write_text(json.dumps(records, indent=1, allow_nan=False) + "\n", encoding="utf-8")
            return
        rows = [row for clip, answer in zip(clips, answers, strict=True) for row in answer_rows(clip, answer)]
        table = pyarrow.Table.from_pylist(rows, schema=COLUMNS)
        if target.suffix.lower() == ".parquet":
            pyarrow.parquet.write_table(table, unfinished)
        else:
            pyarrow.csv.write_csv(table, unfinished)


def answer_rows(clip: NamedClip, answer: Answer) -> Iterator[dict[str, Any]]:
    if isinstance(answer, dict):
        yield asdict(clip) | answer
        return
    for rank, entry in enumerate(answer, start=1):
        yield asdict(clip) | {"rank": rank, "label": entry["label"], "score": entry["score"]}


__all__ = ["label_into", "write_answers"]
