"""Shared by all tests: offline, seeded, one thread a worker."""

import os
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest
from forked_commands import Commands
from lent_libraries import start_anew

ON_LINUX = sys.platform == "linux"
# what they measure or forbid is read from /proc, and set by Python's module `resource`
collect_ignore = [] if ON_LINUX else ["test_allocator.py", "test_corpus.py"]


def pytest_configure(config):
    start_anew(config)  # unless torchcodec finds FFmpeg's libraries


def pytest_collection_modifyitems(items):
    import torch

    if not torch.cuda.is_available():
        for item in items:
            if "gpu" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="not run: no CUDA device"))
    if not ON_LINUX:
        for item in items:
            if "linux" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="not run: needs fork, signals or /proc of Linux"))


@pytest.fixture(autouse=True)
def seeded():
    import torch

    torch.manual_seed(0)


@pytest.fixture(scope="session")
def forks():
    """Runs `holovid ...` and `python ...` in forks of one process, which starts at the first use."""
    with Commands(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false") as forks:
        yield forks
