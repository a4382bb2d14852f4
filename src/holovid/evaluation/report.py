"""What is left of an evaluation: results.json, a table of predictions, pictures of what was confused with what.

results.json is made to be published: it names models and clips without saying where on a disk they are.
"""

import datetime
import io
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.csv
import pyarrow.parquet

from holovid.evaluation.confusion import confusion_counts, draw_confusion, most_confused
from holovid.evaluation.prediction_log import Line
from holovid.evaluation.tasks import Clips, Question
from holovid.files import write_whole
from holovid.metrics.top_k_accuracy import class_accuracies
from holovid.records import EVALUATION, write_record

TOP_K = (1, 5)
LIBRARIES = ("holovid", "torch", "transformers", "accelerate", "datasets", "av")


def write_report(
    folder: Path,
    clips: Clips,
    tasks: list[Question],
    lines: Mapping[int, Line],
    facts: Mapping[str, Any],
    csv: bool,
) -> dict[str, Any]:
    """Write results.json, predictions.parquet, predictions.csv if wanted, and a picture for each task.

    Args:
        folder: where.
        clips, tasks: what was asked.
        lines: the log of predictions, number of clip -> what is known of it.
        facts: what else the results shall hold, such as `model`, `dataset` and `protocol`.

    Returns the results. Raises `ValueError` when no clip could be read.
    """
    broken = {number: line["broken"] for number, line in sorted(lines.items()) if "broken" in line}
    numbers = sorted(lines.keys() - broken.keys())
    if not numbers:
        raise ValueError(f"none of the {len(clips)} clips could be read; {clips.names[0]}: {broken[min(broken)]}")
    ranks = {task.name: np.array([lines[number][task.name]["rank"] for number in numbers]) for task in tasks}
    labels = {task.name: np.array([task.labels[number] for number in numbers]) for task in tasks}
    confusions = {
        task.name: confusion_counts(
            labels[task.name], [lines[number][task.name]["top"][0] for number in numbers], len(task.classes)
        )
        for task in tasks
    }
    seconds = sum(lines[number]["seconds"] for number in numbers)
    public = clips.public_names()
    results = {
        **facts,
        "task": {"type": "video-classification", "name": "Video Classification"},
        "metrics": accuracies(tasks, ranks, labels),
        "counts": {"clips": len(clips), "evaluated": len(numbers), "broken": len(broken)},
        "broken": [
            {"clip": public[number], "reason": without_place(reason, clips.places[number], public[number])}
            for number, reason in broken.items()
        ],
        "per_class": {task.name: per_class(task, ranks[task.name], labels[task.name]) for task in tasks},
        "most_confused": {task.name: most_confused(confusions[task.name], task.classes) for task in tasks},
        "seconds": round(seconds, 3),
        "clips_per_second": round(len(numbers) / seconds, 3),
        "versions": {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES},
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }

    table = prediction_table(clips, tasks, lines)
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(table, buffer)
    write_whole(folder / "predictions.parquet", buffer.getvalue())
    if csv:
        buffer = io.BytesIO()
        pyarrow.csv.write_csv(table, buffer)
        write_whole(folder / "predictions.csv", buffer.getvalue())
    for task in tasks:
        buffer = io.BytesIO()
        title = f"{facts['model']['name']} on {facts['dataset']['name']}, {len(numbers)} clips"
        draw_confusion(confusions[task.name], task.classes, title).savefig(buffer, format="png")
        name = "confusion.png" if len(tasks) == 1 else f"confusion_{task.name}.png"
        write_whole(folder / name, buffer.getvalue())
    return write_record(EVALUATION, folder, results)


def accuracies(tasks: list[Question], ranks: dict[str, np.ndarray], labels: dict[str, np.ndarray]) -> dict[str, float]:
    """Of labels `top1` and so on; of verbs and nouns `verb_top1`, `noun_top1`, `action_top1`.

    Of k classes or fewer, a top-k accuracy would always be 1 and is left out; unless k is 1.
    """
    sizes = {task.name: len(task.classes) for task in tasks}
    if len(tasks) > 1:
        ranks = ranks | {"action": np.max([ranks[task.name] for task in tasks], axis=0)}
        sizes["action"] = max(sizes.values())
    found = {}
    for k in TOP_K:
        for name in ranks:
            if k == 1 or k < sizes[name]:
                found[f"top{k}" if len(tasks) == 1 else f"{name}_top{k}"] = float((ranks[name] < k).mean())
    for task in tasks:
        shares = class_accuracies(ranks[task.name] < 1, labels[task.name], len(task.classes))
        mean = float(np.mean([share for share in shares if share is not None]))
        found["mean_class_accuracy" if len(tasks) == 1 else f"{task.name}_mean_class_accuracy"] = mean
    return found


def per_class(task: Question, ranks: np.ndarray, labels: np.ndarray) -> dict[str, dict[str, Any]]:
    """Name of each class that has clips -> how many, and how many of them are found."""
    shares = class_accuracies(ranks < 1, labels, len(task.classes))
    clips = np.bincount(labels, minlength=len(task.classes))
    return {
        name: {"clips": int(count), "top1": share}
        for name, count, share in zip(task.classes, clips, shares, strict=True)
        if share is not None
    }


def prediction_table(clips: Clips, tasks: list[Question], lines: Mapping[int, Line]) -> pyarrow.Table:
    """A row for each clip: path, start, end, why it is broken; for each task the label, whether it is the prediction,
    and the best predictions with their scores, `prediction_1`, `score_1`, ... (of verbs `verb_prediction_1`, ...).
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
        columns[task.name] = pyarrow.array([task.classes[label] for label in task.labels], pyarrow.string())
        right = [None if answer is None else answer["rank"] == 0 for answer in answers]
        columns[f"{prefix}correct"] = pyarrow.array(right, pyarrow.bool_())
        for place in range(min(5, len(task.classes))):
            best = [None if answer is None else task.classes[answer["top"][place]] for answer in answers]
            scores = [None if answer is None else answer["scores"][place] for answer in answers]
            columns[f"{prefix}prediction_{place + 1}"] = pyarrow.array(best, pyarrow.string())
            columns[f"{prefix}score_{place + 1}"] = pyarrow.array(scores, pyarrow.float64())
    if len(tasks) > 1:
        both = [columns[f"{task.name}_correct"].to_pylist() for task in tasks]
        right = [None if None in pair else all(pair) for pair in zip(*both, strict=True)]
        columns["action_correct"] = pyarrow.array(right, pyarrow.bool_())
    return pyarrow.table(columns)


def without_place(reason: str, place: str | None, name: str) -> str:
    """A reason that calls a clip by its public name."""
    return reason if place is None else reason.replace(place, name)
