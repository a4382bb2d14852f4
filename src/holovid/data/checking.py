"""Checks a set of clips before training.

Every file is opened once. The report has facts about clips, and faults. Severe faults make training or its validation
wrong: a clip that cannot be read, is in two splits, or has two labels.
"""

import hashlib
import os
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from itertools import combinations
from typing import Any

from datasets import ClassLabel, Dataset

from holovid.data.clip_folders import first_of, with_path
from holovid.data.named_clips import NamedClip
from holovid.processing.video_decoding import open_video

SMALL = 64  # pixels of the short side
SHORT = 8  # frames
FEW = 10  # training clips of a class
SEVERE = ("broken", "in two splits", "two labels", "near in two splits")
FAULTS = {
    "broken": "which cannot be read",
    "in two splits": "so validation uses training clips",
    "two labels": "of the same clip",
    "repeated": "within a split",
    "parts in two splits": "parts of one film; `holovid data split --by path` keeps them together",
    "cut off": "whose file ends too early; copy it again",
    "short": f"of fewer than {SHORT} frames",
    "small": f"less than {SMALL} pixels high or wide",
    "silent": "while others of the set have sound",
    "few clips": f"with fewer than {FEW} training clips",
    "not validated": "without a validation clip",
}
READ_AT_ONCE = 2**20  # bytes


@dataclass(frozen=True)
class ClipFacts:
    """Facts about a clip, a row of a split.

    Args:
        label: as text; several classes joined by `|`.
        start, end: in seconds; `None` is where the file begins or ends.
        seconds, frames, frame_rate, height, width: as decoded.
        cut_off: frames that the file announces and does not hold.
        hears: whether the file has a sound track.
        digest: hash of the file's content, to find copies.
        error: why it cannot be read; the other facts are then unset.
        nearest, distance: the most similar other clip and its distance, if vectors were compared.
    """

    split: str
    path: str
    label: str
    start: float | None = None
    end: float | None = None
    seconds: float = 0.0
    frames: int = 0
    frame_rate: float = 0.0
    height: int = 0
    width: int = 0
    cut_off: int = 0
    hears: bool = False
    digest: str = ""
    error: str | None = None
    nearest: str | None = None
    distance: float | None = None

    @property
    def video(self) -> str | dict[str, Any]:
        return NamedClip(self.path, self.start, self.end).video


@dataclass(frozen=True)
class Fault:
    kind: str
    what: str
    items: tuple[str, ...]

    @property
    def severe(self) -> bool:
        return self.kind in SEVERE

    def sentence(self) -> str:
        """
        >>> Fault("small", "less than 64 pixels high or wide", ("a.mp4", "b.mp4")).sentence()
        'small: 2 clips (a.mp4, b.mp4), less than 64 pixels high or wide'
        """
        kind = "class" if self.kind in ("few clips", "not validated") else "clip"
        return f"{self.kind}: {first_of(self.items, kind)}, {self.what}"


@dataclass
class ClipReport:
    """Facts and faults of a set of clips; `near` is the distance of near duplicates, if vectors were compared."""

    clips: list[ClipFacts]
    faults: list[Fault] = field(default_factory=list)
    near: float | None = None

    @property
    def is_severe(self) -> bool:
        return any(fault.severe for fault in self.faults)

    def splits(self) -> dict[str, dict[str, Any]]:
        """Split -> numbers of clips and classes, hours, and medians and ranges over the readable clips."""
        found = {}
        for split in dict.fromkeys(clip.split for clip in self.clips):
            clips = [clip for clip in self.clips if clip.split == split]
            whole = [clip for clip in clips if clip.error is None]
            found[split] = {
                "clips": len(clips),
                "broken": len(clips) - len(whole),
                "classes": len({clip.label for clip in clips}),
                "hours": sum(clip.seconds for clip in whole) / 3600,
                "silent": sum(not clip.hears for clip in whole),
                "seconds": spread_of(clip.seconds for clip in whole),
                "frame_rate": spread_of(clip.frame_rate for clip in whole),
                "sizes": [
                    f"{width}x{height}"
                    for (width, height), _ in Counter((clip.width, clip.height) for clip in whole).most_common(3)
                ],
            }
            if self.near is not None:
                found[split]["near"] = sum(clip.distance is not None and clip.distance <= self.near for clip in clips)
        return found

    def as_json(self) -> dict[str, Any]:
        faults = [asdict(fault) | {"items": list(fault.items), "severe": fault.severe} for fault in self.faults]
        return {"splits": self.splits(), "faults": faults, "clips": [asdict(clip) for clip in self.clips]}


def spread_of(values: Iterable[float]) -> list[float]:
    found = sorted(values)
    return [found[0], statistics.median(found), found[-1]] if found else []


