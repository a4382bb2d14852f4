"""Clips of known quality: blur, noise, blocks and dropped frames of any strength are added to clean clips.

A clip shows four pictures twice, 1 2 3 4 1 2 3 4, each brighter than the one before. Where frames are dropped, a
picture is held in place of the next one: 1 1 2 3 4 2 3 4, and at worst 1 1 2 2 3 3 4 4. Each picture is shown equally
often, so only the order tells how many were dropped.

Pictures come from scenes of `holovid.synthetic`, and from videos that people filmed, through a window that moves over
them. Quality goes from 100, untouched, to 0.

Alphabet: P pictures, T frames, H, W pixels.
"""

import csv
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np
from numpy.random import Generator

from holovid.data.synthetic import ClipSet, draw_frames
from holovid.files import new_folder

Array = np.ndarray
PICTURES, NUM_FRAMES = 4, 8
SIZE = 48  # pixels of a clip
SEEN = 16  # of a part of it: the model sees one at a time
SHORT_SIDE = 96  # to which videos are scaled
LIGHT = np.array([0.4, 0.6, 0.8, 1.0])  # of the four pictures
WINDOWS = 8  # of which the one with the most detail is taken: a blurred wall is a wall
TRAIN_SHAPES, TEST_SHAPES = ("disc", "square", "triangle", "bar"), ("star", "ring")
MOTIONS = ("right", "left", "up", "down")
COLUMNS = ("name", "mos", "distortion", "source")


def smooth(frames: Array, sigma: float) -> Array:
    """Gaussian blur of frames (T, H, W, C)."""
    reach = np.arange(-12, 13)
    kernel = np.exp(-0.5 * (reach / sigma) ** 2)
    kernel /= kernel.sum()
    for axis in (1, 2):
        padding = [(12, 12) if each == axis else (0, 0) for each in range(4)]
        padded = np.pad(frames, padding, mode="reflect")
        windows = np.lib.stride_tricks.sliding_window_view(padded, len(kernel), axis)
        frames = windows @ kernel
    return frames


def blur(pictures: Array, strength: float, random: Generator) -> Array:
    return played(smooth(pictures, 0.4 * 8**strength) if strength > 0 else pictures)


def noise(pictures: Array, strength: float, random: Generator) -> Array:
    frames = played(pictures)
    return frames + random.normal(0, 2 * 25**strength if strength > 0 else 0, frames.shape)


