"""Small clips whose pictures say which they are, as bytes: frame i is all of grey `grey(i)`."""

import io
import wave
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import av
import numpy as np
from PIL import Image

RATE = 10  # frames a second
FRAMES = 12
SIZE = (48, 64)  # height, width
MILLISECOND = Fraction(1, 1000)


def grey(index: int) -> int:
    return 40 + 15 * index % 200


GREYS = [grey(index) for index in range(FRAMES)]


def picture(value: int | tuple, size: tuple[int, int] = SIZE) -> np.ndarray:
    """uint8 (height, width, 3) of one grey, or one colour."""
    return np.full((*size, 3), value, dtype=np.uint8)


def render(
    frames: int = FRAMES,
    size: tuple[int, int] = SIZE,
    codec: str = "libx264",
    container: str = "mp4",
    pixel_format: str = "yuv420p",
    rate: Any = RATE,
    milliseconds: Sequence[int] | None = None,
    last: int | None = None,
    options: dict | None = None,
    container_options: dict | None = None,
    sound_codec: str | None = None,
    sound_rate: int = 16_000,
    sound_seconds: float | None = None,
    layout: str = "mono",
    tracks: int = 1,
    colour: Callable[[int], Any] = grey,
) -> bytes:
    """A file of `frames` pictures and, if asked for, a tone.

    Args:
        milliseconds: when each picture is shown, instead of `rate` pictures a second.
        last: how long the last one is shown, in milliseconds.
        tracks: of sound, all alike.
    """
    file = io.BytesIO()
    with av.open(file, "w", format=container, options=container_options or {}) as output:
        video = output.add_stream(codec, rate=rate)
        video.height, video.width, video.pix_fmt = *size, pixel_format
        video.options = {"g": "6"} | ({"bf": "0"} if milliseconds is not None else {}) | (options or {})
        if milliseconds is not None:
            video.time_base = video.codec_context.time_base = MILLISECOND
        sounds = [output.add_stream(sound_codec, rate=sound_rate, layout=layout) for _ in range(tracks) if sound_codec]
        packets = []
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(colour(index), size))
            frame.pts, frame.time_base = index, 1 / Fraction(rate)
            if milliseconds is not None:
                frame.pts, frame.time_base = milliseconds[index], MILLISECOND
            packets += video.encode(frame)
        for packet in packets + video.encode():
            if milliseconds is not None:
                at = round(packet.pts * packet.time_base * 1000)
                later = [moment for moment in milliseconds if moment > at]
                packet.duration = (min(later) - at) if later else (last or 100)
            output.mux(packet)
        seconds = frames / float(Fraction(rate)) if sound_seconds is None else sound_seconds
        for sound in sounds:
            write_tone(output, sound, seconds, sound_rate, layout)
    return file.getvalue()


def write_tone(output: Any, stream: Any, seconds: float, rate: int, layout: str) -> None:
    times = np.arange(round(seconds * rate)) / rate
    tone = (0.5 * np.sin(2 * np.pi * 440 * times)).astype(np.float32)
    channels = av.AudioLayout(layout).nb_channels
    resampler = av.AudioResampler(
        stream.codec_context.format, layout, rate, frame_size=stream.codec_context.frame_size
    )
    block = av.AudioFrame.from_ndarray(np.repeat(tone[None], channels, 0), format="fltp", layout=layout)
    block.sample_rate, block.pts, block.time_base = rate, 0, Fraction(1, rate)
    for frame in [*resampler.resample(block), *resampler.resample(None)]:
        output.mux(stream.encode(frame))
    output.mux(stream.encode())


def wav(samples: np.ndarray | None = None, rate: int = 16_000, channels: int = 1) -> bytes:
    """16-bit PCM of samples in [-1, 1], (samples, channels); a second of a tone by default."""
    if samples is None:
        tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)
        samples = np.repeat(tone[:, None], channels, 1)
    file = io.BytesIO()
    with wave.open(file, "wb") as output:
        output.setnchannels(channels)
        output.setsampwidth(2)
        output.setframerate(rate)
        output.writeframes((samples * 32767).astype("<i2").tobytes())
    return file.getvalue()


def image(kind: str, frames: int = 1, size: tuple[int, int] = SIZE, mode: str = "RGB", **options: Any) -> bytes:
    """A picture of Pillow's format `kind`, animated if it has several frames."""
    pictures = [Image.fromarray(picture(grey(index), size)).convert(mode) for index in range(frames)]
    file = io.BytesIO()
    animated = {"save_all": True, "append_images": pictures[1:], "duration": 100} if frames > 1 else {}
    pictures[0].save(file, kind, **animated | options)
    return file.getvalue()


def flipped(content: bytes, count: int, seed: int, start: int = 0) -> bytes:
    """With `count` bits turned over, from byte `start` on."""
    generator = np.random.default_rng(seed)
    changed = bytearray(content)
    for place in generator.integers(start, len(content), count):
        changed[place] ^= 1 << int(generator.integers(8))
    return bytes(changed)


def zeroed(content: bytes, begin: float, end: float) -> bytes:
    """With zeros between two fractions of its length."""
    first, last = int(len(content) * begin), int(len(content) * end)
    return content[:first] + bytes(last - first) + content[last:]


def cut(content: bytes, fraction: float) -> bytes:
    return content[: int(len(content) * fraction)]


def edited(content: bytes, place: int | bytes, new: bytes, offset: int = 0) -> bytes:
    """With `new` written over what stands `offset` bytes after `place` (a number, or bytes that are found)."""
    at = (content.index(place) if isinstance(place, bytes) else place) + offset
    return content[:at] + new + content[at + len(new) :]


def stranger() -> bytes:
    """A magenta clip, which no answer may show: it lies beside hostile files, and they name it."""
    return render(frames=4, colour=lambda index: (255, 0, 255))
