"""Limits for the clips that users upload to a page."""

import math
from pathlib import Path

from holovid.processing.video_decoding import open_video

# read when a clip comes in, so that they can be changed at run time
MOST_UPLOADED_BYTES = 100 * 2**20
MOST_UPLOADED_SECONDS = 60.0
MOST_UPLOADED_PIXELS = 2**32  # of all frames together; a minute of 1920 x 1080 at 30 fps has 3.7e9


def check_upload(clip: Path) -> None:
    """Raise `ValueError` for a clip that is too large or too long for a page, and for files that are not videos.

    The length is that of the packets in the file, since a header can be wrong.
    """
    size = clip.stat().st_size
    if size > MOST_UPLOADED_BYTES:
        raise ValueError(
            f"{clip.name} has {size / 2**20:.0f} MB; the limit of this page is {MOST_UPLOADED_BYTES / 2**20:.0f} MB: "
            "upload a shorter part of it"
        )
    with open_video(clip) as video:
        seconds, frames = video.seconds, len(video)
        height, width = video.metadata.height, video.metadata.width
    if not math.isfinite(seconds):
        raise ValueError(f"{clip.name} is a picture; this page takes videos")
    if seconds > MOST_UPLOADED_SECONDS:
        raise ValueError(
            f"{clip.name} lasts {seconds:.0f} seconds; the limit of this page is {MOST_UPLOADED_SECONDS:.0f} seconds: "
            "upload a shorter part of it"
        )
    if frames * height * width > MOST_UPLOADED_PIXELS:
        raise ValueError(
            f"{clip.name} has {frames} frames of {width} x {height} pixels, which is too much for this page: make it "
            "smaller or shorter"
        )
