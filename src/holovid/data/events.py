"""Rendered clips with known places and times of their class: the truth that explanations are measured against.

Something of the clip's class is visible at one place for part of the clip, and the class's sound plays during a part
of its own, so a model can use either. Distractors of no class are visible elsewhere at any time, and audible at other
times, so what merely stands out is not the class.

metadata.csv has, besides `file_name` and `label`, the class,

    picture, sound          file or name of both
    x0, y0, x1, y1          the box, in per cent of the frame's width (x) and height (y), from the upper left corner
    seen_from, seen_to      first and last second of the picture
    heard_from, heard_to    first and last second of the sound

`event_truth.py` reads it. T frames, H, W pixels.
"""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator
from PIL import Image

from holovid.data.drawing import SHAPES, SOUNDS, Array, draw_background, draw_wave, fade, shape_coverage, write_mp4

if TYPE_CHECKING:
    from holovid.data.synthetic import ClipSet

BOX_COLUMNS = ("x0", "y0", "x1", "y1")
SEEN_COLUMNS, HEARD_COLUMNS = ("seen_from", "seen_to"), ("heard_from", "heard_to")
EVENT_COLUMNS = ("file_name", "label", "picture", "sound", *BOX_COLUMNS, *SEEN_COLUMNS, *HEARD_COLUMNS)
SEEN_PART, HEARD_PART = (0.25, 0.5), (0.2, 0.4)  # shares of a clip; two sounds always fit one after the other
RADIUS = (0.09, 0.14)  # as a share of a frame's side
REACH = 1.3  # largest distance from the centre, in radii: the corner of a bar
MOST_BESIDE = 2  # visible distractors
PICTURE_SUFFIXES = {".png", ".webp", ".gif", ".tif", ".tiff"}  # formats with an alpha channel
SOUND_SUFFIXES = {".wav", ".ogg", ".oga", ".opus", ".mp3", ".flac", ".m4a", ".aac"}
LARGEST_PICTURE = 256  # pixels a side, kept in memory
AUDIBLE = 0.05  # share of the loudest sample; softer ends of a recording are cut off


def files_of_classes(folder: str | os.PathLike, suffixes: set[str]) -> dict[str, tuple[Path, ...]]:
    """Class -> its files, `<class>.png` or `<class>/*.png`, sorted. Raises `ValueError` if there are none."""
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}")
    found: dict[str, list[Path]] = {}
    for path in sorted([*folder.glob("*"), *folder.glob("*/*")]):
        inside = path.parent != folder
        if path.is_file() and path.suffix.lower() in suffixes and not path.name.startswith("."):
            found.setdefault(path.parent.name if inside else path.stem, []).append(path)
    if not found:
        raise ValueError(f"{folder} has no files <class>.ext or <class>/*.ext of {', '.join(sorted(suffixes))}")
    return {name: tuple(paths) for name, paths in sorted(found.items())}


def given_classes(clips: "ClipSet") -> dict:
    """Fields of events from folders: paths, and the pictures' classes. Raises `ValueError` for missing files."""
    given: dict = {}
    classes = clips.shapes
    if clips.pictures is not None:
        given["pictures"] = os.fspath(clips.pictures)
        names = files_of_classes(clips.pictures, PICTURE_SUFFIXES)
        is_default = tuple(classes) == type(clips).shapes
        if not is_default and (unknown := sorted(set(classes) - set(names))):
            raise ValueError(f"{clips.pictures} has no picture of {', '.join(unknown)}; it has {', '.join(names)}")
        classes = tuple(names) if is_default and not set(classes) <= set(names) else tuple(classes)
        given["shapes"] = classes
    if isinstance(clips.sounds, str | os.PathLike):
        names = files_of_classes(clips.sounds, SOUND_SUFFIXES)
        if unheard := sorted(set(classes) - set(names)):
            raise ValueError(f"{os.fspath(clips.sounds)} has no recording of {', '.join(unheard)}")
        given["sounds"] = os.fspath(clips.sounds)
    return given


def check_event_classes(clips: "ClipSet") -> None:
    """Raise `ValueError` unless each class has a sound, and a shape and a sound are left as distractors."""
    if clips.motions != type(clips).motions:
        raise ValueError(f"events do not move: leave out motions, got {', '.join(clips.motions)}")
    if len(set(clips.shapes)) < len(clips.shapes):
        raise ValueError(f"shapes must be different, got {', '.join(clips.shapes)}")
    sounds = clips.drawn_sounds
    if sounds and len(sounds) != len(clips.shapes):
        raise ValueError(
            f"each class of events needs a sound: {len(clips.shapes)} shapes need as many, got {len(sounds)}"
        )
    if clips.pictures is None and len(clips.shapes) == len(SHAPES):
        raise ValueError(f"one shape must be left as a distractor, got all {len(SHAPES)}")
    if len(sounds) == len(SOUNDS):
        raise ValueError(f"one sound must be left as a distractor, got all {len(SOUNDS)}")


