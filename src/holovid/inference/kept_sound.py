"""The sound of a file in consecutive pieces without gaps, for a video made from its frames."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import chain
from typing import Any

import av
import numpy as np

from holovid.processing.audio_decoding import pick_sound, read_packets
from holovid.processing.media_containers import open_container
from holovid.processing.media_source import MediaSource, OpenedSource

AAC_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
OTHER_RATE = 48_000
JITTER = 0.02  # seconds between neighbouring pieces that are only rounding
SILENCE_AT_ONCE = 1024  # samples


class KeptSound:
    """The sound from [`kept_sound`]: `rate` in Hz and `layout` of its pieces."""

    def __init__(self, container: Any, stream: Any, start: float, seconds: float | None = None):
        self.rate = stream.codec_context.sample_rate
        if self.rate not in AAC_RATES:
            self.rate = OTHER_RATE
        self.layout = "mono" if stream.codec_context.channels == 1 else "stereo"
        self._container, self._stream, self._start = container, stream, start
        self._end = None if seconds is None else round(seconds * self.rate)  # in samples

    def pieces(self) -> Iterator[tuple[float, Any]]:
        """(seconds, `av.AudioFrame`) of all undamaged sound from second 0 on; gaps become silence."""
        position = 0
        for frame in self._decoded():
            if frame.pts is None or frame.time_base is None:
                first = position
            else:
                first = round((float(frame.pts * frame.time_base) - self._start) * self.rate)
            # a new resampler for each, because a damaged track may change its format midway
            resampler = av.AudioResampler(format="fltp", layout=self.layout, rate=self.rate)
            samples = np.concatenate(
                [piece.to_ndarray() for piece in (*resampler.resample(frame), *resampler.resample(None))], axis=1
            )
            if abs(first - position) <= JITTER * self.rate:
                first = position
            if self._end is not None:
                first = min(first, self._end)
            for begin in range(position, first, SILENCE_AT_ONCE):
                count = min(SILENCE_AT_ONCE, first - begin)
                yield begin / self.rate, self._piece(np.zeros((len(samples), count), np.float32), begin)
            position = max(position, first)
            samples = samples[:, position - first :]
            if self._end is not None:
                samples = samples[:, : max(0, self._end - position)]
            if samples.shape[1]:
                yield position / self.rate, self._piece(samples, position)
                position += samples.shape[1]
            if self._end is not None and position >= self._end:
                return

    def _piece(self, samples: np.ndarray, first: int) -> Any:
        piece = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=self.layout)
        piece.sample_rate, piece.pts, piece.time_base = self.rate, first, Fraction(1, self.rate)
        return piece

    def _decoded(self) -> Iterator[Any]:
        for packet in chain(read_packets(self._container, [self._stream]), [None]):  # None: flush the decoder
            try:
                yield from self._stream.codec_context.decode(packet)
            except av.FFmpegError:
                continue


@contextmanager
def kept_sound(source: MediaSource, start: float, seconds: float | None = None) -> Iterator[KeptSound | None]:
    """A file's sound track for `seconds` (`None`: all) from `start`, its second 0; `None` without a decodable one."""
    opened = OpenedSource(source)
    try:
        with open_container(opened.rewound(), opened.name) as container:
            stream = pick_sound(container)
            usable = stream is not None and stream.codec_context is not None and stream.codec_context.sample_rate
            yield KeptSound(container, stream, start, seconds) if usable else None
    finally:
        opened.close()
