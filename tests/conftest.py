"""Shared by all tests: offline, seeded, one thread a worker."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest
from forked_commands import Commands
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


@pytest.fixture(scope="session")
def forks():
    """Runs `holovid ...` and `python ...` in forks of one process, which starts at the first use."""
    with Commands(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false") as forks:
        yield forks