def sources_of(clips: "ClipSet") -> tuple[dict, list, dict, list]:
    """Pictures of each class and distractors, then sounds likewise: names of shapes and sounds, or paths."""
    shown: dict = {name: [name] for name in clips.shapes}
    beside: list = [name for name in SHAPES if name not in clips.shapes]
    if clips.pictures is not None:
        pictures = files_of_classes(clips.pictures, PICTURE_SUFFIXES)
        shown = {name: pictures[name] for name in clips.shapes}
        others = [path for name, paths in pictures.items() if name not in clips.shapes for path in paths]
        beside = others or list(SHAPES)
    if isinstance(clips.sounds, str):
        recordings = files_of_classes(clips.sounds, SOUND_SUFFIXES)
        played: dict = {name: recordings[name] for name in clips.shapes}
        others = [path for name, paths in recordings.items() if name not in clips.shapes for path in paths]
        return shown, beside, played, others or list(SOUNDS)
    played = {name: [sound] for name, sound in zip(clips.shapes, clips.drawn_sounds, strict=True)}
    return shown, beside, played, [name for name in SOUNDS if name not in clips.drawn_sounds]


def pick_one(random: Generator, choices: Sequence) -> str | Path:
    return choices[int(random.integers(len(choices)))]


@lru_cache(maxsize=256)
def cut_out(path: Path) -> Image.Image:
    """A photograph cropped to what is not transparent, RGBA. Raises `ValueError` if all of it is."""
    with Image.open(path) as file:
        picture = file.convert("RGBA")
    if (box := picture.getchannel("A").getbbox()) is None:
        raise ValueError(f"{path} shows nothing: all of it is transparent")
    picture = picture.crop(box)
    picture.thumbnail((LARGEST_PICTURE, LARGEST_PICTURE))
    return picture


@lru_cache(maxsize=256)
def recording(path: Path, sampling_rate: int) -> Array:
    """The samples of a file, mono, without silence at its ends. Raises `ValueError` if all of it is silent."""
    from holovid.processing.given_sounds import open_sound  # imports torch, which delays error messages

    with ExitStack() as opened:
        sound = open_sound(path, None, opened)
        samples = np.zeros(0) if sound is None else sound.read(0, round(sound.seconds * sampling_rate), sampling_rate)
    loudness = np.abs(np.asarray(samples, dtype=np.float64))
    if not loudness.size or not loudness.max():
        raise ValueError(f"{path} is silent; take it out of the folder")
    heard = np.flatnonzero(loudness > AUDIBLE * loudness.max())
    return np.asarray(samples, dtype=np.float64)[heard[0] : heard[-1] + 1]


def draw_source(random: Generator, source: str | Path, size: int, centre: Array, radius: float) -> tuple[Array, Array]:
    """A shape or a photograph at `centre` (column, row): its coverage of each pixel (H, W, 1), and its colours.

    `radius` is in pixels; it extends to `REACH` times this at most.
    """
    turn = random.uniform(0, 2 * np.pi)
    if isinstance(source, str):
        colour = random.uniform(150, 255, 3)
        colour[random.integers(3)] *= random.uniform(0.2, 0.7)
        return shape_coverage(source, size, centre[:, None], np.array([radius]), turn)[0, ..., None], colour
    picture = cut_out(source)
    picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if random.random() < 0.5 else picture
    picture = picture.rotate(random.uniform(-25, 25), Image.Resampling.BILINEAR, expand=True)
    scale = 2 * REACH * radius / max(picture.size)
    picture = picture.resize([max(1, round(side * scale)) for side in picture.size], Image.Resampling.LANCZOS)
    canvas = Image.new("RGBA", (size, size))
    left, upper = (round(float(centre[side]) - picture.size[side] / 2) for side in (0, 1))
    canvas.paste(picture, (left, upper))
    pixels = np.asarray(canvas, dtype=np.float64)
    return pixels[..., 3:] / 255, pixels[..., :3]


def box_of(coverage: Array) -> Array:
    """The smallest box around pixels covered at least half, x0, y0, x1, y1 in per cent; coverage (H, W, 1)."""
    height, width = coverage.shape[:2]
    rows, columns = np.nonzero(coverage[..., 0] >= min(0.5, coverage.max()))
    corners = np.array([columns.min() / width, rows.min() / height, (columns.max() + 1) / width, 0.0])
    corners[3] = (rows.max() + 1) / height
    return 100 * corners


