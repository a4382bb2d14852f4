"""Shared by all tests: offline, one thread a worker, and the reference's fixtures."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import json
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lent_libraries import start_anew

if TYPE_CHECKING:  # imported where it is needed, as pytest may start anew before
    import torch

GOLDEN = Path(__file__).parent / "golden"


def golden(path: str) -> dict:
    return json.loads((GOLDEN / path).read_text())


def golden_weights(case: dict) -> "dict[str, torch.Tensor]":
    """The reference's state dict, by the fill rule that each fixture states in words.

    Vectors called weight are gains of norms; tied tensors have the numbers of the one they are tied to.
    """
    import torch

    tensors = {}
    for name, shape in case["state_dict"].items():
        canonical = case.get("tied", {}).get(name, name)
        generator = torch.Generator().manual_seed(zlib.crc32(canonical.encode()) & 0x7FFFFFFF)
        tensors[name] = torch.randn(shape, generator=generator) * case.get("fill_std", case.get("fill_scale"))
        tensors[name] += 1.0 if len(shape) == 1 and canonical.endswith(".weight") else 0.0
    return tensors


def golden_input(case: dict) -> "torch.Tensor":
    import torch

    return torch.randn(case["input_shape"], generator=torch.Generator().manual_seed(case["input_seed"]))


def pytest_configure(config):
    start_anew(config)  # unless torchcodec finds FFmpeg's libraries


def pytest_collection_modifyitems(items):
    import torch

    if not torch.cuda.is_available():
        for item in items:
            if "gpu" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="not run: no CUDA device"))


@pytest.fixture(autouse=True)
def seeded():
    import torch

    torch.manual_seed(0)
