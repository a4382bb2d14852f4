# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Which containers may be opened, and the limits on what their headers claim. Only this module passes files to FFmpeg.

FFmpeg also reads playlists, scripts and session descriptions, which make it open other files, ask servers or listen on
ports. We allow only containers that lead to no other file, and only the protocol `file` for paths (none for bytes and
file objects). The limits below are module constants, read when a file is opened: set them before, for larger media.
"""

import os
from collections.abc import Iterable
from typing import Any, BinaryIO

from holovid.processing.mp4_boxes import claimed_samples

try:
    import av
    from av.stream import Disposition
except ImportError:
    av = None  # type: ignore[assignment]

MOST_PIXELS = 2**26  # of a frame, 8192 x 8192: 200 MB as RGB
LONGEST_SIDE = 2**15  # pixels of a frame
MOST_CHANNELS = 64  # of a sound
HIGHEST_RATE = 2**20  # Hz; ultrasound recorders use about half of it
SAMPLES_A_BYTE = 16  # of pictures or sound; QuickTime's oldest codecs count each number as a sample
SAMPLES_FREELY = 2**12  # samples that any file may claim
MOST_REPEATED = 16  # size of all packets, as a multiple of the file's
REPEATED_FREELY = 2**24  # bytes of packets that any file may have

# FFmpeg's names of allowed containers. Not allowed: playlists ("hls", "dash", "concat",
# "image2"), sessions ("sdp", "rtsp"), scripts ("lavfi", "sbg", "avisynth"), text that is drawn or subtitles, and raw
# samples, which any file can be taken for.
VIDEO_CONTAINERS = frozenset(
    (
        *("mov", "mp4", "matroska", "webm", "avi", "flv", "live_flv", "asf", "ogg", "mpeg", "mpegts", "mxf", "nut"),
        *("gif", "apng", "rm", "wtv", "gxf", "dv", "ivf", "yuv4mpegpipe", "dhav", "nuv"),
        # pictures without a container
        *("h261", "h263", "h264", "hevc", "vvc", "evc", "av1", "obu", "m4v", "mpegvideo", "vc1", "dirac", "cavsvideo"),
        *("mjpeg", "jpeg_pipe", "dnxhd"),
    )
)
SOUND_CONTAINERS = frozenset(
    (
        *(
            "wav",
            "w64",
            "mp3",
            "flac",
            "aac",
            "loas",
            "aiff",
            "caf",
            "au",
            "amr",
            "ac3",
            "eac3",
            "ac4",
            "dts",
            "dtshd",
        ),
        *("truehd", "mlp", "ape", "wv", "tta", "tak", "shn", "mpc", "mpc8", "dsf", "voc", "qcp", "xwma", "ircam"),
        *("nistsphere", "oma", "sox", "gsm", "sbc", "lc3", "iamf"),
    )
)
CONTAINERS = VIDEO_CONTAINERS | SOUND_CONTAINERS

REFUSED = (
    "its container is not supported (such as MP4, MOV, MKV, WebM, AVI, MPEG, GIF, WAV, FLAC, MP3 and Ogg are); "
    "playlists, scripts and other files that name files are not followed"
)


class UnreadableError(ValueError):
    """Something is not a video or a sound, or exceeds the limits."""


def open_container(
    source: str | BinaryIO,
    name: str,
    kind: str = "video",
    *,
    containers: Iterable[str] = CONTAINERS,
    protocols: Iterable[str] = ("file",),
    container_format: str | None = None,
    timeout: float | None = None,
) -> Any:
    """Open a video or a sound with PyAV, but no file that it names.

    Args:
        source: path, or a binary file object at its beginning. The file's name does not matter.
        name, kind: its name, and "video" or "sound", in messages.
        containers, protocols: FFmpeg's names of the allowed ones.
        container_format: FFmpeg's name of the container, if its content does not tell.
        timeout: seconds for opening, and for each further piece.

    Returns an `av.container.InputContainer`. Raises `UnreadableError` for anything else.
    """
    options = {
        "format_whitelist": ",".join(sorted(containers)),
        # An empty list would mean no limit. A file object is already open.
        "protocol_whitelist": ",".join(protocols) if isinstance(source, str) else "none",
        "max_pixels": str(MOST_PIXELS),
    }
    try:
        check_claims(source, name)
        if not isinstance(source, str):
            source.seek(0)
            source = Nameless(source)  # type: ignore[assignment]
        # Tags need not be UTF-8. Without a mode PyAV would take the file object's.
        container: Any = av.open(
            source, mode="r", format=container_format, options=options, timeout=timeout, metadata_errors="replace"
        )
    except UnreadableError:
        raise
    except (av.FFmpegError, OSError, ValueError) as error:
        # FFmpeg's ArgumentError means a container that is not on the list.
        # As text: a stored exception would keep files open until garbage collection.
        # FFmpeg's own message has a number and the path again.
        said = getattr(error, "strerror", None) or str(error)
        reason = REFUSED if isinstance(error, av.ArgumentError) else said
        what = "sound" if kind == "sound" else f"a {kind}"
        raise UnreadableError(f"{name} cannot be read as {what}: {reason}") from error
    most = max((stream.frames for stream in container.streams if stream.type == "video"), default=0)
    if 0 < (size := container.size) < most:  # unknown for live sources
        container.close()
        raise UnreadableError(f"{name} claims to hold {most:,} frames in {size:,} bytes")
    return container


def check_claims(source: str | BinaryIO, name: str) -> None:
    """Raise `UnreadableError` for an MP4 that claims more samples than its size allows, `ValueError` for an empty
    file. Other files pass.
    """
    if isinstance(source, str):
        if os.path.isfile(source):
            with open(source, "rb") as file:
                check_claims(file, name)
        return
    size, claimed = source.seek(0, os.SEEK_END), claimed_samples(source)
    if not size:
        raise ValueError("the file is empty")  # FFmpeg says only that it found invalid data
    if claimed > SAMPLES_A_BYTE * size + SAMPLES_FREELY:
        raise UnreadableError(f"{name} claims to hold {claimed:,} samples in {size:,} bytes")


def pick_pictures(container: Any, name: str) -> Any:
    """FFmpeg's choice of picture stream, or the first that can be decoded. Raises `ValueError` if there is none."""
    streams = [
        stream
        for stream in container.streams.video
        if stream.codec_context is not None and not stream.disposition & Disposition.attached_pic
    ]
    if not streams:
        found = sorted({stream.type for stream in container.streams})
        raise ValueError(f"{name} has no video stream that can be decoded; its streams: {found}")
    best = container.streams.best("video")
    return best if best in streams else streams[0]


