# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""The sound that goes with a clip's frames: cut from the same seconds, with the times of both.

Times are seconds from the clip's first frame. B clips, V views and crops, T frames.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers.video_utils import VideoMetadata

from holovid.processing.audio_decoding import Sound
from holovid.processing.feature_extraction_holovid import HolovidFeatureExtractor
from holovid.processing.given_sounds import open_sound


@dataclass(frozen=True)
class Listening:
    """How the sound of a call's clips is found and cut.

    Attributes:
        extractor: cuts sound and makes spectrograms.
        sampling_rate: in Hz, of waveforms that come without a rate.
        from_video: whether a clip without given audio uses its video's track; else it is silent.
        num_views, num_crops: V is their product; the crops of a view have the same frames.
        around_frames: whether sound is cut around each view's frames, or around the middle of the clip.
        center: where sound is cut, see `HolovidFeatureExtractor.cut`.
        at_random: whether `center`, if not given, is drawn from `generator` or torch's own.
    """

    extractor: HolovidFeatureExtractor
    sampling_rate: int | None
    from_video: bool
    num_views: int
    num_crops: int
    around_frames: bool
    center: float | None
    at_random: bool
    generator: torch.Generator | None

    def cut(self, sound: Sound | None, times: np.ndarray, duration: float) -> list[tuple[Tensor, int]]:
        """A clip's sound for each of its V views and crops; `times` (views * T,) are those of its frames."""
        count = self.num_views * self.num_crops
        cuts = []
        for index in range(count):
            seen = times.reshape(self.num_views, -1)[index // self.num_crops]
            window = (seen.min(), seen.max()) if self.around_frames else None
            if self.center is not None:
                center = self.center
            elif self.at_random:
                center = torch.rand((), generator=self.generator).item()
            else:
                center = 0.5 if count == 1 else (index + 3) / (count + 6)  # the reference's spread of views
            cuts.append(self.extractor.cut(sound, center, window, duration))
        return cuts

    def wants_track(self, audio: Any) -> bool:
        return audio is None and self.from_video

    def listen(self, audio: Any, times: np.ndarray, duration: float, track: Sound | None) -> "HeardSound":
        with ExitStack() as opened:
            sound = track if audio is None else open_sound(audio, self.sampling_rate, opened)
            return HeardSound(times, self.cut(sound, times, duration))

    def listen_beside_frames(self, audio: Any, count: int, facts: VideoMetadata) -> "HeardSound":
        """The sound given with `count` frames; without a rate in `facts` they last as long as the sound."""
        if self.wants_track(audio):
            raise ValueError(
                "this model uses audio, and frames carry none: pass audio too (an empty waveform for a silent clip), "
                "or "
                "load_audio_from_video=False if all clips are silent"
            )
        indices = np.arange(count) if facts.frames_indices is None else np.asarray(facts.frames_indices)
        with ExitStack() as opened:
            sound = open_sound(audio, self.sampling_rate, opened)
            if facts.fps:
                duration = facts.total_num_frames / facts.fps
            elif sound is not None and sound.num_samples:
                duration = sound.seconds
            else:
                duration = self.extractor.seconds
            times = indices * (duration / facts.total_num_frames)
            return HeardSound(times, self.cut(sound, times, duration))

    def inputs(self, clips: "list[HeardSound]", device: Any = None) -> dict[str, Any]:
        """The model's inputs besides pixels, (B, ...) or (B, V, ...): tensors, but frame times as a list."""
        pieces, first_rows = zip(*[cut for clip in clips for cut in clip.cuts], strict=True)
        features = self.extractor.extract(list(pieces), list(first_rows), device)
        times = [torch.from_numpy(clip.times).to(device, torch.float32) for clip in clips]
        if self.num_views * self.num_crops > 1:
            features = {name: value.unflatten(0, (len(clips), -1)) for name, value in features.items()}
            times = [moments.unflatten(0, (self.num_views, -1)) for moments in times]
            times = [moments.repeat_interleave(self.num_crops, dim=0) for moments in times]
        return {"frame_times": times, **features}


@dataclass(frozen=True)
class HeardSound:
    """A clip's sound: `times` (views * T,) of its frames, and for each of its V views and crops a cut."""

    times: np.ndarray
    cuts: list[tuple[Tensor, int]]


__all__ = ["HeardSound", "Listening"]
