# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Reading a stretch of sound: mono, at any rate, on the clock of its clip.

    sound = Waveform(samples, sampling_rate=44_100)  # or that of `VideoFile` or `SoundFile`
    sound.read(first=8000, count=16_000, rate=16_000)  # from second 0.5 to second 1.5 of the clip

Sample k is at second k / rate of the clip. Where there is no sound (before second 0, in a gap, after the end) samples
are zero. Channels are averaged. PyAV (FFmpeg's resampler) converts rates.
"""

import copy
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from holovid.processing.clock_jumps import keep_sound_running
from holovid.processing.media_containers import (
    HIGHEST_RATE,
    MOST_CHANNELS,
    check_repeated,
    check_sampling,
    open_container,
)
from holovid.processing.media_source import MediaSource, OpenedSource, describe_source

try:
    import av
    from av.stream import Disposition
except ImportError:
    av = None  # type: ignore[assignment]

RESAMPLING_REACH = 64  # samples at the lower rate, beyond which a sample has no influence
DECODING_REACH = 0.5  # seconds to decode ahead, because codecs need earlier packets: Opus 0.08, MP3 about 0.2
LOUDEST_IN_FILES = 2.0**16  # of float samples; some files hold 16-bit numbers as floats
MOST_CHANGE = 64  # factor by which the sampling rate may change within a track
LOUDEST_GIVEN = 16.0  # of floats; 1 is full scale, and gain and mixing may exceed it


class Sound:
    """Base of all sounds; `rate` is their own, in Hz, and `num_samples` counts at that rate from second 0."""

    rate: int
    num_samples: int

    @property
    def seconds(self) -> float:
        return self.num_samples / self.rate

    def read(self, first: int, count: int, rate: int) -> Tensor:
        """Samples `first` to `first + count` of the sound at `rate`, float32 (count,) on the CPU.

        A sample does not depend on the stretch that is read, except for noise that some codecs add (AAC).
        """
        if count <= 0 or self.num_samples == 0:
            return torch.zeros(max(count, 0))
        if rate == self.rate:
            return torch.from_numpy(self._samples(first, first + count))
        # Only every `inner`-th of our samples and `outer`-th of theirs are at the same time, so we start there.
        inner, outer = self.rate // math.gcd(rate, self.rate), rate // math.gcd(rate, self.rate)
        margin = math.ceil(RESAMPLING_REACH / min(inner, outer))
        start = max(0, first // outer - margin)
        stop = math.ceil((first + count) / outer) + margin
        samples = resample(self._samples(start * inner, stop * inner), self.rate, rate)
        return torch.from_numpy(samples[first - start * outer :][:count].copy())

    def _samples(self, start: int, stop: int) -> np.ndarray:
        raise NotImplementedError


class Waveform(Sound):
    """A sound given as numbers, which starts with the clip.

    Args:
        samples: (samples,) or (channels, samples), array, tensor or list; floats in [-1, 1], or integers of up to 32
            bits, scaled by the range of their type. May be empty: a clip without sound.
        sampling_rate: in Hz.

    Raises `ValueError` for anything else.
    """

    def __init__(self, samples: Any, sampling_rate: int):
        self.rate = checked_rate(sampling_rate)
        self._values = checked_samples(samples)
        self.num_samples = len(self._values)

    def _samples(self, start: int, stop: int) -> np.ndarray:
        values = self._values[start:stop]
        return np.pad(values, (0, stop - start - len(values)))


def checked_rate(rate: Any) -> int:
    """A sampling rate as an integer. Raises `ValueError` unless it is a whole number of Hz in the allowed range."""
    number = rate.item() if isinstance(rate, (Tensor, np.ndarray)) and rate.ndim == 0 else rate
    is_number = isinstance(number, (int, float, np.integer, np.floating)) and not isinstance(number, bool)
    if not (is_number and 1 <= number <= HIGHEST_RATE and number == int(number)):
        raise ValueError(f"sampling_rate must be a whole number of Hz from 1 to {HIGHEST_RATE:,}, got {rate!r}")
    return int(number)


def checked_samples(given: Any) -> np.ndarray:
    """A [`Waveform`]'s samples, float32 (samples,). Raises `ValueError` for other shapes, types and ranges."""
    if isinstance(given, Tensor):
        if given.is_meta or given.layout != torch.strided:
            raise ValueError(
                f"a waveform must be a plain tensor with values, got a {given.layout} one on {given.device}"
            )
        given = (given.float() if given.is_floating_point() else given).detach().cpu().numpy()
    try:
        samples = np.asarray(given)
    except (TypeError, ValueError) as error:  # lists of lists of different lengths
        raise ValueError(f"a waveform must be numbers of shape (samples,) or (channels, samples): {error}") from error
    if samples.ndim not in (1, 2) or samples.dtype.kind not in "fiu":
        raise ValueError(
            f"a waveform must be numbers of shape (samples,) or (channels, samples), got {samples.dtype} of shape "
            f"{samples.shape}"
        )
    if samples.ndim == 2:
        check_channels_first(samples.shape)
        if len(samples) > MOST_CHANNELS:
            raise ValueError(f"a waveform must be (samples,) or (channels, samples), got {samples.shape}")
    if samples.dtype.kind != "f" and samples.dtype.itemsize == 8:
        raise ValueError(
            f"the full scale of a waveform of {samples.dtype} is unknown; pass int16 or int32, as it was recorded, or "
            "floats in [-1, 1]"
        )
    if samples.dtype.kind == "f" and samples.size:
        low, high = float(samples.min()), float(samples.max())
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ValueError("the waveform has samples that are NaN or infinite")
        if max(-low, high) > LOUDEST_GIVEN:
            raise ValueError(
                f"a waveform of floats must be in [-1, 1], this one goes from {low:g} to {high:g}; divide 16-bit "
                "samples by 32768, or pass them as int16"
            )
    return mono(samples) if samples.ndim == 2 else to_float(samples)


def check_channels_first(shape: tuple[int, ...]) -> None:
    """Raise `ValueError` for a shape that looks like (samples, channels), as soundfile returns it."""
    rows, columns = shape
    if 0 < columns <= MOST_CHANNELS < rows or (0 < columns < rows <= MOST_CHANNELS and columns <= 2):
        raise ValueError(
            "a waveform must be (samples,) or (channels, samples), a batch (clips, samples); this one of shape "
            f"{tuple(shape)} looks like (samples, channels): transpose it, audio.T"
        )


class SoundTrack(Sound):
    """The sound track of a file; decodes only what is read.

    Its packets are collected while the pictures are indexed, in the same pass, and stay in memory in coded form, some
    16 kB for each second of AAC.

    Args:
        name: the file's name in messages.
        packets: all of the track, `av.Packet`.
        stream: the `av.AudioStream` of a container that stays open.
        origin: second 0 of the clip, on the clock of the file; `end`, on the same clock, is the clip's end.
    """

    def __init__(self, name: str, packets: list, stream: Any, origin: float = 0.0):
        self.name = name
        self.origin = origin
        self.end = math.inf
        self.use(stream)
        tick = float(stream.time_base or 0)  # without one, times are unknown
        self._packets = [packet for packet in packets if packet.pts is not None and tick]
        spans = [(packet.pts, packet.pts + (packet.duration or 0)) for packet in self._packets]
        self._starts, self._ends = np.array(spans, dtype=np.float64).reshape(-1, 2).T * tick
        self.rate = self._codec.sample_rate
        check_sampling(name, self.rate, self._codec.channels)
        if not self.rate:
            if self._packets:
                raise ValueError(f"the sound of {name} has no sampling rate")
            self.rate = 1  # of an empty track

    def use(self, stream: Any) -> None:
        """Continue with the same stream of the file opened again."""
        self._codec: Any = stream.codec_context
        if self._codec is None:
            raise ValueError(f"FFmpeg has no decoder for the sound of {self.name}")

    def between(self, origin: float, end: float) -> "SoundTrack":
        """The track for a clip from `origin` to `end`, on the clock of the file."""
        other = copy.copy(self)
        other.origin, other.end = origin, end
        return other

    @property
    def num_samples(self) -> int:  # type: ignore[override]
        return max(0, round((min(self._ends.max(), self.end) - self.origin) * self.rate)) if len(self._ends) else 0

    def _samples(self, start: int, stop: int) -> np.ndarray:
        samples = np.zeros(stop - start, dtype=np.float32)
        stop = min(stop, self.num_samples)  # the last packet may decode to more than its duration
        first, last = self.origin + start / self.rate, self.origin + stop / self.rate
        needed = np.flatnonzero((self._ends > first - DECODING_REACH) & (self._starts < last))
        begin = 0
        for frame in self._decode([self._packets[index] for index in needed]):
            if frame.pts is not None and frame.time_base is not None:
                begin = round((frame.pts * float(frame.time_base) - self.origin) * self.rate)
            if begin >= stop + DECODING_REACH * self.rate:  # packets may decode to more than their duration
                break
            if not 1 / MOST_CHANGE <= frame.sample_rate / self.rate <= MOST_CHANGE:
                continue  # damaged, too
            values = mono(planes(frame))
            if frame.sample_rate != self.rate:
                values = resample(values, frame.sample_rate, self.rate)
            low, high = max(begin, start), min(begin + len(values), stop)
            if low < high:
                samples[low - start : high - start] = values[low - begin : high - begin]
            begin += len(values)
        return samples

    def _decode(self, packets: list) -> Iterator[Any]:
        self._codec.flush_buffers()
        for packet in [*packets, None]:  # None: flush the decoder
            try:
                yield from self._codec.decode(packet)
            except av.FFmpegError:  # damaged: silence instead
                continue


class SoundFile:
    """A file opened for its sound alone, which starts with the clip; a context manager.

    `sound` (`SoundTrack`, *optional*): `None` if there is no track.

    Args:
        source: a path, URL, bytes or binary file object, or what `OpenedSource` made of one.

    Raises `FileNotFoundError` for a path that does not exist and `ValueError` for what cannot be read.
    """

    def __init__(self, source: MediaSource | OpenedSource, name: str | None = None):
        if av is None:
            raise ImportError("PyAV is needed to read sound: pip install av")
        self.name = describe_source(source, "sound") if name is None else name
        self.sound: SoundTrack | None = None
        self._container: Any = None
        self._source = source if isinstance(source, OpenedSource) else OpenedSource(source, "sound")
        self._source_is_ours = self._source is not source
        try:
            self._container = open_container(self._source.rewound(), self.name, "sound")
            if (stream := pick_sound(self._container)) is not None:
                packets = list(read_packets(self._container, [stream]))
                keep_sound_running(self._container, stream, list(enumerate(packets)))
                start = self._container.start_time
                origin = 0.0 if start is None else start / av.time_base
                self.sound = SoundTrack(self.name, packets, stream, origin)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "SoundFile":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        if self._container is not None:
            self._container.close()
        if self._source_is_ours:
            self._source.close()


def pick_sound(container: Any) -> Any:
    """The track to use: the first that can be decoded, preferably a default one; else any track, or `None`."""
    tracks = list(container.streams.audio)
    usable = [track for track in tracks if track.codec_context is not None and track.codec_context.sample_rate]
    default = [track for track in usable if track.disposition & Disposition.default]
    return next(iter(default or usable or tracks), None)


def read_packets(container: Any, streams: list) -> "Iterator[av.Packet]":
    """The streams' packets up to the end or damage. Raises `UnreadableError` if they repeat the same bytes."""
    total, size = 0, container.size
    packets = container.demux(streams)
    while True:
        try:
            packet = next(packets)
        # PyAV raises IndexError if damage looks like a new stream
        except (StopIteration, av.FFmpegError, IndexError):
            return
        if packet.size:
            total += packet.size
            check_repeated(total, size)
            yield packet


def planes(frame: "av.AudioFrame") -> np.ndarray:
    """The samples of a decoded frame, (channels, samples). Impossible values are damage and become silence."""
    try:
        samples = frame.to_ndarray()
    except ValueError as error:  # PyAV has no NumPy type for it, such as 64-bit integers
        raise ValueError(f"sound with samples of format {frame.format.name!r} cannot be read: {error}") from error
    if samples.dtype.kind == "f" and not np.abs(samples).max(initial=0) <= LOUDEST_IN_FILES:  # NaN too
        samples = np.where(np.abs(samples) <= LOUDEST_IN_FILES, samples, samples.dtype.type(0))
    return samples if frame.format.is_planar else samples.reshape(-1, frame.layout.nb_channels).T


def mono(samples: np.ndarray) -> np.ndarray:
    return to_float(samples).mean(axis=0, dtype=np.float32)


def to_float(samples: np.ndarray) -> np.ndarray:
    if samples.dtype.kind == "f":
        return samples.astype(np.float32, copy=False)
    middle = 0 if samples.dtype.kind == "i" else 2 ** (8 * samples.dtype.itemsize - 1)
    return ((samples.astype(np.float64) - middle) / 2 ** (8 * samples.dtype.itemsize - 1)).astype(np.float32)


def resample(samples: np.ndarray, rate: int, new_rate: int) -> np.ndarray:
    """Float32 samples (samples,) at another rate; the first sample keeps its time."""
    if rate == new_rate or not len(samples):
        return samples
    if av is None:
        raise ImportError(f"PyAV is needed to resample sound from {rate} to {new_rate} Hz: pip install av")
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), format="fltp", layout="mono")
    frame.sample_rate = rate
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=new_rate)
    frames = [*resampler.resample(frame), *resampler.resample(None)]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


__all__ = [
    "Sound",
    "SoundFile",
    "SoundTrack",
    "Waveform",
    "check_channels_first",
    "checked_rate",
    "mono",
    "pick_sound",
    "read_packets",
    "resample",
]
