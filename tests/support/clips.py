"""Real mp4 files for tests: noise that drifts, so that no two frames and no two files are equal."""

from pathlib import Path

import av
import numpy as np


def write_clip(path: Path, frames: int = 24, size: tuple[int, int] = (64, 48), seed: int = 0) -> Path:
    """Write `frames` frames of (height, width) `size` at 12 a second as h264 and return the path."""
    picture = np.random.default_rng(seed).integers(0, 256, (size[0] // 8, size[1] // 8, 3), dtype=np.uint8)
    picture = np.kron(picture, np.ones((8, 8, 1), dtype=np.uint8))
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=12)
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p"
        for step in range(frames):
            frame = av.VideoFrame.from_ndarray(np.roll(picture, 2 * step, axis=1))
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path
