"""Writes a video's frames with the model's predictions as an mp4."""

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from holovid.files import new_file
from holovid.inference.contact_sheet import shorten
from holovid.inference.kept_sound import KeptSound

TICKS = 90_000  # in a second, as in MPEG streams: a multiple of usual frame rates
SHADE, INK, BAR = (0, 0, 0, 150), "#ffffff", "#2f6fde"


@contextmanager
def annotated_video(
    path: str | os.PathLike,
    frame_rate: float | None = None,
    sound: KeptSound | None = None,
    encoder: Mapping[str, str] | None = None,
) -> Iterator["AnnotatedVideo"]:
    """An mp4 that appears under its name if the block succeeds, and not at all otherwise.

    Args:
        path: ends in .mp4.
        frame_rate: of the frames, if known; each frame is written with its time.
        sound: the audio; its second 0 is that of the frames.
        encoder: options of FFmpeg's libx264, such as `{"crf": "20"}`.

    Raises `ValueError` for another suffix, and when the block has written nothing.
    """
    path = Path(path)
    if path.suffix.lower() != ".mp4":
        raise ValueError(f"annotated videos must end in .mp4, got {path}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with new_file(path) as unfinished, av.open(str(unfinished), "w") as container:
        video = AnnotatedVideo(container, frame_rate, sound, encoder)
        yield video
        video.finish()


class AnnotatedVideo:
    def __init__(
        self,
        container: Any,
        frame_rate: float | None,
        sound: KeptSound | None = None,
        encoder: Mapping[str, str] | None = None,
    ):
        self._encoder = dict(encoder or {})
        self.frame_rate = Fraction(frame_rate or 25).limit_denominator(1001)
        self._container = container
        self._stream: Any = None
        self._sound = sound
        self._track: Any = None
        self._pieces: Iterator[tuple[float, Any]] = iter(()) if sound is None else sound.pieces()
        self._waiting: tuple[float, Any] | None = None
        self._last, self._shift = -1, 0

    def write(self, pixels: Tensor, seconds: float, answers: Sequence[Mapping[str, Any]]) -> None:
        """Add a frame, uint8 (C, H, W), at `seconds`, scaled to the first one's size. Time may go back in a source."""
        picture = Image.fromarray(np.ascontiguousarray(pixels.permute(1, 2, 0).numpy()))
        if self._stream is None:
            self._open(picture)
        size = self._stream.width, self._stream.height
        if picture.size != size:
            picture = picture.resize(size)
        frame = av.VideoFrame.from_image(annotate(picture, answers))
        ticks = round(seconds * TICKS)
        if ticks + self._shift <= self._last:
            self._shift = self._last + round(TICKS / self.frame_rate) - ticks
        self._last = ticks + self._shift
        frame.pts, frame.time_base = self._last, Fraction(1, TICKS)
        self._container.mux(self._stream.encode(frame))
        self._write_sound(seconds)

    def finish(self) -> None:
        if self._stream is None:
            raise ValueError("there is no frame to write")
        self._container.mux(self._stream.encode(None))
        self._write_sound(math.inf)
        if self._track is not None:
            self._container.mux(self._track.encode(None))

    def _write_sound(self, until: float) -> None:
        while (piece := self._waiting or next(self._pieces, None)) is not None and piece[0] < until:
            self._waiting = None
            self._container.mux(self._track.encode(piece[1]))
        self._waiting = piece

    def _open(self, picture: Image.Image) -> None:
        self._stream = self._container.add_stream("libx264", rate=self.frame_rate, options=self._encoder)
        # the encoder needs even sides
        self._stream.width, self._stream.height = (side + side % 2 for side in picture.size)
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = Fraction(1, TICKS)
        if self._sound is not None:
            self._track = self._container.add_stream("aac", rate=self._sound.rate, layout=self._sound.layout)


def annotate(picture: Image.Image, answers: Sequence[Mapping[str, Any]]) -> Image.Image:
    """The picture with labels and bars of their scores at its lower edge."""
    if not answers:
        return picture
    line = max(12, picture.height // 16)
    text = ImageFont.load_default(size=line * 0.75)
    top = picture.height - line * len(answers)
    shade = Image.new("RGBA", picture.size)
    draw = ImageDraw.Draw(shade)
    draw.rectangle((0, top, *picture.size), SHADE)
    picture = Image.alpha_composite(picture.convert("RGBA"), shade).convert("RGB")
    draw = ImageDraw.Draw(picture)
    right = picture.width // 3
    for index, answer in enumerate(answers):
        middle = top + line * index + line // 2
        score = min(1.0, max(0.0, float(answer["score"])))
        draw.rectangle((0, middle - line // 3, round(score * right), middle + line // 3), BAR)
        words = f"{answer['label']} {float(answer['score']):.2f}"
        draw.text(
            (right + line // 2, middle), shorten(words, text, picture.width - right - line), INK, text, anchor="lm"
        )
    return picture
