# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""torchcodec as a decoder of pictures; it needs FFmpeg's libraries on the machine."""

from typing import Any

import torch
from transformers.utils import is_torchcodec_usable


def check_torchcodec() -> None:
    if not is_torchcodec_usable(decode="video"):
        raise ValueError(
            "decoder='torchcodec' does not work here: torchcodec is not installed, does not fit the installed "
            "torch, or finds no FFmpeg libraries (the log says which). decoder='pyav' needs none of them"
        )


def open_decoder(file: Any, count: int) -> Any:
    """torchcodec's decoder of a path or file. Raises `ValueError` if it fails, or does not find `count` frames."""
    check_torchcodec()
    try:  # in a try block, so that transformers does not require it from users of remote code
        from torchcodec.decoders import VideoDecoder
    except ImportError as error:
        raise ValueError(f"decoder='torchcodec' does not work here: {error}") from error
    try:
        decoder = VideoDecoder(file, num_ffmpeg_threads=torch.get_num_threads())
    except RuntimeError as error:
        raise ValueError(str(error).splitlines()[0]) from error
    if len(decoder) != count:
        raise ValueError(f"it finds {len(decoder)} frames, not {count}")
    return decoder


__all__ = ["check_torchcodec", "open_decoder"]
