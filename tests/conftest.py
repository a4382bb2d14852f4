"""Shared by all tests: offline, seeded, one thread a worker."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest
from lent_libraries import start_anew


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
