"""Finds the clips in a folder by their suffixes, each file once however many links lead to it.

Nothing is opened. Skipped files are reported, because a class without its camcorder's files just looks small.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from transformers.utils import logging

logger = logging.get_logger(__name__)

# FFmpeg's name of a container -> suffixes of its video files, as cameras, discs and programs write them
SUFFIXES_OF = {
    "mov": ".mp4 .m4v .mov .qt .3gp .3gpp .3g2 .3gp2 .f4v .mj2 .mp4v .insv .lrv",
    "matroska": ".mkv .mk3d .webm",
    "avi": ".avi .divx .amv",
    "flv": ".flv",
    "asf": ".wmv .asf .dvr-ms",
    "ogg": ".ogv .ogm",
    "mpeg": ".mpg .mpeg .mpe .vob .evo .mod",
    "mpegts": ".ts .mts .m2ts .m2t .tod .tp .trp",
    "mpegvideo": ".m1v .m2v .mpv",
    "mxf": ".mxf",
    "gxf": ".gxf",
    "gif": ".gif",
    "apng": ".apng",
    "rm": ".rm .rmvb",
    "wtv": ".wtv",
    "dv": ".dv",
    "ivf": ".ivf",
    "nut": ".nut",
    "yuv4mpegpipe": ".y4m",
    "nuv": ".nuv",
    "h261": ".h261",
    "h263": ".h263",
    "h264": ".264 .h264",
    "hevc": ".265 .h265 .hevc",
    "vvc": ".266 .h266 .vvc",
    "obu": ".obu",
    "vc1": ".vc1",
    "dirac": ".drc",
    "cavsvideo": ".cavs",
    "mjpeg": ".mjpeg .mjpg",
    "dhav": ".dav",
}
LONGEST_NAME = 200  # characters of a file, class, ... in a message
COMPANIONS = {".csv", ".json", ".md", ".parquet", ".txt"}  # expected beside class folders
VIDEO_SUFFIXES = frozenset(suffix for suffixes in SUFFIXES_OF.values() for suffix in suffixes.split())


class FoundClips(NamedTuple):
    """Files below a class folder: `clips` (path -> real path, sorted), `others` without a video suffix, and links that
    repeat files or lead to an enclosing folder.
    """

    clips: dict[str, str]
    others: list[str]
    repeats: list[str]


def find_classes(folder: Path) -> dict[str, list[str]]:
    """Name of each class folder -> the clips below it, sorted.

    Skipped files are reported in a warning. Raises `ValueError` for clips beside the class folders, for empty class
    folders, and for clips that links put into two classes; `OSError` for folders that may not be read.
    """
    entries = sorted(visible(folder), key=lambda entry: entry.name)
    if loose := [entry.name for entry in entries if is_clip(entry.name) and entry.is_file()]:
        raise ValueError(
            f"{folder} holds {first_of(loose, 'clip')} outside of class folders, and no metadata.csv with their labels"
        )
    real_folder = os.path.realpath(folder)
    found: dict[str, FoundClips] = {}
    others, repeats = [], []
    for entry in entries:
        if not os.path.isdir(entry.path):
            others += [entry.path] if Path(entry.name).suffix.lower() not in COMPANIONS else []
        elif is_around(os.path.realpath(entry.path), real_folder):
            repeats.append(entry.path)
        else:
            found[entry.name] = find_clips(entry.path)
    others += [path for each in found.values() for path in each.others]
    repeats += [path for each in found.values() for path in each.repeats]
    endings = ", ".join(sorted({Path(path).suffix.lower() or "no suffix" for path in others}))
    if not any(each.clips for each in found.values()):
        there = f"; there are only files without a video suffix ({endings})" if others else ""
        raise ValueError(
            f"there are no clips in {folder}: expected <label>/*.mp4 (or {', '.join(sorted(VIDEO_SUFFIXES))}), in it "
            f"or in folders train, val and test of it, or a metadata.csv{there}"
        )
    if empty := [label for label, each in found.items() if not each.clips]:
        raise ValueError(f"{folder} has {first_of(empty, 'class folder')} without a clip")
    if others:
        names = [os.path.relpath(path, folder) for path in others]
        logger.warning(f"{folder}: left out {first_of(names, 'file')} without a video suffix: {endings}")
    if repeats:
        names = [os.path.relpath(path, folder) for path in repeats]
        logger.warning(
            f"{folder}: left out {first_of(names, 'link')} to files found already, or to an enclosing folder"
        )
    label_of: dict[str, str] = {}
    for label, each in found.items():
        for path, real in each.clips.items():
            if label_of.setdefault(real, label) != label:
                raise ValueError(f"links put one clip into the classes {label_of[real]!r} and {label!r}: {path}")
    return {label: list(each.clips) for label, each in found.items()}


def find_clips(folder: str | os.PathLike) -> FoundClips:
    """The clips below `folder`, each file once. Links are followed, except to an enclosing folder."""
    root = os.path.realpath(folder)
    found, others, repeats = [], [], []
    entered: set[str] = set()
    folders: list[tuple[str, str]] = [(os.fspath(folder), root)]
    links: list[tuple[str, str]] = []
    while folders or links:  # a folder keeps its own name, not that of a link to it
        place, real_place = folders.pop() if folders else links.pop()
        if real_place in entered:
            repeats.append(place)
            continue
        entered.add(real_place)
        for entry in visible(place):
            is_link = entry.is_symlink()
            real = os.path.realpath(entry.path) if is_link else os.path.join(real_place, entry.name)
            if os.path.isdir(entry.path):
                if is_around(real, root) or is_around(real, real_place):
                    repeats.append(entry.path)
                else:
                    (links if is_link else folders).append((entry.path, real))
            elif is_clip(entry.name):
                found.append((is_link, entry.path, real))
            else:
                others.append(entry.path)
    first: dict[str, str] = {}
    for _, path, real in sorted(found):  # prefer a file to links to it
        if first.setdefault(real, path) != path:
            repeats.append(path)
    clips = {path: real for real, path in sorted(first.items(), key=lambda pair: pair[1])}
    return FoundClips(clips, sorted(others), sorted(repeats))


def is_clip(name: str) -> bool:
    return Path(name).suffix.lower() in VIDEO_SUFFIXES


def is_around(folder: str, inner: str) -> bool:
    """Whether `inner` is `folder` or inside it; both are real paths."""
    return inner == folder or inner.startswith(os.path.join(folder, ""))


def visible(folder: str | os.PathLike) -> list[os.DirEntry]:
    with os.scandir(os.fspath(folder)) as entries:
        return [entry for entry in entries if not entry.name.startswith(".")]


def first_of(items: Iterable[Any], what: str, count: int = 3) -> str:
    """
    >>> first_of(["a.mp4", "b.mp4", "c.mp4", "d.mp4"], "clip")
    '4 clips (a.mp4, b.mp4, c.mp4, ...)'
    """
    items = list(map(str, items))
    items = [f"{item[:LONGEST_NAME]}{'...' if len(item) > LONGEST_NAME else ''}" for item in items]
    plural = "" if len(items) == 1 else "es" if what.endswith("s") else "s"
    return f"{len(items)} {what}{plural} ({', '.join(items[:count])}{', ...' if len(items) > count else ''})"


def with_path(path: str, reason: str) -> str:
    """Why a clip cannot be read, with its path unless the reason has it.

    >>> with_path("a.mp4", "it is empty"), with_path("a.mp4", "there is no video at 'a.mp4'")
    ('a.mp4: it is empty', "there is no video at 'a.mp4'")
    """
    return reason if path in reason else f"{path}: {reason}"
