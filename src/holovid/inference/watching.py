"""Labels for a live video: a file, a camera or a URL, read in order.

    with LiveSource("/dev/video0") as source:
        for moment in watch(model, processor, source):
            moment.seconds, moment.answers

Models with a stream get single frames, spaced as their processor samples them, and predict as soon as they can. All
others predict for overlapping windows; those that use audio get the sound of each window.
"""

import dataclasses
import json
import math
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import av
import torch
from av.video.reformatter import VideoReformatter
from rich.console import Console
from rich.live import Live
from rich.text import Text
from torch import Tensor
from transformers import BaseVideoProcessor, PreTrainedModel

from holovid import VideoClassificationPipeline
from holovid.families.family import families, named
from holovid.inference.watched_windows import ROUNDING, FrameByFrame, WindowByWindow
from holovid.processing.audio_decoding import SoundTrack, pick_sound, read_packets
from holovid.processing.frame_sampling import WITH_STRIDE
from holovid.processing.media_containers import CONTAINERS, limit_pictures, open_container, pick_pictures
from holovid.processing.video_decoding import quarter_turns_and_flips, upright

WINDOW, EVERY = 2.0, 0.5  # default seconds of window and stride
LONGEST_GAP = 3.5  # steps between frames; after a longer gap the stream restarts
TIMEOUT = 15.0  # seconds for opening a source, and between two pieces of it
SOUND_LATE = 1.0  # seconds of pictures that wait for late sound
DECODED_AHEAD = 1.0  # seconds of sound kept before a window, which codecs need
CAMERAS = "/dev/video"  # on Linux
# Protocols that FFmpeg may open, by URL scheme. A server may redirect from http to https, never to a file.
WEB = ("http", "https", "httpproxy", "tcp", "tls")
PROTOCOLS: dict[str, tuple[str, ...]] = {
    "file": ("file",),
    "http": WEB,
    "https": WEB,
    "rtsp": ("rtp", "udp", "tcp"),
    "rtsps": ("rtp", "srtp", "udp", "tcp", "tls"),
    "rtmp": ("rtmp", "tcp"),
    "rtmps": ("rtmps", "tcp", "tls"),
    "rtp": ("rtp", "udp"),
    "udp": ("udp",),
    "tcp": ("tcp",),
    "srt": ("srt",),
}
LIVE_CONTAINERS = frozenset({"rtsp", "rtp", "mpjpeg"})  # of network cameras
PLAYLISTS = frozenset({"hls", "dash", "concat"})


@dataclasses.dataclass(frozen=True)
class Moment:
    """A frame of the source and the predictions at that time.

    Args:
        seconds: its time; the first frame is at 0.
        picture: the frame; `LiveSource.pixels` returns its pixels.
        answers: `{"label": str, "score": float}`, best first; empty until there are any.
        is_new: whether the predictions came with this frame.
        interruption: why earlier frames were forgotten at this one, if they were.
    """

    seconds: float
    picture: "av.VideoFrame"
    answers: list[dict[str, Any]]
    is_new: bool
    interruption: str | None


