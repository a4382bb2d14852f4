"""What a page takes from those who look at it: clips that are short and small enough to be answered soon."""

import math
from pathlib import Path

from holovid.processing.video_decoding import open_video

# Read when they are needed: whoever wants more sets them before.
MOST_UPLOADED_BYTES = 100 * 2**20
MOST_UPLOADED_SECONDS = 60.0
MOST_UPLOADED_PIXELS = 2**32  # of all frames together: a minute in HD, 1920 x 1080, at 30 frames a second has 3.7e9


def check_upload(clip: Path) -> None:
    """Raise `ValueError` for a clip that is too large or too long for a page, and for what is no video.

    The length is that of the packets in the file, whatever its header claims.
    """
    size = clip.stat().st_size
    if size > MOST_UPLOADED_BYTES:
        raise ValueError(
            f"{clip.name} has {size / 2**20:.0f} MB, and this page takes {MOST_UPLOADED_BYTES / 2**20:.0f}: cut out "
            "the part that matters"
        )
    with open_video(clip) as video:
        seconds, frames = video.seconds, len(video)
        height, width = video.metadata.height, video.metadata.width
    if not math.isfinite(seconds):
        raise ValueError(f"{clip.name} is a picture, and this page takes videos")
    if seconds > MOST_UPLOADED_SECONDS:
        raise ValueError(
            f"{clip.name} lasts {seconds:.0f} seconds, and this page takes {MOST_UPLOADED_SECONDS:.0f}: cut out the "
            "part that matters"
        )
    if frames * height * width > MOST_UPLOADED_PIXELS:
        raise ValueError(
            f"{clip.name} has {frames} frames of {width} x {height} pixels, which is more than this page draws over: "
            "make it smaller or shorter"
        )
