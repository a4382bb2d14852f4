# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""torchcodec as a decoder of pictures; it needs FFmpeg's libraries on the machine."""

from typing import Any

import torch
from transformers.utils import is_torchcodec_usable


def check_torchcodec() -> None:
    """Raise `ValueError` where torchcodec does not work."""
    if not is_torchcodec_usable(decode="video"):
        raise ValueError(
            "decoder='torchcodec' does not work here: torchcodec is not installed, does not fit the installed "
            "torch, or finds no FFmpeg libraries (the log says which). decoder='pyav' needs none of it"
        )


def open_decoder(file: Any, count: int) -> Any:
    """A `torchcodec.decoders.VideoDecoder` of a path or binary file, which finds as many frames as we do.

    Raises `ValueError` if it does not, or cannot read the file.
    """
    check_torchcodec()
    try:  # transformers asks users of saved source for all that it imports, except in such a block
        from torchcodec.decoders import VideoDecoder
    except ImportError as error:
        raise ValueError(f"decoder='torchcodec' does not work here: {error}") from error
    try:
        decoder = VideoDecoder(file, num_ffmpeg_threads=torch.get_num_threads())
    except RuntimeError as error:
        raise ValueError(str(error).splitlines()[0]) from error
    if len(decoder) != count:
        raise ValueError(f"it finds {len(decoder)} frames of {count}")
    return decoder


__all__ = ["check_torchcodec", "open_decoder"]
