"""A picture of an explanation: frames with heat maps, and their weights and the sound on one time axis."""

from typing import Any

from torch import Tensor

from holovid.explanation.sentences import by_time, edges_of
from holovid.extras import needed
from holovid.inference.explained_clip import ExplainedClip

with needed("matplotlib", "a picture of an explanation"):
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT, SEEN, HEARD, SPAN = "#1b1f24", "#6a737d", "#2f6fde", "#d9730d", "#ffe08a"
WIDTH, AXIS_HEIGHT, TITLE_HEIGHT, WORDS_HEIGHT = 10.0, 0.8, 0.45, 0.6  # inches
FEW, COLUMNS, MANY_COLUMNS = 32, 8, 16  # frames; columns for few and for many
DOTS_PER_INCH = 100


def draw_explanation(explained: ExplainedClip) -> Figure:
    """Input frames with heat maps, when the model's evidence is seen and heard, and the prediction in words."""
    frames = explained.painted()
    columns = min(len(frames), COLUMNS if len(frames) <= FEW else MANY_COLUMNS)
    rows = -(-len(frames) // columns)
    each = WIDTH / max(columns, 4)  # a single frame does not fill the width
    frames_height = rows * (each * frames.shape[2] / frames.shape[3] + 0.25) + TITLE_HEIGHT
    values = time_axes(explained)
    time_height = AXIS_HEIGHT * len(values) + WORDS_HEIGHT
    figure = Figure(figsize=(WIDTH, frames_height + time_height), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=[frames_height, time_height])
    top, bottom = parts
    top.suptitle(f"{explained.label}  {explained.score:.1%}", color=INK, fontsize=15, parse_math=False)
    for place, panel in enumerate(top.subplots(rows, columns, squeeze=False).flat):
        panel.set_axis_off()
        if place < len(frames):
            panel.imshow(frames[place].permute(1, 2, 0).clamp(0, 1).numpy(), interpolation="nearest")
            panel.set_title(f"{explained.frame_seconds[place]:.2f} s", fontsize=8, color=FAINT, pad=2)
    draw_time(bottom, explained, values)
    return figure


def time_axes(explained: ExplainedClip) -> dict[str, Tensor]:
    why = explained.why
    there = {"video": why.when_visual, "waveform": explained.loudness, "audio": why.when_audio}
    return {name: values for name, values in there.items() if values is not None}


def draw_time(figure: Any, explained: ExplainedClip, values: dict[str, Tensor]) -> None:
    why, reason = explained.why, explained.reason
    times = {"video": why.frame_times, "audio": why.audio_times}
    panels = figure.subplots(len(values), 1, sharex=True, squeeze=False)[:, 0]
    for (name, each), panel in zip(values.items(), panels, strict=True):
        panel.axvspan(reason.start, reason.end, color=SPAN, alpha=0.5, linewidth=0)
        if (middles := times.get(name)) is not None:
            draw_moments(panel, each[0], middles[0], explained.seconds, SEEN if name == "video" else HEARD)
        else:
            draw_loudness(panel, each, explained.seconds)
            name = "waveform" if explained.hears else "waveform, not used\nby this model"
        panel.set_ylabel(name, rotation=0, ha="right", va="center", color=INK, fontsize=9)
        panel.set_yticks([])
        panel.spines[["top", "right", "left"]].set_visible(False)
        panel.set_xlim(0, explained.seconds)
    panels[-1].set_xlabel("seconds", color=INK, fontsize=9)
    figure.supxlabel(reason.sentence, color=INK, fontsize=12, parse_math=False)


def draw_moments(panel: Axes, when: Tensor, times: Tensor, seconds: float, color: str) -> None:
    when, times = by_time(when, times)
    panel.stairs(when.tolist(), edges_of(times, seconds), fill=True, color=color)
    panel.set_ylim(bottom=0)


def draw_loudness(panel: Axes, loudness: Tensor, seconds: float) -> None:
    borders = [seconds * part / len(loudness) for part in range(len(loudness) + 1)]
    panel.stairs(loudness.tolist(), borders, baseline=(-loudness).tolist(), fill=True, color=FAINT)
    panel.set_ylim(-1.05, 1.05)
