# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Frame sampling: six recipes for the frames of a video that a model sees, as functions that return indices.

- `uniform`: evenly spaced over the whole video; with one view exactly what transformers' video processors pick
  (Something-Something and EPIC-KITCHENS by CAST).
- `segments`: one frame out of each of T equal segments, its middle, start or end (Something-Something by XViT).
- `dense`: T frames out of a window of T x stride consecutive frames (Kinetics by XViT).
- `strided`: T frames exactly a stride apart (Kinetics by CAST, which trains on the window of `dense`).
- `spread`: T frames exactly a stride apart, views in the middles of equal parts of the video, which starts over
  after its end (Kinetics by Video Swin).
- `last`: T frames exactly a stride apart, ending with the video's last frame (action anticipation by AVT).

A view is one pass of the model over the video. All recipes return int64 indices (V, T) within the video and draw
random numbers only on request, from `generator` (`None` = torch's default one).
V views, T frames.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch

SAMPLINGS = ("uniform", "segments", "dense", "strided", "spread", "last")


def uniform_indices(
    total_num_frames: int,
    num_frames: int,
    num_views: int = 1,
    do_random_sampling: bool = False,
    generator: torch.Generator | None = None,
) -> np.ndarray:
    """T frames at even steps over the whole video.

    Views are shifted against each other by even parts of a step: V views of T frames see V x T different places.
    At random, each frame of each view is drawn from its own step: any frame of each of T equal parts.

    >>> uniform_indices(10, 4)
    array([[0, 2, 5, 7]])
    >>> uniform_indices(10, 4, num_views=2)
    array([[0, 2, 5, 7],
           [1, 3, 6, 8]])
    """
    frames = np.arange(num_frames)
    if do_random_sampling:
        part = torch.rand(num_views, num_frames, generator=generator, dtype=torch.float64).numpy()
        indices = ((frames + part) * (total_num_frames / num_frames)).astype(np.int64)
        return indices.clip(0, total_num_frames - 1)
    # in whole numbers: transformers' floor(t * total / T) is exact too
    return (frames * num_views + np.arange(num_views)[:, None]) * total_num_frames // (num_frames * num_views)


def segment_indices(
    total_num_frames: int,
    num_frames: int,
    num_views: int = 1,
    do_random_sampling: bool = False,
    generator: torch.Generator | None = None,
) -> np.ndarray:
    """One frame out of each of T segments, whose borders, rounded half to even, belong to both neighbours.

    View 0 takes the middle of each segment (rounded down), view 1 its start, view 2 its end; at random, every view
    takes any frame of it. A video of fewer than T frames repeats some of them.

    >>> segment_indices(10, 4, num_views=3)
    array([[1, 3, 5, 8],
           [0, 2, 4, 7],
           [2, 4, 7, 9]])
    """
    borders = np.round((total_num_frames - 1) / num_frames * np.arange(num_frames + 1)).astype(np.int64)
    start, end = borders[:-1], borders[1:]
    if do_random_sampling:
        part = torch.rand(num_views, num_frames, generator=generator, dtype=torch.float64).numpy()
        return start + (part * (end - start + 1)).astype(np.int64)
    if num_views > 3:
        raise ValueError(f"sampling='segments' has 3 views (middle, start, end), got num_views={num_views}")
    return np.stack([(start + end) // 2, start, end][:num_views])


def dense_indices(
    total_num_frames: int,
    num_frames: int,
    frame_stride: float,
    num_views: int = 1,
    do_random_sampling: bool = False,
    generator: torch.Generator | None = None,
) -> np.ndarray:
    """T frames spread from the first to the last frame of a window of T x `frame_stride` frames.

    View v starts v / V of the way from the first to the last place where the window fits; at random, every view starts
    anywhere between these. Past the end of a video shorter than the window the last frame is repeated.
    Both ends of the window are included, so neighbouring frames are a little more than `frame_stride` apart: the
    released models were trained this way.

    >>> dense_indices(20, 4, frame_stride=3, num_views=2)
    array([[ 0,  3,  7, 11],
           [ 4,  7, 11, 15]])
    """
    window = num_frames * frame_stride
    room = max(total_num_frames - window, 0)
    if do_random_sampling:
        starts = [room * torch.rand((), generator=generator).item() for _ in range(num_views)]
    else:
        starts = [room * view / num_views for view in range(num_views)]
    # torch's float32 spacing, because the reference truncates its result
    indices = torch.stack([torch.linspace(start, start + window - 1, num_frames) for start in starts])
    return indices.clamp(0, total_num_frames - 1).long().numpy()


def strided_indices(
    total_num_frames: int,
    num_frames: int,
    frame_stride: float,
    num_views: int = 1,
    do_random_sampling: bool = False,
    generator: torch.Generator | None = None,
) -> np.ndarray:
    """T neighbours among the frames 0, stride, 2 stride, ... of the video.

    The first of several views starts with frame 0, the last ends with the last of these frames, the others are at
    even steps between; a single view is in the middle. At random, as `dense` draws. If there are fewer than T such
    frames the last is repeated; at random too, as soon as the video is shorter than the window of `dense`.

    >>> strided_indices(20, 4, frame_stride=3, num_views=2)
    array([[ 0,  3,  6,  9],
           [ 9, 12, 15, 18]])
    """
    if do_random_sampling and total_num_frames >= num_frames * frame_stride:
        return dense_indices(total_num_frames, num_frames, frame_stride, num_views, True, generator)
    strided = (np.arange(math.ceil(total_num_frames / frame_stride)) * frame_stride).astype(np.int64)
    room = max(0, len(strided) - num_frames)
    if do_random_sampling:
        starts = np.zeros(num_views, dtype=np.int64)
    else:
        starts = np.arange(num_views) * room // (num_views - 1) if num_views > 1 else np.array([room // 2])
    return strided[np.minimum(starts[:, None] + np.arange(num_frames), len(strided) - 1)]


def spread_indices(
    total_num_frames: int,
    num_frames: int,
    frame_stride: float,
    num_views: int = 1,
    do_random_sampling: bool = False,
    generator: torch.Generator | None = None,
) -> np.ndarray:
    """T frames exactly `frame_stride` apart.

    The places where they fit are cut into V equal parts, and each view starts in the middle of one; at random, every
    view starts anywhere. A video that is shorter starts over after its last frame.

    >>> spread_indices(20, 4, frame_stride=3, num_views=2)
    array([[ 2,  5,  8, 11],
           [ 7, 10, 13, 16]])
    >>> spread_indices(5, 4, frame_stride=2)
    array([[0, 2, 4, 1]])
    """
    room = max(total_num_frames - ((num_frames - 1) * frame_stride + 1), 0)
    if do_random_sampling:
        part = torch.rand(num_views, generator=generator, dtype=torch.float64).numpy()
        starts = np.floor(part * room)
    else:
        starts = np.floor((np.arange(num_views) + 0.5) * (room / num_views))
    return (starts[:, None] + np.arange(num_frames) * frame_stride).astype(np.int64) % total_num_frames


def last_indices(
    total_num_frames: int,
    num_frames: int,
    frame_stride: float,
    num_views: int = 1,
    do_random_sampling: bool = False,
    generator: torch.Generator | None = None,
) -> np.ndarray:
    """T frames counted back from the last one, a stride apart, which is rounded to whole frames.

    If the video is too short, the first of these frames is repeated before the others. There is one view and no
    random draw, because the next action follows the last frame.

    >>> last_indices(20, 4, frame_stride=3)
    array([[10, 13, 16, 19]])
    >>> last_indices(8, 4, frame_stride=3)
    array([[1, 1, 4, 7]])
    """
    if num_views > 1:
        raise ValueError(f"sampling='last' has one view, got num_views={num_views}")
    stride = max(1, round(frame_stride))
    indices = total_num_frames - 1 - stride * np.arange(num_frames)[::-1]
    first = (total_num_frames - 1) % stride
    return np.maximum(indices, first).astype(np.int64)[None]


WITH_STRIDE = {
    "dense": dense_indices, "strided": strided_indices, "spread": spread_indices, "last": last_indices,
}  # fmt: skip


def sample_frame_indices(
    total_num_frames: int,
    sampling: str,
    num_frames: int | None,
    fps: float | None = None,
    video_fps: float | None = None,
    frame_stride: int = 1,
    num_views: int = 1,
    do_random_sampling: bool = False,
    short_video: str = "repeat",
    generator: torch.Generator | None = None,
) -> np.ndarray:
    """Frame indices (V, T) of a video by the recipe called `sampling`.

    Args:
        total_num_frames: frames of the video.
        sampling: one of `SAMPLINGS`.
        num_frames: T; with `sampling="uniform"`, `None` takes every frame.
        fps: frames a second. "uniform" computes T from it and ignores `num_frames`. The recipes of `WITH_STRIDE` count
            `frame_stride` at this rate, and convert it to the video's own. "segments" takes none.
        video_fps: the video's own rate; needed with `fps`.
        frame_stride: of "dense", "strided", "spread" and "last".
        num_views: V.
        do_random_sampling: draw frames at random (training) instead of by the test-time rule.
        short_video: for a video with fewer frames than the recipe spans (T; T x stride for "dense"; for "strided",
            "spread" and "last" from their first to their last frame): "error" raises; "repeat" repeats the last frame,
            for "strided" the last one at its steps, for "last" the first one; "spread" starts over. ("segments", and
            "uniform" at an `fps` above the video's, repeat frames throughout.)
        generator: source of randomness, `None` = torch's default generator.

    Raises:
        ValueError: for arguments outside of the above, an empty video, or a short one with `short_video="error"`.
    """
    _check(total_num_frames, sampling, num_frames, fps, video_fps, frame_stride, num_views, short_video)
    stride: float = frame_stride
    if fps is not None and video_fps is not None:
        stride = frame_stride * video_fps / fps
        if sampling == "uniform":
            num_frames = max(1, int(total_num_frames / video_fps * fps))
    num_frames = total_num_frames if num_frames is None else num_frames
    to_the_last = math.floor((num_frames - 1) * stride) + 1
    spans = {
        "dense": math.ceil(num_frames * stride),
        "strided": to_the_last,
        "spread": to_the_last,
        "last": to_the_last,
    }
    span = spans.get(sampling, num_frames)
    if short_video == "error" and total_num_frames < span:
        raise ValueError(
            f"the video has {total_num_frames} frames and the sampling spans {span}; ask for fewer frames, or repeat "
            "the last one with short_video='repeat'"
        )
    if sampling in WITH_STRIDE:
        pick = WITH_STRIDE[sampling]
        return pick(total_num_frames, num_frames, stride, num_views, do_random_sampling, generator)
    if sampling == "segments":
        return segment_indices(total_num_frames, num_frames, num_views, do_random_sampling, generator)
    if num_frames > total_num_frames and fps is None:  # all frames once, then repeat the last
        return np.tile(np.minimum(np.arange(num_frames), total_num_frames - 1), (num_views, 1))
    return uniform_indices(total_num_frames, num_frames, num_views, do_random_sampling, generator)


def checked_indices(indices: Sequence[int] | np.ndarray | None, count: int, name: str) -> np.ndarray:
    """`indices` as int64 (T,), `None` = all; `ValueError` for one that the video does not have."""
    indices = np.arange(count) if indices is None else np.asarray(indices, dtype=np.int64).reshape(-1)
    if indices.size and not 0 <= indices.min() <= indices.max() < count:
        raise ValueError(f"{name} has frames 0 to {count - 1}, but {indices.min()} to {indices.max()} were asked for")
    return indices


def _check(total_num_frames, sampling, num_frames, fps, video_fps, frame_stride, num_views, short_video):
    if sampling not in SAMPLINGS:
        raise ValueError(f"sampling must be one of {', '.join(map(repr, SAMPLINGS))}, got {sampling!r}")
    if short_video not in ("repeat", "error"):
        raise ValueError(f"short_video must be 'repeat' or 'error', got {short_video!r}")
    if total_num_frames < 1:
        raise ValueError(f"the video has no frames to sample (total_num_frames={total_num_frames})")
    if num_frames is None and sampling != "uniform":
        raise ValueError(f"sampling={sampling!r} needs num_frames")
    for name, value in (("num_frames", num_frames), ("frame_stride", frame_stride), ("num_views", num_views)):
        if value is not None and value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    if fps is not None:
        if sampling == "segments":
            raise ValueError("sampling='segments' covers the whole video at any rate: pass num_frames, not fps")
        if fps <= 0:
            raise ValueError(f"fps must be positive, got {fps}")
        if not video_fps:
            raise ValueError(f"sampling at fps={fps} needs the video's own rate: pass `video_metadata` with its `fps`")


__all__ = [
    "SAMPLINGS",
    "WITH_STRIDE",
    "checked_indices",
    "dense_indices",
    "sample_frame_indices",
    "segment_indices",
    "spread_indices",
    "strided_indices",
    "uniform_indices",
]
