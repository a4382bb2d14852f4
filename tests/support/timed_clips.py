"""Real files in which every picture says which it is and is shown for as long as one likes, beside a sound."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

CODECS = {  # of pictures and sound, by suffix
    "mp4": ("libx264", "aac"),
    "mov": ("libx264", "aac"),
    "mkv": ("libx264", "aac"),
    "webm": ("libvpx", "libopus"),
    "flv": ("libx264", "aac"),
    "ts": ("libx264", "aac"),
    "mpg": ("mpeg2video", "mp2"),
    "avi": ("mjpeg", "libmp3lame"),
}
RATE = 48_000


def tone(seconds: float, start: float, stop: float, hertz: float = 1000.0) -> np.ndarray:
    """Silence but for a tone from `start` to `stop`, float32 (samples,) at 48 kHz."""
    time = np.arange(round(seconds * RATE)) / RATE
    return (0.5 * np.sin(2 * np.pi * hertz * time) * ((time >= start) & (time < stop))).astype(np.float32)


def write_pictures(
    path: Path,
    shown_for: Sequence[int],
    sound: np.ndarray | None = None,
    start: int = 0,
    say_durations: bool = True,
    options: dict[str, str] | None = None,
) -> Path:
    """Grey pictures that are shown for so many milliseconds, picture i of `grey(i)`, from `start` on.

    Without `say_durations` the file is left to tell from the times alone.
    """
    codec, sound_codec = CODECS[path.suffix[1:]]
    clock = Fraction(1, 1000)
    with av.open(str(path), "w", options=options or {}) as file:
        stream = file.add_stream(codec, rate=25, options={"x264-params": "bframes=0"} if codec == "libx264" else {})
        stream.width, stream.height = 64, 48
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        if codec not in ("mpeg2video", "mjpeg"):
            stream.time_base = stream.codec_context.time_base = clock
        track = None if sound is None else file.add_stream(sound_codec, rate=RATE, layout="mono")
        starts = (start + np.cumsum([0, *shown_for[:-1]])).tolist()
        packets = []
        for index, moment in enumerate(starts):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), grey(index), np.uint8))
            frame.pts, frame.time_base = moment, clock
            packets += stream.encode(frame)
        for packet in packets + stream.encode():
            if say_durations:
                shown = min(range(len(starts)), key=lambda i, p=packet: abs(starts[i] - p.pts * p.time_base * 1000))
                packet.duration = round(shown_for[shown] / 1000 / packet.time_base)
            file.mux(packet)
        if track is not None:
            frame = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, start * RATE // 1000, Fraction(1, RATE)
            resampler = av.AudioResampler(track.codec_context.format or "fltp", "mono", RATE)
            for piece in [*resampler.resample(frame), *resampler.resample(None)]:
                file.mux(track.encode(piece))
            file.mux(track.encode())
    return path


def grey(index: int) -> int:
    return 30 + 40 * index % 200


def indices_of(pixels) -> list[int]:
    """Which of the first five pictures those are, (T, C, H, W)."""
    greys = pixels.float().mean((1, 2, 3))
    return [min(range(5), key=lambda index: abs(grey(index) - value)) for value in greys.tolist()]
