# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Reads videos of any kind: sampled frames, uint8, and time-aligned audio. V views, T frames, C channels."""

import dataclasses
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor
from transformers.video_utils import VideoMetadata, make_batched_metadata

from holovid.processing.clip_sound import HeardSound, Listening
from holovid.processing.decoders import DecoderVideo, is_decoder
from holovid.processing.given_frames import FrameReading, check_facts, is_read, pick_frames
from holovid.processing.given_sounds import split_sounds
from holovid.processing.picture_decoding import PictureFile
from holovid.processing.video_decoding import TorchcodecVideoFile, VideoFile, open_video
from holovid.processing.video_parts import VideoPart


@dataclasses.dataclass(frozen=True)
class Clip:
    """A video that was read: `frames` (V * T, C, H, W), their metadata, and the audio of the same time.

    If `is_resized`, frames went through `LargeFrames.each`.
    """

    frames: Tensor
    metadata: VideoMetadata
    heard: HeardSound | None
    is_resized: bool = False


class LargeFrames(NamedTuple):
    """A function for frames (1, C, H, W) of more than `values` numbers, so that only one is in memory at full size."""

    each: Callable[[Tensor], Tensor]
    values: int

    def takes(self, metadata: VideoMetadata) -> bool:
        return 3 * (metadata.height or 0) * (metadata.width or 0) > self.values


def read_clips(
    videos: list,
    sounds: list,
    options: dict[str, Any],
    pick: Callable | None,
    large: LargeFrames,
    listening: Listening | None,
) -> list[Clip]:
    """Open each video, read the sampled frames and the audio of the same time, and close it.

    `sounds` are given with videos, or `None`; `pick` returns frame numbers from `metadata=` (`None`: all).
    """
    reading = FrameReading.of(options)
    given = options["video_metadata"]
    if given is not None:
        given = make_batched_metadata(videos, video_metadata=given)
    clips = []
    for index, (video, audio) in enumerate(zip(videos, sounds, strict=True)):
        heard, is_resized = None, False
        if is_read(video):
            with_sound = listening is not None and listening.wants_track(audio)
            with opened(video, options["decoder"], with_sound) as file:
                reading.warn_of_levels()
                frames, facts, times = read_frames(file, pick, large)
                is_resized = large.takes(file.metadata)
                if listening is not None:
                    heard = listening.listen(audio, times, file.seconds, file.sound if with_sound else None)
        else:
            facts = reading.describe(video) if given is None else dataclasses.replace(given[index])
            check_facts(facts)
            if pick is not None:
                video, facts = pick_frames(video, facts, pick)
            elif facts.frames_indices is not None and len(facts.frames_indices) != len(video):
                raise ValueError(
                    f"frames_indices of video_metadata has {len(facts.frames_indices)} numbers, but the video has "
                    f"{len(video)} frames"
                )
            if listening is not None:
                heard = listening.listen_beside_frames(audio, len(video), facts)
            frames = reading.to_tensor(video)
        clips.append(Clip(frames, facts, heard, is_resized))
    return clips


def opened(video: Any, decoder: str, with_sound: bool) -> Any:
    if isinstance(video, VideoPart):
        return nullcontext(video)
    if is_decoder(video, "VideoDecoder"):
        return DecoderVideo(video, with_sound)
    return open_video(video, decoder, with_sound)


def read_frames(
    video: VideoFile | TorchcodecVideoFile | PictureFile | VideoPart,
    pick: Callable | None,
    large: LargeFrames | None = None,
) -> tuple[Tensor, VideoMetadata, np.ndarray]:
    metadata = dataclasses.replace(video.metadata)
    indices = range(len(video)) if pick is None else pick(metadata=metadata)
    metadata.frames_indices = [int(index) for index in indices]
    each = large.each if large is not None and large.takes(metadata) else None
    frames, seconds = video.frames(metadata.frames_indices, each)
    return frames, metadata, seconds - video.start


def split_audio(videos: list, audio: Any, listening: Listening | None) -> list:
    """Each video's given audio, or `None`. Raises `ValueError` for unused audio, and another number than videos."""
    if audio is None:
        return [None] * len(videos)
    if listening is None:
        raise ValueError("this model does not use audio: pass videos without audio")
    if len(videos) == 1 and getattr(audio, "ndim", 1) == 2:
        audio = [audio]  # channels of one video's audio, not the audio of several
    sounds = split_sounds(audio)
    if len(sounds) != len(videos):
        raise ValueError(f"each video needs its own audio; got {len(videos)} videos and {len(sounds)} of audio")
    return sounds


__all__ = ["Clip", "LargeFrames", "read_clips", "read_frames", "split_audio"]
