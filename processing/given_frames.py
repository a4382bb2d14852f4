# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Videos given as frames: recognise their form, convert them to tensors, and check their value range.

A wrong guess about the range would go unnoticed (a clip in 0..1 divided by 255 again is black), so unclear input is
refused. T frames, C channels.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import PIL.Image
import torch
from torch import Tensor
from transformers.image_utils import ChannelDimension
from transformers.utils import logging
from transformers.video_utils import VideoMetadata

from holovid.processing.decoders import is_decoder
from holovid.processing.media_source import is_media_source
from holovid.processing.options import check_number, check_whole_number
from holovid.processing.video_parts import VideoPart

logger = logging.get_logger(__name__)

CHANNELS = (1, 3, 4)  # grey, RGB, RGB with transparency
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
PIXELS = (torch.uint8, torch.int8, *FLOATS)
# Other modes of PIL have more than 8 bits, which its conversion to RGB cuts off, or cannot be converted.
PICTURE_MODES = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBX", "RGBA", "RGBa", "CMYK", "YCbCr", "HSV")
AXES = {ChannelDimension.FIRST: -3, ChannelDimension.LAST: -1}
MOST_GIVEN = 2**31
ROUNDING = 1e-3  # of a level, from float arithmetic


def check_facts(facts: VideoMetadata) -> None:
    """Raise `ValueError` for impossible `video_metadata` of given frames: `frame_times` are computed from it."""
    check_whole_number("total_num_frames of video_metadata", facts.total_num_frames, 1, MOST_GIVEN)
    if facts.fps is not None:
        check_number("fps of video_metadata", facts.fps)
        if facts.fps <= 0:
            raise ValueError(f"fps of video_metadata must be positive, got {facts.fps!r}")
    if facts.frames_indices is not None:
        try:
            indices = np.asarray(facts.frames_indices)
        except ValueError as error:
            raise ValueError(f"frames_indices of video_metadata must be frame numbers: {error}") from error
        if indices.ndim != 1 or indices.dtype.kind not in "iu":
            raise ValueError(f"frames_indices of video_metadata must be frame numbers, got {facts.frames_indices!r}")


@dataclass(frozen=True)
class FrameReading:
    """How a call's options say that frames are to be read.

    Attributes:
        layout: "channels_first" or "channels_last"; `None` = by the shape.
        rescaled, normalized: whether values are multiplied by a factor, and a mean is subtracted.
        mean: its largest value; more than 1 if it is a mean of colours in 0..255.
    """

    layout: str | ChannelDimension | None
    rescaled: bool
    normalized: bool
    mean: float

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "FrameReading":
        mean = options["image_mean"]
        return cls(
            options["input_data_format"],
            bool(options["do_rescale"]) and options["rescale_factor"] != 1,
            bool(options["do_normalize"]),
            float(np.max(0.0 if mean is None else mean)),
        )

    def to_tensor(self, video: Any) -> Tensor:
        """Frames as (T, C, H, W), if possible without a copy. Raises `ValueError` for wrong values, unclear shapes."""
        frames = to_tensor(video)
        self.check_colours(frames)
        pictures = isinstance(video, (list, tuple)) and isinstance(video[0], PIL.Image.Image)
        layout = ChannelDimension.LAST if pictures else self.find_channels(frames)
        return frames.permute(0, 3, 1, 2) if layout == ChannelDimension.LAST else frames

    def describe(self, video: Any) -> VideoMetadata:
        first, size = video[0], {}
        if isinstance(first, PIL.Image.Image):
            size = {"width": first.width, "height": first.height}
        elif len(layouts := self.layouts_of(first)) == 1:
            height, width = first.shape[:2] if layouts[0] == ChannelDimension.LAST else first.shape[1:]
            size = {"width": width, "height": height}
        return VideoMetadata(len(video), **size, frames_indices=list(range(len(video))))

    def layouts_of(self, frames: Any) -> list[ChannelDimension]:
        fitting = [layout for layout, axis in AXES.items() if frames.shape[axis] in CHANNELS]
        return [layout for layout in fitting if self.layout in (None, layout)]

    def find_channels(self, frames: Tensor) -> ChannelDimension:
        """Where the channels of (T, ., ., .) are. Raises `ValueError` if there is no possible place, or two."""
        fitting, shape = self.layouts_of(frames), tuple(frames.shape)
        if not fitting:
            axis = "first or the last" if self.layout is None else ("first", "last")[self.layout == "channels_last"]
            raise ValueError(
                f"a frame must have 1, 3 or 4 channels, in the {axis} of its three axes; got frames of shape {shape} "
                "(grey frames need an axis of 1 channel)"
            )
        if len(fitting) > 1:
            raise ValueError(
                f"frames of shape {shape} may have their channels first or last: pass input_data_format="
                "'channels_first' or 'channels_last'"
            )
        return fitting[0]

    def check_colours(self, frames: Tensor) -> None:
        """Raise `ValueError` for frames (T, ...) whose values do not fit the options."""
        if frames.dtype not in PIXELS:
            raise ValueError(wrong_type(frames.dtype))
        if frames.dtype == torch.uint8:
            return self.warn_of_levels()
        low, high = (float(value) for value in torch.aminmax(frames.detach()))
        found = f"the frames have values from {low:g} to {high:g}"
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ValueError("the frames have values that are NaN or infinite; pixels must be in 0..255")
        if not self.rescaled and not self.normalized:
            return None  # values stay as they are
        if low < -ROUNDING:
            raise ValueError(
                f"{found}, which are not colours; if they are already normalised, pass do_rescale=False and "
                "do_normalize=False"
            )
        if high > 255 + ROUNDING:
            raise ValueError(f"{found}, but pixels must be in 0..255: scale them and convert to uint8")
        if self.rescaled and frames.dtype.is_floating_point and low < high <= 1 + ROUNDING:
            raise ValueError(f"{found}, which is almost black in 0..255; if they are in 0..1, pass do_rescale=False")
        return self.warn_of_levels() if high > 1 + ROUNDING else None

    def warn_of_levels(self) -> None:
        if self.normalized and not self.rescaled and self.mean <= 1:
            logger.warning_once(
                "frames in 0..255 are normalised as if they were in 0..1, because do_rescale=False; remove that option"
            )


