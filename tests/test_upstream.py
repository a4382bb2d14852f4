"""Transformers' own common tests, from the source archive of the installed version, pass on our classes."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

RUNNER = Path(__file__).parent / "upstream" / "run.py"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_upstream_tests_pass():
    """Many of them skip themselves (no GPU, no text); the floor keeps all of them from doing so."""
    run = subprocess.run([sys.executable, RUNNER, "-q"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert run.returncode == 0, run.stdout[-10_000:]
    passed = re.search(r"^(\d+) passed", run.stdout, re.MULTILINE)
    assert passed and int(passed[1]) >= 520, run.stdout[-1_000:]


def test_an_archive_that_cannot_be_fetched_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    fetch_tests = runpy.run_path(str(RUNNER))["fetch_tests"]
    with pytest.raises(RuntimeError, match=r"transformers 0\.0\.0 cannot be fetched"):
        fetch_tests("0.0.0", cache=tmp_path)
    assert not list(tmp_path.iterdir())