class LiveSource:
    """Frames in the order in which they arrive, and on request their sound, with PyAV; a context manager.

    Args:
        name: path of a file, a named pipe or a camera (`/dev/video0`), or a URL that FFmpeg reads.
        container_format: FFmpeg's name of the format, if it cannot tell: "avfoundation" or "dshow" for cameras on
            other systems than Linux.
        allow_playlists: whether to follow a playlist (HLS, DASH) to the files and addresses that it names.

    Raises `ValueError` for what cannot be opened or has no pictures, `FileNotFoundError` for a path that does not
    exist.
    """

    def __init__(self, name: str, container_format: str | None = None, allow_playlists: bool = False):
        self.name = name
        scheme = name.split("://")[0] if "://" in name else None
        is_file, is_pipe = os.path.isfile(name), scheme is None and Path(name).is_fifo()
        if name.startswith(CAMERAS) and container_format is None:
            container_format = "v4l2"
        if is_file or is_pipe:
            name, scheme = os.path.abspath(name), "file"  # FFmpeg would read a prefix with a colon as a protocol
        elif scheme is None and container_format is None and not is_pipe:
            if os.path.isdir(name):
                raise ValueError(f"{self.name!r} is a folder; give a video file, a camera or a URL")
            raise FileNotFoundError(f"there is no video at {self.name!r}")
        elif scheme is not None and scheme not in PROTOCOLS:
            raise ValueError(f"{self.name!r} cannot be watched: a URL starts with one of {', '.join(PROTOCOLS)}")
        if container_format in PLAYLISTS and not allow_playlists:
            raise ValueError(f"{container_format!r} is a playlist; pass --allow-playlists to follow it")
        containers, protocols = CONTAINERS | LIVE_CONTAINERS, PROTOCOLS[scheme or "file"]
        if container_format is not None:
            containers |= {container_format}
        if allow_playlists:
            containers |= PLAYLISTS
            protocols = tuple({*protocols, *PROTOCOLS["https"], "crypto", "data"})
        self._container = open_container(
            name,
            repr(self.name),
            containers=containers,
            protocols=protocols,
            container_format=container_format,
            timeout=TIMEOUT,
        )
        try:
            stream = pick_pictures(self._container, repr(self.name))
            limit_pictures(repr(self.name), stream.codec_context)
        except ValueError:
            self._container.close()
            raise
        # decoding frames in parallel is faster, but delays each by some frames
        stream.thread_type = "AUTO" if is_file else "SLICE"
        self._stream = stream
        self._sound_stream: Any = None
        self._heard: deque[tuple[float, av.Packet]] = deque()  # with start times
        self._heard_until = math.inf  # on the source's clock; infinite without sound, so nothing waits
        self.start = 0.0  # time of the first frame, on the same clock
        rate = stream.average_rate or stream.guessed_rate
        self.frame_rate = float(rate) if rate else None
        self._to_rgb = VideoReformatter()

    def __enter__(self) -> "LiveSource":
        return self

    def __exit__(self, *exception: object) -> None:
        self._container.close()

    def frames(self) -> Iterator[tuple[float, "av.VideoFrame"]]:
        """(seconds since the first, frame), until the source ends or breaks off. Damaged frames are left out.

        Without times in the source, the frame rate counts. After `listen`, frames wait for their sound, at most a
        second.
        """
        frame, waiting = 1 / (self.frame_rate or 25), deque[tuple[float, av.VideoFrame]]()
        for seconds, picture in self._timed_pictures():
            waiting.append((seconds, picture))
            while waiting and (
                self._heard_until >= self.start + waiting[0][0] + frame
                or abs(seconds - waiting[0][0]) > SOUND_LATE  # or time went back
            ):
                yield waiting.popleft()
        yield from waiting

    def listen(self) -> None:
        """Keep the sound from now on; call it before reading `frames`. A source without a track is silent."""
        self._sound_stream = pick_sound(self._container)
        if self._sound_stream is not None:
            self._heard_until = -math.inf

    def track(self) -> SoundTrack | None:
        """The sound so far, whose second 0 is the first frame; `None` if there is none."""
        if self._sound_stream is None:
            return None
        return SoundTrack(repr(self.name), [packet for _, packet in self._heard], self._sound_stream, self.start)

    def forget_sound(self, before: float | None = None) -> None:
        """Drop sound that no window starting at `before` seconds or later needs; by default all."""
        kept_from = math.inf if before is None else self.start + before - DECODED_AHEAD
        while self._heard and self._heard[0][0] < kept_from:
            self._heard.popleft()

    def _timed_pictures(self) -> Iterator[tuple[float, "av.VideoFrame"]]:
        start: float | None = None
        for index, picture in enumerate(self._pictures()):
            # not `picture.time`, which is unknown for delayed frames
            if picture.pts is None or self._stream.time_base is None:
                time = index / (self.frame_rate or 25)
            else:
                time = float(picture.pts * self._stream.time_base)
            if start is None:
                start = self.start = time
            yield time - start, picture

    def _pictures(self) -> Iterator["av.VideoFrame"]:
        streams = [self._stream] if self._sound_stream is None else [self._stream, self._sound_stream]
        for packet in chain(read_packets(self._container, streams), [None]):  # None: flush the decoder
            if packet is not None and packet.stream is not self._stream:
                self._hear(packet)
                continue
            try:
                yield from self._stream.codec_context.decode(packet)
            except av.FFmpegError:
                continue

    def _hear(self, packet: "av.Packet") -> None:
        if packet.pts is not None and packet.time_base is not None:
            self._heard.append((float(packet.pts * packet.time_base), packet))
            self._heard_until = float((packet.pts + (packet.duration or 0)) * packet.time_base)

    def pixels(self, picture: "av.VideoFrame") -> Tensor:
        """uint8 RGB (C, H, W) of a frame, upright."""
        rgb = self._to_rgb.reformat(picture, format="rgb24").to_ndarray()
        return upright(torch.from_numpy(rgb).permute(2, 0, 1), quarter_turns_and_flips(picture))


