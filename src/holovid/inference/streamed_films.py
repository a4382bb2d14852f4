"""A film through the stream of a model: each frame is computed once, however windows overlap.

Alphabet: T frames of a window, G frames after which a stream answers anew.
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

ROUNDING = 0.01  # of a stride: nobody writes a third of a second in full


def stride_of_stream(model: PreTrainedModel, processor: HolovidVideoProcessor, window: float, stride: float) -> float:
    """The stride that is meant, in seconds: a whole number of the steps in which the stream of the model answers.

    Raises `ValueError` where there is none, for a family without a stream, and for a processor of several views.
    """
    stream = stream_class(model)(model, processor.num_frames)
    if processor.num_views * processor.num_crops > 1:
        raise ValueError("a stream sees one view of each frame: set num_views and num_crops of the processor to 1")
    check_number("window", window, SHORTEST)
    check_number("stride", stride, SHORTEST)
    step = stream.step * window / processor.num_frames
    count = round(stride / step)
    if count < 1 or abs(count * step - stride) > ROUNDING * stride:
        raise ValueError(
            f"of windows of {window:g} s, the stream of this model answers every {step:g} s: the stride must be a "
            f"multiple of that, got {stride:g} s"
        )
    return count * step


def streamed_logits(model: PreTrainedModel, film: Film, stride: float) -> Iterator[Tensor]:
    """Logits (1, classes) of each window of a film, whose frames are those on the screen at T even steps.

    `stride` is that of the film and of `stride_of_stream`. Raises `ValueError` for a film shorter than a window.
    """
    count = film.processor.num_frames
    step = film.window / count
    if film.seconds + step < film.window:
        raise ValueError(f"the film lasts {film.seconds:g} s, and a stream answers after {film.window:g} s")
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