def flatten_videos(videos: Any) -> list:
    """The single videos in `videos`: video sources, arrays (T, ., ., .), and lists of frames."""
    if is_read(videos):
        return [videos]
    if isinstance(videos, Tensor) and (videos.is_meta or videos.layout != torch.strided):
        raise ValueError(f"frames must be plain tensors with values, got a {videos.layout} one on {videos.device}")
    if is_frame(videos):
        return [[videos]]
    if isinstance(videos, (np.ndarray, Tensor)) and videos.ndim in (4, 5) and 0 not in videos.shape:
        return [videos] if videos.ndim == 4 else list(videos)
    if isinstance(videos, (list, tuple)) and len(videos) > 0:
        if all(is_frame(item) for item in videos):
            return [videos]
        return [video for item in videos for video in flatten_videos(item)]
    shape = f" of shape {tuple(videos.shape)}" if hasattr(videos, "shape") else ""
    raise ValueError(
        "videos must be paths, URLs, bytes, binary files, lists of frames (PIL images or arrays of 3 axes), or arrays "
        f"of 4 or 5 axes; got {'an empty ' if isinstance(videos, (list, tuple)) else ''}{type(videos).__name__}{shape}"
    )


def is_read(video: Any) -> bool:
    """Whether its frames are decoded here: a file, a torchcodec decoder, or a part of a film."""
    return is_media_source(video) or is_decoder(video, "VideoDecoder") or isinstance(video, VideoPart)


def is_frame(value: Any) -> bool:
    return isinstance(value, PIL.Image.Image) or (isinstance(value, (np.ndarray, Tensor)) and value.ndim == 3)


def pick_frames(video: Any, metadata: VideoMetadata, sample_indices_fn: Callable) -> tuple[Any, VideoMetadata]:
    """The frames that `sample_indices_fn` picks from a decoded video, and its metadata."""
    if metadata.total_num_frames != len(video):
        raise ValueError(f"video_metadata says {metadata.total_num_frames} frames, the video has {len(video)}")
    metadata.frames_indices = [int(index) for index in sample_indices_fn(metadata=metadata)]
    if isinstance(video, (list, tuple)):
        return [video[index] for index in metadata.frames_indices], metadata
    return video[metadata.frames_indices], metadata


def to_tensor(video: Any) -> Tensor:
    """A video given as frames as one tensor of 4 axes in its own layout, without a copy if possible."""
    if isinstance(video, (list, tuple)):
        frames = [to_tensor(frame) for frame in pictures_to_arrays(video)]
        for what, found in (
            ("shape", {tuple(frame.shape) for frame in frames}),
            ("type of numbers", {str(frame.dtype) for frame in frames}),
        ):
            if len(found) > 1:
                raise ValueError(f"the frames of a video must have one {what}, got {sorted(found)}")
        video = torch.stack(frames)
    if isinstance(video, np.ndarray):
        if video.dtype.kind not in "iuf" or video.dtype.itemsize > 8:
            raise ValueError(wrong_type(video.dtype))
        # torch refuses read-only and reversed arrays, and another byte order
        if not video.flags.writeable or min(video.strides) < 0 or not video.dtype.isnative:
            video = video.astype(video.dtype.newbyteorder("="))
        video = torch.from_numpy(video)
    if 0 in video.shape:
        raise ValueError(f"a frame must have at least one pixel, got frames of shape {tuple(video.shape)}")
    return video


def pictures_to_arrays(frames: Sequence[Any]) -> list[Any]:
    """Frames with PIL pictures as arrays (H, W, 3), or (H, W, 4) if one of these has transparency."""
    pictures = [frame for frame in frames if isinstance(frame, PIL.Image.Image)]
    if strange := {picture.mode for picture in pictures} - {*PICTURE_MODES}:
        raise ValueError(
            f"pictures of mode {', '.join(map(repr, sorted(strange)))} have no 8-bit colours; scale their values to "
            "0..255 and convert them to mode 'L' or 'RGB'"
        )
    # PIL converts palettes, one-bit and CMYK pictures; transparency is blended later
    mode = "RGBA" if any(picture.has_transparency_data for picture in pictures) else "RGB"
    return [np.array(frame.convert(mode)) if isinstance(frame, PIL.Image.Image) else frame for frame in frames]


def wrong_type(dtype: Any) -> str:
    name = getattr(dtype, "name", str(dtype)[6:])
    return f"frames must be uint8, or floats in 0..255, got {name}; scale them to 0..255 and convert to uint8"


__all__ = ["FrameReading", "check_facts", "flatten_videos", "is_read", "pick_frames"]
