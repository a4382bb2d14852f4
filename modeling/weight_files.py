# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Checks of a folder's weight files, before and after a model is made of them.

Nothing in a file is executed, and no file outside the folder is opened.
"""

import json
import os
import pickle
import re
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PureWindowsPath
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor
from transformers.utils import SAFE_WEIGHTS_INDEX_NAME, SAFE_WEIGHTS_NAME, WEIGHTS_INDEX_NAME, WEIGHTS_NAME

# (whole file, index of shards), in transformers' order
KINDS = ((SAFE_WEIGHTS_NAME, SAFE_WEIGHTS_INDEX_NAME), (WEIGHTS_NAME, WEIGHTS_INDEX_NAME))
INDICES = "*.index*.json"  # with a variant too
# types of safetensors that hold weights
FLOATING = ("F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2")
MOST_NAMES = 6


def some(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:MOST_NAMES]) + (f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else "")


def leads_out(name: str) -> bool:
    """Whether a relative name, on any operating system, points outside its folder or to no file."""
    path = PureWindowsPath(name)  # knows both slashes and drives
    return not path.parts or bool(path.anchor) or ".." in path.parts or path.parts[0].startswith("~") or "\0" in name


def shard_names(index: str | os.PathLike) -> list[str]:
    """The files that an index names, in order. Raises `ValueError` for other files and names outside its folder."""
    index = Path(index)
    try:
        content = json.loads(index.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{index} is damaged: it is not JSON") from error
    places = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(places, dict) or not places or not all(isinstance(name, str) for name in places.values()):
        raise ValueError(f"{index} is not an index of weights: it has no weight_map that gives each tensor a file")
    if not isinstance(content.get("metadata"), dict):
        raise ValueError(f"{index} is not an index of weights: it has no metadata, which transformers needs")
    names = sorted(set(places.values()))
    if outside := [name for name in names if leads_out(name)]:
        raise ValueError(f"{index} names {outside[0]!r}, which is not a file in its folder, so nothing is read")
    return names


def check_indices(folder: str | os.PathLike) -> None:
    for index in sorted(Path(folder).glob(INDICES)):
        shard_names(index)


def weight_files(folder: str | os.PathLike) -> list[Path]:
    """The files from which transformers would read a folder's weights; empty if there are none.

    Raises `ValueError` for an index that is damaged, or names files outside the folder or missing from it.
    """
    folder = Path(folder)
    for whole, index in KINDS:
        if (folder / whole).is_file():
            return [folder / whole]
        if (folder / index).is_file():
            names = shard_names(folder / index)
            if absent := [name for name in names if not (folder / name).is_file()]:
                raise ValueError(f"{folder / index} names {some(absent)}, which the folder does not have")
            return [folder / name for name in names]
    return []


def tensor_types(file: str | os.PathLike) -> dict[str, bool]:
    """Tensor name -> whether it is floating-point; values are not read. Raises `ValueError` for other files."""
    file = Path(file)
    try:
        if file.suffix == ".safetensors":
            with safe_open(file, "pt") as tensors:
                return {name: tensors.get_slice(name).get_dtype() in FLOATING for name in tensors.keys()}  # noqa: SIM118
        with warnings.catch_warnings():  # about pickles that torch did not write
            warnings.simplefilter("ignore")
            content = torch.load(file, map_location="meta", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(f"{file} holds more than tensors, or is damaged, and is not unpickled") from error
    except (SafetensorError, RuntimeError, EOFError, OSError, LookupError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(f"{file} is damaged: {first_line(error)}") from error
    if not isinstance(content, Mapping) or not all(isinstance(tensor, Tensor) for tensor in content.values()):
        raise ValueError(f"{file} is not a file of weights: it must hold tensors by name")
    return {str(name): tensor.is_floating_point() for name, tensor in content.items()}


def first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


@contextmanager
def damage_named(source: str | os.PathLike) -> Iterator[None]:
    """Turn libraries' errors at damaged weight files into a `ValueError` that names `source`."""
    try:
        yield
    except (SafetensorError, pickle.UnpicklingError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
        raise ValueError(f"the weights of {source} cannot be read: {first_line(error)}") from error


def check_weight_files(folder: str | os.PathLike) -> dict[str, bool]:
    """`tensor_types` of all weight files in a folder; empty if there are none. Raises what that raises."""
    check_indices(folder)
    types: dict[str, bool] = {}
    for file in weight_files(folder):
        types |= tensor_types(file)
    return types


def check_all_there(source: str, loading: Mapping[str, Any], new: tuple[str, ...] = ()) -> None:
    """Raise `ValueError`, naming tensors, unless a checkpoint has exactly the model's tensors, by its `loading` info.

    `source` names it in the message; tensors with prefixes in `new` may be missing.
    """
    faults = []
    if missing := sorted(name for name in loading["missing_keys"] if not name.startswith(new)):
        faults.append(f"{counted(missing)} missing ({some(missing)})")
    if unexpected := sorted(name for name in loading["unexpected_keys"] if not name.startswith(new)):
        faults.append(f"{counted(unexpected)} not in the model ({some(unexpected)})")
    if misshapen := sorted(entry for entry in loading["mismatched_keys"] if not entry[0].startswith(new)):
        shapes = [f"{name} {tuple(theirs)}, not {tuple(ours)}" for name, theirs, ours in misshapen]
        faults.append(f"{counted(shapes)} of another shape ({some(shapes)})")
    if errors := loading["error_msgs"]:
        faults.append(first_line(ValueError(errors[0])))
    if faults:
        raise ValueError(f"the weights in {source} do not fit its model: {'; '.join(faults)}")


def counted(names: list[str]) -> str:
    return "1 tensor is" if len(names) == 1 else f"{len(names)} tensors are"


def modules(tensors: Iterable[str]) -> list[str]:
    """The modules of these tensors; layers and kinds of tensor are merged."""
    return sorted(
        {re.sub(r"\.\d+(?=\.|$)", ".*", name).removesuffix(".weight").removesuffix(".bias") for name in tensors}
    )


__all__ = [
    "check_all_there",
    "check_indices",
    "check_weight_files",
    "damage_named",
    "first_line",
    "leads_out",
    "shard_names",
    "some",
]
