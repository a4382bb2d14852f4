"""A page of an explanation: one HTML file with picture, video and text, which needs no network."""

import base64
import os
import tempfile
from html import escape
from io import BytesIO
from pathlib import Path

from holovid.inference.explained_clip import ExplainedClip
from holovid.inference.explained_picture import DOTS_PER_INCH, draw_explanation
from holovid.inference.explained_video import write_explained_video

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{label}</title>
<style>
body {{ font-family: system-ui, sans-serif; color: #1b1f24; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }}
video, img {{ max-width: 100%; }}
video {{ min-width: 20rem; }}
p.note {{ color: #6a737d; }}
</style>
</head>
<body>
<h1>{label} <small>{score:.1%}</small></h1>
<p>{sentence}</p>
<video controls loop src="data:video/mp4;base64,{video}"></video>
<p><img alt="{alternative}" src="data:image/png;base64,{picture}"></p>
<p class="note">{note}</p>
</body>
</html>
"""


def explained_page(explained: ExplainedClip) -> str:
    picture = BytesIO()
    draw_explanation(explained).savefig(picture, format="png", dpi=DOTS_PER_INCH)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "explained.mp4")
        write_explained_video(explained, path)
        video = path.read_bytes()
    return PAGE.format(
        label=escape(explained.label),
        score=explained.score,
        sentence=escape(explained.reason.sentence),
        alternative=escape(f"Frames with heat maps, and their weights over time: {explained.reason.sentence}"),
        video=base64.b64encode(video).decode(),
        picture=base64.b64encode(picture.getvalue()).decode(),
        # without folders: the page may go to others
        note=escape(f"{os.path.basename(explained.name)}, explained by {explained.why.method}"),
    )
