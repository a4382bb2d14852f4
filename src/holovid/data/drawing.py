"""Parts of rendered clips: shapes, backgrounds, waves, and writing the file. T frames, H, W pixels."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.random import Generator

Array = np.ndarray
FADE = 0.02  # seconds of fade-in and fade-out


def regular_polygon(corners: int) -> Callable[[Array, Array], Array]:
    """Signed distance to a regular polygon of circumradius 1: the maximum over its edges' half-planes."""
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


# Signed distance in units of the shape's radius, negative inside; one formula draws all pixels of all frames.
SHAPES: dict[str, Callable[[Array, Array], Array]] = {
    "disc": lambda x, y: np.hypot(x, y) - 1,
    "square": regular_polygon(4),
    "triangle": regular_polygon(3),
    "star": star,
    "ring": lambda x, y: np.abs(np.hypot(x, y) - 0.83) - 0.17,
    "bar": lambda x, y: np.maximum(np.abs(x) - 1.25, np.abs(y) - 0.35),
}
SOUNDS = ("rise", "fall", "tone", "noise", "siren", "clicks", "trill", "buzz")


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


def shape_coverage(shape: str, size: int, centre: Array, radius: Array, turn: float) -> Array:
    """How much of each pixel one of `SHAPES` covers, 0 to 1, (T, H, W).

    Args:
        centre: (2, T), column and row in pixels.
        radius: (T,) in pixels.
        turn: in radians.
    """
    row, column = np.mgrid[0:size, 0:size] + 0.5
    x, y = column - centre[0, :, None, None], row - centre[1, :, None, None]
    radius = radius[:, None, None]
    turned_x, turned_y = np.cos(turn) * x - np.sin(turn) * y, np.sin(turn) * x + np.cos(turn) * y
    return np.clip(0.5 - radius * SHAPES[shape](turned_x / radius, turned_y / radius), 0, 1)


def draw_wave(random: Generator, sound: str, count: int, sampling_rate: int) -> Array:
    """One of `SOUNDS` as samples (count,), before volume and fades. With equal draws, "fall" is "rise" reversed."""
    if sound == "fall":
        return draw_wave(random, "rise", count, sampling_rate)[::-1]
    time = np.arange(count) / sampling_rate
    if sound == "rise":
        low = random.uniform(250, 500)
        frequency = low * random.uniform(3, 5) ** (time / (count / sampling_rate))
        phase = 2 * np.pi * np.cumsum(frequency) / sampling_rate + random.uniform(0, 2 * np.pi)
        return np.sin(phase) + 0.3 * np.sin(2 * phase)
    if sound == "tone":
        harmonic = np.arange(1, 4)[:, None]
        phases = 2 * np.pi * random.uniform(300, 1500) * harmonic * time + random.uniform(0, 2 * np.pi, (3, 1))
        return (np.sin(phases) / harmonic).sum(0)
    if sound == "noise":
        low = random.uniform(300, 1500)
        spectrum = np.fft.rfft(random.normal(size=count))
        band = np.fft.rfftfreq(count, 1 / sampling_rate)
        return np.fft.irfft(np.where((band > low) & (band < 3 * low), spectrum, 0), count)
    if sound == "siren":  # a pitch that oscillates smoothly
        swing = np.sin(2 * np.pi * random.uniform(3, 5) * time + random.uniform(0, 2 * np.pi))
        frequency = random.uniform(600, 1200) * 1.5**swing
        return np.sin(2 * np.pi * np.cumsum(frequency) / sampling_rate)
    if sound == "trill":  # two pitches in turn
        is_high = np.floor(time * random.uniform(10, 16)) % 2 == 1
        frequency = random.uniform(400, 900) * np.where(is_high, 1.6, 1.0)
        return np.sin(2 * np.pi * np.cumsum(frequency) / sampling_rate)
    if sound == "clicks":  # short bursts of noise that die away
        since = np.mod(time, 1 / random.uniform(8, 14))
        return random.normal(size=count) * np.exp(-since / 0.008)
    turns = np.cumsum(np.full(count, random.uniform(70, 140) / sampling_rate)) + random.uniform()  # "buzz", a saw
    return 2 * np.mod(turns, 1) - 1


def fade(count: int, sampling_rate: int) -> Array:
    """Volume of each of `count` samples, 0 to 1: fade-in and fade-out without a click."""
    time = np.arange(count) / sampling_rate
    return np.minimum(1, np.minimum(time, time[::-1]) / FADE)


def write_mp4(path: Path, frames: Array, sound: Array, frame_rate: int, sampling_rate: int) -> None:
    """Write frames (T, H, W, 3) uint8 and mono sound as h264 and aac.

    Every frame is coded alone, at the same quality: predicted frames are worse than key frames, which would reveal the
    order of a shuffled clip.
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
