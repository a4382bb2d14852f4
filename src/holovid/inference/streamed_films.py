"""A film through a model's stream: each frame is computed once, however much windows overlap.

T frames of a window, G frames from one answer of the stream to the next.
"""

from collections.abc import Iterator

import numpy as np
from torch import Tensor
from transformers import PreTrainedModel

from holovid.inference.films import SHORTEST, Film
from holovid.inference.watched_windows import processed
from holovid.inference.watching import stream_class
from holovid.processing.options import check_number
from holovid.processing.video_processing_holovid import HolovidVideoProcessor

ROUNDING = 0.01  # share of a stride, for values such as 0.33


def stride_of_stream(model: PreTrainedModel, processor: HolovidVideoProcessor, window: float, stride: float) -> float:
    """The intended stride in seconds: a whole number of the stream's steps.

    Raises `ValueError` if there is none, for a family without a stream, and for a processor of several views.
    """
    stream = stream_class(model)(model, processor.num_frames)
    if processor.num_views * processor.num_crops > 1:
        raise ValueError("a stream takes one view of each frame: set num_views and num_crops of the processor to 1")
    check_number("window", window, SHORTEST)
    check_number("stride", stride, SHORTEST)
    step = stream.step * window / processor.num_frames
    count = round(stride / step)
    if count < 1 or abs(count * step - stride) > ROUNDING * stride:
        raise ValueError(
            f"with windows of {window:g} s, the stream of this model predicts every {step:g} s: the stride must be a "
            f"multiple of that, got {stride:g} s"
        )
    return count * step


def streamed_logits(model: PreTrainedModel, film: Film, stride: float) -> Iterator[Tensor]:
    """Logits (1, classes) of each window, from T even steps. Raises `ValueError` for a film shorter than a window."""
    count = film.processor.num_frames
    step = film.window / count
    if film.seconds + step < film.window:
        raise ValueError(f"the film lasts {film.seconds:g} s, but a stream first predicts after {film.window:g} s")
    stream = stream_class(model)(model, count)
    hop = round(stride / step)
    together = max(stream.step, count - count % stream.step)
    waiting: list[Tensor] = []
    total = count + (len(film.starts) - 1) * hop
    for number, pixels in enumerate(film.frames_at(np.arange(total) * step), start=1):
        waiting.append(pixels)
        if len(waiting) == together or number == total:
            frames = processed(film.processor, waiting, model.device).to(model.dtype)
            waiting = []
            for output in stream.after_each(frames):
                if output.logits is not None and len(output.frames[0]) == count and output.frames[0].start % hop == 0:
                    yield output.logits