class FramePicker:
    """Chooses a source's frames for the model: every `stride`-th, or one every so many `seconds`."""

    def __init__(self, stride: int | None, seconds: float | None, frame_rate: float | None):
        self.stride, self.seconds = stride, seconds or 0.0
        frame = 1 / frame_rate if frame_rate else 0.0
        step = max(self.seconds, frame) if stride is None else stride * frame
        self.longest = LONGEST_GAP * step or math.inf
        self.begin_anew()

    def begin_anew(self) -> None:
        self.count = 0
        self.last: float | None = None
        self.due: float | None = None

    def gap(self, seconds: float) -> str | None:
        """What is missing before a frame at this time; `None` if nothing."""
        if self.last is None or 0 <= seconds - self.last <= self.longest:
            return None
        if seconds < self.last:
            return f"time goes back from {self.last:.2f} s to {seconds:.2f} s"
        return f"there are no frames from {self.last:.2f} s to {seconds:.2f} s"

    def takes(self, seconds: float) -> bool:
        """Whether the model gets the next frame; call once for each."""
        if self.stride is not None:
            taken = self.count % self.stride == 0
            self.count += 1
        else:
            due = seconds if self.due is None else self.due
            taken = seconds >= due - ROUNDING
            if taken:
                due += self.seconds
            # late frames are not made up for
            self.due = due if due > seconds or not taken else seconds + self.seconds
        if taken:
            self.last = seconds
        return taken


def frame_step(processor: BaseVideoProcessor) -> tuple[int | None, float | None]:
    """The model's usual spacing of frames: (in source frames, in seconds), one of them `None`.

    Raises `ValueError` for a processor that spreads its frames over a whole video of any length.
    """
    sampling, fps = getattr(processor, "sampling", "uniform"), processor.fps
    if sampling in WITH_STRIDE:
        return (processor.frame_stride, None) if fps is None else (None, processor.frame_stride / fps)
    if sampling == "uniform" and fps is not None:
        return None, 1 / fps
    raise ValueError(
        "the model's processor spreads its frames over a whole video, so the spacing for a stream is unknown: set it "
        "with --stride (in frames) or --every (in seconds)"
    )


def has_stream(model: PreTrainedModel) -> bool:
    family = families().get(model.config.model_type)
    return family is not None and family.stream is not None


def stream_class(model: PreTrainedModel) -> Any:
    """The class that runs a model frame by frame. Raises `ValueError` for a family that needs the whole clip."""
    own = families().get(model.config.model_type)
    if own is None or own.stream is None:
        heads = [name for family in families().values() if family.stream for name in family.model_names]
        known = " or ".join(name for name in heads if "For" in name)
        raise ValueError(f"a stream needs {known}, got {type(model).__name__}, which needs the whole clip")
    return named(own.stream)


