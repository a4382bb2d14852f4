"""Run transformers' own common tests on our classes:   python tests/upstream/run.py [pytest arguments]

The tests come from the source archive of the installed transformers, fetched once from the package registry into
`.cache/` and never committed. What the archive leaves out is replaced in `stand_ins.py`; our testers are `check_*.py`.
"""

import os
import subprocess
import sys
import tarfile
import tempfile
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[1] / ".cache"
EXPORTERS_NEED = (2, 11)  # of PyTorch, says their error


def fetch_tests(release: str, cache: Path = CACHE) -> Path:
    """Return a folder from which `tests` imports as the test package of that transformers release.

    Raises `RuntimeError` when pip cannot get the archive, `FileNotFoundError` when the archive has no common tests.
    """
    folder = cache / f"transformers-{release}"
    if folder.exists():
        return folder
    cache.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as temporary:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", temporary]
        source_only = ["--no-deps", "--no-binary", "transformers", f"transformers=={release}"]
        download = subprocess.run([*pip, *source_only], stderr=subprocess.PIPE, text=True)
        if download.returncode:
            raise RuntimeError(f"the source archive of transformers {release} cannot be fetched:\n{download.stderr}")
        (archive,) = Path(temporary).glob("*.tar.gz")
        with tarfile.open(archive) as tar:
            members = [member for member in tar if member.name.startswith(f"transformers-{release}/tests/")]
            tar.extractall(temporary, members, filter="data")
        unpacked = Path(temporary, folder.name)
        if not (unpacked / "tests" / "test_modeling_common.py").exists():
            raise FileNotFoundError(f"the source archive of transformers {release} does not hold its common tests")
        (unpacked / "tests" / "__init__.py").touch()  # left out of the archive, read by test_configuration_common
        try:
            unpacked.rename(folder)
        except OSError:  # another run was faster
            if not folder.exists():
                raise
    return folder


def not_for_this_torch() -> list[str]:
    """Arguments that leave out tests of transformers' exporters where PyTorch is too old for these."""
    torch_version = tuple(map(int, version("torch").split("+")[0].split(".")[:2]))
    return [] if torch_version >= EXPORTERS_NEED else ["-k", "not test_export"]


def main(arguments: list[str]) -> int:
    paths = [str(fetch_tests(version("transformers"))), str(HERE)]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}
    return subprocess.run(
        [sys.executable, "-m", "pytest", *not_for_this_torch(), *arguments], env=environment, cwd=HERE
    ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
