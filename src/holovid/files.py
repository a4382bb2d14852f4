"""Writing files and folders so that nobody ever sees half of one, whoever is killed meanwhile and whoever writes too.

What is not finished lies in a hidden folder beside or inside the one that it is for, with a lock that its process
holds. Where the process was killed nobody holds the lock, and the next one that writes there sweeps the folder.
"""

import glob
import os
import platform
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import filelock
import psutil

UNFINISHED = ".unfinished"  # inside a folder that is added to; `.name.unfinished` beside one that is not there yet
LOCK = ".lock"
THIS_MACHINE = re.sub(r"\W", "", platform.node())


@contextmanager
def new_folder(target: str | os.PathLike) -> Iterator[Path]:
    """Yield an empty folder beside `target` that becomes `target` when the block ends well, and vanishes otherwise.

    Raises `ValueError` when `target` is there already and is not an empty folder, or another process is writing it.
    """
    target = Path(target).absolute()
    check_new(target)
    with workplace(target.with_name(f".{target.name}{UNFINISHED}"), target) as folder:
        check_new(target)  # by now, another process may have finished
        yield folder
        try:
            os.replace(folder, target)
        except OSError:
            check_new(target)
            raise


def check_new(target: Path) -> None:
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise ValueError(f"{target} exists already; name a new or an empty folder")


@contextmanager
def added_files(
    target: str | os.PathLike,
    last: Sequence[str] = (),
    stale: Callable[[Iterable[str], Iterable[str]], Iterable[str]] = lambda old, new: (),
) -> Iterator[Path]:
    """Yield an empty folder whose content goes into the folder `target` when the block ends well, over what is there.

    Args:
        target: made if it is not there.
        last: names of files without which nothing loads. Old ones go first and new ones come last, so that what a
            process leaves that is killed in between does not load: neither as the old nor as a mixture.
        stale: names of old and of new files -> old ones that do not stay.

    Raises `ValueError` when another process is writing to `target`.
    """
    target = Path(target).absolute()
    target.mkdir(parents=True, exist_ok=True)
    with workplace(target / UNFINISHED, target) as folder:
        yield folder
        new = [path.name for path in folder.iterdir()]
        final = [name for name in last if name in new]
        for name in (*final, *stale([path.name for path in target.iterdir()], new)):
            (target / name).unlink(missing_ok=True)
        for name in [name for name in new if name not in final] + final:
            move_into(folder / name, target / name)


def move_into(source: Path, target: Path) -> None:
    """Put a file where it belongs, or the files of a folder into the folder of that name."""
    if source.is_dir() and target.is_dir():
        for path in source.iterdir():
            move_into(path, target / path.name)
    else:
        os.replace(source, target)


@contextmanager
def workplace(place: Path, target: Path) -> Iterator[Path]:
    """Yield an empty folder in `place`, called as `target`, for one process at a time; `place` vanishes afterwards.

    Raises `ValueError` when another process works there.
    """
    lock = filelock.FileLock(place / LOCK)
    while not (place / LOCK).exists() or not lock.is_locked:  # who held it before removes the file and lets go
        lock.release()
        place.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout as error:
            raise ValueError(f"another process is writing {target}; wait for it, or name another folder") from error
        except FileNotFoundError:
            continue
    try:
        for left in place.iterdir():  # by a process that was killed
            if left.name != LOCK:
                shutil.rmtree(left, ignore_errors=True)
        folder = place / target.name
        folder.mkdir()
        yield folder
    finally:
        # The lock goes before the folder: whoever has come meanwhile works there already, and the folder stays.
        shutil.rmtree(place / target.name, ignore_errors=True)
        with suppress(OSError):  # of systems that remove no file that is open
            (place / LOCK).unlink()
        lock.release()
        with suppress(OSError):
            place.rmdir()


@contextmanager
def only_writer(folder: str | os.PathLike) -> Iterator[None]:
    """Keep other processes out of a folder that this one writes to all the time.

    Raises `ValueError` when another one is in there.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(Path(folder, f"_{LOCK}"))  # names like this are not uploaded to the Hub
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise ValueError(f"another process is writing {folder}; wait for it, or name another folder") from error
    try:
        yield
    finally:
        with suppress(OSError):
            Path(lock.lock_file).unlink()
        lock.release()


@contextmanager
def new_file(target: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path beside `target`, of the same suffix, that takes its place when the block ends well.

    It has the number of the process in it: several may write the same file, as those of distributed training do. What
    processes of this machine have left that were killed is removed.
    """
    target = Path(target)
    for left in target.parent.glob(f".*-{THIS_MACHINE}.{glob.escape(target.name)}"):
        if (process := process_of(left)) is not None and not psutil.pid_exists(process):
            left.unlink(missing_ok=True)
    temporary = target.with_name(f".{os.getpid()}-{THIS_MACHINE}.{target.name}")
    try:
        yield temporary
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def process_of(path: Path) -> int | None:
    """The process that writes an unfinished file of `new_file`; `None` for other files."""
    found = re.match(rf"\.(\d+)-{THIS_MACHINE}\.", path.name)
    return int(found[1]) if found else None


def is_unfinished(name: str) -> bool:
    """Whether a file or folder is one that is being written, or was when its process was killed."""
    return name.endswith(UNFINISHED) or re.match(r"\.\d+-\w*\.", name) is not None


def write_whole(path: Path, content: str | bytes | memoryview) -> None:
    """Write a file that is never seen half written."""
    with new_file(path) as unfinished:
        unfinished.write_bytes(content.encode() if isinstance(content, str) else content)
