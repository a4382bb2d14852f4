"""Action anticipation: turns a table of actions into the clips that a model sees before each action.

    clips = load_clips("kitchen.csv")  # path, start, end, label
    clips = before_actions(clips, anticipation_seconds=1.0, observation_seconds=10.0, frame_rate=1.0, num_frames=10)
    clips = seen_by(model, clips)      # the same with the settings of the model's configuration

`holovid evaluate` and training do this themselves for a model of action anticipation.

A row of the first table is an action. In the result, `start` and `end` are those of the observation before it, and
`past_label` holds the action in each of its T frames. Nothing is decoded.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from datasets import ClassLabel, Dataset, DatasetDict, List, Value
from transformers import PreTrainedConfig
from transformers.utils import logging

from holovid.data.listed_actions import with_columns
from holovid.loading import heads_of

logger = logging.get_logger(__name__)

NOTHING = -100  # label of a frame without a known action, left out of losses
EARLIEST = 1 / 30  # seconds; windows that end earlier are left out, as in the released code
INCLUDED = 1e-5  # seconds from the last frame to the end of the interval, so that it is included


def before_actions(
    clips: Mapping[str, Dataset],
    *,
    target: str | Sequence[str] = "label",
    anticipation_seconds: float = 1.0,
    observation_seconds: float = 10.0,
    frame_rate: float = 1.0,
    num_frames: int = 10,
    by_half_length: bool = False,
) -> DatasetDict:
    """Convert tables of actions into tables of the observations before them, with the actions' classes.

    The model sees [start - anticipation - observation, start - anticipation] of an action, and no later frame.

    Args:
        clips: split -> rows of [`holovid.data.load_clips`] with `video`, `start` and `end` in seconds, and the targets
            as classes.
        target: the column of classes, or several. Each adds `past_<target>` (T,), the class of each frame by the other
            rows of the same video and split; -100 if there is none.
        anticipation_seconds: from the last frame to the start of the action.
        observation_seconds: length of the observation.
        frame_rate: frames a second.
        num_frames: T, counted back from the last frame; before the start of a video the first one is repeated.
        by_half_length: if several actions cover a frame, take the one whose half length is nearest to the frame's
            time, as the released code of AVT does. Default: the one whose middle is nearest.

    Rows whose observation ends before the video's first frame are left out, with a warning. `action_start` and
    `action_end` keep the action's times. Raises `ValueError` for a table without times or classes, missing times, and
    when no row is left.
    """
    targets = [target] if isinstance(target, str) else list(target)
    check_seconds(anticipation_seconds, observation_seconds, frame_rate, num_frames)
    found = {}
    for split, rows in clips.items():
        check_actions(split, rows, targets)
        starts, ends = (np.array(rows[name], dtype=np.float64) for name in ("start", "end"))
        last = starts - anticipation_seconds
        kept = np.flatnonzero(last >= EARLIEST)
        if not len(kept):
            raise ValueError(f"no action of the split {split!r} has a frame to observe before it")
        if left_out := len(rows) - len(kept):
            logger.warning(
                f"{split}: left out {left_out} of {len(rows)} actions, which start before {anticipation_seconds:g} s "
                "of their videos were seen"
            )
        times = frame_times(last[kept], frame_rate, num_frames)
        shown = what_frames_show(videos_of(rows), starts, ends, kept, times, by_half_length)
        new: dict[str, tuple[Any, Any]] = {
            "start": (np.maximum(last[kept] - observation_seconds, 0.0), Value("float64")),
            "end": (last[kept] + INCLUDED, Value("float64")),
            "action_start": (starts[kept], Value("float64")),
            "action_end": (ends[kept], Value("float64")),
        }
        for column in targets:
            classes = np.append(np.array(rows[column], dtype=np.int64), NOTHING)
            new[f"past_{column}"] = (classes[shown].tolist(), List(Value("int64")))
        found[split] = with_columns(rows.select(kept), new)
    return DatasetDict(found)


def anticipates(config: PreTrainedConfig) -> bool:
    return any(task.kind == "future" for head in heads_of(config) for task in getattr(head, "tasks", ()))


def seen_by(
    config: PreTrainedConfig, clips: Mapping[str, Dataset], target: str | Sequence[str] = "label"
) -> Mapping[str, Dataset]:
    """The clips that a model with this configuration sees.

    For a model of anticipation, [`before_actions`] of tables with `start` and `end`; tables without them hold films
    that end where the model has to predict, and stay unchanged. Other models see the clips unchanged.
    """
    if not anticipates(config) or not any(
        name in rows.column_names for rows in clips.values() for name in ("start", "end")
    ):
        return clips
    names = ("anticipation_seconds", "observation_seconds", "frame_rate", "num_frames")
    return before_actions(clips, target=target, **{name: getattr(config, name) for name in names})


def check_seconds(anticipation_seconds: float, observation_seconds: float, frame_rate: float, num_frames: int) -> None:
    if anticipation_seconds < 0:
        raise ValueError(f"anticipation_seconds must be 0 or more, got {anticipation_seconds}")
    for name, value in (("observation_seconds", observation_seconds), ("frame_rate", frame_rate)):
        if value <= 0:
            raise ValueError(f"{name} must be more than 0, got {value}")
    if num_frames < 1:
        raise ValueError(f"num_frames must be 1 or more, got {num_frames}")


def check_actions(split: str, rows: Dataset, targets: Sequence[str]) -> None:
    for name in ("start", "end"):
        if name not in rows.column_names:
            raise ValueError(f"anticipation needs the times of actions: {split} has no column {name!r}")
        if missing := [row for row, value in enumerate(rows[name]) if value is None]:
            raise ValueError(f"anticipation needs the times of actions: row {missing[0]} of {split} has no {name}")
    for column in targets:
        if not isinstance(rows.features.get(column), ClassLabel):
            raise ValueError(f"column {column!r} of {split} does not hold classes")


def videos_of(rows: Dataset) -> list[str]:
    """A key for the video of each row; a row with bytes is its own video."""
    return [video["path"] or f"row {row}" for row, video in enumerate(rows["video"])]


def frame_times(last: np.ndarray, frame_rate: float, num_frames: int) -> np.ndarray:
    """Seconds (rows, T) of frames counted back from `last` (rows,); the first is repeated before the video starts.

    >>> frame_times(np.array([2.5]), 1.0, 4)
    array([[0.5, 0.5, 1.5, 2.5]])
    """
    steps = np.arange(num_frames)[::-1] / frame_rate
    first = last - np.floor(last * frame_rate) / frame_rate
    return np.maximum(last[:, None] - steps, first[:, None])


def what_frames_show(
    videos: Sequence[str],
    starts: np.ndarray,
    ends: np.ndarray,
    kept: np.ndarray,
    times: np.ndarray,
    by_half_length: bool,
) -> np.ndarray:
    """For each time (kept rows, T), the row of the same video whose action covers it; -1 if none."""
    of_video: dict[str, list[int]] = {}
    for row, video in enumerate(videos):
        of_video.setdefault(video, []).append(row)
    shown = np.full(times.shape, -1)
    for place, row in enumerate(kept):
        others = np.array(of_video[videos[row]])
        begin, end = starts[others], ends[others]
        now = times[place][:, None]
        middle = (end - begin) / 2 if by_half_length else (begin + end) / 2
        distance = np.where((begin <= now) & (now <= end), np.abs(now - middle), np.inf)
        nearest = distance.argmin(axis=1)
        covered = np.isfinite(distance[np.arange(len(nearest)), nearest])
        shown[place, covered] = others[nearest[covered]]
    return shown


__all__ = ["anticipates", "before_actions", "seen_by"]
