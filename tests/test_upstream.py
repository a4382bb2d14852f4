"""Transformers' own common tests, from the source archive of the installed version, pass on our classes."""

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

RUNNER = Path(__file__).parent / "upstream" / "run.py"


@pytest.mark.slow
def test_upstream_tests_pass(tmp_path):
    """Many of them skip themselves (no GPU, no text); the floor keeps all of them from doing so."""
    report = tmp_path / "report.xml"
    run = subprocess.run(
        [sys.executable, RUNNER, "-q", f"--junitxml={report}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert run.returncode == 0, run.stdout[-10_000:]
    suite = ElementTree.parse(report).getroot().find("testsuite")
    passed = int(suite.get("tests")) - int(suite.get("skipped"))
    assert passed >= 200, run.stdout[-10_000:]