class Nameless:
    """A file object without a name, from which FFmpeg would guess the format."""

    def __init__(self, file: BinaryIO):
        self.read, self.seek, self.tell = file.read, file.seek, file.tell


def check_repeated(total: int, size: int) -> None:
    """Raise `UnreadableError` for packets of `total` bytes in a much smaller file; its index may repeat them."""
    if size > 0 and total > MOST_REPEATED * size + REPEATED_FREELY:
        raise UnreadableError(
            f"a file of {size:,} bytes cannot be read: its index repeats them more than {MOST_REPEATED} times"
        )


def limit_pictures(name: str, codec: Any) -> None:
    """Limit a decoder to the allowed picture size. Raises `UnreadableError` if the size is already too large."""
    check_picture_size(name, codec.width, codec.height)
    codec.options = {"max_pixels": str(MOST_PIXELS)}


def no_frame(name: str, codec: Any) -> UnreadableError:
    """The error if nothing can be decoded. FFmpeg forgets a size that it refused."""
    reason = "" if codec.width else f": its pictures have no size, or more than {MOST_PIXELS:,} pixels"
    return UnreadableError(f"{name} has no frame that can be decoded{reason}")


def check_picture_size(name: str, width: int, height: int) -> None:
    if width * height > MOST_PIXELS or max(width, height) > LONGEST_SIDE:
        raise UnreadableError(
            f"{name} has pictures of {width} x {height}; at most {MOST_PIXELS:,} pixels and {LONGEST_SIDE:,} a side "
            "are read (MOST_PIXELS and LONGEST_SIDE in holovid.processing.media_containers)"
        )


def check_sampling(name: str, rate: int, channels: int = 1) -> None:
    if not 0 <= rate <= HIGHEST_RATE or channels > MOST_CHANNELS:
        raise UnreadableError(
            f"{name} has sound of {channels} channels at {rate:,} Hz; at most {MOST_CHANNELS} channels and "
            f"{HIGHEST_RATE:,} Hz are read (MOST_CHANNELS and HIGHEST_RATE in holovid.processing.media_containers)"
        )


__all__ = [
    "CONTAINERS",
    "Nameless",
    "UnreadableError",
    "check_picture_size",
    "check_repeated",
    "check_sampling",
    "limit_pictures",
    "no_frame",
    "open_container",
    "pick_pictures",
]
