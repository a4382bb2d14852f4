"""The wheel holds exactly the tree, and importing it does nothing but register."""

import subprocess
import sys
import zipfile

import pytest
from wheel_of_ours import ROOT, build_wheel

TRAVELLING = ("configuration", "modeling", "processing")
PACKED = (".py", ".pyi")


@pytest.mark.integration
@pytest.mark.slow
def test_wheel_equals_the_tree(tmp_path):
    packed = {name for name in zipfile.ZipFile(build_wheel(tmp_path)).namelist() if ".dist-info/" not in name}
    folders = {"": ROOT / "src"} | {f"holovid/{name}/": ROOT / name for name in TRAVELLING}
    assert packed == {
        f"{package}{path.relative_to(folder).as_posix()}"
        for package, folder in folders.items()
        for path in folder.rglob("*")
        if path.suffix in PACKED or path.name == "py.typed"
    }


def test_what_travels_is_flat_and_file_names_unique():
    """The Hub gets all files in one folder."""
    names = []
    for folder in (ROOT / name for name in TRAVELLING):
        assert not [path for path in folder.iterdir() if path.is_dir() and path.name != "__pycache__"]
        names += [path.name for path in folder.glob("*.py") if path.name != "__init__.py"]
    assert len(names) == len(set(names))


def test_bare_imports_are_banned(tmp_path):
    script = "import modeling\nfrom configuration import configuration_xvit\nfrom processing.x import y\n"
    lint = [sys.executable, "-m", "ruff", "check", "--config", str(ROOT / "pyproject.toml"), "--select", "TID251", "-"]
    found = subprocess.run(lint, input=script, capture_output=True, text=True)
    assert found.returncode == 1 and found.stdout.count("a second copy of the package") == 3


@pytest.mark.integration
@pytest.mark.slow
def test_importing_has_no_side_effects():
    """No network, no output, no global switch: only what transformers and torch set themselves may differ."""
    script = """
import socket, sys
def refuse(*_): raise AssertionError("network at import")
socket.socket.connect = refuse
import torch, transformers
def switches():
    return (torch.get_default_dtype(), torch.is_grad_enabled(), torch.get_num_threads(), torch.initial_seed(),
            torch.backends.cudnn.benchmark, transformers.utils.logging.get_verbosity())
before = switches()
import holovid
assert switches() == before
"""
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning:holovid", "-c", script], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
