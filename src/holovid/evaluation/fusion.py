"""Late fusion: the weighted sum of several models' predictions, from the files that evaluations wrote.

    results = fuse({"avt/predictions.parquet": 2.5, "objects/predictions.parquet": 0.5})

The sum is over probabilities (softmax over classes), each times the weight of its file, as in AVT+. B clips, K
classes.
"""

import hashlib
import json
import math
import os
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import torch
from torch import Tensor

from holovid.data.clip_folders import first_of
from holovid.evaluation.answers import ANSWERS
from holovid.evaluation.fingerprints import fingerprint_table
from holovid.evaluation.prediction_log import Line
from holovid.evaluation.report import SCORED_TASKS, scores_of, write_report
from holovid.evaluation.tasks import Clips, Question
from holovid.modeling.tasks import Task

# path, start, end, and how often these came before: two actions that start together have the same observation
Clip = tuple[str, float | None, float | None, int]


@dataclass(frozen=True)
class Predictions:
    """Content of a file of predictions.

    Args:
        path: of the file.
        clips: in the order of the file.
        broken: clip -> why it could not be read.
        questions: tasks with labels, in the same order.
        scores: task name -> log probabilities (B, K); NaN for broken clips.
    """

    path: Path
    clips: list[Clip]
    broken: dict[Clip, str]
    questions: list[Question]
    scores: dict[str, Tensor]


def fuse(
    files: Mapping[str | os.PathLike, float],
    *,
    output: str | os.PathLike | None = None,
    csv: bool = False,
    command: str | None = None,
) -> dict[str, Any]:
    """Evaluate the fused predictions of models that were evaluated with `scores`.

    Args:
        files: path of each predictions.parquet -> its weight.
        output: a new folder for results.json, predictions.parquet (with scores again) and pictures.
        csv: also write predictions.csv.
        command: its name in the results.

    Returns the content of results.json, as [`holovid.evaluation.evaluate.evaluate_clips`]; `protocol` lists the fused
    files, and `seconds` is the time of fusing. A clip that one model could not read is broken. Raises `ValueError` for
    fewer than two files, files without scores or of other clips, labels or classes, weights that are not above 0, and
    a folder that is not empty.
    """
    start = time.perf_counter()
    if len(files) < 2:
        raise ValueError(f"fusion needs at least two files of predictions, got {len(files)}")
    for path, weight in files.items():
        if not 0 < weight < math.inf:
            raise ValueError(f"the weight of {os.fspath(path)} must be a number above 0, got {weight}")
    if output is not None and Path(output).is_dir() and any(Path(output).iterdir()):
        raise ValueError(f"{output} is not empty; name a new folder")
    given = [read_predictions(Path(path)) for path in files]
    for other in given[1:]:
        check_same(given[0], other)
    lines = fused_lines(given, list(files.values()))
    seconds = (time.perf_counter() - start) / len(lines)
    lines = {number: line | {"seconds": seconds} for number, line in lines.items()}
    paths, starts, ends, _ = map(list, zip(*given[0].clips, strict=True))
    clips = Clips(paths, paths, starts, ends)
    facts = facts_of(given, list(files.values()), clips, command)
    with tempfile.TemporaryDirectory(prefix="holovid_fusion_") if output is None else nullcontext(output) as folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        return write_report(Path(folder), clips, given[0].questions, lines, facts, csv)


def weighted_file(text: str) -> tuple[str, float]:
    """A file and its weight from the command line; default weight 1.

    >>> weighted_file("a/predictions.parquet:2.5"), weighted_file("b/predictions.parquet")
    (('a/predictions.parquet', 2.5), ('b/predictions.parquet', 1.0))
    """
    path, colon, weight = text.rpartition(":")
    if not colon or weight.endswith(".parquet"):
        return text, 1.0
    try:
        return path, float(weight)
    except ValueError as error:
        raise ValueError(f"{text!r} is not file:weight, as in a/predictions.parquet:2.5") from error


