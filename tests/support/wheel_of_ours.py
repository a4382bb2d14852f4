"""Building the wheel as a user would get it. `python tests/support/wheel_of_ours.py` type-checks it: `make types`."""

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from places import ROOT


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


if __name__ == "__main__":
    # mypy does not follow the renamed folders of an editable install, hence the wheel
    with tempfile.TemporaryDirectory() as folder:
        zipfile.ZipFile(build_wheel(Path(folder))).extractall(Path(folder, "unpacked"))
        mypy = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), "-p", "holovid"]
        mypy += ["--cache-dir", str(ROOT / ".mypy_cache")]
        sys.exit(subprocess.run(mypy, cwd=Path(folder, "unpacked")).returncode)
