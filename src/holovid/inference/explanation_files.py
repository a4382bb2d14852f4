"""Writes explanations to files: the suffix decides between picture, video and page."""

import os
from pathlib import Path

from holovid.cheap_checks import check_explanation_file
from holovid.files import new_file, write_whole
from holovid.inference.explained_clip import ExplainedClip
from holovid.inference.explained_page import explained_page
from holovid.inference.explained_picture import DOTS_PER_INCH, draw_explanation
from holovid.inference.explained_video import write_explained_video


def write_explanation(explained: ExplainedClip, path: str | os.PathLike) -> None:
    """Write a picture (.png), a video (.mp4) or a page (.html), complete or not at all.

    Raises `ValueError` for another suffix.

        explained = explain_clip(model, processor, "clip.mp4")
        write_explanation(explained, "why.png")
    """
    path = Path(path)
    check_explanation_file(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() == ".mp4":
        write_explained_video(explained, path)
    elif path.suffix.lower() == ".html":
        write_whole(path, explained_page(explained))
    else:
        with new_file(path) as unfinished:
            draw_explanation(explained).savefig(unfinished, format="png", dpi=DOTS_PER_INCH)