def inspect_clips(
    clips: Mapping[str, Dataset],
    target: str = "label",
    workers: int | None = None,
    advance: Callable[[], Any] = lambda: None,
) -> ClipReport:
    """Open every clip of `load_clips(source, missing="ignore")` and report facts and faults.

    `workers` clips are opened at a time (default: one a core); `advance` is called after each.
    """
    rows = [facts for split, table in clips.items() for facts in listed(split, table, target)]
    digest = lru_cache(maxsize=None)(digest_of)

    def look(row: ClipFacts) -> ClipFacts:
        found = looked_at(row, digest)
        advance()
        return found

    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        report = ClipReport(list(pool.map(look, rows)))
    report.faults = [fault for fault in faults_of(report.clips) if fault.items]
    return report


def listed(split: str, table: Dataset, target: str) -> list[ClipFacts]:
    feature, plain = table.features[target], table.with_format(None)
    columns = [
        plain[name][:] if name in table.features else [None] * len(table) for name in ("video", target, "start", "end")
    ]

    def named(value: Any) -> str:
        if isinstance(value, list):
            return "|".join(map(named_in_list, value))
        return feature.int2str(value) if isinstance(feature, ClassLabel) else str(value)

    def named_in_list(value: Any) -> str:
        inner = getattr(feature, "feature", None)
        return inner.int2str(value) if isinstance(inner, ClassLabel) else str(value)

    return [
        ClipFacts(split, video["path"] or f"row {row}", named(label), start, end)
        for row, (video, label, start, end) in enumerate(zip(*columns, strict=True))
    ]


def looked_at(row: ClipFacts, digest: Callable[[str], str]) -> ClipFacts:
    known = asdict(row)
    try:
        with open_video(row.video, with_sound=True) as video:
            about = video.metadata
            known |= {
                "seconds": float(about.duration or 0.0),
                "frames": int(about.total_num_frames),
                "frame_rate": float(about.fps or 0.0),
                "height": int(about.height),
                "width": int(about.width),
                "cut_off": getattr(video, "frames_cut_off", 0),  # which a picture does not have
                "hears": getattr(video, "sound", None) is not None,
            }
        known["digest"] = digest(row.path)
    except (OSError, ValueError) as error:
        known["error"] = str(error)
    return ClipFacts(**known)


def digest_of(path: str) -> str:
    if not os.path.isfile(path):  # a URL
        return hashlib.sha256(path.encode()).hexdigest()
    with open(path, "rb") as file:
        found = hashlib.sha256()
        while piece := file.read(READ_AT_ONCE):
            found.update(piece)
    return found.hexdigest()


def faults_of(clips: Sequence[ClipFacts]) -> list[Fault]:
    whole = [clip for clip in clips if clip.error is None]
    of_file: dict[str, list[ClipFacts]] = defaultdict(list)
    for clip in whole:
        of_file[clip.digest].append(clip)
    same = [pair for group in of_file.values() for pair in combinations(group, 2) if overlap(*pair)]
    counts = Counter((clip.split, clip.label) for clip in clips)
    classes = list(dict.fromkeys(clip.label for clip in clips))
    splits = list(dict.fromkeys(clip.split for clip in clips))
    validated = [split for split in splits if split != "train"]
    in_parts = [
        group[0].path
        for group in of_file.values()
        if len({clip.split for clip in group}) > 1 and not any(overlap(*pair) for pair in combinations(group, 2))
    ]
    has_sound = any(clip.hears for clip in whole)
    found: dict[str, Iterable[str]] = {
        "broken": (with_path(clip.path, clip.error) for clip in clips if clip.error),
        "in two splits": (f"{a.path} = {b.path}" for a, b in same if a.split != b.split),
        "two labels": (f"{a.path}: {a.label}, {b.path}: {b.label}" for a, b in same if a.label != b.label),
        "repeated": (f"{a.path} = {b.path}" for a, b in same if (a.split, a.label) == (b.split, b.label)),
        "parts in two splits": in_parts,
        "cut off": (f"{clip.path}: {clip.cut_off} frames are missing" for clip in whole if clip.cut_off),
        "short": (clip.path for clip in whole if clip.frames < SHORT),
        "small": (clip.path for clip in whole if min(clip.height, clip.width) < SMALL),
        "silent": (clip.path for clip in whole if has_sound and not clip.hears),
        "few clips": (label for label in classes if "train" in splits and counts["train", label] < FEW),
        "not validated": (
            label for label in classes if validated and not any(counts[split, label] for split in validated)
        ),
    }
    return [Fault(kind, FAULTS[kind], tuple(dict.fromkeys(items))) for kind, items in found.items()]


def overlap(one: ClipFacts, other: ClipFacts) -> bool:
    """
    >>> part = ClipFacts("train", "a.mp4", "run", start=1.0, end=2.0)
    >>> whole, later = ClipFacts("train", "a.mp4", "run"), ClipFacts("train", "a.mp4", "run", start=2.0)
    >>> overlap(part, whole), overlap(part, later)
    (True, False)
    """
    (a, b), (c, d) = ((clip.start or 0.0, float("inf") if clip.end is None else clip.end) for clip in (one, other))
    return a < d and c < b


__all__ = ["ClipFacts", "ClipReport", "Fault", "inspect_clips"]
