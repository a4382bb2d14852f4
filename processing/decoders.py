# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""torchcodec's decoders, as `datasets` returns them for decoded columns; read without importing torchcodec."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers.video_utils import VideoMetadata

from holovid.processing.video_decoding import checked_indices, open_video


def is_decoder(value: Any, name: str) -> bool:
    return any(cls.__name__ == name and cls.__module__.startswith("torchcodec.") for cls in type(value).__mro__)


class DecoderVideo:
    """A `VideoDecoder` as a `VideoFile`, with its file's sound, if known. Raises `ValueError` for one that fails."""

    def __init__(self, decoder: Any, with_sound: bool = False):
        self.name = f"the video of a {type(decoder).__name__}"
        self._decoder = decoder
        self._file: Any = None
        self.sound: Any = None
        header = decoder.metadata
        try:
            first = decoder.get_frame_at(0)
        except (RuntimeError, IndexError) as error:
            raise ValueError(f"{self.name} cannot be decoded: {error}") from error
        self.start = float(first.pts_seconds)
        self.seconds = float(header.end_stream_seconds) - self.start
        height, width = upright_channels(first.data).shape[-2:]
        self.metadata = VideoMetadata(
            total_num_frames=len(decoder),
            fps=float(header.average_fps),
            width=width,
            height=height,
            duration=self.seconds,
            video_backend="torchcodec",
        )
        source: Any = getattr(decoder, "_hf_encoded", None)
        if with_sound and source is None:
            raise ValueError(
                "this model uses audio, and a VideoDecoder carries none unless it comes from datasets: pass audio "
                "too, "
                "or load_audio_from_video=False if the clip is silent"
            )
        if with_sound:
            self._file = open_video(source, with_sound=True)
            self.sound = self._file.sound

    def __enter__(self) -> "DecoderVideo":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def __len__(self) -> int:
        return self.metadata.total_num_frames or 0

    def frames(self, indices: Any = None, each: Callable[[Tensor], Tensor] | None = None) -> tuple[Tensor, np.ndarray]:
        """See `VideoFile.frames`."""
        indices = checked_indices(indices, len(self), self.name)
        try:
            if each is None:
                batch = self._decoder.get_frames_at(indices.tolist())
                return upright_channels(batch.data), batch.pts_seconds.cpu().numpy()
            pixels, times = [], []
            for index in indices.tolist():
                picture = self._decoder.get_frame_at(index)
                pixels.append(each(upright_channels(picture.data)[None]))
                times.append(float(picture.pts_seconds))
            return torch.cat(pixels), np.array(times)
        except RuntimeError as error:
            raise ValueError(f"{self.name} cannot be decoded: {error}") from error


def upright_channels(frames: Tensor) -> Tensor:
    return frames if frames.shape[-3] == 3 else frames.movedim(-1, -3)


__all__ = ["DecoderVideo", "is_decoder"]
