"""The clips and tasks of an evaluation, with labels as the model's class numbers.

All mismatches of data and model are found here, before a clip is decoded.
"""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from datasets import Dataset
from transformers import PreTrainedConfig, PreTrainedModel

from holovid.configuration.suggestions import nearest
from holovid.data.answers import answer_kind, classes_of
from holovid.data.anticipation import seen_by
from holovid.data.clip_folders import first_of
from holovid.data.table_files import PATH_COLUMNS
from holovid.data.tables import load_clips, plain_name
from holovid.files import common_folder
from holovid.loading import heads_of
from holovid.modeling.tasks import KINDS, LABEL, PROBLEM_TYPES, Kind, Task, tasks_of

WORDS = {"class": "classes", "multi_label": "lists of classes", "score": "numbers"}
COUNTED = ("no", "one", "two", "three", "four")


@dataclass(frozen=True)
class Question:
    """A task of a model with the labels of all clips, from a `column` of the data.

    `classes` are the model's (none for a number). Labels are class numbers, lists of them, or numbers.
    """

    task: Task
    column: str
    classes: list[str]
    labels: list[Any]

    @property
    def name(self) -> str:
        return self.task.name


@dataclass(frozen=True)
class Clips:
    """The clips of a table: `places` (paths, URLs, or None), `names` as in the table, intervals in seconds."""

    places: list[str | None]
    names: list[str]
    starts: list[float | None]
    ends: list[float | None]

    def __len__(self) -> int:
        return len(self.names)

    def public_names(self) -> list[str]:
        """Names without local paths: absolute ones start from the folder that all share."""
        private = [os.path.isabs(name) or name.startswith("..") for name in self.names]
        if not any(private):
            return self.names
        if not all(private):
            return [os.path.basename(name) if hide else name for name, hide in zip(self.names, private, strict=True)]
        common = common_folder([os.path.dirname(os.path.abspath(name)) for name in self.names])
        if common is None:
            return [os.path.basename(name) for name in self.names]
        return [PurePath(os.path.relpath(name, common)).as_posix() for name in self.names]


class LabelledSet(NamedTuple):
    name: str
    split: str
    rows: Dataset


def load_set(
    model: PreTrainedModel,
    source: str | os.PathLike,
    *,
    target: str | Sequence[str] | None = None,
    split: str | None = None,
    root: str | os.PathLike | None = None,
) -> LabelledSet:
    """Labelled clips for an evaluation; for a model of anticipation, the observations before actions.

    Args:
        source, root: as in `load_clips`.
        target: columns of labels, see `match_tasks`.
        split: default: the only one, or "validation", or "test".

    Raises `ValueError` when there is no such split, and what `load_clips` raises.
    """
    columns = task_columns(model, target)
    problem_type = PROBLEM_TYPES.get(next(iter(columns)).kind) if len(columns) == 1 else None
    splits = load_clips(source, target=list(columns.values()), root=root, problem_type=problem_type)
    choices = [split] if split is not None else [*splits] if len(splits) == 1 else ["validation", "test"]
    if not (found := [name for name in choices if name in splits]):
        raise ValueError(f"the data has no split {' or '.join(map(repr, choices))}; it has {', '.join(splits)}")
    path = Path(source)
    name = path.resolve().stem if path.exists() else str(source)
    seen = seen_by(model.config, {found[0]: splits[found[0]]}, list(columns.values()))
    return LabelledSet(name, found[0], seen[found[0]])


def list_clips(rows: Dataset) -> Clips:
    """Raises `ValueError` when a clip, or the same part of one, occurs twice."""
    plain = rows.with_format(None)
    places = [video["path"] for video in plain["video"]]
    column = next((name for name in PATH_COLUMNS if name != "video" and name in rows.features), None)
    given = plain[column][:] if column is not None else places
    if column == "name" and not all(
        (place or "").endswith(name or "?") for place, name in zip(places, given, strict=True)
    ):
        given = places  # names that do not belong to these places
    names = [str(name or place or f"row {row}") for row, (name, place) in enumerate(zip(given, places, strict=True))]
    starts: list[float | None] = plain["start"][:] if "start" in rows.features else [None] * len(places)
    ends: list[float | None] = plain["end"][:] if "end" in rows.features else [None] * len(places)
    # two actions that start together have the same observation with two labels
    actions = [plain[name][:] for name in ("action_start", "action_end") if name in rows.features]
    counts = Counter(zip(places, starts, ends, *actions, strict=True))
    if twice := [clip[0] for clip, count in counts.items() if count > 1 and clip[0] is not None]:
        raise ValueError(f"the data holds {first_of(twice, 'clip')} more than once")
    return Clips(places, names, starts, ends)


