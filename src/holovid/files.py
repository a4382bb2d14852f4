"""Writing files and folders so that nobody ever sees half of one."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def new_folder(target: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary folder beside `target` that becomes `target` when the block ends well, and vanishes otherwise.

    Raises `ValueError` when `target` is there already and is not an empty folder.
    """
    target = Path(target).absolute()
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise ValueError(f"{target} exists already; name a new or an empty folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())  # mkdtemp makes private folders
        os.replace(temporary, target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file that is never seen half written."""
    unfinished = path.with_name(f".{path.name}")
    unfinished.write_bytes(content.encode() if isinstance(content, str) else content)
    unfinished.replace(path)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
