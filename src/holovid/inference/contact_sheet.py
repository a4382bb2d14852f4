"""A picture of the frames that a model saw, with its predictions and their scores."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torchvision.transforms.functional import to_pil_image
from transformers import BaseVideoProcessor

from holovid.explanation.scoring import video_name
from holovid.inference.clip_inputs import clip_inputs
from holovid.processing.cropping import with_channel_order
from holovid.processing.video_processing_holovid import HolovidVideoProcessor

INK, FAINT, PAPER, BAR, TRACK = "#1b1f24", "#6a737d", "#ffffff", "#2f6fde", "#e9edf2"
WIDTH, MARGIN, GAP, LINE = 960, 24, 8, 34


def contact_sheet(
    processor: BaseVideoProcessor,
    video: Any,
    answers: Sequence[Mapping[str, Any]],
    title: str = "",
    is_share: bool = True,
    num_frames: int | None = None,
) -> Image.Image:
    """Draw the frames that `processor` samples from a video, and below them the predictions.

    Args:
        processor: the model's video processor; it must sample the same frames each time.
        video: anything that the processor reads.
        answers: `{"label": str, "score": float}`, best first, as pipelines return them.
        title: a line above the frames.
        is_share: whether scores are from 0 to 1, and drawn as bars.
        num_frames: how many frames the model takes, for a processor of transformers that has no number of its own.

    Raises what the processor raises.
    """
    return draw_sheet(*seen_frames(processor, video, num_frames), answers, title, is_share=is_share)


def seen_frames(
    processor: BaseVideoProcessor, video: Any, num_frames: int | None = None
) -> tuple[Tensor, list[float] | None]:
    """The model's input frames (T, C, H, W) of the first view, in 0..1; their times in seconds, if known."""
    inputs, metadata = clip_inputs(processor, video, num_frames)
    frames = inputs[video_name(inputs)][0]
    if frames.ndim == 5:
        frames = frames[0]
    return colours_of(processor, frames), metadata.timestamps[: len(frames)] if metadata.fps else None


def colours_of(processor: BaseVideoProcessor, frames: Tensor) -> Tensor:
    """Frames (T, C, H, W) from a processor -> red, green and blue in 0..1."""
    if not isinstance(processor, HolovidVideoProcessor):  # may rescale in a way of its own
        ends = torch.tensor([0.0, 255.0]).view(2, 1, 1, 1).expand(-1, 3, -1, -1)
        black, white = processor.rescale_and_normalize(
            ends,
            bool(processor.do_rescale),
            processor.rescale_factor,
            bool(processor.do_normalize),
            tuple(processor.image_mean),
            tuple(processor.image_std),
        )
        return (frames - black) / (white - black)
    frames = with_channel_order(frames, getattr(processor, "channel_order", "rgb"))
    if processor.do_normalize:
        mean, std = torch.tensor(processor.image_mean), torch.tensor(processor.image_std)
        frames = frames * std.view(-1, 1, 1) + mean.view(-1, 1, 1)
    return frames


def draw_sheet(
    frames: Tensor,
    times: Sequence[float] | None,
    answers: Sequence[Mapping[str, Any]],
    title: str = "",
    columns: int | None = None,
    is_share: bool = True,
) -> Image.Image:
    """Draw frames in reading order with the scores of the labels below.

    Args:
        frames: (T, C, H, W) in 0..1, one or three colour channels.
        times: seconds from the start of the clip, written below each frame.
        answers, title, is_share: as in `contact_sheet`.
        columns: frames in a row, by default all, up to eight.

    Raises `ValueError` for no frames, or another number of `times` than frames.
    """
    if frames.ndim != 4 or frames.shape[0] == 0 or frames.shape[1] not in (1, 3):
        raise ValueError(f"frames must be (frames, 1 or 3, height, width), got {tuple(frames.shape)}")
    if times is not None and len(times) != len(frames):
        raise ValueError(f"there are {len(frames)} frames but {len(times)} times")
    columns = columns or min(len(frames), 8)
    rows = math.ceil(len(frames) / columns)
    width = (WIDTH - 2 * MARGIN - (columns - 1) * GAP) // columns
    height = round(width * frames.shape[2] / frames.shape[3])
    row_height = height + (22 if times is not None else 0) + GAP

    title_height = LINE if title else 0
    sheet_height = MARGIN + title_height + rows * row_height + GAP + LINE * len(answers) + MARGIN - GAP
    sheet = Image.new("RGB", (WIDTH, sheet_height), PAPER)
    draw = ImageDraw.Draw(sheet)
    text, small = ImageFont.load_default(size=18), ImageFont.load_default(size=13)
    if title:
        draw.text((MARGIN, MARGIN - 4), shorten(title, text, WIDTH - 2 * MARGIN), INK, text)

    for index, frame in enumerate(frames):
        x = MARGIN + index % columns * (width + GAP)
        y = MARGIN + title_height + index // columns * row_height
        # small frames are enlarged without smoothing, to show what the model sees
        picture = to_pil_image(frame.float().clamp(0, 1)).convert("RGB")
        enlarged = picture.width < width
        sheet.paste(
            picture.resize((width, height), Image.Resampling.NEAREST if enlarged else Image.Resampling.BOX), (x, y)
        )
        if times is not None:
            draw.text((x + width / 2, y + height + 4), f"{times[index]:.2f} s", FAINT, small, anchor="ma")

    label_width = min(WIDTH // 2, 16 + math.ceil(max((text.getlength(str(a["label"])) for a in answers), default=0)))
    left, right = MARGIN + label_width, WIDTH - MARGIN - 76
    for index, answer in enumerate(answers):
        middle = MARGIN + title_height + rows * row_height + GAP + LINE * index + LINE // 2
        score = float(answer["score"])
        draw.text((MARGIN, middle), shorten(str(answer["label"]), text, label_width - 16), INK, text, anchor="lm")
        if is_share:
            draw.rounded_rectangle((left, middle - 9, right, middle + 9), 4, TRACK)
            if score > 0.005:
                draw.rounded_rectangle((left, middle - 9, left + max(8, score * (right - left)), middle + 9), 4, BAR)
        told = f"{score:.1%}" if is_share else f"{score:.3g}"
        draw.text((WIDTH - MARGIN, middle), told, INK if index == 0 else FAINT, text, anchor="rm")
    return sheet


def shorten(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    kept, shown = len(text), text
    while kept and font.getlength(shown) > width:
        kept -= 1
        shown = text[: kept - kept // 2] + "\N{HORIZONTAL ELLIPSIS}" + text[len(text) - kept // 2 :]
    return shown


def stack(sheets: Sequence[Image.Image]) -> Image.Image:
    picture = Image.new("RGB", (max(sheet.width for sheet in sheets), sum(sheet.height for sheet in sheets)), PAPER)
    top = 0
    for sheet in sheets:
        picture.paste(sheet, (0, top))
        top += sheet.height
    return picture
