"""Small labelled sets of real video whose answers are known, to try, teach and test video models on.

A clip is an mp4 (h264 and aac) made of three factors, each drawn independently of the other two:

    shape   what is in the picture     one frame is enough
    motion  what happens over time     pairs that are exact time reversals, so the *set* of frames tells nothing
    sound   what is heard              nothing of it is in the picture

The clips of a reversal pair show the same scene: their frames are equal, in opposite order, even after the codec. A
model that does not know in which order frames come is therefore at chance within the pair; provided that it sees all
frames, or samples them alike from both ends (every third frame from the first on tells a little of the order).

Alphabet: T frames, H, W pixels.
"""

import csv
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import product
from pathlib import Path

import av
import numpy as np
from numpy.random import Generator
from rich.progress import track

from holovid.files import new_folder

Array = np.ndarray


def regular_polygon(corners: int) -> Callable[[Array, Array], Array]:
    """Signed distance to a regular polygon of circumradius 1: the farthest of its edges' half-planes."""
    angles = (2 * np.arange(corners) + 1) * np.pi / corners

    def distance(x: Array, y: Array) -> Array:
        return np.max([x * np.cos(angle) + y * np.sin(angle) for angle in angles], axis=0) - np.cos(np.pi / corners)

    return distance


def star(x: Array, y: Array, points: int = 5, outer: float = 1.2, inner: float = 0.5) -> Array:
    """Signed distance to a star: fold the plane onto half a point, which has a single edge, from tip to notch."""
    sector = np.pi / points
    angle = np.abs((np.arctan2(y, x) + sector) % (2 * sector) - sector)
    radius = np.hypot(x, y)
    edge = np.array([inner * np.cos(sector) - outer, inner * np.sin(sector)])
    normal = np.array([edge[1], -edge[0]]) / np.hypot(*edge)
    return normal[0] * (radius * np.cos(angle) - outer) + normal[1] * radius * np.sin(angle)


# Signed distance in units of the shape's radius, negative inside: one formula draws all pixels of all frames, smooth.
SHAPES: dict[str, Callable[[Array, Array], Array]] = {
    "disc": lambda x, y: np.hypot(x, y) - 1,
    "square": regular_polygon(4),
    "triangle": regular_polygon(3),
    "star": star,
    "ring": lambda x, y: np.abs(np.hypot(x, y) - 0.83) - 0.17,
    "bar": lambda x, y: np.maximum(np.abs(x) - 1.25, np.abs(y) - 0.35),
}
REVERSED = {"left": "right", "up": "down", "shrink": "grow", "vanish": "appear"}
MOTIONS = tuple(name for pair in REVERSED.items() for name in reversed(pair))
SOUNDS = ("rise", "fall", "tone", "noise")
SPLITS = {"train": "train", "val": "validation"}  # folder -> name in `datasets`
COLUMNS = ("file_name", "label", "shape", "motion", "sound", "match")
LARGEST_SIZE = 4096  # pixels; a clip is drawn in memory as a whole
MOST_CLIPS = 10_000_000
LONGEST = 3600  # seconds
SAMPLING_RATES = av.Codec("aac", "w").audio_rates or ()


@dataclass(frozen=True)
class ClipSet:
    """What to render: `train` + `val` clips that run through all combinations of shape, motion and sound.

    A clip has `size` x `size` pixels and lasts `seconds`; `frame_rate` and `sampling_rate` are in Hz.
    Everything follows from `seed`. Raises `ValueError` when there is no such clip.
    """

    train: int = 960
    val: int = 320
    shapes: tuple[str, ...] = ("disc", "triangle")
    motions: tuple[str, ...] = ("right", "left")
    sounds: tuple[str, ...] = ("rise", "fall")
    size: int = 112
    seconds: float = 2.0
    frame_rate: int = 12
    sampling_rate: int = 16_000
    seed: int = 0

    def __post_init__(self):
        for field, known in (("shapes", SHAPES), ("motions", MOTIONS), ("sounds", SOUNDS)):
            names = getattr(self, field)
            if not names or len(set(names)) < len(names) or not set(names) <= set(known):
                raise ValueError(
                    f"{field} must be different ones of {', '.join(known)}, got {', '.join(names) or None}"
                )
            object.__setattr__(self, field, tuple(names))
        if self.train < 0 or self.val < 0 or not 0 < self.train + self.val <= MOST_CLIPS:
            raise ValueError(f"1 to {MOST_CLIPS:,} clips are rendered, got train={self.train}, val={self.val}")
        if not 16 <= self.size <= LARGEST_SIZE or self.size % 2:
            raise ValueError(f"size must be an even number of pixels from 16 to {LARGEST_SIZE}, got {self.size}")
        if not 0 < self.seconds <= LONGEST:
            raise ValueError(f"seconds must be more than 0 and at most {LONGEST}, got {self.seconds}")
        if self.frame_rate < 1 or self.num_frames < 2:
            raise ValueError(f"a clip needs two frames, got {self.seconds} s at {self.frame_rate} frames a second")
        if self.sampling_rate not in SAMPLING_RATES:
            raise ValueError(f"sampling_rate must be one of {SAMPLING_RATES}, got {self.sampling_rate}")
        if self.seed < 0:
            raise ValueError(f"seed must be 0 or more, got {self.seed}")

    @property
    def num_frames(self) -> int:
        return round(self.seconds * self.frame_rate)


