"""Small labelled sets of real video with known answers, to try, teach and test video models on.

A clip is an mp4 (h264 and aac) made of three factors, drawn independently:

    shape   what is in the picture  one frame is enough
    motion  what happens over time  pairs that are exact time reversals, so the *set* of frames tells nothing
    sound   what is audible         the picture tells nothing about it

The clips of a reversal pair have equal frames in opposite order, even after the codec. A model that ignores the order
of frames is at chance level within the pair, if it sees all frames or samples them alike from both ends (every third
frame from the first on reveals a little of the order).

With `events=True`, something is visible somewhere for a while and audible at another time, and the table says where
and when (`events.py`). T frames, H, W pixels.
"""

import csv
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

import av
import numpy as np
from numpy.random import Generator
from rich.progress import track

from holovid.data.drawing import (
    SHAPES,
    SOUNDS,
    Array,
    draw_background,
    draw_wave,
    fade,
    shape_coverage,
    write_mp4,
)
from holovid.data.events import EVENT_COLUMNS, check_event_classes, given_classes, render_event
from holovid.files import new_folder

REVERSED = {"left": "right", "up": "down", "shrink": "grow", "vanish": "appear"}
MOTIONS = tuple(name for pair in REVERSED.items() for name in reversed(pair))
SPLITS = {"train": "train", "val": "validation"}  # folder -> name in `datasets`
COLUMNS = ("file_name", "label", "shape", "motion", "sound", "match")
LARGEST_SIZE = 4096  # pixels; a whole clip is drawn in memory
MOST_CLIPS = 10_000_000
LONGEST = 3600  # seconds
SAMPLING_RATES = av.Codec("aac", "w").audio_rates or ()


@dataclass(frozen=True)
class ClipSet:
    """What to render: `train` + `val` clips that run through all combinations of shape, motion and sound.

    A clip has `size` x `size` pixels and lasts `seconds`; `frame_rate` and `sampling_rate` are in Hz. `seed`
    determines everything. Raises `ValueError` for impossible values.

    Args:
        events: render events at known places and times, as `events.py` describes. `shapes` are the classes, each with
            the sound at its place in `sounds`. Nothing moves.
        pictures: for events, a folder of cut-out photographs instead of drawn shapes: `<class>.png` with an alpha
            channel, or a folder `<class>` of several. `shapes` chooses classes among them, by default all; the others
            are distractors, or drawn shapes if none is left.
        sounds: for events also a folder of recordings: `<class>.wav`, or other formats, or a folder `<class>` of
            several; each class needs at least one. The others are distractors, or drawn sounds if none is left.
    """

    train: int = 960
    val: int = 320
    shapes: tuple[str, ...] = ("disc", "triangle")
    motions: tuple[str, ...] = ("right", "left")
    sounds: tuple[str, ...] | str | os.PathLike = ("rise", "fall")
    size: int = 112
    seconds: float = 2.0
    frame_rate: int = 12
    sampling_rate: int = 16_000
    seed: int = 0
    events: bool = False
    pictures: str | os.PathLike | None = None

    def __post_init__(self):
        if not self.events and (self.pictures is not None or isinstance(self.sounds, str | os.PathLike)):
            raise ValueError("folders of pictures and of sounds need events=True")
        given = given_classes(self) if self.events else {}
        for field, value in given.items():
            object.__setattr__(self, field, value)
        for field, known in (("shapes", SHAPES), ("motions", MOTIONS), ("sounds", SOUNDS)):
            if field in given:
                continue
            names = getattr(self, field)
            if not names or len(set(names)) < len(names) or not set(names) <= set(known):
                raise ValueError(
                    f"{field} must be different ones of {', '.join(known)}, got {', '.join(names) or None}"
                )
            object.__setattr__(self, field, tuple(names))
        if self.events:
            check_event_classes(self)
        if self.train < 0 or self.val < 0 or not 0 < self.train + self.val <= MOST_CLIPS:
            raise ValueError(f"train + val must be 1 to {MOST_CLIPS:,} clips, got train={self.train}, val={self.val}")
        if not 16 <= self.size <= LARGEST_SIZE or self.size % 2:
            raise ValueError(f"size must be an even number of pixels from 16 to {LARGEST_SIZE}, got {self.size}")
        if not 0 < self.seconds <= LONGEST:
            raise ValueError(f"seconds must be more than 0 and at most {LONGEST}, got {self.seconds}")
        if self.frame_rate < 1 or self.num_frames < 2:
            raise ValueError(
                f"a clip needs at least two frames, got {self.seconds} s at {self.frame_rate} frames a second"
            )
        if self.sampling_rate not in SAMPLING_RATES:
            raise ValueError(f"sampling_rate must be one of {SAMPLING_RATES}, got {self.sampling_rate}")
        if self.seed < 0:
            raise ValueError(f"seed must be 0 or more, got {self.seed}")

    @property
    def num_frames(self) -> int:
        return round(self.seconds * self.frame_rate)

    @property
    def drawn_sounds(self) -> tuple[str, ...]:
        return () if isinstance(self.sounds, str | os.PathLike) else self.sounds


