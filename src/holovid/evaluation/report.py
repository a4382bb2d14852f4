"""The files of an evaluation: results.json, a table of predictions, pictures.

results.json is made for publication: it names models and clips without local paths.
"""

import datetime
import io
import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.csv
import pyarrow.parquet

from holovid.evaluation.answers import ANSWERS, SCORES, ranks_of, top_k
from holovid.evaluation.prediction_log import Line
from holovid.evaluation.tasks import Clips, Question
from holovid.files import write_whole
from holovid.modeling.tasks import Task
from holovid.records import EVALUATION, write_record

SCORED_TASKS = "holovid_tasks"  # key in the schema of predictions with scores: JSON of [{"name", "kind", "classes"}]
LIBRARIES = ("holovid", "torch", "transformers", "accelerate", "datasets", "av")


def write_report(
    folder: Path,
    clips: Clips,
    tasks: list[Question],
    lines: Mapping[int, Line],
    facts: Mapping[str, Any],
    csv: bool,
) -> dict[str, Any]:
    """Write results.json, predictions.parquet, predictions.csv on request, and a picture for each task.

    Args:
        folder: of the files.
        clips, tasks: the evaluated ones.
        lines: the log, clip number -> entry.
        facts: further content of the results, such as `model`, `dataset` and `protocol`.

    Returns the results. Raises `ValueError` when no clip could be read.
    """
    broken = {number: line["broken"] for number, line in sorted(lines.items()) if "broken" in line}
    numbers = sorted(lines.keys() - broken.keys())
    if not numbers:
        raise ValueError(f"none of the {len(clips)} clips could be read; {clips.names[0]}: {broken[min(broken)]}")
    answers = {task.name: [lines[number][task.name] for number in numbers] for task in tasks}
    rights = {task.name: [task.labels[number] for number in numbers] for task in tasks}
    asked = [(task, ANSWERS[task.task.kind], answers[task.name], rights[task.name]) for task in tasks]
    seconds = sum(lines[number]["seconds"] for number in numbers)
    public = clips.public_names()
    results = {
        **facts,
        "task": {"type": "video-classification", "name": "Video Classification"},
        "metrics": metrics(tasks, answers, rights),
        "counts": {"clips": len(clips), "evaluated": len(numbers), "broken": len(broken)},
        "broken": [
            {"clip": public[number], "reason": without_place(reason, clips.places[number], public[number])}
            for number, reason in broken.items()
        ],
        "per_class": {task.name: kind.per_class(task, given, right) for task, kind, given, right in asked},
        "most_confused": {task.name: kind.most_confused(task, given, right) for task, kind, given, right in asked},
        "pictures": {},
        "seconds": round(seconds, 3),
        "clips_per_second": round(len(numbers) / seconds, 3),
        "versions": {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES},
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }

    table = with_classes_of_scores(prediction_table(clips, tasks, lines), tasks)
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(table, buffer)
    write_whole(folder / "predictions.parquet", buffer.getvalue())
    if csv:
        buffer = io.BytesIO()
        pyarrow.csv.write_csv(table.drop_columns([*scores_of(table, tasks).values()]), buffer)
        write_whole(folder / "predictions.csv", buffer.getvalue())
    title = f"{facts['model']['name']} on {facts['dataset']['name']}, {len(numbers)} clips"
    for task, kind, given, right in asked:
        if (picture := kind.picture(task, given, right, title)) is not None:
            buffer = io.BytesIO()
            picture.savefig(buffer, format="png")
            name = f"{kind.picture_name}.png" if len(tasks) == 1 else f"{kind.picture_name}_{task.name}.png"
            write_whole(folder / name, buffer.getvalue())
            results["pictures"][name] = f"{kind.picture_name} of {title}"
    return write_record(EVALUATION, folder, results)


def metrics(tasks: list[Question], answers: Mapping[str, list], rights: Mapping[str, list]) -> dict[str, float | None]:
    """For labels `top1` and so on; for verbs and nouns `verb_top1`, `noun_top1`, `action_top1`."""
    found = {task.name: ANSWERS[task.task.kind].metrics(task, answers[task.name], rights[task.name]) for task in tasks}
    if len(tasks) == 1:
        return found[tasks[0].name]
    if not are_pairs(tasks):
        return {f"{task}_{name}": value for task, each in found.items() for name, value in each.items()}
    worst = np.max([ranks_of(answers[task.name]) for task in tasks], axis=0)
    found["action"] = dict(top_k(worst, max(len(task.classes) for task in tasks)))
    names = list(dict.fromkeys(name for each in found.values() for name in each))
    return {f"{task}_{name}": each[name] for name in names for task, each in found.items() if name in each}


def are_pairs(tasks: list[Question]) -> bool:
    """Whether the tasks form pairs, such as verb and noun: an action is right if all its classes are."""
    return len(tasks) > 1 and all(task.task.kind == "class" for task in tasks)


def prediction_table(clips: Clips, tasks: list[Question], lines: Mapping[int, Line]) -> pyarrow.Table:
    """A row for each clip: path, start, end, why it is broken; for each task the label and the predictions.

    Columns of a task: whether the label is the prediction, and the best predictions with their scores, `prediction_1`,
    `score_1`, ... (for verbs `verb_prediction_1`, ...); or the predicted number.
    """
    columns: dict[str, Any] = {
        "path": pyarrow.array(clips.names, pyarrow.string()),
        "start": pyarrow.array(clips.starts, pyarrow.float64()),
        "end": pyarrow.array(clips.ends, pyarrow.float64()),
        "broken": pyarrow.array([lines[number].get("broken") for number in range(len(clips))], pyarrow.string()),
    }
    for task in tasks:
        prefix = "" if len(tasks) == 1 else f"{task.name}_"
        answers = [lines[number].get(task.name) for number in range(len(clips))]
        for name, values in ANSWERS[task.task.kind].columns(task, answers).items():
            columns[prefix + name if name else task.name] = values
    if are_pairs(tasks):
        both = [columns[f"{task.name}_correct"].to_pylist() for task in tasks]
        right = [None if None in pair else all(pair) for pair in zip(*both, strict=True)]
        columns["action_correct"] = pyarrow.array(right, pyarrow.bool_())
    return pyarrow.table(columns)


def scores_of(table: pyarrow.Table, tasks: Sequence[Question | Task]) -> dict[str, str]:
    """Task name -> the column with the scores of all its classes, if there is one."""
    columns = {task.name: SCORES if len(tasks) == 1 else f"{task.name}_{SCORES}" for task in tasks}
    return {name: column for name, column in columns.items() if column in table.column_names}


def with_classes_of_scores(table: pyarrow.Table, tasks: Sequence[Question]) -> pyarrow.Table:
    """The table, with the tasks and classes of its scores in the schema; unchanged without scores."""
    if not scores_of(table, tasks):
        return table
    named = [{"name": task.name, "kind": task.task.kind, "classes": task.classes} for task in tasks]
    return table.replace_schema_metadata({SCORED_TASKS: json.dumps(named)})


def without_place(reason: str, place: str | None, name: str) -> str:
    return reason if place is None else reason.replace(place, name)
