"""Label columns: one class a clip, several classes, or a number.

In a table of `load_clips` the column's feature says which: `ClassLabel`, a list of `ClassLabel`, or `float64`.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from datasets import ClassLabel, Dataset, LargeList, List, Value
from torch import Tensor

from holovid.cheap_checks import score_column
from holovid.data.clip_folders import first_of
from holovid.modeling.modeling_common import IGNORED
from holovid.modeling.tasks import KINDS, PROBLEM_TYPES, Kind

SEPARATOR = "|"  # between several classes in a cell of text
DECIMAL = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
NUMBER = Value("float64")


def wanted_kind(clips: Mapping[str, Dataset], targets: Sequence[str], problem_type: str | None) -> Kind:
    """The labels' kind by `problem_type`, else by the column. Raises `ValueError` for unknown ones or many targets."""
    if problem_type is not None and problem_type not in KINDS:
        raise ValueError(f"problem_type must be one of {', '.join(KINDS)}, got {problem_type!r}")
    listed = [column for column in targets if any(holds_lists(rows.features[column]) for rows in clips.values())]
    if problem_type is None:
        kind: Kind = "multi_label" if listed else "class"
    else:
        kind = KINDS[problem_type]
    if len(targets) > 1 and kind != "class":
        raise ValueError(f"{PROBLEM_TYPES[kind]} takes one target; several targets have one class each")
    if listed and kind != "multi_label":
        raise ValueError(
            f"column {listed[0]!r} holds lists, that is, several classes a clip: pass "
            "problem_type='multi_label_classification'"
        )
    return kind


def holds_lists(feature: Any) -> bool:
    return isinstance(feature, (List, LargeList))


def answer_kind(feature: Any) -> Kind | None:
    """The kind of labels in a column with this feature; `None` if it holds none."""
    if isinstance(feature, ClassLabel):
        return "class"
    if holds_lists(feature) and isinstance(feature.feature, ClassLabel):
        return "multi_label"
    return "score" if feature == NUMBER else None


def classes_of(feature: Any) -> list[str]:
    if feature == NUMBER:
        return []
    return feature.names if isinstance(feature, ClassLabel) else feature.feature.names


def answer_tensor(value: Any, feature: Any) -> Tensor:
    """A label for losses: a class int64 (), several classes float32 (K,) of zeros and ones, a number float32 ()."""
    kind = answer_kind(feature)
    if kind == "class":
        return torch.tensor(value)
    if kind == "score":
        return torch.tensor(value, dtype=torch.float32)
    shown = torch.zeros(len(feature.feature.names))
    shown[value] = 1.0
    return shown


def no_answer(feature: Any) -> Tensor:
    """The label of an unreadable clip, which losses and metrics leave out."""
    kind = answer_kind(feature)
    if kind == "class":
        return torch.tensor(IGNORED)
    if kind == "score":
        return torch.tensor(math.nan)
    return torch.full((len(feature.feature.names),), float(IGNORED))


def read_classes(split: str, rows: Dataset, target: str) -> list[list[str]]:
    """Each clip's classes as written, listed or between bars. Raises `ValueError` for missing or malformed ones."""
    feature = rows.features[target]
    values = rows.with_format(None)[target][:]
    if without := [f"row {row}" for row, value in enumerate(values) if value is None]:
        raise ValueError(
            f"{split} has {first_of(without, 'row')} without a {target!r}; for no classes use an empty list or text"
        )
    if isinstance(feature, ClassLabel):
        raise ValueError(f"column {target!r} of {split} holds one class a clip, but lists of classes are needed")
    inner = feature.feature if holds_lists(feature) else None
    if isinstance(inner, ClassLabel):
        values = [[inner.names[number] for number in value] for value in values]
    cells = [value.split(SEPARATOR) if isinstance(value, str) and value.strip() else value or [] for value in values]
    if odd := [f"row {row}: {cell!r}" for row, cell in enumerate(cells) if not is_list_of_classes(cell)]:
        raise ValueError(
            f"{split} has {first_of(odd, 'row')} in {target!r}: classes must be names or whole numbers, in a list or "
            f"with {SEPARATOR} between them"
        )
    named = [[str(name) for name in cell] for cell in cells]
    twice = [
        f"row {row}: {cell}" for row, cell in enumerate(named) if len({name.strip() for name in cell}) < len(cell)
    ]
    if twice:
        raise ValueError(
            f"{split} has {first_of(twice, 'row')} in {target!r} with a class twice: list the clip's classes, not a "
            "0 or 1 for every class"
        )
    return named


def is_list_of_classes(cell: Any) -> bool:
    return isinstance(cell, list) and all(
        bool(name.strip()) if isinstance(name, str) else isinstance(name, int) and not isinstance(name, bool)
        for name in cell
    )


def with_score_column(rows: Dataset, target: str) -> Dataset:
    """Rename a usual column of scores to `target`, if that is only the default."""
    usual = None if target in rows.features else score_column(target, rows.column_names)
    return rows if usual is None else rows.rename_column(usual, target)


def with_numbers(clips: Mapping[str, Dataset], target: str) -> dict[str, Dataset]:
    """Convert the column `target` to numbers. Raises `ValueError` for values that are not finite numbers."""
    made = {}
    for split, rows in clips.items():
        if isinstance(rows.features[target], ClassLabel):
            raise ValueError(f"column {target!r} of {split} holds classes, but numbers are needed")
        values = rows.with_format(None)[target][:]
        numbers = list(map(as_number, values))
        if wrong := [f"row {row}: {values[row]!r}" for row, number in enumerate(numbers) if number is None]:
            raise ValueError(f"{split} has {first_of(wrong, 'row')} in {target!r} that are not numbers")
        made[split] = rows.remove_columns(target).add_column(target, numbers, feature=NUMBER)
    return made


def as_number(value: Any) -> float | None:
    """A finite number, also from text; `None` for anything else."""
    if isinstance(value, str):
        value = float(value) if DECIMAL.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)