def draw_frames(random: Generator, clips: ClipSet, shape: str, motion: str) -> Array:
    """Frames (T, H, W, 3) uint8. With an equal generator, "left" is "right" reversed, bit for bit."""
    if motion in REVERSED:
        return draw_frames(random, clips, shape, REVERSED[motion])[::-1]
    size, count = clips.size, clips.num_frames
    background = draw_background(random, size)
    colour = random.uniform(150, 255, 3)
    colour[random.integers(3)] *= random.uniform(0.2, 0.7)
    turn = random.uniform(0, 2 * np.pi)
    radius = np.full(count, size * random.uniform(0.11, 0.17))
    centre = size * random.uniform(0.42, 0.58, (2, 1)) + random.normal(0, 0.005 * size, (2, count))
    reach = size * random.uniform(0.20, 0.30)
    phase = np.linspace(-1, 1, count)
    phase = np.sign(phase) * np.abs(phase) ** random.uniform(0.8, 1.3)  # slower or faster in the middle
    opacity = np.ones(count)
    if motion == "right":
        centre[0] += reach * phase
    elif motion == "down":
        centre[1] += reach * phase
    elif motion == "grow":
        radius *= 1.35 * 1.9**phase
    else:
        opacity = 0.5 + 0.5 * phase

    inside = shape_coverage(shape, size, centre, radius, turn)
    coverage = (opacity[:, None, None] * inside)[..., None]
    frames = background + coverage * (colour - background) + random.normal(0, 3, (count, size, size, 3))
    return frames.round().clip(0, 255).astype(np.uint8)


def draw_sound(random: Generator, clips: ClipSet, sound: str) -> Array:
    """The sound track, float32 samples in -1..1. With an equal generator, "fall" is "rise" reversed."""
    if sound == "fall":
        return draw_sound(random, clips, "rise")[::-1]
    wave = draw_wave(random, sound, round(clips.seconds * clips.sampling_rate), clips.sampling_rate)
    loudness = random.uniform(0.2, 0.8) / np.abs(wave).max()
    hiss = random.normal(0, random.uniform(0.002, 0.02), len(wave))
    return (wave * loudness * fade(len(wave), clips.sampling_rate) + hiss).clip(-1, 1).astype(np.float32)


def render_clip(folder: Path, clips: ClipSet, split: str, index: int) -> dict[str, str]:
    if clips.events:
        random = np.random.default_rng((clips.seed, list(SPLITS).index(split), index))
        return render_event(folder / split, clips, index, random)
    combinations = list(product(clips.shapes, clips.drawn_sounds, clips.motions))
    shape, sound, motion = combinations[index % len(combinations)]
    # both motions of a reversal pair draw the same scene and sound: their seeds are equal
    pair = MOTIONS.index(REVERSED.get(motion, motion))
    scene = index // len(combinations), list(SHAPES).index(shape), SOUNDS.index(sound), pair
    seed = (clips.seed, list(SPLITS).index(split), *scene)
    picture_random, sound_random = np.random.default_rng(seed).spawn(2)

    label = f"{shape}-{motion}-{sound}"
    path = folder / split / label / f"{index:05d}.mp4"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_mp4(
        path,
        draw_frames(picture_random, clips, shape, motion),
        draw_sound(sound_random, clips, sound),
        clips.frame_rate,
        clips.sampling_rate,
    )
    same = clips.motions.index(motion) % 2 == clips.drawn_sounds.index(sound) % 2
    match = "same" if same else "differ"
    return dict(zip(COLUMNS, (f"{label}/{path.name}", label, shape, motion, sound, match), strict=True))


def recipe_of(clips: ClipSet) -> dict:
    """The content of clips.json; without events as in earlier versions, so that such sets are still recognised."""
    fields = asdict(clips)
    return fields if clips.events else {name: fields[name] for name in fields if name not in ("events", "pictures")}


def render_clips(
    folder: str | os.PathLike, clips: ClipSet | None = None, workers: int | None = None, progress: bool = True
) -> Path:
    """Render a labelled set of mp4 clips and return its folder, which `datasets` reads as a "videofolder".

        folder/train/<label>/00000.mp4 ...   folder/train/metadata.csv   (val likewise)   folder/clips.json

    `label` is shape-motion-sound. `match` is whether motion and sound have the same parity in their lists: picture or
    sound alone say nothing about it. The bytes depend on `clips` and the codecs' version only. With events the table
    has their places and times; [`read_events`] reads them.

    Args:
        folder: new or empty; a complete set of the same `clips` is kept as it is.
        clips: what to render, by default `ClipSet()`.
        workers: clips rendered at a time, by default one a core.
        progress: show a progress bar.

    Raises `ValueError` when `folder` holds anything else. The folder appears complete or not at all.
    """
    folder, clips = Path(folder), clips or ClipSet()
    recipe = json.dumps({"holovid_clips": 1} | recipe_of(clips), indent=2) + "\n"
    same = (folder / "clips.json").is_file() and (folder / "clips.json").read_text(encoding="utf-8") == recipe
    if same and sum(1 for _ in folder.glob("*/*/*.mp4")) == clips.train + clips.val:
        return folder

    jobs = [(split, index) for split in SPLITS for index in range(getattr(clips, split))]
    with new_folder(folder) as unfinished:
        # threads: NumPy and the codecs release the interpreter lock, and processes would first import torch
        with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
            rendered = pool.map(lambda job: render_clip(unfinished, clips, *job), jobs)
            rows = list(track(rendered, "Rendering clips", total=len(jobs), disable=not progress))
        for split in dict.fromkeys(split for split, _ in jobs):
            with open(unfinished / split / "metadata.csv", "w", newline="", encoding="utf-8") as file:
                table = csv.DictWriter(file, EVENT_COLUMNS if clips.events else COLUMNS)
                table.writeheader()
                table.writerows(row for row, (row_split, _) in zip(rows, jobs, strict=True) if row_split == split)
        (unfinished / "clips.json").write_text(recipe, encoding="utf-8")
    return folder
