"""Scores over time -> segments: when each class occurs.

The scores of each class are smoothed, cut at a threshold or around peaks, joined over short gaps, and short segments
are left out. N moments.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.signal import find_peaks

from holovid.inference.timelines import Timeline
from holovid.processing.options import check_number

HALF = 0.5  # share of a peak's score that bounds its segment


@dataclass(frozen=True)
class Segment:
    """`label` from second `start` to second `end`; `score` is the mean of its smoothed scores."""

    start: float
    end: float
    label: str
    score: float


@dataclass(frozen=True)
class SegmentRules:
    """Rules that turn scores into segments.

    Args:
        threshold: least score of a segment.
        smooth: seconds of a centred moving average. 0: none.
        peaks: a segment surrounds a peak of at least the threshold, down to half its height. Otherwise it is where
            scores reach the threshold. Peaks separate repetitions without a pause; a threshold keeps long events
            whole.
        gap: longest gap in seconds over which segments of a class are joined.
        shortest: least seconds of a segment, after gaps are closed.
        background: labels without segments.

    Raises `ValueError` for negative seconds and numbers that are not finite.
    """

    threshold: float = 0.5
    smooth: float = 0.0
    peaks: bool = False
    gap: float = 0.0
    shortest: float = 0.0
    background: tuple[str, ...] = ()

    def __post_init__(self):
        check_number("threshold", self.threshold)
        for name in ("smooth", "gap", "shortest"):
            check_number(name, getattr(self, name), 0)


def find_segments(timeline: Timeline, rules: SegmentRules | None = None) -> list[Segment]:
    """The segments of all classes in the order of their starts. Raises `ValueError` for unknown background."""
    rules = rules or SegmentRules()
    check_background(rules, timeline.labels)
    edges, found = timeline.edges, []
    for label, scores in zip(timeline.labels, timeline.scores.T, strict=True):
        if label in rules.background:
            continue
        smoothed = smooth(scores, count_smoothed(edges, rules.smooth))
        cells = around_peaks(smoothed, rules.threshold) if rules.peaks else above(smoothed, rules.threshold)
        for first, last in joined(cells, edges, rules.gap):
            start, end = float(edges[first]), float(edges[last + 1])
            if end - start >= rules.shortest:
                found.append(Segment(start, end, label, float(smoothed[first : last + 1].mean())))
    return sorted(found, key=lambda segment: (segment.start, segment.end, segment.label))


def check_background(rules: SegmentRules, labels: Sequence[str]) -> None:
    if unknown := [name for name in rules.background if name not in labels]:
        raise ValueError(f"background {unknown[0]!r} is not a class; classes are {', '.join(labels)}")


def check_threshold(rules: SegmentRules, kind: str) -> None:
    """Raise `ValueError` for a threshold that no score, or every one, reaches; `kind` is `Timeline.kind`."""
    if kind != "score":
        check_number("threshold", rules.threshold, 0, 1)


def highest_score(timeline: Timeline, rules: SegmentRules) -> tuple[float, str]:
    """The highest smoothed score that is not of the background, and its label; -inf if there is none."""
    count = count_smoothed(timeline.edges, rules.smooth)
    scores = zip(timeline.labels, timeline.scores.T, strict=True)
    highest = [(float(smooth(of_label, count).max()), label) for label, of_label in scores]
    return max((each for each in highest if each[1] not in rules.background), default=(-math.inf, ""))


def count_smoothed(edges: np.ndarray, seconds: float) -> int:
    step = np.median(np.diff(edges[1:-1])) if len(edges) > 3 else edges[-1]
    return 1 + 2 * int(seconds / step / 2 + 1e-9)


def smooth(scores: np.ndarray, count: int) -> np.ndarray:
    """Centred moving average of `count` scores, fewer at the ends; (N,) -> (N,).

    >>> smooth(np.array([0.0, 0.0, 3.0, 0.0, 0.0, 6.0]), 3).tolist()
    [0.0, 1.0, 1.0, 1.0, 2.0, 3.0]
    """
    sums = np.concatenate([[0.0], np.cumsum(scores, dtype=np.float64)])
    places = np.arange(len(scores))
    first, stop = np.maximum(0, places - count // 2), np.minimum(len(scores), places + count // 2 + 1)
    return (sums[stop] - sums[first]) / (stop - first)


def above(scores: np.ndarray, threshold: float) -> list[tuple[int, int]]:
    """(first, last) of each run of moments whose scores reach the threshold.

    >>> above(np.array([0.9, 0.2, 0.5, 0.6, 0.1, 0.7]), 0.5)
    [(0, 0), (2, 3), (5, 5)]
    """
    reached = np.concatenate([[0], (scores >= threshold).astype(int), [0]])
    changes = np.diff(reached)
    return [
        (int(first), int(after) - 1)
        for first, after in zip(np.flatnonzero(changes == 1), np.flatnonzero(changes == -1), strict=True)
    ]


def around_peaks(scores: np.ndarray, threshold: float) -> list[tuple[int, int]]:
    """(first, last) around each peak that reaches the threshold, down to half its height.

    If two would meet, the lowest moment between them belongs to neither.

    >>> around_peaks(np.array([0.1, 0.5, 0.9, 0.6, 0.8, 0.2]), 0.7)
    [(1, 2), (4, 4)]
    """
    padded = np.concatenate([[-np.inf], scores, [-np.inf]])  # so that the ends can be peaks
    peaks = [int(peak) - 1 for peak in find_peaks(padded, height=threshold)[0]]
    found = []
    for place, peak in enumerate(peaks):
        first = last = peak
        before = peaks[place - 1] if place else -1
        after = peaks[place + 1] if place + 1 < len(peaks) else len(scores)
        left = before + 1 + int(np.argmin(scores[before + 1 : peak])) if place and before + 1 < peak else -1
        right = peak + 1 + int(np.argmin(scores[peak + 1 : after])) if after < len(scores) else len(scores)
        while first - 1 > left and scores[first - 1] >= HALF * scores[peak]:
            first -= 1
        while last + 1 < right and scores[last + 1] >= HALF * scores[peak]:
            last += 1
        found.append((first, last))
    return found


def joined(cells: list[tuple[int, int]], edges: np.ndarray, gap: float) -> list[tuple[int, int]]:
    """Join runs with gaps of at most `gap` seconds; 0 joins none.

    >>> joined([(0, 0), (2, 3), (6, 6)], np.arange(8.0), gap=1.0)
    [(0, 3), (6, 6)]
    """
    found: list[tuple[int, int]] = []
    for first, last in cells:
        if found and gap > 0 and edges[first] - edges[found[-1][1] + 1] <= gap + 1e-9:
            found[-1] = found[-1][0], last
        else:
            found.append((first, last))
    return found