def blocks(pictures: Array, strength: float, random: Generator) -> Array:
    """Each square of 8 pixels comes nearer to its mean."""
    count, height, width, channels = pictures.shape
    squares = pictures.reshape(count, height // 8, 8, width // 8, 8, channels)
    means = squares.mean((2, 4), keepdims=True)
    return played(((1 - strength) * squares + strength * means).reshape(pictures.shape))


def drop_frames(pictures: Array, strength: float, random: Generator) -> Array:
    held = random.permutation(PICTURES)[: round(strength * PICTURES)]
    return played(pictures, held)


def played(pictures: Array, held: Sequence[int] = ()) -> Array:
    """Four pictures twice (T, H, W, C); those that are `held` are shown the second time where they came first.

    >>> played(np.arange(4), held=[0, 2])
    array([0, 0, 1, 2, 2, 3, 1, 3])
    """
    first = [number for number in range(PICTURES) for _ in range(2 if number in held else 1)]
    return pictures[first + [number for number in range(PICTURES) if number not in held]]


DISTORTIONS: dict[str, Callable[[Array, float, Generator], Array]] = {
    "blur": blur,
    "noise": noise,
    "blocks": blocks,
    "dropped frames": drop_frames,
}


def read_video(path: Path) -> Array:
    """All frames (T, H, W, C) uint8, with a short side of `SHORT_SIDE` pixels."""
    frames = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            scale = SHORT_SIDE / min(frame.width, frame.height)
            size = [max(SHORT_SIDE, round(side * scale)) for side in (frame.width, frame.height)]
            frames.append(frame.reformat(*size, format="rgb24").to_ndarray())
    return np.stack(frames)


def draw_pictures(random: Generator, video: Array | None, shapes: Sequence[str]) -> Array:
    """Four pictures (P, H, W, C) in 0..255, out of a video, or else of a scene that is drawn."""
    if video is None:
        clips = ClipSet(size=2 * SIZE, seconds=1.0, frame_rate=PICTURES)
        scene = draw_frames(random, clips, str(random.choice(shapes)), str(random.choice(MOTIONS)))
    else:
        start = random.integers(0, len(video) - 2 * PICTURES)
        scene = video[start : start + 2 * PICTURES : 2]
    found = [look_through_window(random, scene) for _ in range(WINDOWS)]
    return max(found, key=detail) * LIGHT[:, None, None, None]


def look_through_window(random: Generator, scene: Array) -> Array:
    """What is seen (P, H, W, C) through a window that moves two to four pixels a picture in one direction."""
    angle, speed = random.uniform(0, 2 * np.pi), random.uniform(2, 4)
    corners = []
    for length, along in zip(scene.shape[1:3], (np.sin(angle), np.cos(angle)), strict=True):
        way = np.round(along * speed * np.arange(PICTURES)).astype(int)
        corners.append(way + random.integers(-way.min(), length - SIZE - way.max() + 1))
    windows = [scene[number, y : y + SIZE, x : x + SIZE] for number, (y, x) in enumerate(zip(*corners, strict=True))]
    return np.stack(windows).astype(float)


def detail(pictures: Array) -> float:
    """How much neighbouring pixels differ, in the middle."""
    edge = (SIZE - SEEN) // 2
    middle = pictures[:, edge:-edge, edge:-edge]
    return float(np.abs(np.diff(middle, axis=1)).mean() + np.abs(np.diff(middle, axis=2)).mean())


def make_clip(seed: Sequence[int], videos: Sequence[Array], shapes: Sequence[str]) -> tuple[Array, float, str, str]:
    """Frames (T, H, W, C) uint8, their quality, the distortion, and the kind of source: every other one is filmed."""
    random = np.random.default_rng(seed)
    number = seed[-1]
    filmed = bool(videos) and number % 2 == 1
    pictures = draw_pictures(random, videos[random.integers(len(videos))] if filmed else None, shapes)
    name = list(DISTORTIONS)[number // 2 % len(DISTORTIONS)]
    strength = random.uniform()
    if name == "dropped frames":
        strength = round(strength * PICTURES) / PICTURES
    frames = DISTORTIONS[name](pictures, strength, random)
    return frames.round().clip(0, 255).astype(np.uint8), 100 * (1 - strength), name, "filmed" if filmed else "drawn"


def write_clip(path: Path, frames: Array) -> None:
    """Nearly as they are: every frame is coded alone, at a quality that adds little to what was done."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=NUM_FRAMES)
        video.height, video.width, video.pix_fmt = frames.shape[1], frames.shape[2], "yuv444p"
        video.options = {"qp": "8", "g": "1", "preset": "ultrafast", "threads": "1"}
        for frame in frames:
            container.mux(video.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(video.encode(None))


def render(folder: Path, clips: int, seed: int, split: int, videos: Sequence[Array], shapes: Sequence[str]) -> Path:
    """Write so many clips and the table `scores.csv` to a new folder; returns the table."""
    with new_folder(folder) as unfinished:

        def write(number: int) -> dict[str, str | float]:
            frames, quality, distortion, source = make_clip((seed, split, number), videos, shapes)
            name = f"{number:05d}.mp4"
            write_clip(unfinished / name, frames)
            return dict(zip(COLUMNS, (name, round(quality, 3), distortion, source), strict=True))

        with ThreadPoolExecutor(2) as pool:
            rows = list(pool.map(write, range(clips)))
        with open(unfinished / "scores.csv", "w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, COLUMNS)
            table.writeheader()
            table.writerows(rows)
    return folder / "scores.csv"
