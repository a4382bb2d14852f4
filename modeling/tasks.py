# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""What a model is asked, as a value: read by all that trains, measures or describes a head."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

NO_NAME = re.compile(r"LABEL_\d+")  # what transformers calls a class whose name it does not know
Kind = Literal["class", "multi_label", "score", "future"]
# what `config.problem_type` of transformers makes of a classifier
KINDS: dict[str, Kind] = {
    "single_label_classification": "class",
    "multi_label_classification": "multi_label",
    "regression": "score",
}
PROBLEM_TYPES = {kind: problem_type for problem_type, kind in KINDS.items()}
PROBLEM_TYPES["future"] = PROBLEM_TYPES["class"]


@dataclass(frozen=True)
class Task:
    """One question that a head answers of each clip.

    Args:
        name: what it is called: "label", "verb". So are a column of data, and the beginnings of names of metrics.
        labels: the argument of `forward` that takes the right answers.
        scores: the field of its output, (B, classes); of a number (B, 1) or (B,).
        kind: "class", one of several; "multi_label", any of several; "score", a number; "future", a class to come.
    """

    name: str
    labels: str
    scores: str
    kind: Kind = "class"

    @property
    def has_fields(self) -> bool:
        """Whether a configuration counts and names the classes. It does not of a number, unless the head is one of
        transformers' classifiers."""
        return self.kind != "score" or self.name == LABEL.name

    @property
    def count_field(self) -> str:
        """The field of a configuration with the number of classes."""
        return f"num_{self.name}s"

    @property
    def names_field(self) -> str:
        """The field with their names."""
        return f"id2{self.name}"

    def count(self, config: Any) -> int:
        """How many classes, or numbers, a configuration has for it."""
        return getattr(config, self.count_field) if self.has_fields else 1

    def names(self, config: Any) -> list[str] | None:
        """Names of the classes in their order; `None` of a configuration that does not have them all. A number is
        called as the task is."""
        if not self.has_fields:
            return [self.name]
        named = {int(number): str(name) for number, name in (getattr(config, self.names_field) or {}).items()}
        names = [named.get(number, f"LABEL_{number}") for number in range(self.count(config))]
        return None if any(map(NO_NAME.fullmatch, names)) else names

    def settings(self, names: Sequence[str]) -> dict[str, Any]:
        """Fields of a configuration for this task with these classes; of a number, there are none."""
        if not self.has_fields:
            return {}
        if self.labels == LABEL.labels:  # of a classifier as transformers has them, which counts the names
            classes = {self.names_field: dict(enumerate(names))} if names else {self.count_field: 1}
            return classes | {"problem_type": PROBLEM_TYPES[self.kind]}
        return {self.count_field: len(names), self.names_field: dict(enumerate(names))}


LABEL = Task("label", labels="labels", scores="logits")


def tasks_of(model: Any, config: Any) -> tuple[Task, ...]:
    """What a model, or one of this class, with this configuration is asked: nothing of a base model.

    `config.problem_type` says which kind of question a classifier's is. Classifiers of transformers have no `tasks`;
    they label clips. What the configuration has no classes for is not asked.
    """
    tasks = [task for task in getattr(model, "tasks", (LABEL,)) if task.count(config)]
    kind = KINDS.get(config.problem_type or "", "class")
    return tuple(replace(task, kind=kind) if task == LABEL else task for task in tasks)


__all__ = ["KINDS", "LABEL", "PROBLEM_TYPES", "Task", "tasks_of"]
