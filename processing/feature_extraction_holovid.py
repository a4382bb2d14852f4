# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Sound -> normalised log-mel spectrogram, the input of audio spectrogram transformers (AST).

In: waveforms of any rate and number of channels, or files. Out: `input_values`, float32 (B, rows, mel bins), a row
every 10 ms; `audio_mask` (B,), False for clips without sound; `audio_span` (B, 2), the seconds of the clip that the
rows cover. The filter bank is Kaldi's, in plain torch. B clips.
"""

import math
import warnings
from contextlib import ExitStack
from functools import lru_cache
from typing import Any, ClassVar

import torch
from torch import Tensor
from transformers.audio_utils import mel_filter_bank
from transformers.feature_extraction_sequence_utils import SequenceFeatureExtractor

from holovid.configuration.configuration_common import SavedWithSource
from holovid.processing.audio_decoding import Sound, checked_rate
from holovid.processing.clip_features import ClipFeatures
from holovid.processing.given_sounds import open_sound, split_sounds
from holovid.processing.media_containers import HIGHEST_RATE
from holovid.processing.options import check_names, check_no_slips, check_number, check_whole_number, split_known

WINDOW_MS, HOP_MS = 25, 10
LOWEST_FREQUENCY = 20.0  # Hz
PREEMPHASIS = 0.97
MOST_MEL_BINS, MOST_ROWS = 2**12, 2**20  # so many rows are almost three hours
SMALLEST_STD = 1e-6
SMALLEST_ENERGY = torch.finfo(torch.float32).eps  # Kaldi's lower limit before the logarithm


def log_mel(waveform: Tensor, mel_filters: Tensor, window_length: int, hop_length: int) -> Tensor:
    """Kaldi's log-mel filter bank without dither and energy: a pure function, for any device and `torch.export`.

    Args:
        waveform: (..., samples) in [-1, 1], at least `window_length` of them.
        mel_filters: (fft_length / 2 + 1, mel bins), see `mel_filters_of`.
        window_length, hop_length: in samples.

    Returns (..., rows, mel bins); row r is computed from the samples from r * `hop_length` on.
    """
    frames = waveform.unfold(-1, window_length, hop_length)
    frames = frames - frames.mean(dim=-1, keepdim=True)
    frames = frames - PREEMPHASIS * torch.cat((frames[..., :1], frames[..., :-1]), dim=-1)
    frames = frames * torch.hann_window(window_length, periodic=False, dtype=frames.dtype, device=frames.device)
    power = torch.fft.rfft(frames, n=2 * (len(mel_filters) - 1)).abs().square()
    return (power @ mel_filters).clamp(min=SMALLEST_ENERGY).log()


@lru_cache
def mel_filters_of(num_mel_bins: int, sampling_rate: int, window_length: int) -> Tensor:
    """Kaldi's triangles from 20 Hz to half the rate, float32 (fft_length / 2 + 1, mel bins)."""
    fft_length = 1 << (window_length - 1).bit_length()
    with warnings.catch_warnings(action="ignore"):  # the lowest of 128 triangles contain no frequency
        filters = mel_filter_bank(
            num_frequency_bins=fft_length // 2 + 1,
            num_mel_filters=num_mel_bins,
            min_frequency=LOWEST_FREQUENCY,
            max_frequency=sampling_rate / 2,
            sampling_rate=sampling_rate,
            mel_scale="kaldi",
            triangularize_in_mel_space=True,
        )
    return torch.from_numpy(filters).to(torch.float32)


