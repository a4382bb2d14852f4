"""What a model says of each moment of a long film: scores over time.

    scores = timeline(model, processor, "film.mp4", window=2.0, stride=0.5)
    find_segments(scores, SegmentRules(threshold=0.6, shortest=1.0))

Windows overlap, each frame is decoded once, and memory does not grow with the film. Alphabet: N windows.
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
        labels: of the classes, or what a number is called.
        kind: "class" or "future", where the scores of a moment sum to 1; "multi_label", where each is from 0 to 1 by
            itself; or "score", a number on the model's own scale.
        starts: (N,) when each window starts, in seconds from the first frame of the film.
        window: seconds of a window.
        seconds: how long the film lasts.
        scores: (N, classes) float32.
        ahead: of a model that says what comes next, seconds from the end of a window to what its scores are about;
            else `None`, as they are about the window.
        seen, heard: how much the moments of each window count for its best answer; `None` if that was not asked for,
            and `heard` also of a model that does not hear.
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
        """(N,) seconds that scores are about: the middle of each window, which may be shorter at the end of the film.

        Of what comes next, `ahead` of its end.
        """
        ends = np.minimum(self.starts + self.window, self.seconds)
        return (self.starts + ends) / 2 if self.ahead is None else ends + self.ahead

    @property
    def edges(self) -> np.ndarray:
        """(N + 1,) seconds: the scores of window n are the nearest from edge n to edge n + 1.

        These span all of the film. Of what comes next it is what is known: from half a step before the first moment to
        half a step after the last one, which may lie beyond the end of the film.
        """
        middles = self.middles
        between = (middles[:-1] + middles[1:]) / 2
        if self.ahead is None:
            return np.concatenate([[0.0], between, [self.seconds]])
        half = (middles[1] - middles[0]) / 2 if len(middles) > 1 else min(self.ahead, self.window / 2)
        return np.concatenate([[middles[0] - half], between, [middles[-1] + half]])

    def at(self, seconds: float) -> np.ndarray:
        """(classes,) scores of the window whose middle is nearest to a moment."""
        number = int(np.searchsorted(self.edges, seconds, side="right")) - 1
        return self.scores[min(max(number, 0), len(self.scores) - 1)]

    def best(self, seconds: float, top_k: int) -> list[dict[str, Any]]:
        """The answers at a moment, `{"label": str, "score": float}`, best first; none where nothing is known yet."""
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
    """Score windows of a film, those that start every `stride` seconds.

    A window is what the processor makes of the clip from its start to its end: its frames by the processor's own
    recipe, and for a model that hears the sound of that time. Pictures are decoded once, in order, and what is kept of
    them does not grow with the film; so it is with sound, but for its packets, which stay in memory as they are coded.

    Args:
        model: a classifier of holovid in eval mode, or one whose answer is a number.
        processor: of the model, or its video processor.
        film: path, URL, bytes or binary file object.
        window, stride: in seconds.
        batch_size: windows that go through the model at once.
        stream: let frames go through the model's stream one by one, `window` / T seconds apart, T being those of a
            window, so that none is computed twice however windows overlap. What is exact then, `streaming_xvit.py`
            says of each model: frames that see others in groups give the scores of windows by themselves, if the
            processor takes frames at even steps ("uniform") and windows start with a frame; those that see earlier
            ones have seen the film from its beginning.
        why: also explain the best answer of each window (`holovid.explanation.explain`): when in the film what counts
            is seen and heard. Takes about three times as long.
        progress: show a progress bar.
        name: what the film is called, by default its path.

    Raises `ValueError` for a film that cannot be read, numbers out of range, a model in training mode or without
    logits, and scores that are not finite; and for a stream, where reasons are asked for, the model has none, a stride
    is no multiple of the steps in which it answers, and a film is shorter than a window.
    """
    check_whole_number("batch_size", batch_size, 1, MOST_AT_ONCE)
    if why and stream:
        raise ValueError("a stream computes no window as a whole, so none can be explained; leave out stream or why")
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
    """What a pipeline computes of the inputs of windows, (batch, classes) for each batch of them."""
    for batch in in_batches(clips, batch_size):
        logits: list[Tensor] = []
        for _, same in groupby(batch, lambda clip: [value.shape for value in clip.values()]):
            some = list(same)
            logits += [answer.logits for answer in read.forward((join_batch(some), [None] * len(some)))]
        yield torch.cat(logits)


def logits_of_explained(windows: Iterable[tuple[Tensor, Explanation]], reasons: list[Explanation]) -> Iterator[Tensor]:
    """The logits of windows, whose explanations are added to `reasons`."""
    for logits, why in windows:
        reasons.append(why)
        yield logits


def task_over_time(model: PreTrainedModel) -> Task:
    """What is asked of each window. Raises `ValueError` for a model in training mode, or that answers nothing."""
    if model.training:
        raise ValueError("the model is in training mode, where chance has a part in its answers; call model.eval()")
    tasks = tasks_of(model, model.config)
    if not tasks:
        raise ValueError(f"a timeline is that of a classifier, got a {type(model).__name__}, which has no classes")
    return next((task for task in tasks if task.scores == LABEL.scores), tasks[0])


def labels_of(model: PreTrainedModel, task: Task) -> tuple[str, ...]:
    """The names of the scores in their order; where classes have none, what transformers calls them."""
    names = task.names(model.config)
    if names is None:
        names = [str(model.config.id2label.get(number, number)) for number in range(task.count(model.config))]
    return tuple(names)


def scores_over_time(logits: Tensor, task: Task) -> Tensor:
    """Logits (N, classes), or numbers (N, 1) -> scores float32 on the CPU, as `Timeline.kind` says."""
    check_finite(logits)
    logits = logits.float().cpu()
    if task.kind == "score":
        return logits
    return logits.sigmoid() if task.kind == "multi_label" else logits.softmax(dim=-1)


def in_batches(items: Iterable, size: int) -> Iterator[list]:
    items = iter(items)
    while batch := list(islice(items, size)):
        yield batch
