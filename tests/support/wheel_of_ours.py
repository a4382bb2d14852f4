"""Building the wheel as a user would get it. `python tests/support/wheel_of_ours.py` type-checks it: `make types`."""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from places import COMMANDS, ROOT


def build_wheel(folder: Path) -> Path:
    """Build the wheel in `folder`, from a copy of the sources, as the build leaves files beside them."""
    sources = folder / "sources"
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in ("configuration", "modeling", "processing", "src"):
        shutil.copytree(ROOT / name, sources / name, ignore=ignored)
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, sources)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(sources)]
    built = subprocess.run(command, capture_output=True, text=True)
    if built.returncode:
        raise RuntimeError(built.stdout + built.stderr)
    return next(folder.glob("*.whl"))


def environment_with_wheel(folder: Path, *packages: str, extras: str = "") -> Path:
    """Make an environment in `folder` that has the wheel, what `extras` of it need, and other packages.

    The wheel is built from the checkout, or is the one that the variable HOLOVID_WHEEL names: `make package` sets it.
    Returns the folder of its commands.
    """
    uv = Path(sys.executable).with_name("uv")
    python = folder / "environment" / COMMANDS / "python"
    versions = ["--constraints", str(ROOT / "constraints.txt"), "--build-constraints", str(ROOT / "constraints.txt")]
    built = os.environ.get("HOLOVID_WHEEL")
    wheel = f"holovid[{extras}] @ {(Path(built).resolve() if built else build_wheel(folder)).as_uri()}"
    for command in (
        ["venv", "--quiet", "--python", sys.executable, str(folder / "environment")],
        ["pip", "install", "--quiet", "--python", str(python), *versions, wheel, *packages],
    ):
        done = subprocess.run([uv, *command], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr)
    return python.parent


if __name__ == "__main__":
    # mypy does not follow the renamed folders of an editable install, hence the wheel
    with tempfile.TemporaryDirectory() as folder:
        zipfile.ZipFile(build_wheel(Path(folder))).extractall(Path(folder, "unpacked"))
        mypy = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), "-p", "holovid"]
        mypy += ["--cache-dir", str(ROOT / ".mypy_cache")]
        sys.exit(subprocess.run(mypy, cwd=Path(folder, "unpacked")).returncode)
