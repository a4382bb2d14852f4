"""Predictions for a live source: frame by frame through a model's stream, or window by window.

T frames, C channels, H, W pixels.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from transformers import BaseVideoProcessor
from transformers.modeling_outputs import ImageClassifierOutput

from holovid.inference.films import SHORTEST, stack_frames
from holovid.inference.pipeline import VideoClassificationPipeline, join_batch
from holovid.processing.audio_decoding import SoundTrack
from holovid.processing.options import check_number
from holovid.processing.video_parts import VideoPart, shown_part
from holovid.processing.video_processing_holovid import HolovidVideoProcessor

ROUNDING = 1e-3  # seconds; error of frame times
USUAL_RATE = 25  # frames a second of a source without a rate, as FFmpeg assumes


class Source(Protocol):
    name: str
    start: float
    frame_rate: float | None

    def pixels(self, picture: Any) -> Tensor: ...
    def listen(self) -> None: ...
    def track(self) -> SoundTrack | None: ...
    def forget_sound(self, before: float | None = None) -> None: ...


class FrameByFrame:
    """Runs a model's stream on a source's chosen frames."""

    def __init__(self, stream: Any, pipeline: VideoClassificationPipeline, source: Source):
        self._stream, self._pipeline, self._source = stream, pipeline, source
        self._waiting: list[Tensor] = []

    def begin_anew(self, runs_on: bool) -> None:
        self._stream.reset()
        self._waiting = []

    def see(self, seconds: float, picture: Any, is_taken: bool) -> ImageClassifierOutput | None:
        if is_taken:
            self._waiting.append(self._source.pixels(picture))
        if len(self._waiting) < self._stream.step:
            return None
        frames = processed(self._pipeline.video_processor, self._waiting, self._pipeline.model.device)
        self._waiting = []
        logits = self._stream(frames).logits
        return None if logits is None else ImageClassifierOutput(logits=logits.float())


class WindowByWindow:
    """Predicts for windows, in seconds, that start with chosen frames; each is processed like a clip.

    Only frames that open windows may need are kept: decoded pictures, or pixels if a processor took them. Raises
    `ValueError` for an impossible window, a processor that is not holovid's, and a model in training mode.
    """

    def __init__(self, pipeline: VideoClassificationPipeline, source: Source, window: float):
        check_number("window", window, SHORTEST)
        processor = pipeline.video_processor
        if not isinstance(processor, HolovidVideoProcessor):
            raise ValueError(f"windows of a source need a HolovidVideoProcessor, got a {type(processor).__name__}")
        self._pipeline, self._source, self._window = pipeline, source, float(window)
        self._frame = 1 / (source.frame_rate or USUAL_RATE)
        self._hears = processor.feature_extractor is not None and processor.load_audio_from_video
        if self._hears:
            source.listen()
        self._forget_frames()

    def _forget_frames(self) -> None:
        self._starts: deque[float] = deque()  # of open windows
        self._seen: deque[tuple[int, float, Any]] = deque()  # (number, seconds, picture)
        self._read: dict[int, Tensor] = {}  # pixels by frame number
        self._count = 0

    def begin_anew(self, runs_on: bool) -> None:
        """Forget earlier frames, and earlier sound unless the source's clock `runs_on`."""
        self._forget_frames()
        if self._hears and not runs_on:
            self._source.forget_sound()

    def see(self, seconds: float, picture: Any, is_taken: bool) -> ImageClassifierOutput | None:
        """The model's output for the last window that ends with this frame."""
        if is_taken:
            self._starts.append(seconds)
        if self._starts:
            self._seen.append((self._count, seconds, picture))
            self._count += 1
        start = None
        while self._starts and self._starts[0] + self._window <= seconds + self._frame + ROUNDING:
            start = self._starts.popleft()
        answer = None if start is None else self._answer(start)
        earliest = self._starts[0] if self._starts else seconds + self._frame
        while self._seen and self._seen[0][1] < earliest:
            self._read.pop(self._seen.popleft()[0], None)
        if self._hears:
            self._source.forget_sound(earliest)
        return answer

    def _answer(self, start: float) -> ImageClassifierOutput:
        inputs = self._pipeline.preprocess(self._part(start), do_random_sampling=False)
        return self._pipeline.forward((join_batch([inputs]), [None]))[0]

    def _part(self, start: float) -> VideoPart:
        seen = [each for each in self._seen if each[1] >= start]
        times = np.array([seconds for _, seconds, _ in seen]) + self._source.start
        shown = shown_part(self._source.name, times, float(times[-1]) + self._frame, (0.0, self._window))

        def read(indices: np.ndarray, each: Callable[[Tensor], Tensor] | None) -> Tensor:
            frames = []
            for number, _, picture in [seen[index] for index in indices]:
                if number not in self._read:
                    pixels = self._source.pixels(picture)
                    self._read[number] = pixels if each is None else each(pixels[None])[0]
                frames.append(self._read[number])
            return stack_frames(frames, as_decoded=each is None)

        facts = shown.metadata(self._source.frame_rate, seen[0][2].width, seen[0][2].height)
        return VideoPart(self._source.name, shown, facts, read, self._source.track() if self._hears else None)


def processed(processor: BaseVideoProcessor, frames: list[Tensor], device: torch.device) -> Tensor:
    """Frames (C, H, W) -> the model's input, (1, T, C, H', W')."""
    return processor(
        torch.stack(frames),
        do_sample_frames=False,
        num_crops=1,
        input_data_format="channels_first",
        device=device,
        return_tensors="pt",
    )["pixel_values_videos"]