def read_predictions(path: Path) -> Predictions:
    """Raises `ValueError` for anything but a file of predictions with scores."""
    if not path.is_file():
        raise ValueError(
            f"there is no file of predictions {str(path)!r}; --fuse takes predictions.parquet of evaluations"
        )
    try:
        table = pyarrow.parquet.ParquetFile(path).read()
        described = json.loads((table.schema.metadata or {}).get(SCORED_TASKS.encode(), b"[]"))
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise ValueError(f"{path} is not a predictions.parquet of an evaluation: {error}") from error
    tasks = [Task(each["name"], labels="", scores="", kind=each["kind"]) for each in described]
    columns = scores_of(table, tasks)
    if not tasks or len(columns) < len(tasks):
        raise ValueError(f"{path} has no scores of all classes; `holovid evaluate MODEL DATA --scores` writes them")
    values = {name: table[name].to_pylist() for name in ("path", "start", "end", "broken")}
    counts: Counter = Counter()
    clips: list[Clip] = []
    for place in zip(values["path"], values["start"], values["end"], strict=True):
        clips.append((*place, counts[place]))
        counts[place] += 1
    broken = {clip: why for clip, why in zip(clips, values["broken"], strict=True) if why is not None}
    questions, scores = [], {}
    for task, each in zip(tasks, described, strict=True):
        numbers = {name: number for number, name in enumerate(each["classes"])}
        rights = [numbers[name] for name in table[task.name].to_pylist()]
        questions.append(Question(task, task.name, each["classes"], rights))
        none = [math.nan] * len(numbers)
        kept = [none if row is None else row for row in table[columns[task.name]].to_pylist()]
        scores[task.name] = torch.tensor(kept, dtype=torch.float64)
    return Predictions(path, clips, broken, questions, scores)


def check_same(one: Predictions, other: Predictions) -> None:
    both = f"{one.path} and {other.path}"
    if alone := set(one.clips) ^ set(other.clips):
        raise ValueError(
            f"{both} have different clips: only one has {first_of(sorted(str(clip[:3]) for clip in alone), 'clip')}"
        )
    if [(each.task, each.classes) for each in one.questions] != [
        (each.task, each.classes) for each in other.questions
    ]:
        raise ValueError(f"{both} have different classes, or the same in another order")
    for mine, theirs in zip(one.questions, other.questions, strict=True):
        answers = dict(zip(other.clips, theirs.labels, strict=True))
        if odd := [clip[0] for clip, right in zip(one.clips, mine.labels, strict=True) if answers[clip] != right]:
            raise ValueError(f"{both} have different labels, in {mine.name!r} of {first_of(odd, 'clip')}")


def fused_lines(given: Sequence[Predictions], weights: Sequence[float]) -> dict[int, Line]:
    clips = given[0].clips
    broken = {clip: why for each in reversed(given) for clip, why in each.broken.items()}
    lines: dict[int, Line] = {
        number: {"clip": number} | ({"broken": broken[clip]} if clip in broken else {})
        for number, clip in enumerate(clips)
    }
    read = [number for number, clip in enumerate(clips) if clip not in broken]
    places = [{clip: place for place, clip in enumerate(each.clips)} for each in given]
    for question in given[0].questions if read else []:
        scores = [
            each.scores[question.name][[where[clips[number]] for number in read]]
            for each, where in zip(given, places, strict=True)
        ]
        fused = weighted_sum(scores, weights)[:, None]
        kind = ANSWERS[question.task.kind]
        answers = kind.lines(fused, [question.labels[number] for number in read], "logits")
        for number, answer in zip(read, kind.with_all_scores(answers, fused, "logits"), strict=True):
            lines[number][question.name] = answer
    return lines


def weighted_sum(scores: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """Log of the weighted mean of probabilities, from log probabilities `scores` (B, K)."""
    weighted = [each + math.log(weight / sum(weights)) for each, weight in zip(scores, weights, strict=True)]
    return torch.stack(weighted).logsumexp(dim=0)


def facts_of(
    given: Sequence[Predictions], weights: Sequence[float], clips: Clips, command: str | None
) -> dict[str, Any]:
    names = [each.path.absolute().parent.name for each in given]
    digest = hashlib.sha256(repr(list(weights)).encode())
    for each in given:
        digest.update(each.path.read_bytes())
    fused = [{"predictions": name, "weight": weight} for name, weight in zip(names, weights, strict=True)]
    return {
        "model": {"name": " + ".join(f"{weight:g} {name}" for name, weight in zip(names, weights, strict=True))},
        "dataset": {"name": "clips", "split": None},
        "command": command,
        "protocol": {"fused": fused, "added": "probabilities"},
        "fingerprints": {"model": digest.hexdigest()[:16], "data": fingerprint_table(clips, given[0].questions)},
    }
