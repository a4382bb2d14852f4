"""Reading many clips alike: options are checked once, and a worker of a `DataLoader` keeps files open.

Opening a file and going over its packets takes longer than decoding a few small frames. Clips come again in each
epoch, and clips of one film follow one another, so a worker keeps the last videos open as far as there is room for
them.
"""

import math
import os
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any

from torch.utils.data import get_worker_info

from holovid.processing.media_source import split_interval
from holovid.processing.processing_holovid import HolovidProcessor
from holovid.processing.video_decoding import VideoFile, open_video
from holovid.processing.video_processing_holovid import HolovidVideoProcessor

ROOM = 2**27  # bytes that the open videos of a worker may take, as estimated by `cost_of`
MOST_FILES = 256  # a process may have 1,024 files open on many systems
PICTURES_OF_A_DECODER = 16  # that it holds, of 1.5 bytes a pixel
BYTES_OF_A_PACKET = 400  # of its facts
IN_THIS_WORKER: dict[tuple, "OpenVideos"] = {}  # by kind


def reader_of(processor: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """`processor` with these options, for one clip a call: each of its outputs has a tensor at place 0.

    Of a processor of ours options are checked once, rather than in each call, and no tensor is copied into a batch.
    """
    if type(processor) is HolovidProcessor:
        return processor.video_processor.with_options(**options)
    if type(processor) is HolovidVideoProcessor:
        return processor.with_options(**options)
    return partial(processor, return_tensors="pt", **options)


class OpenVideos:
    """The videos that a worker keeps open, the last used ones first to stay.

    Attributes:
        kind: what tells one from another; those of a kind in a worker are one, however many datasets it reads.

    Args:
        processor: of a model that does not use audio. Decoders of AAC add noise that depends on what they decoded
            before, so audio is read from a file that is opened for it, and a clip does not depend on others.
        decoder: which one reads, by default the processor's.
    """

    def __init__(self, processor: HolovidProcessor | HolovidVideoProcessor, decoder: str | None = None):
        own = processor.video_processor if isinstance(processor, HolovidProcessor) else processor
        self._decoder = decoder or own.decoder
        self._uses_audio = own.feature_extractor is not None
        self.kind = os.getpid(), self._decoder, self._uses_audio
        self._videos: OrderedDict[str, tuple[tuple[int, int], VideoFile]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._videos)

    def part(self, video: dict[str, Any]) -> Any:
        """What a processor takes for a clip: the part of an open video, or `video` itself if it is none to keep open.

        Args:
            video: {"path", "bytes"}, optionally `start` and `end` in seconds. Bytes and URLs are not kept.

        Raises `ValueError` and `FileNotFoundError` as `open_video` does.
        """
        path, (start, end) = split_interval(video)
        if self._uses_audio or not isinstance(path, str) or not os.path.isfile(path):
            return video
        file = self._open(path)
        return video if file is None else file.part(start or 0.0, math.inf if end is None else end)

    def drop(self, video: dict[str, Any]) -> None:
        """Close the video of a clip that could not be read."""
        if video.get("path") in self._videos:
            self._videos.pop(video["path"])[1].close()

    def _open(self, path: str) -> VideoFile | None:
        facts = os.stat(path)
        version = facts.st_size, facts.st_mtime_ns
        if path in self._videos and self._videos[path][0] != version:
            self._videos.pop(path)[1].close()
        if path not in self._videos:
            file = open_video(path, self._decoder)
            if not isinstance(file, VideoFile):  # a picture
                file.close()
                return None
            self._videos[path] = version, file
            self._make_room()
        self._videos.move_to_end(path)
        return self._videos[path][1]

    def _make_room(self) -> None:
        costs = [cost_of(file) for _, file in self._videos.values()]
        while len(costs) > MOST_FILES or (sum(costs) > ROOM and len(costs) > 1):
            self._videos.popitem(last=False)[1][1].close()
            costs.pop(0)


class WorkersVideos:
    """`OpenVideos` in the workers of a `DataLoader`, which must not share this process's files and decoder threads."""

    def __init__(self, processor: Callable[..., Any], decoder: str | None = None):
        self._processor, self._decoder = processor, decoder
        self._videos: OpenVideos | None = None

    def part(self, video: dict[str, Any]) -> Any:
        """See `OpenVideos.part`."""
        if get_worker_info() is None or type(self._processor) not in (HolovidProcessor, HolovidVideoProcessor):
            return video
        if self._videos is None:
            own = OpenVideos(self._processor, self._decoder)  # type: ignore[arg-type]
            self._videos = IN_THIS_WORKER.setdefault(own.kind, own)
        return self._videos.part(video)

    def drop(self, video: dict[str, Any]) -> None:
        if self._videos is not None:
            self._videos.drop(video)


def cost_of(file: VideoFile) -> int:
    """Bytes that an open video takes, roughly."""
    width, height = file.metadata.width or 0, file.metadata.height or 0
    return int(1.5 * PICTURES_OF_A_DECODER * width * height) + BYTES_OF_A_PACKET * len(file) + file.bytes_kept


__all__ = ["OpenVideos", "WorkersVideos", "reader_of"]
