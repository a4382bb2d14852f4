"""Splits a table of clips into training and validation, with groups kept together.

Parts of one film, or clips of one person, look alike. With such clips on both sides, validation measures memory.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.csv
from datasets import ClassLabel, Dataset

from holovid.cheap_checks import PATH_COLUMNS, is_url
from holovid.extras import needed
from holovid.files import new_folder

BY_PATH = "path"


def groups_of(rows: Dataset, by: str) -> list[str]:
    """The group of each row of `load_clips`.

    Args:
        by: "path", the clip's file; the name of a column; or a regular expression with a group in brackets, searched
            in paths: `r"(P[0-9]+)_"`.

    Raises `ValueError` for a missing column, for paths without a match, and for videos without a path.
    """
    paths = [video["path"] for video in rows.with_format(None)["video"]]
    if None in paths:
        raise ValueError(f"a split is a table of paths, but row {paths.index(None)} holds the video itself")
    if by == BY_PATH:
        return paths
    if by in rows.features:
        return [str(value) for value in rows.with_format(None)[by]]
    if "(" not in by:
        columns = ", ".join(name for name in rows.features if name != "video")
        raise ValueError(
            f"by must be 'path', a column ({columns}), or an expression with brackets such as '(P[0-9]+)_', got {by!r}"
        )
    try:
        pattern = re.compile(by)
    except re.error as error:
        raise ValueError(f"by is not a regular expression: {error}") from error
    found = [pattern.search(path) for path in paths]
    if without := [path for path, match in zip(paths, found, strict=True) if match is None]:
        raise ValueError(f"{by!r} does not match {len(without)} of {len(paths)} paths, such as {without[0]}")
    return [match[1] for match in found if match is not None]


def split_rows(
    rows: Dataset, target: str = "label", by: str = BY_PATH, validation: float = 0.2, seed: int = 0
) -> dict[str, Dataset]:
    """ "train" and "validation": about this share of each class, no group on both sides.

    Raises `ValueError` if there are too few groups, and for a share out of range; `ImportError` without scikit-learn.
    """
    with needed("scikit-learn", "splitting clips by groups"):
        from sklearn.model_selection import StratifiedGroupKFold
    if not 0 < validation <= 0.5:
        raise ValueError(f"validation must be above 0 and at most 0.5, got {validation}")
    groups = groups_of(rows, by)
    folds = round(1 / validation)
    if len(set(groups)) < folds:
        raise ValueError(
            f"a validation share of {validation:g} needs at least {folds} groups, but there are {len(set(groups))}"
        )
    feature = rows.features[target]
    labels = rows.with_format(None)[target][:] if isinstance(feature, ClassLabel) else [0] * len(rows)
    # it warns if a class has fewer clips than folds; such a class is on one side only
    sizes = np.bincount(labels)
    rare = np.isin(labels, np.flatnonzero(sizes < folds))
    balanced = np.where(rare, -1, labels)
    if (balanced == -1).sum() < folds:
        balanced = np.where(rare, np.argmax(sizes), labels)
    splitter = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed)
    training, held_out = next(splitter.split(np.zeros(len(rows)), balanced, groups))
    return {"train": rows.select(training), "validation": rows.select(held_out)}


def write_split(target: Path, split: dict[str, Dataset], columns: Sequence[str]) -> None:
    """Write a folder with train.csv and validation.csv: absolute paths, and URLs. Raises `ValueError` if it exists."""
    with new_folder(target) as folder:
        for name, rows in split.items():
            plain = rows.with_format(None)
            paths = [video["path"] for video in plain["video"]]
            table = {"path": [path if is_url(path) else str(Path(path).absolute()) for path in paths]}
            for column in (name for name in columns if name not in PATH_COLUMNS):
                feature = rows.features[column]
                values = plain[column][:]
                table[column] = feature.int2str(values) if isinstance(feature, ClassLabel) else values
            pyarrow.csv.write_csv(pyarrow.table(table), folder / f"{name}.csv")


__all__ = ["groups_of", "split_rows", "write_split"]
