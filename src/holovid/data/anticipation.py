"""What comes next: from a table of what happens when, what a model sees before it happens.

    clips = load_clips("kitchen.csv")  # path, start, end, label
    clips = before_actions(clips, anticipation_seconds=1.0, observation_seconds=10.0, frame_rate=1.0, num_frames=10)
    clips = seen_by(model, clips)      # the same with what the model's configuration says

`holovid evaluate` and training do so by themselves with a model that says what comes next.

A row of the first table is an action. In the second one, `start` and `end` are those of what is seen before it, and
`past_label` says what each of the T frames that a model sees there shows. Nothing is decoded.

Alphabet: T frames.
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

NOTHING = -100  # the label of a frame of which no action is known, left out of losses
EARLIEST = 1 / 30  # seconds: an action whose window ends before that has nothing to be seen, as in the released code
INCLUDED = 1e-5  # seconds: an interval ends that much after the last frame, which counts as seen


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
    """Tables of [`holovid.data.load_clips`] whose rows are what is seen before an action, with its class.

    A model sees [start - anticipation - observation, start - anticipation] of an action, and never a frame later.

    Args:
        clips: split -> rows with `video`, `start` and `end` in seconds, and the targets as classes.
        target: the column of classes, or several. Of each there is also `past_<target>` (T,), the class that each
            frame shows by the other rows of the same video and split; -100 where there is none.
        anticipation_seconds: from the last frame that is seen to the start of the action.
        observation_seconds: how long a model sees.
        frame_rate: frames a second.
        num_frames: T. They are counted back from the last one; before the start of a video the first one of them is
            shown again.
        by_half_length: where several actions cover a frame, take the one whose half length is nearest to the frame's
            time, as the released code of AVT does. Default: the one whose middle is nearest.

    Rows whose window ends before the video has a frame are left out, and a warning counts them. The times of the
    action are in `action_start` and `action_end`.

    Raises `ValueError` for a table without times or classes, times that are missing, and when no row is left.
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
            raise ValueError(f"no action of the split {split!r} leaves anything to see before it starts")
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
    """Whether models with this configuration say what comes next, not what there is to see."""
    return any(task.kind == "future" for head in heads_of(config) for task in getattr(head, "tasks", ()))


def seen_by(
    config: PreTrainedConfig, clips: Mapping[str, Dataset], target: str | Sequence[str] = "label"
) -> Mapping[str, Dataset]:
    """The clips that a model with this configuration is shown.

    Of a model that anticipates: what [`before_actions`] makes of tables with `start` and `end`; tables without them
    hold films that end where the model has to answer, and stay as they are. Of all others the clips as they are.
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
            raise ValueError(f"actions to come need their times: {split} has no column {name!r}")
        if missing := [row for row, value in enumerate(rows[name]) if value is None]:
            raise ValueError(f"actions to come need their times: row {missing[0]} of {split} has no {name}")
    for column in targets:
        if not isinstance(rows.features.get(column), ClassLabel):
            raise ValueError(f"column {column!r} of {split} does not hold classes")


def videos_of(rows: Dataset) -> list[str]:
    """A name for the video of each row. Of those that come as bytes, each row is one by itself."""
    return [video["path"] or f"row {row}" for row, video in enumerate(rows["video"])]


def frame_times(last: np.ndarray, frame_rate: float, num_frames: int) -> np.ndarray:
    """Seconds (rows, T) of the frames counted back from `last` (rows,), the first one again before the video starts.

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
    """For each time (kept rows, T), the row of the same video whose action covers it; -1 if none does."""
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
