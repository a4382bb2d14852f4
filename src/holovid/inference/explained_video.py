"""A video of an explanation: all frames and the sound of a clip, each frame with the nearest moment's heat map."""

import os
from contextlib import ExitStack
from typing import Any

import torch

from holovid.cheap_checks import check_keeps_source
from holovid.explanation.sentences import by_time
from holovid.inference.annotated_video import annotated_video
from holovid.inference.explained_clip import ExplainedClip
from holovid.inference.heat_maps import heated_part, seen_part
from holovid.inference.kept_sound import kept_sound
from holovid.processing.picture_decoding import PictureFile
from holovid.processing.video_decoding import open_video

READ_AT_ONCE = 2**28  # bytes of frames in memory
LEGIBLE = 240  # pixels; clips with a smaller short side are enlarged


def write_explained_video(explained: ExplainedClip, path: str | os.PathLike) -> None:
    """Write an mp4 of a clip with heat maps over it and the label below.

    It has the clip's size; clips too small for a readable label are enlarged by a whole number. Parts that were
    cropped away from the model's view are darker. Raises `ValueError` for another suffix, and for the clip's own file.
    """
    check_keeps_source(path, explained.source)
    answers = [{"label": explained.label, "score": explained.score}]
    with ExitStack() as stack:
        clip: Any = stack.enter_context(open_video(explained.source))
        sound = (
            None if isinstance(clip, PictureFile) else stack.enter_context(kept_sound(explained.source, clip.start))
        )
        video = stack.enter_context(annotated_video(path, clip.metadata.fps, sound))
        height, width = clip.metadata.height, clip.metadata.width
        part = seen_part(explained.processor, height, width)
        moments = explained.frame_seconds if explained.why.frame_times is None else explained.why.frame_times[0]
        heat = explained.heat
        if heat is not None:
            heat, moments = by_time(heat, moments)
            heat = heat / heat.max().clamp(min=torch.finfo(heat.dtype).tiny)
        times_larger = max(1, -(-LEGIBLE // min(height, width)))
        at_once = max(1, READ_AT_ONCE // (3 * height * width))
        for first in range(0, len(clip), at_once):
            frames, shown = clip.frames(range(first, min(first + at_once, len(clip))))
            for frame, moment in zip(frames, shown - clip.start, strict=True):
                frame = frame.repeat_interleave(times_larger, dim=1).repeat_interleave(times_larger, dim=2)
                if heat is not None:
                    nearest = int((moments - float(moment)).abs().argmin())
                    frame = heated_part(frame, heat[nearest], part)
                video.write(frame, float(moment), answers)