def part_of(
    random: Generator, whole: int, shares: tuple[float, float], first: int = 0, last: int | None = None
) -> slice:
    """A random part of `whole` frames or samples, between `first` and `last`; `shares` bound its length."""
    room = (whole if last is None else last) - first
    count = min(room, max(1, round(whole * random.uniform(*shares))))
    start = first + random.integers(room - count + 1)
    return slice(int(start), int(start + count))


def draw_scene(random: Generator, clips: "ClipSet", label: str) -> tuple[Array, Path | str, Array, slice]:
    """Frames (T, H, W, 3) uint8, the picture of the class, its box and its frames."""
    shown, beside, _, _ = sources_of(clips)
    size, count = clips.size, clips.num_frames
    frames = np.repeat(draw_background(random, size)[None], count, axis=0)
    taken: list[tuple[Array, float]] = []

    def add(source: str | Path) -> tuple[Array, slice]:
        radius = size * random.uniform(*RADIUS)
        while True:
            reach = REACH * radius
            centre = random.uniform(reach, size - reach, 2)
            if all(np.abs(centre - other).max() >= reach + its_reach for other, its_reach in taken):
                break
            radius *= 0.98  # smaller, if there is little room
        taken.append((centre, reach))
        coverage, colour = draw_source(random, source, size, centre, radius)
        seen = part_of(random, count, SEEN_PART)
        frames[seen] += coverage * (colour - frames[seen])
        return box_of(coverage), seen

    source = pick_one(random, shown[label])
    box, seen = add(source)
    for _ in range(random.integers(1, MOST_BESIDE + 1)):
        add(pick_one(random, beside))
    frames += random.normal(0, 3, frames.shape)
    return frames.round().clip(0, 255).astype(np.uint8), source, box, seen


def draw_sounds(random: Generator, clips: "ClipSet", label: str) -> tuple[Array, Path | str, slice]:
    """The sound track, float32 (samples,) in -1..1, the sound of the class, and its samples."""
    _, _, played, beside = sources_of(clips)
    rate = clips.sampling_rate
    whole = round(clips.seconds * rate)
    track = random.normal(0, random.uniform(0.002, 0.02), whole)

    def add(source: str | Path, part: slice) -> slice:
        count = part.stop - part.start
        if isinstance(source, str):
            wave = draw_wave(random, source, count, rate)
        else:
            wave = recording(source, rate)
            skipped = random.integers(max(0, len(wave) - count) + 1)
            wave = wave[skipped : skipped + count]
        wave = wave / max(np.abs(wave).max(), 1e-9) * random.uniform(0.3, 0.8) * fade(len(wave), rate)
        part = slice(part.start, part.start + len(wave))  # a short recording ends earlier
        track[part] += wave
        return part

    source = pick_one(random, played[label])
    heard = add(source, part_of(random, whole, HEARD_PART))
    before, after = heard.start, whole - heard.stop
    room = (0, before) if random.uniform(0, before + after) < before else (heard.stop, whole)
    if room[1] - room[0] < HEARD_PART[0] * whole:  # too little room: the other side has enough
        room = (heard.stop, whole) if room[0] == 0 else (0, before)
    add(pick_one(random, beside), part_of(random, whole, HEARD_PART, *room))
    return track.clip(-1, 1).astype(np.float32), source, heard


def render_event(folder: Path, clips: "ClipSet", index: int, random: Generator) -> dict[str, str]:
    label = clips.shapes[index % len(clips.shapes)]
    picture_random, sound_random = random.spawn(2)
    frames, picture, box, seen = draw_scene(picture_random, clips, label)
    track, sound, heard = draw_sounds(sound_random, clips, label)
    path = folder / label / f"{index:05d}.mp4"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_mp4(path, frames, track, clips.frame_rate, clips.sampling_rate)
    row = {
        "file_name": f"{label}/{path.name}",
        "label": label,
        "picture": Path(picture).stem,
        "sound": Path(sound).stem,
    }
    row |= {name: f"{value:.2f}" for name, value in zip(BOX_COLUMNS, box, strict=True)}
    for names, part, rate in ((SEEN_COLUMNS, seen, clips.frame_rate), (HEARD_COLUMNS, heard, clips.sampling_rate)):
        row |= dict(zip(names, (f"{part.start / rate:.4f}", f"{part.stop / rate:.4f}"), strict=True))
    return row