def match_tasks(model: PreTrainedModel, rows: Dataset, target: str | Sequence[str] | None = None) -> list[Question]:
    """The model's tasks for which these clips have labels.

    Args:
        model: one with `tasks`, or a video classifier of transformers.
        rows: of `load_clips`.
        target: columns of labels; default: the names of the model's tasks.

    Classes are matched by name with `config.id2label`; if the model has no names, or the data's classes are numbers,
    by number. Raises `ValueError` when there are no such columns, or the model does not have a class.
    """
    questions, config = [], model.config
    for task, column in task_columns(model, target).items():
        feature, wanted = rows.features.get(column), "class" if task.kind == "future" else task.kind
        if feature is None or answer_kind(feature) != wanted:
            others = [other for other, feature in rows.features.items() if answer_kind(feature) == wanted]
            there = f"there are {', '.join(others)}" if others else "there are none"
            raise ValueError(
                f"the data has no {WORDS[wanted]} in a column {column!r} ({there}); load_clips converts labels"
            )
        values = rows.with_format(None)[column][:]
        if wanted == "score":
            if task.count(config) != 1:
                raise ValueError(
                    f"the model predicts {task.count(config)} numbers a clip, but only one can be evaluated"
                )
            questions.append(Question(task, column, [], values))
            continue
        flat = values if wanted == "class" else [number for numbers in values for number in numbers]
        known, names = names_of_classes(config, task), classes_of(feature)
        matched: list[Any]
        classes, matched = match_classes(column, names, flat, known, task.count(config))
        if wanted == "multi_label":
            each = iter(matched)
            matched = [[next(each) for _ in numbers] for numbers in values]
        questions.append(Question(task, column, classes, matched))
    return questions


def task_columns(model: PreTrainedModel, target: str | Sequence[str] | None = None) -> dict[Task, str]:
    tasks = tasks_of(model, model.config)
    if not tasks:
        raise ValueError(
            f"a {type(model).__name__} has no classifier, so there is nothing to evaluate: train one first"
        )
    columns = [task.name for task in tasks] if target is None else [target] if isinstance(target, str) else [*target]
    if len(columns) != len(tasks):
        words = " and ".join(f"a {task.name}" for task in tasks)
        answers = (
            f"one {tasks[0].name}, in one column" if len(tasks) == 1 else f"{words}, in {COUNTED[len(tasks)]} columns"
        )
        raise ValueError(f"the model predicts {answers}; got the target {', '.join(columns)}")
    return dict(zip(tasks, columns, strict=True))


def names_of_classes(config: PreTrainedConfig, task: Task) -> list[str] | None:
    names = task.names(config)
    return None if names is None else [*map(plain_name, names)]


def check_kind(config: PreTrainedConfig, kinds: Mapping[str, Kind]) -> None:
    """Raise `ValueError` unless labels of these kinds, by column, fit the classifier's loss."""
    if len(kinds) > 1 or config.problem_type is None:  # transformers then guesses it from the first labels
        return
    ((column, kind),) = kinds.items()
    if kind != KINDS[config.problem_type]:
        raise ValueError(
            f"the data has {WORDS[kind]} in {column!r}, but the model takes {WORDS[KINDS[config.problem_type]]}: its "
            f"problem_type is {config.problem_type}"
        )


def check_class_names(config: PreTrainedConfig, names: Mapping[str, Sequence[str]]) -> None:
    """Raise `ValueError` unless the data's classes, `names` by column, have the model's numbers.

    If the model has no class names, or the data's classes are numbers, only their count is compared.
    """
    asked = {LABEL.name: LABEL} | {task.name: task for head in heads_of(config) for task in tasks_of(head, config)}
    for column, given in names.items():
        task = asked.get(LABEL.name if len(names) == 1 else column)
        if task is None:
            continue
        known, count = names_of_classes(config, task), task.count(config)
        if len(given) > count:
            raise ValueError(f"{column!r} of the data has {len(given)} classes, but the model has {count}")
        if known is None or list(given) == list(map(str, range(len(given)))):
            continue
        differing = [pair for pair in zip(range(count), given, known, strict=False) if pair[1] != pair[2]]
        if differing:
            number, theirs, ours = differing[0]
            raise ValueError(
                f"class {number} of {column!r} is {theirs!r} in the data and {ours!r} in the model: "
                f"load_clips(..., names={{{column!r}: list(model.config.{task.names_field}.values())}}) uses the "
                "model's order"
            )


def match_classes(
    column: str, names: list[str], numbers: list[int], known: list[str] | None, count: int
) -> tuple[list[str], list[int]]:
    """Names of the model's classes, and the clips' labels as the model's class numbers."""
    if -1 in numbers or None in numbers:
        raise ValueError(f"some clips have no class in the column {column!r}")
    used = sorted(set(numbers))
    places = {name: number for number, name in enumerate(known or [])}
    foreign = [names[number] for number in used if names[number] not in places]
    if known is not None and not foreign:
        return known, [places[names[number]] for number in numbers]
    if names == [str(number) for number in range(len(names))]:
        if used and used[-1] >= count:
            raise ValueError(f"the model has {count} classes, but {column!r} of the data has number {used[-1]}")
        return known or [str(number) for number in range(count)], numbers
    if known is not None:
        near = nearest(foreign[0], known)
        hint = f"is {foreign[0]!r} its {near!r}?" if near is not None else f"it has {first_of(known, 'class')}"
        raise ValueError(
            f"{column!r} of the data has {first_of(foreign, 'class')} that the model does not have; {hint}"
        )
    if len(names) != count:
        raise ValueError(
            f"the model has {count} classes without names, but {column!r} of the data has {len(names)} classes; "
            "load_clips(names=...) sets the order of the data's classes"
        )
    return names, numbers
