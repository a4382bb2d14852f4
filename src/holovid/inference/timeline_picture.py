"""A picture of a film over time: for each class its scores as a curve and its segments as bars."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from holovid.extras import needed
from holovid.inference.segments import Segment
from holovid.inference.subtitles import clock
from holovid.inference.timelines import Timeline

with needed("matplotlib", "a picture of a timeline"):
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, MaxNLocator

INK, FAINT, HILL, BAR = "#1b1f24", "#6a737d", "#9dbdf5", "#2f6fde"
SENSES = {"seen": "#7a8794", "heard": "#d9730d"}
WIDTH, ROW_HEIGHT, AXIS_HEIGHT = 12.0, 0.6, 0.9  # inches
MOST_ROWS = 20
BAR_TOP = -0.12  # share of a row's height, below its curve
DOTS_PER_INCH = 100


def draw_timeline(timeline: Timeline, segments: Sequence[Segment]) -> Figure:
    """Draw classes with segments and those with the highest scores, at most `MOST_ROWS`, in the model's order.

    Below them, for a timeline with explanations, when the evidence is seen and heard.
    """
    rows = rows_of(timeline, segments)
    reasons = {"seen": timeline.seen, "heard": timeline.heard}
    known = {sense: moments for sense, moments in reasons.items() if moments is not None}
    count = len(rows) + len(known)
    figure = Figure(figsize=(WIDTH, ROW_HEIGHT * count + AXIS_HEIGHT), layout="constrained")
    panels: Any = figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0]
    is_share = timeline.kind != "score"
    for (sense, moments), panel in zip(known.items(), panels[len(rows) :], strict=True):
        edges, heights = moments.over_film(timeline.seconds)
        panel.stairs(heights, edges, fill=True, color=SENSES[sense])
        panel.set_ylim(bottom=0)
        told = {"seen": "relevance of video", "heard": "relevance of audio"}[sense]
        panel.set_ylabel(told, rotation=0, ha="right", va="center", color=FAINT, fontsize=9)
        panel.set_yticks([])
        panel.spines[["top", "right", "left"]].set_visible(False)
    for number, panel in zip(rows, panels, strict=False):
        scores, label = timeline.scores[:, number], timeline.labels[number]
        low, high = (0.0, 1.0) if is_share else (float(scores.min()), float(scores.max()))
        room = max(high - low, 1e-9)
        panel.stairs(scores, timeline.edges, baseline=low, fill=True, color=HILL)
        for segment in segments:
            if segment.label == label:
                width, bottom = segment.end - segment.start, low + 2 * BAR_TOP * room
                panel.broken_barh([(segment.start, width)], (bottom, -BAR_TOP * room), color=BAR)
        panel.set_ylim(low + 2.2 * BAR_TOP * room, high + 0.02 * room)
        panel.set_ylabel(label, rotation=0, ha="right", va="center", color=INK, fontsize=9, parse_math=False)
        panel.set_yticks([] if is_share else [low, high])
        panel.spines[["top", "right", "left"]].set_visible(False)
        panel.set_xlim(0, timeline.seconds)
    panels[-1].xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))  # labels have whole seconds
    panels[-1].xaxis.set_major_formatter(FuncFormatter(lambda second, _: clock(round(1000 * second), ".")[:-4]))
    panels[-1].set_xlabel(timeline.name, color=FAINT, fontsize=9, parse_math=False)
    return figure


def rows_of(timeline: Timeline, segments: Sequence[Segment]) -> list[int]:
    named = {segment.label for segment in segments}
    highest = timeline.scores.max(axis=0)
    order = sorted(range(len(highest)), key=lambda number: (timeline.labels[number] not in named, -highest[number]))
    return sorted(np.asarray(order[:MOST_ROWS]).tolist())
