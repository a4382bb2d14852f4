"""A picture with some clips of each class: their middle frames."""

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageOps

from holovid.data.checking import ClipFacts
from holovid.processing.video_decoding import open_video

SIDE, GAP, LINE, MARGIN = 128, 8, 20, 16  # pixels
PAPER, INK = "#ffffff", "#1b1f24"
EACH, MOST_CLASSES = 6, 40


def thumbnails(clips: Sequence[ClipFacts]) -> Image.Image:
    """Up to six frames for each of at most forty classes. Raises `ValueError` when no clip can be read."""
    readable = [clip for clip in clips if clip.error is None]
    if not readable:
        raise ValueError("no clip can be read, so there is nothing to draw")
    labels = list(dict.fromkeys(clip.label for clip in readable))[:MOST_CLASSES]
    step = LINE + SIDE + GAP
    sheet = Image.new("RGB", (2 * MARGIN + EACH * (SIDE + GAP) - GAP, 2 * MARGIN + len(labels) * step), PAPER)
    draw = ImageDraw.Draw(sheet)
    for row, label in enumerate(labels):
        own = [clip for clip in readable if clip.label == label]
        draw.text((MARGIN, MARGIN + row * step), f"{label} ({len(own)})", fill=INK)
        for column, clip in enumerate(own[:: max(1, len(own) // EACH)][:EACH]):
            place = MARGIN + column * (SIDE + GAP), MARGIN + row * step + LINE
            sheet.paste(ImageOps.fit(middle_frame(clip), (SIDE, SIDE)), place)
    return sheet


def middle_frame(clip: ClipFacts) -> Image.Image:
    with open_video(clip.video) as video:
        pixels, _ = video.frames([clip.frames // 2])
    return Image.fromarray(pixels[0].permute(1, 2, 0).numpy())


__all__ = ["thumbnails"]
