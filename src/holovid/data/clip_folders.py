"""Which files of a folder are clips: by their suffixes, each once however many links lead to it.

Nothing is opened. What is left out is told, because a class that lost its camcorder's files looks like a small class.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from transformers.utils import logging

logger = logging.get_logger(__name__)

# FFmpeg's name of a container -> suffixes of files in it that show pictures, as cameras, discs and programs write them
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
COMPANIONS = {".csv", ".json", ".md", ".parquet", ".txt"}  # beside folders of classes they are expected
VIDEO_SUFFIXES = frozenset(suffix for suffixes in SUFFIXES_OF.values() for suffix in suffixes.split())


class FoundClips(NamedTuple):
    """Files below the folder of a class.

    Args:
        clips: path -> where the file really is, sorted by path.
        others: what has no suffix of a video.
        repeats: links to clips and folders that are there already, or that lead back to a folder around them.
    """

    clips: dict[str, str]
    others: list[str]
    repeats: list[str]


def find_classes(folder: Path) -> dict[str, list[str]]:
    """The name of each folder in `folder` -> the clips below it, sorted.

    Says in a warning what else lies there. Raises `ValueError` for clips beside the folders, for folders without a
    clip, and for clips that links put into two classes; `OSError` for folders that may not be read.
    """
    entries = sorted(visible(folder), key=lambda entry: entry.name)
    if loose := [entry.name for entry in entries if is_clip(entry.name) and entry.is_file()]:
        raise ValueError(
            f"{folder} holds {first_of(loose, 'clip')} outside of the folders of classes, and no metadata.csv to "
            "say what they show"
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
        there = f"; there are only files that do not end as videos do ({endings})" if others else ""
        raise ValueError(
            f"there are no clips in {folder}: expected <label>/*.mp4 (or {', '.join(sorted(VIDEO_SUFFIXES))}), in it "
            f"or in folders train, val and test of it, or a metadata.csv{there}"
        )
    if empty := [label for label, each in found.items() if not each.clips]:
        raise ValueError(f"{folder} has {first_of(empty, 'class folder')} without a clip")
    if others:
        names = [os.path.relpath(path, folder) for path in others]
        logger.warning(f"{folder}: left out {first_of(names, 'file')}, which do not end as videos do: {endings}")
    if repeats:
        names = [os.path.relpath(path, folder) for path in repeats]
        logger.warning(f"{folder}: left out {first_of(names, 'link')} to what is there already, or around itself")
    label_of: dict[str, str] = {}
    for label, each in found.items():
        for path, real in each.clips.items():
            if label_of.setdefault(real, label) != label:
                raise ValueError(f"links put one clip into the classes {label_of[real]!r} and {label!r}: {path}")
    return {label: list(each.clips) for label, each in found.items()}


def find_clips(folder: str | os.PathLike) -> FoundClips:
    """The clips below `folder`, at any depth, each file once.

    Links are followed, but not to a folder around them, which has the clips of other classes too.
    """
    root = os.path.realpath(folder)
    found, others, repeats = [], [], []
    entered: set[str] = set()
    folders: list[tuple[str, str]] = [(os.fspath(folder), root)]
    links: list[tuple[str, str]] = []
    while folders or links:  # a folder is known by its own name, and not by that of a link to it
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
    for _, path, real in sorted(found):  # of a file and links to it, the file
        if first.setdefault(real, path) != path:
            repeats.append(path)
    clips = {path: real for real, path in sorted(first.items(), key=lambda pair: pair[1])}
    return FoundClips(clips, sorted(others), sorted(repeats))


def is_clip(name: str) -> bool:
    return Path(name).suffix.lower() in VIDEO_SUFFIXES


def is_around(folder: str, inner: str) -> bool:
    """Whether `inner` is `folder` or lies in it; both are real paths."""
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