def draw_background(random: Generator, size: int) -> Array:
    """A two-colour gradient with some grain and a few faint lines, (H, W, 3) in 0..255."""
    y, x = np.mgrid[0:size, 0:size] / size
    angle = random.uniform(0, 2 * np.pi)
    slope = np.clip(np.cos(angle) * (x - 0.5) + np.sin(angle) * (y - 0.5) + 0.5, 0, 1)[..., None]
    first, second = random.uniform(30, 120, (2, 3))
    grain = np.kron(random.normal(0, 4, (-(-size // 4), -(-size // 4))), np.ones((4, 4)))[:size, :size, None]
    picture = first * (1 - slope) + second * slope + grain
    for _ in range(random.integers(1, 4)):
        start, end = random.uniform(0, 1, (2, 2))
        along = end - start
        nearest = np.clip(((x - start[0]) * along[0] + (y - start[1]) * along[1]) / (along @ along), 0, 1)
        distance = np.hypot(x - start[0] - nearest * along[0], y - start[1] - nearest * along[1]) * size
        coverage = np.clip(random.uniform(0.5, 1.5) + 0.5 - distance, 0, 1)[..., None]
        picture += coverage * (random.uniform(60, 140, 3) - picture)
    return picture


def draw_frames(random: Generator, clips: ClipSet, shape: str, motion: str) -> Array:
    """The picture, (T, H, W, 3) uint8. With an equal generator, "left" is "right" read backwards, bit for bit."""
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

    row, column = np.mgrid[0:size, 0:size] + 0.5
    x, y = column - centre[0, :, None, None], row - centre[1, :, None, None]
    radius = radius[:, None, None]
    turned_x, turned_y = np.cos(turn) * x - np.sin(turn) * y, np.sin(turn) * x + np.cos(turn) * y
    inside = np.clip(0.5 - radius * SHAPES[shape](turned_x / radius, turned_y / radius), 0, 1)
    coverage = (opacity[:, None, None] * inside)[..., None]
    frames = background + coverage * (colour - background) + random.normal(0, 3, (count, size, size, 3))
    return frames.round().clip(0, 255).astype(np.uint8)


def draw_sound(random: Generator, clips: ClipSet, sound: str) -> Array:
    """The sound track, float32 samples in -1..1. With an equal generator, "fall" is "rise" read backwards."""
    if sound == "fall":
        return draw_sound(random, clips, "rise")[::-1]
    time = np.arange(round(clips.seconds * clips.sampling_rate)) / clips.sampling_rate
    if sound == "rise":
        low = random.uniform(250, 500)
        frequency = low * random.uniform(3, 5) ** (time / clips.seconds)
        phase = 2 * np.pi * np.cumsum(frequency) / clips.sampling_rate + random.uniform(0, 2 * np.pi)
        wave = np.sin(phase) + 0.3 * np.sin(2 * phase)
    elif sound == "tone":
        harmonic = np.arange(1, 4)[:, None]
        phases = 2 * np.pi * random.uniform(300, 1500) * harmonic * time + random.uniform(0, 2 * np.pi, (3, 1))
        wave = (np.sin(phases) / harmonic).sum(0)
    else:
        low = random.uniform(300, 1500)
        spectrum = np.fft.rfft(random.normal(size=len(time)))
        band = np.fft.rfftfreq(len(time), 1 / clips.sampling_rate)
        wave = np.fft.irfft(np.where((band > low) & (band < 3 * low), spectrum, 0), len(time))
    loudness = random.uniform(0.2, 0.8) / np.abs(wave).max()
    fade = np.minimum(1, np.minimum(time, time[::-1]) / 0.02)
    hiss = random.normal(0, random.uniform(0.002, 0.02), len(time))
    return (wave * loudness * fade + hiss).clip(-1, 1).astype(np.float32)


def write_mp4(path: Path, frames: Array, sound: Array, frame_rate: int, sampling_rate: int) -> None:
    """Write frames (T, H, W, 3) uint8 and mono sound as h264 and aac.

    Every frame is coded alone and at the same quality: predicted frames are worse than the one they start from, which
    would betray the order of a shuffled clip.
    """
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=frame_rate)
        video.height, video.width, video.pix_fmt = frames.shape[1], frames.shape[2], "yuv420p"
        video.options = {"qp": "24", "g": "1", "preset": "veryfast", "threads": "1"}
        audio = container.add_stream("aac", rate=sampling_rate, layout="mono")
        audio.bit_rate = 64_000
        for frame in frames:
            container.mux(video.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(video.encode(None))
        sound = np.ascontiguousarray(sound)
        for start in range(0, len(sound), 1024):
            block = av.AudioFrame.from_ndarray(sound[None, start : start + 1024], format="fltp", layout="mono")
            block.sample_rate, block.pts, block.time_base = sampling_rate, start, Fraction(1, sampling_rate)
            container.mux(audio.encode(block))
        container.mux(audio.encode(None))


def render_clip(folder: Path, clips: ClipSet, split: str, index: int) -> dict[str, str]:
    """Render clip `index` of a split below `folder`; returns its row of metadata.csv."""
    combinations = list(product(clips.shapes, clips.sounds, clips.motions))
    shape, sound, motion = combinations[index % len(combinations)]
    # the motions of a reversal pair draw the same scene and the same sound: no number in the seed tells them apart
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
    same = clips.motions.index(motion) % 2 == clips.sounds.index(sound) % 2
    match = "same" if same else "differ"
    return dict(zip(COLUMNS, (f"{label}/{path.name}", label, shape, motion, sound, match), strict=True))


def render_clips(
    folder: str | os.PathLike, clips: ClipSet | None = None, workers: int | None = None, progress: bool = True
) -> Path:
    """Render a labelled set of mp4 clips and return its folder, which `datasets` reads as a "videofolder".

        folder/train/<label>/00000.mp4 ...   folder/train/metadata.csv   (val likewise)   folder/clips.json

    `label` is shape-motion-sound. `match` is whether motion and sound have the same parity in their lists: neither the
    picture alone nor the sound alone says anything about it. The bytes depend on `clips` and the codecs' version only.

    Args:
        folder: is made, or may be empty; a complete set of the same `clips` is kept as it is.
        clips: what to render, by default `ClipSet()`.
        workers: clips rendered at a time, by default one a core.
        progress: show a progress bar.

    Raises `ValueError` when `folder` holds anything else. The folder appears when it is complete, or not at all.
    """
    folder, clips = Path(folder), clips or ClipSet()
    recipe = json.dumps({"holovid_clips": 1} | asdict(clips), indent=2) + "\n"
    same = (folder / "clips.json").is_file() and (folder / "clips.json").read_text() == recipe
    if same and sum(1 for _ in folder.glob("*/*/*.mp4")) == clips.train + clips.val:
        return folder

    jobs = [(split, index) for split in SPLITS for index in range(getattr(clips, split))]
    with new_folder(folder) as unfinished:
        # threads: numpy and the codecs work outside the interpreter lock, and a process would first import torch
        with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
            rendered = pool.map(lambda job: render_clip(unfinished, clips, *job), jobs)
            rows = list(track(rendered, "Rendering clips", total=len(jobs), disable=not progress))
        for split in dict.fromkeys(split for split, _ in jobs):
            with open(unfinished / split / "metadata.csv", "w", newline="") as file:
                table = csv.DictWriter(file, COLUMNS)
                table.writeheader()
                table.writerows(row for row, (row_split, _) in zip(rows, jobs, strict=True) if row_split == split)
        (unfinished / "clips.json").write_text(recipe)
    return folder