class HolovidFeatureExtractor(SavedWithSource, SequenceFeatureExtractor):
    """Converts sound into the input of holovid's audio experts; the defaults are AST's.

    Args:
        sampling_rate: in Hz, of the analysis; other rates are resampled.
        num_mel_bins: columns of the spectrogram.
        audio_frames: its rows, 10 ms each. Longer sound is cropped; shorter sound is padded with rows of zeros before
            normalisation, as in AST's training.
        mean, std: the spectrogram becomes (x - mean) / (2 std).
    """

    model_input_names: ClassVar = ["input_values", "audio_mask", "audio_span"]
    OPTIONS: ClassVar = (
        "sampling_rate", "num_mel_bins", "audio_frames", "mean", "std", "feature_size", "padding_value",
        "padding_side", "return_attention_mask", "feature_extractor_type", "processor_class", "auto_map",
    )  # fmt: skip

    def __init__(
        self,
        sampling_rate: int = 16_000,
        num_mel_bins: int = 128,
        audio_frames: int = 400,
        mean: float = -4.2677393,
        std: float = 4.5689974,
        feature_size: int = 1,
        padding_value: float = 0.0,
        **kwargs: Any,
    ):
        check_names(kwargs, self.OPTIONS, "HolovidFeatureExtractor")
        super().__init__(feature_size=feature_size, sampling_rate=sampling_rate, padding_value=padding_value, **kwargs)
        self.num_mel_bins = num_mel_bins
        self.audio_frames = audio_frames
        self.mean = mean
        self.std = std
        check_whole_number("sampling_rate", sampling_rate, 1000, HIGHEST_RATE)
        check_whole_number("num_mel_bins", num_mel_bins, 1, MOST_MEL_BINS)
        check_whole_number("audio_frames", audio_frames, 1, MOST_ROWS)
        check_number("mean", mean)
        check_number("std", std, SMALLEST_STD)

    @classmethod
    def from_dict(cls, feature_extractor_dict: dict[str, Any], **kwargs: Any) -> "HolovidFeatureExtractor":
        """Unknown entries of files are kept, so files of later versions load. Misspelt options are a `ValueError`."""
        check_no_slips(kwargs, cls.OPTIONS, "HolovidFeatureExtractor")
        known, others = split_known(feature_extractor_dict, cls.OPTIONS)
        loaded = super().from_dict(known, **kwargs)
        for name, value in others.items():
            setattr(loaded[0] if isinstance(loaded, tuple) else loaded, name, value)
        return loaded

    @property
    def window_length(self) -> int:
        return self.sampling_rate * WINDOW_MS // 1000

    @property
    def hop_length(self) -> int:
        return self.sampling_rate * HOP_MS // 1000

    @property
    def seconds_per_row(self) -> float:
        return self.hop_length / self.sampling_rate

    @property
    def seconds(self) -> float:
        return self.audio_frames * self.seconds_per_row

    def __call__(
        self,
        audio: Any,
        sampling_rate: int | None = None,
        center: float | None = None,
        generator: torch.Generator | None = None,
        device: "str | torch.device | None" = None,
        return_tensors: str | None = None,
    ) -> ClipFeatures:
        """
        Args:
            audio: a waveform (samples,), path, URL, bytes, binary file, or what `datasets.Audio` returns: torchcodec's
                `AudioDecoder`, `{"array", "sampling_rate"}` or `{"path", "bytes"}`; a batch of those as a list, which
                may hold waveforms (channels, samples) too, or as an array (B, samples) or (B, channels, samples).
                Channels are averaged. `None` in a list, or an empty waveform, is a silent clip.
            sampling_rate: in Hz, of waveforms that come without one.
            center: which part of long sound is kept, from 0 (its beginning) to 1 (its end); default: the middle.
            generator: draws `center` for each clip instead, for training.
            device: where the spectrogram is computed.
            return_tensors: "pt" or "np"; a list of tensors if not given.

        Returns `input_values` (B, audio_frames, num_mel_bins), `audio_mask` (B,) and `audio_span` (B, 2).

        Raises `ValueError` for what is not sound, or a waveform without sampling rate.
        """
        if center is not None and generator is not None:
            raise ValueError("pass center or generator, not both: the generator draws the center")
        if sampling_rate is not None:
            checked_rate(sampling_rate)
        if center is not None:
            check_number("center", center, 0, 1)
        pieces, first_rows = [], []
        for item in split_sounds(audio):
            with ExitStack() as opened:
                sound = open_sound(item, sampling_rate, opened)
                drawn = torch.rand((), generator=generator).item() if generator is not None else center
                piece, first_row = self.cut(sound, 0.5 if drawn is None else drawn)
            pieces.append(piece)
            first_rows.append(first_row)
        return ClipFeatures(self.extract(pieces, first_rows, device), tensor_type=return_tensors)

    def cut(
        self,
        sound: Sound | None,
        center: float = 0.5,
        window: tuple[float, float] | None = None,
        duration: float = math.inf,
    ) -> tuple[Tensor, int]:
        """Read only the samples from which `audio_frames` rows are computed.

        Args:
            sound: `None` = a clip without sound.
            center: 0: the cut starts with the window; 1: it ends with it; linear in between.
            window: seconds around which to cut; default: the whole clip. The cut stays inside the clip if it fits.
            duration: of the clip in seconds; later sound is ignored.

        Returns the samples (samples,), fewer if the sound is short, and the row of the clip at which they start.
        """
        if not 0 <= center <= 1:
            raise ValueError(f"center must be between 0 and 1, got {center}")
        if sound is None:
            return torch.zeros(0), 0
        total = round(min(sound.seconds, duration) * self.sampling_rate)
        rows = self.count_rows(total)
        begin, end = (0, rows) if window is None else (round(second / self.seconds_per_row) for second in window)
        # rounded as in the reference
        first = end - self.audio_frames + math.trunc((self.audio_frames - (end - begin)) * (1 - center))
        first = max(0, min(first, rows - self.audio_frames))
        start = first * self.hop_length
        return sound.read(start, min(self.samples_needed, total - start), self.sampling_rate), first

    @property
    def samples_needed(self) -> int:
        return (self.audio_frames - 1) * self.hop_length + self.window_length

    def count_rows(self, num_samples: int) -> int:
        """Rows that these samples give at our rate; 0 if they do not fill a window."""
        return max(0, 1 + (num_samples - self.window_length) // self.hop_length)

    def extract(
        self, pieces: list[Tensor], first_rows: list[int], device: "str | torch.device | None" = None
    ) -> dict[str, Tensor]:
        """The results of `cut` for each clip -> the tensors that `__call__` returns."""
        waveforms = torch.zeros(len(pieces), self.samples_needed)
        for waveform, piece in zip(waveforms, pieces, strict=True):
            waveform[: len(piece)] = piece
        waveforms = waveforms.to(device)
        filters = mel_filters_of(self.num_mel_bins, self.sampling_rate, self.window_length).to(waveforms.device)
        rows = torch.tensor([self.count_rows(len(piece)) for piece in pieces], device=waveforms.device)
        silent = (rows == 0) | (waveforms == 0).all(dim=-1)

        spectrogram = log_mel(waveforms, filters, self.window_length, self.hop_length)
        beyond = torch.arange(self.audio_frames, device=waveforms.device) >= rows[:, None]
        spectrogram = spectrogram.masked_fill(beyond[..., None], 0.0)
        spectrogram = (spectrogram - self.mean) / (2 * self.std)
        # Departs: the reference stretches rows until they fill the clip (1 % in one of 2 s); these are real seconds.
        starts = torch.tensor(first_rows, dtype=torch.float64) * self.seconds_per_row
        span = torch.stack((starts, starts + self.seconds), dim=-1)
        return {
            "input_values": spectrogram.masked_fill(silent[:, None, None], 0.0),
            "audio_mask": ~silent,
            "audio_span": span.to(torch.float32).to(waveforms.device),
        }


__all__ = ["HolovidFeatureExtractor", "log_mel", "mel_filters_of"]
