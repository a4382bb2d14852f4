"""Many clips labelled into a file, so that a run that was stopped goes on where it was."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.csv
import pyarrow.parquet
from torch.utils.data import Dataset

from holovid.data.named_clips import NamedClip
from holovid.evaluation.prediction_log import PredictionLog
from holovid.files import new_file

Answer = list[dict[str, Any]] | dict[str, str]  # labels and scores, best first, or {"error": why there are none}
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


class Videos(Dataset):
    """What a pipeline reads of clips, one after the other, in workers if it has some."""

    def __init__(self, clips: Sequence[NamedClip]):
        self.clips = clips

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, place: int) -> str | dict[str, Any]:
        return self.clips[place].video


def unfinished_answers(target: Path) -> Path:
    """The folder beside `target` in which answers stand until all are there."""
    return target.with_name(f"{target.name}.partial")


def label_into(
    target: Path,
    clips: Sequence[NamedClip],
    answers_of: Callable[[Videos], Iterable[Answer]],
    facts: Mapping[str, Any],
    advance: Callable[[int], Any] = lambda done: None,
) -> list[Answer]:
    """Label clips into a table (.csv, .parquet) or .json, and return the answers.

    Until all are there, they stand in `target`.partial; the same call then goes on. Clips that could not be read are
    tried again.

    Args:
        answers_of: answers of so many videos, in their order, as a pipeline gives them.
        facts: what answers depend on, such as the model: another run does not go on with these answers.
        advance: told how many clips are done.

    Raises `ValueError` when there are unfinished answers of another run, or another process is writing them.
    """
    folder = unfinished_answers(target)
    log = PredictionLog(folder, what="run", cure=f"remove that folder, or write to another file than {target.name}")
    log.claim({**facts, "clips": len(clips), "list": fingerprint(clips)})
    try:
        done = {number: line for number, line in log.read().items() if "broken" not in line}
        left = [number for number in range(len(clips)) if number not in done]
        advance(len(done))
        for number, answer in zip(left, answers_of(Videos([clips[number] for number in left])), strict=True):
            told = {"broken": answer["error"]} if isinstance(answer, dict) else {"answers": answer}
            log.add([{"clip": number, **told}])
            advance(1)
        lines = log.read()
        answers: list[Answer] = [
            lines[number]["answers"] if "answers" in lines[number] else {"error": lines[number]["broken"]}
            for number in range(len(clips))
        ]
        write_answers(target, clips, answers)
    finally:
        log.release()
    shutil.rmtree(log.folder)
    return answers


def fingerprint(clips: Sequence[NamedClip]) -> str:
    return hashlib.sha256(json.dumps([list(asdict(clip).values()) for clip in clips]).encode()).hexdigest()[:16]


def write_answers(target: Path, clips: Sequence[NamedClip], answers: Sequence[Answer]) -> None:
    """A row for each answer of each clip, or one with the `error`; in .json an entry for each clip."""
    target.parent.mkdir(parents=True, exist_ok=True)
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


__all__ = ["label_into", "unfinished_answers", "write_answers"]
