"""Write files and folders completely or not at all, even if a process is killed or several write at once.

Unfinished files are in a hidden folder beside or inside their target, with a lock that the writing process holds. If
that process is killed, the lock is free, and the next process that writes there removes what is left.
"""

import glob
import os
import platform
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import filelock
import psutil

UNFINISHED = ".unfinished"  # inside an existing folder; `.name.unfinished` beside a new one
LOCK = ".lock"
THIS_MACHINE = re.sub(r"\W", "", platform.node())


@contextmanager
def new_folder(target: str | os.PathLike) -> Iterator[Path]:
    """Yield an empty folder that becomes `target` if the block ends without an error, and is deleted otherwise.

    Raises `ValueError` if `target` exists and is not an empty folder, or if another process is writing it.
    """
    target = Path(target).absolute()
    check_new(target)
    with workplace(target.with_name(f".{target.name}{UNFINISHED}"), target) as folder:
        check_new(target)  # another process may have finished meanwhile
        yield folder
        try:
            os.replace(folder, target)
        except OSError:
            check_new(target)
            raise


def check_new(target: Path) -> None:
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise ValueError(f"{target} exists already; give a new or an empty folder")


@contextmanager
def added_files(
    target: str | os.PathLike,
    last: Sequence[str] = (),
    stale: Callable[[Iterable[str], Iterable[str]], Iterable[str]] = lambda old, new: (),
) -> Iterator[Path]:
    """Yield an empty folder whose files replace those in `target` if the block ends without an error.

    Args:
        target: folder; created if it does not exist.
        last: names of files that loading needs. Old ones are deleted first and new ones written last, so that the
            folder does not load if the process is killed in between, rather than load as a mixture of old and new.
        stale: function from the names of old and of new files to the old ones to delete.

    Raises `ValueError` if another process is writing to `target`.
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
    """Move a file, or merge a folder into an existing one."""
    if source.is_dir() and target.is_dir():
        for path in source.iterdir():
            move_into(path, target / path.name)
    else:
        os.replace(source, target)


@contextmanager
def workplace(place: Path, target: Path) -> Iterator[Path]:
    """Yield an empty folder in `place` with the name of `target`, for one process at a time; then delete `place`.

    Raises `ValueError` if another process is using `place`.
    """
    lock = filelock.FileLock(place / LOCK)
    while not (place / LOCK).exists() or not lock.is_locked:  # the previous owner deletes the file when it releases
        lock.release()
        place.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout as error:
            raise ValueError(f"another process is writing {target}; wait for it, or give another folder") from error
        except FileNotFoundError:
            continue
    try:
        for left in place.iterdir():  # left by a process that was killed
            if left.name != LOCK:
                shutil.rmtree(left, ignore_errors=True)
        folder = place / target.name
        folder.mkdir()
        yield folder
    finally:
        # the lock first: if another process has taken it meanwhile, the folder is not empty and stays
        shutil.rmtree(place / target.name, ignore_errors=True)
        with suppress(OSError):  # some systems do not delete open files
            (place / LOCK).unlink()
        lock.release()
        with suppress(OSError):
            place.rmdir()


@contextmanager
def only_writer(folder: str | os.PathLike) -> Iterator[None]:
    """Keep other processes from writing to a folder during the block. Raises `ValueError` if one already is."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(Path(folder, f"_{LOCK}"))  # files with such names are not uploaded to the Hub
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise ValueError(f"another process is writing {folder}; wait for it, or give another folder") from error
    try:
        yield
    finally:
        with suppress(OSError):
            Path(lock.lock_file).unlink()
        lock.release()


@contextmanager
def new_file(target: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path, with the suffix of `target`, that replaces `target` if the block ends without an error.

    The path contains the process id, since processes of distributed training may write the same file. Files that
    killed processes of this machine left behind are deleted.
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
    """Id of the process that writes an unfinished file of `new_file`; `None` for other files."""
    found = re.match(rf"\.(\d+)-{THIS_MACHINE}\.", path.name)
    return int(found[1]) if found else None


def is_unfinished(name: str) -> bool:
    """Whether a name is that of an unfinished file or folder."""
    return name.endswith(UNFINISHED) or re.match(r"\.\d+-\w*\.", name) is not None


def common_folder(folders: Sequence[str]) -> str | None:
    """The folder that all of these lie in, `None` where there is none: no folders, or several drives."""
    try:
        return os.path.commonpath(folders)
    except ValueError:
        return None


def ignores_case() -> bool:
    """Whether `a.mp4` and `A.mp4` are one file, as they usually are on macOS and Windows."""
    return sys.platform in ("darwin", "win32")


def write_whole(path: Path, content: str | bytes | memoryview) -> None:
    """Write a file completely or not at all."""
    with new_file(path) as unfinished:
        unfinished.write_bytes(content.encode() if isinstance(content, str) else content)
