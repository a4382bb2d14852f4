# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""What may be opened as a video or a sound, and how much of it is believed. The one place that hands files to FFmpeg.

FFmpeg also reads playlists, scripts and descriptions of sessions: texts that make it open other files, ask servers or
listen on ports. Here it gets a list of the containers that it may read, none of which leads to another file, and of
the protocols by which it may open anything: `file` for a path that somebody named, none for bytes and file objects.

Headers are believed up to the limits below. They are constants of this module, read when a file is opened: who has
larger media sets them before.
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

MOST_PIXELS = 2**26  # of a frame, 8192 x 8192; as RGB they take 200 MB
LONGEST_SIDE = 2**15  # pixels of a frame
MOST_CHANNELS = 64  # of a sound
HIGHEST_RATE = 2**20  # samples a second; recorders of ultrasound take about half as many
SAMPLES_A_BYTE = 16  # of pictures or sound; the oldest codecs of QuickTime count each number of a sound as one
SAMPLES_FREELY = 2**12  # that any file may claim
MOST_REPEATED = 16  # times that the packets of a file may hold the bytes of the file
REPEATED_FREELY = 2**24  # bytes of packets that any file may have

# FFmpeg's names of what it can read. What is not a medium of its own stays out: playlists ("hls", "dash", "concat",
# "image2"), sessions ("sdp", "rtsp"), scripts ("lavfi", "sbg", "avisynth"), text that is drawn or subtitles, and raw
# samples, which any file can be taken for.
VIDEO_CONTAINERS = frozenset(
    (
        *("mov", "mp4", "matroska", "webm", "avi", "flv", "live_flv", "asf", "ogg", "mpeg", "mpegts", "mxf", "nut"),
        *("gif", "apng", "rm", "wtv", "gxf", "dv", "ivf", "yuv4mpegpipe", "dhav", "nuv"),
        # streams of pictures without a container
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
    "it is none of the containers that are read, such as MP4, MOV, MKV, WebM, AVI, MPEG, GIF, WAV, FLAC, MP3 and Ogg; "
    "playlists, scripts and other files that name files are not followed"
)


class UnreadableError(ValueError):
    """Something is not a video or a sound, or larger than what is read."""


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
    """Open a video or a sound with PyAV, and nothing that it names.

    Args:
        source: path, or a binary file object that stands at its beginning. What a `file` is called does not count.
        name: how messages call it.
        kind: "video" or "sound", what messages say it is not.
        containers: FFmpeg's names of what it may be.
        protocols: FFmpeg's names of the ways by which a path or URL may be opened.
        container_format: FFmpeg's name of what it is, where that cannot be seen from its content.
        timeout: seconds that opening may take, and each further piece.

    Returns an `av.container.InputContainer`.

    Raises `UnreadableError` for anything that is not such a container.
    """
    options = {
        "format_whitelist": ",".join(sorted(containers)),
        # An empty list would be no list. What comes as a file object is open already, and opens nothing.
        "protocol_whitelist": ",".join(protocols) if isinstance(source, str) else "none",
        "max_pixels": str(MOST_PIXELS),
    }
    try:
        check_claims(source, name)
        if not isinstance(source, str):
            source.seek(0)
            source = Nameless(source)  # type: ignore[assignment]
        # Tags need not be UTF-8. The mode is said because PyAV would take it from the file object.
        container: Any = av.open(
            source, mode="r", format=container_format, options=options, timeout=timeout, metadata_errors="replace"
        )
    except UnreadableError:
        raise
    except (av.FFmpegError, OSError, ValueError) as error:
        # An ArgumentError is what FFmpeg says of a container that is not on the list.
        # As text: an exception that is kept keeps all that was going on, files too, until garbage is collected.
        reason = REFUSED if isinstance(error, av.ArgumentError) else str(error)
        what = "sound" if kind == "sound" else f"a {kind}"
        raise UnreadableError(f"{name} cannot be read as {what}: {reason}") from error
    most = max((stream.frames for stream in container.streams if stream.type == "video"), default=0)
    if 0 < (size := container.size) < most:  # of what comes live, the size is unknown
        container.close()
        raise UnreadableError(f"{name} says that {most:,} frames lie in its {size:,} bytes")
    return container


def check_claims(source: str | BinaryIO, name: str) -> None:
    """Raise `UnreadableError` for an MP4 that claims more samples than can lie in it; paths of no file are no MP4."""
    if isinstance(source, str):
        if os.path.isfile(source):
            with open(source, "rb") as file:
                check_claims(file, name)
        return
    size, claimed = source.seek(0, os.SEEK_END), claimed_samples(source)
    if claimed > SAMPLES_A_BYTE * size + SAMPLES_FREELY:
        raise UnreadableError(f"{name} says that {claimed:,} samples lie in its {size:,} bytes")


def pick_pictures(container: Any, name: str) -> Any:
    """The stream of pictures that is seen: FFmpeg's choice if it can be decoded, or else the first that can.

    Raises `ValueError` if there is none; the cover of a sound is none.
    """
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
    """A file object without the name from which FFmpeg would guess what it is."""

    def __init__(self, file: BinaryIO):
        self.read, self.seek, self.tell = file.read, file.seek, file.tell


def check_repeated(total: int, size: int) -> None:
    """Raise `UnreadableError` if packets of `total` bytes come out of a file of `size`; 0 or less is unknown.

    An index may name the same bytes any number of times.
    """
    if size > 0 and total > MOST_REPEATED * size + REPEATED_FREELY:
        raise UnreadableError(
            f"a file of {size:,} bytes cannot be read: its index repeats them more than {MOST_REPEATED} times"
        )


def limit_pictures(name: str, codec: Any) -> None:
    """Let a decoder, an `av.VideoCodecContext`, give no larger pictures, whatever size the stream changes to.

    Raises `UnreadableError` if it says already that they are.
    """
    check_picture_size(name, codec.width, codec.height)
    codec.options = {"max_pixels": str(MOST_PIXELS)}


def no_frame(name: str, codec: Any) -> UnreadableError:
    """What to raise where nothing can be decoded. FFmpeg forgets a size that it was told not to take."""
    reason = "" if codec.width else f": its pictures have no size, or more than {MOST_PIXELS:,} pixels"
    return UnreadableError(f"{name} has no frame that can be decoded{reason}")


def check_picture_size(name: str, width: int, height: int) -> None:
    """Raise `UnreadableError` for pictures that nobody means, before there is memory for them."""
    if width * height > MOST_PIXELS or max(width, height) > LONGEST_SIDE:
        raise UnreadableError(
            f"{name} has pictures of {width} x {height}; at most {MOST_PIXELS:,} pixels and {LONGEST_SIDE:,} a side "
            "are read (MOST_PIXELS and LONGEST_SIDE in holovid.processing.media_containers)"
        )


def check_sampling(name: str, rate: int, channels: int = 1) -> None:
    """Raise `UnreadableError` for a sampling rate in Hz, or a number of channels, that no sound has."""
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