def watch(
    model: PreTrainedModel,
    processor: BaseVideoProcessor,
    source: LiveSource,
    *,
    stride: int | None = None,
    every: float | None = None,
    window: float | None = None,
    top_k: int = 5,
) -> Iterator[Moment]:
    """Yield all frames of a source as they arrive, with the model's predictions.

    A model with a stream gets single centre-cropped frames, spaced as its processor samples them. Other models, and
    any model if `window` is given, predict for windows that are processed like clips, as `timeline` does for files. A
    window starts with a frame, and its prediction comes with its last one. A model that uses audio also gets the
    window's sound.

    Args:
        model: a classifier of holovid in eval mode, or one that predicts a number.
        processor: its video processor.
        stride, every: spacing of the stream's frames or of the windows' starts, in source frames or in seconds;
            default: as the processor samples, and for windows 0.5 s.
        window: seconds of a window; by default 2 for a model without a stream.
        top_k: predictions, at most one for each label.

    Earlier frames are forgotten, and the moment says why, after a gap of more than three steps, when time goes back,
    or when the picture size changes. Raises `ValueError` for arguments out of range, a processor without a known
    spacing, and what the stream raises.
    """
    if stride is not None and every is not None:
        raise ValueError(
            f"pass stride (in frames) or every (in seconds), not both, got stride={stride}, every={every}"
        )
    if (stride is not None and stride < 1) or (every is not None and not 0 < every < math.inf):
        raise ValueError(
            f"stride must be at least 1 frame and every above 0 seconds, got stride={stride}, every={every}"
        )
    if model.training:
        raise ValueError("the model is in training mode, where dropout makes its answers random; call model.eval()")
    by_windows = window is not None or not has_stream(model)
    if stride is None and every is None:
        stride, every = (None, EVERY) if by_windows else frame_step(processor)
    stream = None if by_windows else stream_class(model)(model, processor.num_frames)
    scores = VideoClassificationPipeline(model=model, video_processor=processor)
    seeing: FrameByFrame | WindowByWindow = (
        WindowByWindow(scores, source, WINDOW if window is None else window)
        if stream is None
        else FrameByFrame(stream, scores, source)
    )
    picker = FramePicker(stride, every, source.frame_rate)
    answers: list[dict[str, Any]] = []
    size, before = None, 0.0
    for seconds, picture in source.frames():
        interruption = picker.gap(seconds)
        if size not in (None, (picture.width, picture.height)):
            interruption = f"pictures change from {size[0]}x{size[1]} to {picture.width}x{picture.height}"
        size = picture.width, picture.height
        if interruption:
            picker.begin_anew()
            seeing.begin_anew(runs_on=seconds >= before)
            answers = []
        before = seconds
        said = seeing.see(seconds, picture, picker.takes(seconds))
        if said is not None:
            answers = scores.postprocess(said, top_k=top_k)
        yield Moment(seconds, picture, answers, said is not None, interruption)


@contextmanager
def until_stopped() -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether Ctrl-C was pressed, or the process asked to end; a second time ends it."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    stopped = False

    def stop(*_: object) -> None:
        nonlocal stopped
        stopped = True
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in before:
        signal.signal(number, stop)
    try:
        yield lambda: stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class LabelLine:
    """Prints predictions: in a terminal as one updated line, elsewhere a line whenever the first label changes.

    With `as_json`, a JSON object a line instead, for all new predictions and interruptions.
    """

    def __init__(self, console: Console, as_json: bool = False):
        self.console, self.as_json = console, as_json
        self._label: str | None = None
        self._live = Live(console=console, transient=False) if console.is_terminal and not as_json else None

    def __enter__(self) -> "LabelLine":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._live:
            self._live.stop()

    def show(self, moment: Moment) -> None:
        if self.as_json:
            told = {"seconds": round(moment.seconds, 3)}
            if moment.interruption:
                self._print(json.dumps(told | {"interruption": moment.interruption}, allow_nan=False))
            if moment.is_new:
                self._print(json.dumps(told | {"answers": moment.answers}, allow_nan=False))
            return
        if moment.interruption:
            self._print(f"{moment.seconds:8.2f} s  starts anew: {moment.interruption}")
            self._label = None
        line = f"{moment.seconds:8.2f} s  " + ", ".join(
            f"{answer['label']} {answer['score']:.3f}" for answer in moment.answers
        )
        if self._live:
            self._live.update(Text(line, no_wrap=True, overflow="ellipsis"))
        elif moment.is_new and moment.answers[0]["label"] != self._label:
            self._label = moment.answers[0]["label"]
            self._print(line)

    def _print(self, line: str) -> None:
        self.console.print(line, soft_wrap=True, highlight=False, markup=False, emoji=False)
