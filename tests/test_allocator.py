"""Freed memory stays with the process: in a fresh one, since there is no way back."""

import resource
import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
import torch
from holovid.allocator import keep_memory

if sys.argv[1] == "keep":
    assert keep_memory()


def faults(megabytes: int) -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(megabytes, 2**18)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


for _ in range(20):  # until there is a free block of that size that nothing small has settled in
    faults(40)
print(sum(faults(40) for _ in range(10)))
"""


def page_faults(what: str) -> int:
    run = subprocess.run([sys.executable, "-c", PROGRAM, what], capture_output=True, text=True, check=True)
    return int(run.stdout)


@pytest.mark.integration
@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_memory_that_was_freed_is_not_mapped_again():
    pages = 10 * 40 * 2**20 // resource.getpagesize()
    assert page_faults("keep") <= pages / 5
    assert page_faults("return") >= pages
