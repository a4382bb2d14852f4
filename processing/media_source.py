# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Sources of videos and sounds: paths, URLs, bytes and binary file objects, made readable from the start.

Also the dict that `datasets` returns, {"path", "bytes"}. For a part of a video it may have `start` (included) and
`end` (excluded) in seconds from the first frame; either may be None.
"""

import io
import os
import tempfile
import threading
import zlib
from collections.abc import Iterator
from numbers import Real
from typing import Any, BinaryIO
from urllib.parse import urlparse
from urllib.request import url2pathname

from huggingface_hub.utils import httpx

MediaSource = str | os.PathLike | bytes | BinaryIO
Interval = tuple[float | None, float | None]

DOWNLOAD_TIMEOUT = 30.0  # seconds to wait for an answer, and for each further piece
DOWNLOAD_SECONDS = 600.0  # for the whole download
DOWNLOAD_BYTES = 2**30  # most bytes of a download
DOWNLOAD_IN_MEMORY = 64 * 2**20  # bytes; longer ones go to a temporary file
DECOMPRESSED_AT_ONCE = 2**20  # bytes
EITHER_HEADER = 32 + zlib.MAX_WBITS  # zlib's number for "with the header of gzip or its own"


def is_media_source(value: Any) -> bool:
    if isinstance(value, dict):
        return value.keys() >= {"path", "bytes"}
    return isinstance(value, (str, os.PathLike, bytes, bytearray, memoryview)) or hasattr(value, "read")


def split_interval(source: Any) -> tuple[MediaSource, Interval]:
    """A source as a path, URL, bytes or file object, and the interval to use, in seconds."""
    if not isinstance(source, dict):
        return source, (None, None)
    if unknown := source.keys() - {"path", "bytes", "start", "end"}:
        raise ValueError(
            f"a source given as a dict may have 'path', 'bytes', 'start' and 'end', got also {sorted(unknown)}"
        )
    path: Any = source.get("path")
    content: Any = source.get("bytes")
    if path is None and content is None:
        raise ValueError("a source given as a dict needs 'path' or 'bytes', got neither")
    start: Any = source.get("start")
    end: Any = source.get("end")
    if odd := [second for second in (start, end) if second is not None and not is_number_of_seconds(second)]:
        raise ValueError(f"'start' and 'end' must be numbers of seconds, got {odd[0]!r:.40}")
    if (start is not None and not start >= 0) or (end is not None and not end > (start or 0)):
        raise ValueError(f"an interval must start at 0 s or later and end after its start, got {start} s to {end} s")
    return path if content is None else content, (start, end)


def is_number_of_seconds(value: Any) -> bool:
    return isinstance(value, Real) and not (isinstance(value, int) and abs(value) > 2**53)


class OpenedSource:
    """A source's path or file, downloaded if necessary; users' files stay open. `kind` and `name` are for messages."""

    def __init__(self, source: MediaSource, kind: str = "video"):
        self.name = describe_source(source, kind)
        self._is_ours = True
        if isinstance(source, (bytes, bytearray, memoryview)):
            # A memoryview need not be contiguous.
            self._file: str | BinaryIO = io.BytesIO(source if isinstance(source, bytes) else bytes(source))
        elif isinstance(source, (str, os.PathLike)):
            self._file = self._locate(os.fsdecode(source), kind)
        elif hasattr(source, "read"):
            self._file, self._is_ours = source, False
            if isinstance(source, io.TextIOBase):
                raise ValueError(f"{self.name} is open as text; open it with mode 'rb'")
            try:
                if not (hasattr(source, "seekable") and source.seekable()):
                    self._file, self._is_ours = self._read_everything(source), True
                elif self.rewound() is source:
                    source.read(1)
            except (OSError, ValueError) as error:  # closed, or open for writing
                raise ValueError(f"{self.name} cannot be read: {error}") from error
        else:
            raise ValueError(
                f"a {kind} must be a path, a URL, bytes or a binary file object, got {type(source).__name__}"
            )

    @staticmethod
    def _locate(path: str, kind: str) -> str | BinaryIO:
        if path.startswith(("http://", "https://")):
            return download(path)
        if path.startswith("file://"):
            path = url2pathname(urlparse(path).path)
        if not os.path.exists(path):
            raise FileNotFoundError(f"there is no {kind} at {path!r}")
        if not os.path.isfile(path):
            raise ValueError(f"{path!r} is not a file")
        return os.path.abspath(path)  # FFmpeg would read a prefix with a colon as a protocol

    def _read_everything(self, source: BinaryIO) -> BinaryIO:
        """Copy a pipe or socket, which can be read only once and may never end."""
        everything = io.BytesIO()
        while piece := source.read(DECOMPRESSED_AT_ONCE):
            everything.write(piece)
            if everything.tell() > DOWNLOAD_BYTES:
                raise ValueError(
                    f"it has more than {DOWNLOAD_BYTES:,} bytes (DOWNLOAD_BYTES in holovid.processing.media_source)"
                )
        return everything

    def rewound(self) -> str | BinaryIO:
        if not isinstance(self._file, str):
            self._file.seek(0)
        return self._file

    def close(self) -> None:
        if self._is_ours and not isinstance(self._file, str):
            self._file.close()


def download(url: str, most_bytes: int | None = None, most_seconds: float | None = None) -> BinaryIO:
    """Download a whole file; indexing its frames reads all of it anyway.

    Args:
        url: `http://` or `https://`; it may redirect to others of these.
        most_bytes: limit after decompression; default `DOWNLOAD_BYTES`.
        most_seconds: limit for everything; default `DOWNLOAD_SECONDS`.

    Returns a temporary file, deleted when it is closed, that is accepted wherever a video or a sound is. Raises
    `ValueError` for what cannot be downloaded, is larger or takes longer; nothing stays on the disk.
    """
    most_bytes = DOWNLOAD_BYTES if most_bytes is None else most_bytes
    most_seconds = DOWNLOAD_SECONDS if most_seconds is None else most_seconds
    too_large = f"it has more than {most_bytes:,} bytes (see most_bytes of holovid.processing.media_source.download)"
    file: Any = tempfile.SpooledTemporaryFile(max_size=DOWNLOAD_IN_MEMORY)  # noqa: SIM115 (OpenedSource closes it)
    is_late = threading.Event()
    try:
        with httpx.Client(follow_redirects=True, timeout=min(DOWNLOAD_TIMEOUT, most_seconds)) as client:

            def give_up() -> None:
                is_late.set()
                client.close()

            # The client's own limit applies to each piece, and their number has no limit, in headers too.
            alarm = threading.Timer(most_seconds, give_up)
            alarm.daemon = True
            alarm.start()
            try:
                with client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as response:
                    response.raise_for_status()
                    if int(response.headers.get("content-length") or 0) > most_bytes:
                        raise ValueError(too_large)
                    for piece in decompressed(response):
                        if is_late.is_set():
                            raise TimeoutError
                        if file.tell() + len(piece) > most_bytes:
                            raise ValueError(too_large)
                        file.write(piece)
            finally:
                alarm.cancel()
    except BaseException as error:
        file.close()
        reason = str(error)
        if is_late.is_set():
            reason = f"it takes longer than {most_seconds:g} s (see most_seconds of holovid.processing.media_source)"
        elif not isinstance(error, (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, zlib.error)):
            raise
        raise ValueError(f"{url} cannot be downloaded: {reason}") from error
    return file


def decompressed(response: "httpx.Response") -> Iterator[bytes]:
    """The response in small pieces; httpx would decompress each received piece at once, to any size."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding == "identity":
        yield from response.iter_raw()
        return
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise ValueError(f"it is compressed with {encoding!r}, which we did not ask for")
    decoder = zlib.decompressobj(EITHER_HEADER)
    for received in response.iter_raw():
        while received:
            yield decoder.decompress(received, DECOMPRESSED_AT_ONCE)
            received = decoder.unconsumed_tail
            if decoder.eof:
                received = decoder.unused_data
                if received.startswith(b"\x1f\x8b"):  # several gzip members may follow one another
                    decoder = zlib.decompressobj(EITHER_HEADER)
                else:
                    return
    yield decoder.flush()
    if not decoder.eof:
        raise ValueError("it ends too early")


def describe_source(source: Any, kind: str = "video") -> str:
    if isinstance(source, OpenedSource):
        return source.name
    if isinstance(source, (str, os.PathLike)):
        return repr(os.fsdecode(source))
    if isinstance(source, (bytes, bytearray, memoryview)):
        return f"the {kind} of {len(source)} bytes"
    return f"the {kind} file {getattr(source, 'name', source)!r}"


__all__ = [
    "Interval",
    "MediaSource",
    "OpenedSource",
    "describe_source",
    "download",
    "is_media_source",
    "split_interval",
]
