"""Predictions for each moment of a long film: scores over time.

    scores = timeline(model, processor, "film.mp4", window=2.0, stride=0.5)
    find_segments(scores, SegmentRules(threshold=0.6, shortest=1.0))

Windows overlap, each frame is decoded once, and memory does not grow with the film. N windows.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any

import numpy as np
import torch
from rich.progress import track
from torch import Tensor
from transformers import BaseVideoProcessor, PreTrainedModel

from holovid.explanation import Explanation
from holovid.inference.films import Film
from holovid.inference.pipeline import VideoClassificationPipeline, check_finite, join_batch
from holovid.inference.streamed_films import streamed_logits, stride_of_stream
from holovid.inference.timeline_reasons import Moments, explained_windows, moments_of
from holovid.modeling.tasks import LABEL, Task, tasks_of
from holovid.processing.media_source import MediaSource, describe_source
from holovid.processing.options import check_whole_number

MOST_AT_ONCE = 2**16


@dataclass(frozen=True)
class Timeline:
    """Scores of a film over time.

    Args:
        name: of the film.
        labels: names of the classes, or of a number.
        kind: "class" or "future", where the scores of a moment sum to 1; "multi_label", where each is from 0 to 1;
            or "score", a number on the model's scale.
        starts: (N,) start of each window, in seconds from the first frame of the film.
        window: seconds of a window.
        seconds: length of the film.
        scores: (N, classes) float32.
        ahead: for a model of anticipation, seconds from the end of a window to the time that it predicts; else `None`.
        seen, heard: weights of each window's moments for its best prediction; `None` unless asked for, and `heard`
            also for a model that does not use audio.
    """

    name: str
    labels: tuple[str, ...]
    kind: str
    starts: np.ndarray
    window: float
    seconds: float
    scores: np.ndarray
    ahead: float | None = None
    seen: Moments | None = None
    heard: Moments | None = None

    @property
    def middles(self) -> np.ndarray:
        """(N,) seconds that scores describe: the middle of each window; for anticipation, `ahead` of its end."""
        ends = np.minimum(self.starts + self.window, self.seconds)
        return (self.starts + ends) / 2 if self.ahead is None else ends + self.ahead

    @property
    def edges(self) -> np.ndarray:
        """(N + 1,) seconds: from edge n to edge n + 1 the scores of window n are the nearest.

        They cover the whole film. For anticipation they reach from half a step before the first predicted time to half
        a step after the last, which may be beyond the end of the film.
        """
        middles = self.middles
        between = (middles[:-1] + middles[1:]) / 2
        if self.ahead is None:
            return np.concatenate([[0.0], between, [self.seconds]])
        half = (middles[1] - middles[0]) / 2 if len(middles) > 1 else min(self.ahead, self.window / 2)
        return np.concatenate([[middles[0] - half], between, [middles[-1] + half]])

    def at(self, seconds: float) -> np.ndarray:
        """(classes,) scores of the window whose middle is nearest."""
        number = int(np.searchsorted(self.edges, seconds, side="right")) - 1
        return self.scores[min(max(number, 0), len(self.scores) - 1)]

    def best(self, seconds: float, top_k: int) -> list[dict[str, Any]]:
        """The predictions at a moment, `{"label": str, "score": float}`, best first; empty before the first."""
        if self.ahead is not None and not self.edges[0] <= seconds <= self.edges[-1]:
            return []
        scores = self.at(seconds)
        order = np.argsort(-scores, kind="stable")[:top_k]
        return [{"label": self.labels[number], "score": float(scores[number])} for number in order]


def timeline(
    model: PreTrainedModel,
    processor: BaseVideoProcessor,
    film: MediaSource,
    window: float = 2.0,
    stride: float = 0.5,
    *,
    batch_size: int = 8,
    stream: bool = False,
    why: bool = False,
    progress: bool = True,
    name: str | None = None,
) -> Timeline:
    """Score windows of a film that start every `stride` seconds.

    A window is processed like a clip from its start to its end, with the processor's own sampling, and for a model
    that uses audio with the sound of that time. Frames are decoded once, in order, and memory does not grow with the
    film, except for coded audio packets.

    Args:
        model: a classifier of holovid in eval mode, or one that predicts a number.
        processor: of the model, or its video processor.
        film: path, URL, bytes or binary file object.
        window, stride: in seconds.
        batch_size: windows in one forward pass.
        stream: run frames through the model's stream, `window` / T seconds apart, where T is a window's number of
            frames, so none is computed twice. Models that mix frames in groups give the scores of separate windows, if
            the processor samples at even steps ("uniform") and windows start with a frame; models that mix only past
            frames have seen the film from its beginning (`streaming_xvit.py`).
        why: also explain the best prediction of each window (`holovid.explanation.explain`): when its evidence is seen
            and heard. Takes about three times as long.
        progress: show a progress bar.
        name: of the film, by default its path.

    Raises `ValueError` for a film that cannot be read, numbers out of range, a model in training mode or without
    logits, and scores that are not finite; for a stream also with `why`, for a model without one, a stride that is not
    a multiple of its steps, and a film shorter than a window.
    """
    check_whole_number("batch_size", batch_size, 1, MOST_AT_ONCE)
    if why and stream:
        raise ValueError("a stream does not compute whole windows, so it cannot explain them; leave out stream or why")
    task = task_over_time(model)
    processor = getattr(processor, "video_processor", processor)
    if name is None:
        name = os.fspath(film) if isinstance(film, str | os.PathLike) else describe_source(film)
    if stream:
        stride = stride_of_stream(model, processor, window, stride)
    scores: list[Tensor] = []
    reasons: list[Explanation] = []
    with Film(film, processor, window, stride) as opened:
        if stream:
            answers, parts = streamed_logits(model, opened, stride), len(opened.starts)
        elif why:
            read = VideoClassificationPipeline(model=model, video_processor=processor)
            answers = logits_of_explained(explained_windows(read, opened, batch_size), reasons)
            parts = -(-len(opened.starts) // batch_size)
        else:
            read = VideoClassificationPipeline(model=model, video_processor=processor)
            inputs = (read.preprocess(clip, do_random_sampling=False) for clip in opened.windows())
            answers, parts = logits_of_windows(read, inputs, batch_size), -(-len(opened.starts) // batch_size)
        for logits in track(answers, "Scoring windows", total=parts, disable=not progress):
            scores.append(scores_over_time(logits, task))
        seen, heard = moments_of(reasons, opened.starts) if why else (None, None)
        return Timeline(
            name=name,
            labels=labels_of(model, task),
            kind=task.kind,
            starts=opened.starts,
            window=opened.window,
            seconds=opened.seconds,
            scores=torch.cat(scores).numpy(),
            ahead=float(model.config.anticipation_seconds) if task.kind == "future" else None,
            seen=seen,
            heard=heard,
        )


def logits_of_windows(
    read: VideoClassificationPipeline, clips: Iterable[dict[str, Tensor]], batch_size: int
) -> Iterator[Tensor]:
    for batch in in_batches(clips, batch_size):
        logits: list[Tensor] = []
        for _, same in groupby(batch, lambda clip: [value.shape for value in clip.values()]):
            some = list(same)
            logits += [answer.logits for answer in read.forward((join_batch(some), [None] * len(some)))]
        yield torch.cat(logits)


def logits_of_explained(windows: Iterable[tuple[Tensor, Explanation]], reasons: list[Explanation]) -> Iterator[Tensor]:
    for logits, why in windows:
        reasons.append(why)
        yield logits


def task_over_time(model: PreTrainedModel) -> Task:
    """The task of each window. Raises `ValueError` for a model in training mode or without a task."""
    if model.training:
        raise ValueError("the model is in training mode, where dropout makes its answers random; call model.eval()")
    tasks = tasks_of(model, model.config)
    if not tasks:
        raise ValueError(f"a timeline needs a classifier, got a {type(model).__name__}, which has no classes")
    return next((task for task in tasks if task.scores == LABEL.scores), tasks[0])


def labels_of(model: PreTrainedModel, task: Task) -> tuple[str, ...]:
    """Names of the scores in order; transformers' default names if classes have none."""
    names = task.names(model.config)
    if names is None:
        names = [str(model.config.id2label.get(number, number)) for number in range(task.count(model.config))]
    return tuple(names)


def scores_over_time(logits: Tensor, task: Task) -> Tensor:
    """Logits (N, classes), or numbers (N, 1) -> scores float32 on the CPU, of `Timeline.kind`."""
    check_finite(logits)
    logits = logits.float().cpu()
    if task.kind == "score":
        return logits
    return logits.sigmoid() if task.kind == "multi_label" else logits.softmax(dim=-1)


def in_batches(items: Iterable, size: int) -> Iterator[list]:
    items = iter(items)
    while batch := list(islice(items, size)):
        yield batch
