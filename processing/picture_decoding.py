# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Pictures given as videos: a still one has one frame, an animated one (WebP, PNG, AVIF) several.

Pillow reads them. GIF is read with the other videos, as are files of several JPEG pictures in a row.
"""

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, BinaryIO

import numpy as np
import PIL.Image
import PIL.ImageOps
import torch
from torch import Tensor
from transformers.utils import logging
from transformers.video_utils import VideoMetadata

from holovid.processing.frame_sampling import checked_indices
from holovid.processing.media_containers import Nameless, UnreadableError, check_picture_size
from holovid.processing.media_source import Interval, OpenedSource

logger = logging.get_logger(__name__)

# Pillow's name -> first bytes of such files
BEGINNINGS = {
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "JPEG": (b"\xff\xd8\xff",),
    "BMP": (b"BM",),
    "TIFF": (b"II*\0", b"MM\0*"),
    "JPEG2000": (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"),
    "PPM": tuple(b"P%d%c" % (kind, space) for kind in range(1, 7) for space in b" \t\r\n"),
}
ANIMATED = {"PNG", "WEBP", "AVIF"}  # several pictures are an animation; in other formats they are pages or views
HEIC = {b"heic", b"heix", b"heim", b"heis", b"mif1"}
DEFAULT_DURATION = 100  # milliseconds of a frame whose duration is 0, as in browsers
STILL_RATE = 1.0  # frames a second


def picture_format(source: OpenedSource) -> str | None:
    """Pillow's name of a picture's format, by its first bytes, or `None`. Raises `ValueError` if it is unreadable."""
    found = source.rewound()
    try:
        with open(found, "rb") if isinstance(found, str) else nullcontext(found) as file:
            head = file.read(64)
            if head.startswith(BEGINNINGS["JPEG"]):
                return "JPEG" if is_one_jpeg(file) else None
    except OSError as error:
        raise UnreadableError(f"{source.name} cannot be read: {error}") from error
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        brands = {head[at : at + 4] for at in range(8, min(len(head), int.from_bytes(head[:4], "big")), 4)}
        if brands & {b"avif", b"avis"}:
            return "AVIF"
        return "HEIC" if head[8:12] in HEIC else None
    return next((name for name, beginnings in BEGINNINGS.items() if head.startswith(beginnings)), None)


def is_one_jpeg(file: BinaryIO) -> bool:
    """Whether a JPEG file ends with its first picture, or marks further ones as part of it."""
    at = 2
    while True:  # segments before the pixels
        file.seek(at)
        marker, length = file.read(2), file.read(2)
        if len(length) < 2 or marker[0] != 0xFF or file.read(4) == b"MPF\0":
            return True
        if marker[1] == 0xDA:
            break
        at += 1 if marker[1] == 0xFF else 2 + int.from_bytes(length, "big")
    rest = b""
    while piece := file.read(2**20):
        rest = rest[-1:] + piece
        if (end := rest.find(b"\xff\xd9")) >= 0:
            return not (rest[end + 2 :] + file.read(2**10)).lstrip(b"\0").startswith(b"\xff\xd8\xff")
    return True


class PictureFile:
    """A picture, or an animated one, with the interface of `VideoFile` and no sound; see `open_video`.

    A still picture lasts for ever: any interval shows it, and sound given with it is used to its end. Transparency
    becomes white.
    """

    sound = None
    start = 0.0

    def __init__(self, source: OpenedSource, picture_format: str, interval: Interval = (None, None)):
        self.name = source.name
        self._source = source
        try:
            if picture_format == "HEIC":
                raise UnreadableError("HEIC is not read; save it as JPEG or PNG")
            found = source.rewound()
            file: Any = found if isinstance(found, str) else Nameless(found)
            self._picture = PIL.Image.open(file, formats=[picture_format])
            check_picture_size(self.name, *self._picture.size)
            self.is_animated = picture_format in ANIMATED and getattr(self._picture, "is_animated", False)
            self._latest: tuple[int, np.ndarray] = -1, np.empty(0)
            height, width = self._pixels(0).shape[:2]
            ends = np.cumsum(self._durations()) / 1000 if self.is_animated else np.array([math.inf])
        except Exception as error:
            self.close()
            raise self._unreadable(error) from error
        begins = np.concatenate([[0.0], ends[:-1]])
        start, end = interval[0] or 0.0, math.inf if interval[1] is None else interval[1]
        stop = len(begins) if end == math.inf else max(1, int(np.searchsorted(begins, end)))
        self._offset = int(np.searchsorted(ends, start, side="right"))
        if self._offset >= stop:
            self.close()
            raise UnreadableError(f"{self.name} shows no frame from {start:g} s on; it ends at {ends[-1]:g} s")
        self.times = begins[self._offset : stop]
        if self.is_animated:
            self.times = np.maximum(self.times, start)  # the first is already shown when the interval starts
        self.start = float(self.times[0])
        self.seconds = float(min(ends[stop - 1], end)) - self.start
        count = len(self.times)
        fps = count / self.seconds if self.is_animated else STILL_RATE
        self.metadata = VideoMetadata(count, fps, width, height, count / fps, "pillow")
        if not self.is_animated:
            pages = getattr(self._picture, "n_frames", 1)
            which = "" if pages == 1 else f" with {pages} pages, of which only the first is used"
            logger.warning_once(f"{self.name} is a picture{which}: it is read as a video of one frame")

    def __enter__(self) -> "PictureFile":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        if hasattr(self, "_picture"):
            self._picture.close()
        self._source.close()

    def __len__(self) -> int:
        return len(self.times)

    def frames(
        self, indices: Sequence[int] | np.ndarray | None = None, each: Callable[[Tensor], Tensor] | None = None
    ) -> tuple[Tensor, np.ndarray]:
        """See `VideoFile.frames`."""
        indices = checked_indices(indices, len(self), self.name)
        wanted, order = np.unique(indices, return_inverse=True)
        pictures = [] if len(wanted) else [torch.empty((0, 3, *self._pixels(0).shape[:2]), dtype=torch.uint8)]
        for index in wanted:
            try:
                picture = torch.from_numpy(self._pixels(self._offset + int(index))).permute(2, 0, 1)[None]
            except Exception as error:
                raise self._unreadable(error) from error
            pictures.append(picture if each is None else each(picture))
        return torch.cat(pictures)[torch.from_numpy(order)], self.times[indices]

    def _pixels(self, number: int) -> np.ndarray:
        if self._latest[0] != number:
            if number or self.is_animated:
                self._picture.seek(number)
            self._latest = number, rgb_pixels(PIL.ImageOps.exif_transpose(self._picture))
        return self._latest[1]

    def _durations(self) -> list[float]:
        durations = []
        for number in range(getattr(self._picture, "n_frames", 1)):
            self._picture.seek(number)
            self._picture.load()  # Pillow reads the duration only now
            durations.append(float(self._picture.info.get("duration") or DEFAULT_DURATION))
        return durations

    def _unreadable(self, error: Exception) -> Exception:
        """The error to raise instead of Pillow's, whose readers raise anything."""
        if isinstance(error, UnreadableError) and str(error).startswith(self.name):
            return error
        if isinstance(error, (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning)):
            error = UnreadableError("it has more pixels than the limit")
        return UnreadableError(f"{self.name} cannot be read as a picture: {error or type(error).__name__}")


def rgb_pixels(picture: PIL.Image.Image) -> np.ndarray:
    """uint8 (H, W, 3) of any picture, on white. Raises `ValueError` for more than 16 bits, whose range is unknown."""
    if picture.mode.startswith("I;16"):  # Pillow would clip at 255
        values = (np.asarray(picture).astype(np.uint16) >> 8).astype(np.uint8)
        return np.repeat(values[..., None], 3, axis=2)
    if picture.mode in ("I", "F"):
        raise ValueError(f"its pixels are of mode {picture.mode!r} with 32 bits; save it with 8 or 16 bits")
    if picture.has_transparency_data:
        white = PIL.Image.new("RGBA", picture.size, "white")
        picture = PIL.Image.alpha_composite(white, picture.convert("RGBA"))
    return np.array(picture.convert("RGB"))


__all__ = ["PictureFile", "picture_format"]
