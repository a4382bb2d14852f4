# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Sounds in every form that users pass: waveforms, dicts, files, and the decoders of `datasets`."""

from contextlib import ExitStack
from typing import Any

import numpy as np
from torch import Tensor

from holovid.processing.audio_decoding import Sound, SoundFile, Waveform, check_channels_first, checked_rate
from holovid.processing.decoders import is_decoder
from holovid.processing.media_source import is_media_source

NUMBERS = (int, float, np.number)


def split_sounds(audio: Any) -> list:
    """The single sounds in `audio`. Raises `ValueError` for anything else, and for channels that look like samples."""
    if is_media_source(audio) or is_decoder(audio, "AudioDecoder") or isinstance(audio, dict) or audio is None:
        return [audio]
    if isinstance(audio, (np.ndarray, Tensor)) and audio.ndim in (1, 2, 3):
        if audio.ndim == 2:
            check_channels_first(tuple(audio.shape))
        return [audio] if audio.ndim == 1 else list(audio)
    if isinstance(audio, (list, tuple)):
        if audio and all(isinstance(item, NUMBERS) for item in audio):
            return [audio]
        lengths = {len(item) if is_numbers(item) else -1 for item in audio}
        if len(lengths) == 1 and lengths != {-1}:
            check_channels_first((len(audio), *lengths))
        return list(audio)
    raise ValueError(
        "audio must be a waveform, a path, URL, bytes or binary file, or a list of those; got "
        f"{type(audio).__name__}{f' of shape {tuple(audio.shape)}' if hasattr(audio, 'shape') else ''}"
    )


def is_numbers(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(value) > 0 and isinstance(value[0], NUMBERS)


def open_sound(item: Any, sampling_rate: int | None, opened: ExitStack) -> Sound | None:
    """Open one of `split_sounds`, or `None`, while `opened` is. Raises `ValueError` for a file without a track."""
    if item is None:
        return None
    if is_decoder(item, "AudioDecoder"):
        try:
            samples = item.get_all_samples()
        except RuntimeError as error:
            raise ValueError(f"the sound of an AudioDecoder cannot be decoded: {error}") from error
        return Waveform(samples.data, samples.sample_rate)
    if isinstance(item, dict):
        item = dict(item)
        if "array" in item:
            if item.get("bytes") is not None:
                raise ValueError("a sound given as a dict must have 'array' or 'bytes', got both")
            sampling_rate, item = item.get("sampling_rate", sampling_rate), item["array"]
        elif not item.keys() >= {"path", "bytes"}:
            raise ValueError(
                "a sound given as a dict must have 'array' and 'sampling_rate', or 'path' and 'bytes'; got "
                f"{', '.join(map(repr, item)) or 'an empty one'}"
            )
        else:
            item = item["path"] if item["bytes"] is None else item["bytes"]
            if item is None:
                raise ValueError("a sound given as a dict must have a 'path' or 'bytes', got None for both")
    if is_media_source(item):
        file = opened.enter_context(SoundFile(item))
        if file.sound is None:
            raise ValueError(f"{file.name} has no sound track")
        return file.sound
    if sampling_rate is None:
        raise ValueError("a waveform needs its rate: pass sampling_rate, in Hz")
    return Waveform(item, checked_rate(sampling_rate))


__all__ = ["open_sound", "split_sounds"]
