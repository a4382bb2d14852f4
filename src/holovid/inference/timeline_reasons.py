"""Explanations over a film: the seen and heard moments behind each window's best prediction.

N windows, B windows of a batch, M moments or audio steps of a window.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from holovid.explanation import Explanation, explain
from holovid.explanation.scoring import without_foreign_times
from holovid.inference.films import Film
from holovid.inference.pipeline import VideoClassificationPipeline, join_batch
from holovid.processing.video_parts import VideoPart


@dataclass(frozen=True)
class Moments:
    """Weights of moments for the best predictions of windows.

    Args:
        seconds: (N, M) their times in the film.
        shares: (N, M) float32, which sum to 1 in each window; zeros for a window without sound.
    """

    seconds: np.ndarray
    shares: np.ndarray

    def over_film(self, seconds: float) -> tuple[np.ndarray, np.ndarray]:
        """Edges (K + 1,) and heights (K,) of steps as long as moments; height 1 means that all moments count alike.

        >>> moments = Moments(np.array([[0.5, 1.5], [1.5, 2.5]]), np.array([[0.2, 0.8], [0.6, 0.4]]))
        >>> moments.over_film(3.0)[1].round(2).tolist()
        [0.4, 1.4, 0.8]
        """
        count = self.seconds.shape[1]
        gaps = np.diff(self.seconds, axis=1)
        step = float(np.median(gaps)) if count > 1 and np.median(gaps) > 0 else seconds / len(self.seconds)
        steps = max(1, round(seconds / step))
        edges = np.linspace(0.0, seconds, steps + 1)
        place = (np.searchsorted(edges, self.seconds, side="right") - 1).clip(0, steps - 1)
        weights = np.bincount(place.ravel(), (count * self.shares).ravel(), steps)
        found = np.bincount(place.ravel(), minlength=steps)
        return edges, weights / found.clip(min=1)


def explained_windows(
    read: VideoClassificationPipeline, film: Film, batch_size: int
) -> Iterator[tuple[Tensor, Explanation]]:
    """Logits (B, classes) of batches of windows, and the explanations of their best predictions, with one view."""
    windows = zip(film.windows(), film.frame_seconds(), strict=True)
    clips = (inputs_of_window(read, part, seconds) for part, seconds in windows)  # read each before the next
    while batch := list(islice(clips, batch_size)):
        inputs = join_batch(batch)
        why = explain(read.model, inputs)
        answers = read.forward((without_foreign_times(read.model, inputs), [None] * len(batch)))
        yield torch.cat([answer.logits for answer in answers]), why.cpu()


def inputs_of_window(read: VideoClassificationPipeline, part: VideoPart, seconds: np.ndarray) -> dict[str, Tensor]:
    """One view of a window, with the times (T,) of its frames."""
    clip = dict(read.preprocess(part, do_random_sampling=False, num_views=1, num_crops=1))
    clip.setdefault("frame_times", torch.from_numpy(seconds).float()[None])
    return clip


def moments_of(found: list[Explanation], starts: np.ndarray) -> tuple[Moments | None, Moments | None]:
    """Seen and heard moments of all windows, which begin at `starts` (N,); `None` for what the explanations lack."""

    def joined(shares: str, times: str) -> Moments | None:
        if any(getattr(why, shares) is None or getattr(why, times) is None for why in found):
            return None
        told = [torch.cat([getattr(why, name).float() for why in found]).numpy() for name in (times, shares)]
        return Moments(told[0] + starts[:, None], told[1])

    return joined("when_visual", "frame_times"), joined("when_audio", "audio_times")
