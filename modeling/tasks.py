# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""The tasks of a model's head, read by everything that trains, measures or describes it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

NO_NAME = re.compile(r"LABEL_\d+")  # transformers' name for a class without a name
Kind = Literal["class", "multi_label", "score", "future"]
# kind of a classifier's task by `config.problem_type`
KINDS: dict[str, Kind] = {
    "single_label_classification": "class",
    "multi_label_classification": "multi_label",
    "regression": "score",
}
PROBLEM_TYPES = {kind: problem_type for problem_type, kind in KINDS.items()}
PROBLEM_TYPES["future"] = PROBLEM_TYPES["class"]


@dataclass(frozen=True)
class Task:
    """One prediction that a head makes for each clip.

    Args:
        name: "label", "verb", ...; also the column of the data and the prefix of metrics.
        labels: the argument of `forward` that takes the labels.
        scores: the field of its output, (B, classes); of a number (B, 1) or (B,).
        kind: "class", one of several; "multi_label", any of several; "score", a number; "future", the next class.
    """

    name: str
    labels: str
    scores: str
    kind: Kind = "class"

    @property
    def has_fields(self) -> bool:
        """Whether the configuration counts and names classes; for a number only transformers' classifiers do."""
        return self.kind != "score" or self.name == LABEL.name

    @property
    def count_field(self) -> str:
        return f"num_{self.name}s"

    @property
    def names_field(self) -> str:
        return f"id2{self.name}"

    def count(self, config: Any) -> int:
        return getattr(config, self.count_field) if self.has_fields else 1

    def names(self, config: Any) -> list[str] | None:
        """Names of the classes in order; `None` if the configuration lacks any. A number has its task's name."""
        if not self.has_fields:
            return [self.name]
        named = {int(number): str(name) for number, name in (getattr(config, self.names_field) or {}).items()}
        names = [named.get(number, f"LABEL_{number}") for number in range(self.count(config))]
        return None if any(map(NO_NAME.fullmatch, names)) else names

    def class_name(self, config: Any, number: int) -> str:
        """Name of one class; such as "verb 3" if the configuration has none."""
        names = getattr(config, self.names_field, None) or {}
        return str(names.get(number, f"{self.name} {number}"))

    def settings(self, names: Sequence[str]) -> dict[str, Any]:
        """Configuration fields for this task with these classes; none for a number."""
        if not self.has_fields:
            return {}
        if self.labels == LABEL.labels:  # transformers counts the names itself
            classes = {self.names_field: dict(enumerate(names))} if names else {self.count_field: 1}
            return classes | {"problem_type": PROBLEM_TYPES[self.kind]}
        return {self.count_field: len(names), self.names_field: dict(enumerate(names))}


LABEL = Task("label", labels="labels", scores="logits")


def tasks_of(model: Any, config: Any) -> tuple[Task, ...]:
    """The tasks of a model, or of a model class, with this configuration; none for a base model.

    `config.problem_type` decides a classifier's kind. A classifier of transformers has the task "label". Tasks that
    the configuration has no classes for are left out.
    """
    tasks = [task for task in getattr(model, "tasks", (LABEL,)) if task.count(config)]
    kind = KINDS.get(config.problem_type or "", "class")
    return tuple(replace(task, kind=kind) if task == LABEL else task for task in tasks)


__all__ = ["KINDS", "LABEL", "PROBLEM_TYPES", "Task", "tasks_of"]
