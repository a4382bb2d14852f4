"""Re-encodes clips for training: smaller, quickly readable at any frame, with their sound.

A phone's film has two million pixels a frame, and only one frame in 250 is readable without earlier ones. Training
needs 224 pixels, at any moment.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from torchvision.transforms.v2.functional import resize

from holovid.data.clip_folders import COMPANIONS, FoundClips, find_clips
from holovid.files import ignores_case, write_whole
from holovid.inference.annotated_video import annotated_video
from holovid.inference.kept_sound import kept_sound
from holovid.processing.picture_decoding import PictureFile
from holovid.processing.video_decoding import open_video

READ_AT_ONCE = 2**27  # bytes of frames in memory, in each process
SETTINGS = ".shrunk.json"
TABLES = COMPANIONS - {".json", ".md"}  # these are notes
MOST_PROCESSES = 61  # more are refused on Windows
# Every twelfth frame is a key frame. "fastdecode": pictures as good are decoded in little more than half the time, for
# 3 % more bytes.
ENCODER = {"crf": "20", "preset": "veryfast", "tune": "fastdecode", "g": "12", "sc_threshold": "0"}


@dataclass(frozen=True)
class Shrinking:
    """How clips are re-encoded.

    Args:
        short_side: pixels; smaller clips keep their size.
        frame_rate: highest frame rate; `None` keeps all frames.
        seconds: length from the start; `None` keeps all.

    Raises `ValueError` for numbers that are not above 0.
    """

    short_side: int = 256
    frame_rate: float | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name in ("short_side", "frame_rate", "seconds"):
            if (value := getattr(self, name)) is not None and not value > 0:
                raise ValueError(f"{name} must be above 0, got {value}")


def shrink_video(source: str | os.PathLike, target: str | os.PathLike, how: Shrinking) -> None:
    """Write a clip as mp4 with its sound, whole or not at all. Raises what reading raises."""
    with ExitStack() as stack:
        clip: Any = stack.enter_context(open_video(os.fspath(source)))
        still = isinstance(clip, PictureFile)
        sound = None if still else stack.enter_context(kept_sound(os.fspath(source), clip.start, how.seconds))
        rate = clip.metadata.fps
        rate = rate if how.frame_rate is None or not rate else min(rate, how.frame_rate)
        video = stack.enter_context(annotated_video(target, rate, sound, ENCODER))
        height, width = clip.metadata.height, clip.metadata.width
        scale = min(1.0, how.short_side / min(height, width))
        size = [max(2, 2 * round(scale * side / 2)) for side in (height, width)]
        kept = kept_frames(clip.times - clip.start, how)
        at_once = max(1, READ_AT_ONCE // (3 * height * width))
        for first in range(0, len(kept), at_once):
            frames, shown = clip.frames(kept[first : first + at_once])
            for frame, moment in zip(resize(frames, size, antialias=True), shown - clip.start, strict=True):
                video.write(frame, float(moment), ())


def kept_frames(times: Any, how: Shrinking) -> list[int]:
    """Frames to keep, from their times: the first in each step of the frame rate.

    >>> import numpy as np
    >>> kept_frames(np.arange(10) / 10, Shrinking(frame_rate=5, seconds=0.7))
    [0, 2, 4, 6]
    """
    kept: list[int] = []
    step = -1
    for number, moment in enumerate(times):
        if how.seconds is not None and moment >= how.seconds:
            break
        now = number if how.frame_rate is None else int(moment * how.frame_rate + 1e-6)
        if now > step:
            kept.append(number)
            step = now
    return kept


def targets_of(clips: Iterable[str], source: Path, target: Path) -> dict[Path, Path]:
    """Clip below `source` -> its .mp4 below `target`. Raises `ValueError` for none, and for equal targets."""
    found: dict[Path, Path] = {}
    taken: dict[str, Path] = {}
    for path in map(Path, clips):
        place = (target / path.relative_to(source)).with_suffix(".mp4")
        known = taken.setdefault(str(place).casefold() if ignores_case() else str(place), path)
        if known != path:
            raise ValueError(f"{known} and {path} would both become {place}; rename one of them")
        found[path] = place
    if not found:
        raise ValueError(f"there are no clips in {source}")
    return found


def outdated_tables(found: FoundClips, source: Path, target: Path) -> list[Path]:
    """The copied tables below `target` whose paths may be wrong there, since clips of `source` did not end in .mp4."""
    if all(path.endswith(".mp4") for path in found.clips):
        return []
    tables = [path for path in map(Path, found.others) if path.suffix.lower() in TABLES]
    return [target / path.relative_to(source) for path in sorted(tables)]


def shrink_folder(
    source: Path,
    target: Path,
    how: Shrinking,
    workers: int | None = None,
    advance: Callable[[], Any] = lambda: None,
    found: FoundClips | None = None,
) -> dict[Path, str]:
    """Shrink all clips below a folder into another one, several at a time. Returns clip -> error for unreadable clips.

    Existing results are kept, so a stopped run can be resumed. Tables and notes beside the clips are copied. `advance`
    is called after each clip; `found` is what `find_clips(source)` returned, if it is known already. Raises
    `ValueError` if one folder is inside the other, for one without clips, and for a target whose clips were written
    with other settings.
    """
    if target.absolute().is_relative_to(source.absolute()) or source.absolute().is_relative_to(target.absolute()):
        raise ValueError(f"{target} must not be inside {source}, nor the other way round")
    below = find_clips(source) if found is None else found
    places = targets_of(below.clips, source, target)
    agree_on(target / SETTINGS, how)
    for path in [path for path in map(Path, below.others) if path.suffix.lower() in COMPANIONS]:
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    broken: dict[Path, str] = {}
    left: list[tuple[Path, Path]] = []
    for path, place in places.items():
        if place.exists():
            advance()
        else:
            left.append((path, place))
    processes = min(workers or os.cpu_count() or 1, MOST_PROCESSES)
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        try:
            jobs = {pool.submit(partial(shrink_alone, how=how), path, place): path for path, place in left}
            for job in as_completed(jobs):
                try:
                    job.result()
                except (ValueError, OSError) as error:
                    broken[jobs[job]] = str(error)
                advance()
        except BaseException:  # Ctrl-C too; without this the pool would write all other clips first
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return broken


def agree_on(path: Path, how: Shrinking) -> None:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(asdict(how)) + "\n")
    elif (before := json.loads(path.read_text(encoding="utf-8"))) != asdict(how):
        raise ValueError(f"{path.parent} has clips written with {before}, not with {asdict(how)}; name another folder")


def shrink_alone(source: Path, target: Path, how: Shrinking) -> None:
    torch.set_num_threads(1)  # the other cores work on other clips
    target.parent.mkdir(parents=True, exist_ok=True)
    shrink_video(source, target, how)


__all__ = ["Shrinking", "outdated_tables", "shrink_folder", "shrink_video"]
