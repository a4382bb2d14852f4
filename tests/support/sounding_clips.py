"""Real files whose pictures and sound say what time it is: every frame has its own grey, and there are clicks."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

FPS = 20


def clicks(seconds: float, at: tuple[float, ...], rate: int = 16_000, channels: int = 1) -> np.ndarray:
    """Silence but for a click of one sample at each of some times, float32 (channels, samples)."""
    samples = np.zeros((channels, round(seconds * rate)), dtype=np.float32)
    samples[:, [round(second * rate) for second in at]] = 0.9
    return samples


def write_sounding_clip(
    path: Path,
    frames: int = 40,
    sound: np.ndarray | None = None,
    rate: int = 16_000,
    layout: str = "mono",
    codec: str = "aac",
    sound_start: float = 0.0,
    picture_start: float = 0.0,
    size: tuple[int, int] = (32, 32),
    options: dict | None = None,
) -> Path:
    """Write frames (20 a second, frame i of grey 5 i + 20) from `picture_start` on, and sound (channels, samples)."""
    with av.open(str(path), "w", options=options or {}) as file:
        picture = file.add_stream("libx264", rate=FPS)
        picture.height, picture.width = size
        picture.pix_fmt, picture.options = "yuv420p", {"qp": "1", "bf": "2", "g": "8"}
        track = None
        if sound is not None:
            track = file.add_stream(codec, rate=rate, layout=layout)
            track.bit_rate = 256_000
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(np.full((*size, 3), (5 * index + 20) % 250, dtype=np.uint8))
            frame.pts, frame.time_base = index + round(picture_start * FPS), Fraction(1, FPS)
            file.mux(picture.encode(frame))
        file.mux(picture.encode())
        if track is not None:
            kind = "s16" if codec.startswith("pcm") else "fltp"
            for start in range(0, sound.shape[1], 1024):
                piece = np.ascontiguousarray(sound[:, start : start + 1024])
                if kind == "s16":
                    piece = np.ascontiguousarray((piece * 32767).astype(np.int16).T.reshape(1, -1))
                block = av.AudioFrame.from_ndarray(piece, format=kind, layout=layout)
                block.sample_rate, block.time_base = rate, Fraction(1, rate)
                block.pts = start + round(sound_start * rate)
                file.mux(track.encode(block))
            file.mux(track.encode())
    return path


def loudest(samples, rate: int, around: float) -> float:
    """The second of the largest sample within 0.1 s."""
    first = max(0, round((around - 0.1) * rate))
    piece = np.abs(np.asarray(samples)[first : round((around + 0.1) * rate)])
    return (first + int(piece.argmax())) / rate
