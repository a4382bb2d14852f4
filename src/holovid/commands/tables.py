"""Tables and JSON that the commands print."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from holovid.evaluation.metric_names import is_share, shown


def show(record: Any, table: Table, as_json: bool) -> None:
    """Print a record as JSON, or the table made from it."""
    if as_json:
        print_json(record)
    else:
        plain_console().print(table)


def plain_console() -> Console:
    """Prints text as it is: file names and classes have [brackets] and :colons:, which are not meant for rich."""
    return Console(markup=False, emoji=False)


def say(*sentences: str) -> None:
    """Print each sentence on a line."""
    for sentence in sentences:
        plain_console().print(sentence, soft_wrap=True, highlight=False)


def accuracy_table(results: dict[str, dict[str, Any]], means: dict[str, float]) -> Table:
    """A column for each data set, and one for the means over several; shares in percent."""
    names = list(dict.fromkeys(name for each in results.values() for name in each["metrics"]))
    table = Table(
        "accuracy in %" if all(map(is_share, names)) else "measured", *results, *(["harmonic mean"] if means else [])
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for name in names:
        values = [each["metrics"].get(name) for each in results.values()] + ([means.get(name)] if means else [])
        table.add_row(name.replace("_", " "), *(shown(name, value) for value in values))
    table.add_section()
    for name, title in (("evaluated", "evaluated clips"), ("broken", "unreadable clips")):
        table.add_row(title, *(str(each["counts"][name]) for each in results.values()))
    return table


def scale_of(config: Any) -> dict[str, Any]:
    """What to compare a predicted score with, if known: its `range`, and the `training_mean` of the training set."""
    known = {"range": getattr(config, "score_range", None), "training_mean": getattr(config, "score_mean", None)}
    return {name: value for name, value in known.items() if value is not None}


def answer_record(
    clip: str, answer: list[dict] | dict[str, str], scale: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What `classify --json` prints for a clip: its `answers` with their scale, or its `error`."""
    return {"clip": clip} | (answer if isinstance(answer, dict) else {"answers": answer, **(scale or {})})


def print_json(content: Any) -> None:
    """Print standard JSON. Raises `ValueError` for numbers that are not finite."""
    print(json.dumps(content, allow_nan=False))


def answer_table(
    clips: list[str], answers: list[list[dict] | dict[str, str]], scale: Mapping[str, Any] | None = None
) -> Table:
    """A row for each prediction, with the scale of scores (`scale_of`) as caption."""
    table = Table("clip", "label", "score")
    table.columns[0].overflow = "fold"
    table.columns[2].justify = "right"
    if scale:
        table.caption, table.caption_justify = caption_of(scale), "left"
    for clip, answer in zip(clips, answers, strict=True):
        if isinstance(answer, dict):
            table.add_row(clip, Text(f"cannot be read: {answer['error']}"), "", style="dim", end_section=True)
            continue
        for rank, entry in enumerate(answer):
            first, last = rank == 0, rank == len(answer) - 1
            score = f"{entry['score']:.3f}"
            table.add_row(
                clip if first else "", entry["label"], score, style="bold" if first else None, end_section=last
            )
    return table


def localisation_table(metrics: Mapping[str, Any]) -> Table:
    """Mean average precision at each temporal IoU, and the mean over them."""
    names = [name for name in metrics if name.startswith("map_at_")]
    table = Table("tIoU", *(name.removeprefix("map_at_") for name in names), "mean")
    for column in table.columns[1:]:
        column.justify = "right"
    table.add_row("mAP", *(f"{metrics[name]:.3f}" for name in (*names, "mean_average_precision")), style="bold")
    for label, values in metrics["per_class"].items():
        table.add_row(label, *(f"{value:.3f}" for value in values), f"{sum(values) / len(values):.3f}")
    counts = f"{metrics['found']} segments predicted, {metrics['segments']} in the truth"
    table.caption, table.caption_justify = counts, "left"
    return table


def segment_table(segments: Sequence[Any]) -> Table:
    table = Table("from", "to", "label", "score")
    for column in (0, 1, 3):
        table.columns[column].justify = "right"
    for segment in segments:
        table.add_row(f"{segment.start:.2f} s", f"{segment.end:.2f} s", segment.label, f"{segment.score:.3f}")
    return table


def nearest_table(found: Sequence[Any]) -> Table:
    table = Table("row", "clip", "similarity")
    table.columns[1].overflow = "fold"
    for column in (0, 2):
        table.columns[column].justify = "right"
    for each in found:
        table.add_row(str(each.row), Text(each.clip.name), f"{each.similarity:.3f}")
    return table


def probe_table(found: Any) -> Table:
    """The accuracy of each simple classifier: mean, lowest and highest over the folds."""
    table = Table("accuracy in %", "mean", "lowest", "highest")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, folds in found.accuracies.items():
        shares = (sum(folds) / len(folds), min(folds), max(folds))
        table.add_row(name, *(f"{100 * share:.1f}" for share in shares))
    table.add_row("always the most frequent class", f"{100 * found.most_frequent:.1f}", "", "", style="dim")
    left_out = f"; {found.unlabelled} without a label were left out" if found.unlabelled else ""
    table.caption = f"{found.clips} vectors of {len(found.classes)} classes{left_out}"
    table.caption_justify = "left"
    return table


def caption_of(scale: Mapping[str, Any]) -> str:
    """
    >>> caption_of({"range": (0, 100), "training_mean": 55.25})
    'Scores go from 0 to 100; the mean of the training set is 55.25.'
    """
    low, high = scale.get("range", (None, None))
    told = [] if low is None else [f"Scores go from {low:g} to {high:g}"]
    if "training_mean" in scale:
        told.append(f"the mean of the training set is {scale['training_mean']:.4g}")
    return f"{'; '.join(told)}."


def set_table(splits: Mapping[str, Mapping[str, Any]]) -> Table:
    """A column for each split of a data set, from `ClipReport.splits`."""
    table = Table("", *splits)
    for column in table.columns[1:]:
        column.justify = "right"
    plain = {"clips": "clips", "broken": "unreadable", "silent": "without audio", "classes": "classes"}
    if any("near" in split for split in splits.values()):
        plain["near"] = "near-duplicates"
    for name, title in plain.items():
        table.add_row(title, *(f"{split[name]:,}" for split in splits.values()))
    table.add_row("hours", *(f"{split['hours']:.2f}" for split in splits.values()))
    for name, title in (("seconds", "seconds (min, median, max)"), ("frame_rate", "frames per second (same)")):
        table.add_row(title, *(", ".join(f"{value:.3g}" for value in split[name]) for split in splits.values()))
    table.add_row("most frequent sizes", *(", ".join(split["sizes"]) for split in splits.values()))
    return table


def fact_table(facts: Mapping[str, str]) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, value in facts.items():
        table.add_row(name, value)
    return table


def file_table(files: Sequence[Any]) -> Table:
    table = Table("file", "bytes", "kind")
    table.columns[1].justify = "right"
    for file in files:
        table.add_row(file.path, f"{file.size:,}", file.kind)
    return table
