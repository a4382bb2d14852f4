# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Checks of processor options, from code or JSON files; errors name the option."""

import math
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from transformers.image_utils import ChannelDimension, PILImageResampling, SizeDict
from transformers.utils import TensorType

from holovid.configuration.field_checks import is_slip
from holovid.configuration.suggestions import did_you_mean

MOST_FRAMES = 2**16  # sampled from a video
MOST_VIEWS = 2**10
LONGEST_STRIDE = 2**20
LONGEST_SIDE = 2**14  # in pixels
PRINTED_WIDTH = 100  # characters of a line
UNBROKEN = "\N{NO-BREAK SPACE}"
SIZES = ({"shortest_edge"}, {"shortest_edge", "longest_edge"}, {"height", "width"}, {"max_height", "max_width"})
SWITCHES = (
    "do_resize", "do_center_crop", "do_rescale", "do_normalize", "do_convert_rgb", "do_sample_frames", "antialias",
    "do_random_sampling", "load_audio_from_video", "return_metadata", "default_to_square",
)  # fmt: skip
COUNTS = {"num_frames": MOST_FRAMES, "num_views": MOST_VIEWS, "frame_stride": LONGEST_STRIDE}
FLOATS = ("rescale_factor", "image_mean", "image_std", "audio_center")
# torchvision has only these for tensors
RESAMPLING = tuple(PILImageResampling(value) for value in (0, 1, 2, 3))


def check_names(given: Iterable[str], known: Iterable[str], what: str) -> None:
    known = sorted(known)
    if unknown := sorted(set(given) - set(known)):
        raise ValueError(f"unknown options {unknown} of {what}; {did_you_mean(unknown[0], known)}")


def check_no_slips(given: Iterable[str], known: Iterable[str], what: str) -> None:
    """As `check_names`, but only for names that are almost known: others are of `from_pretrained`, or for others."""
    known = sorted(known)
    check_names([name for name in given if is_slip(name, known)], known, what)


def split_known(saved: Mapping[str, Any], known: Iterable[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    known = set(known)
    return (
        {name: value for name, value in saved.items() if name in known},
        {name: value for name, value in saved.items() if name not in known},
    )


def check_number(name: str, value: Any, least: float = -math.inf, most: float = math.inf) -> None:
    is_number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not (is_number and math.isfinite(value) and least <= value <= most):
        bounds = f"between {least:g} and {most:g}" if math.isfinite(most) else f"a number of at least {least:g}"
        raise ValueError(f"{name} must be {bounds if math.isfinite(least) else 'a number'}, got {value!r}")


def check_whole_number(name: str, value: Any, least: int, most: int) -> None:
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(f"{name} must be a whole number from {least:,} to {most:,}, got {value!r}")


def check_choice(name: str, value: Any, choices: tuple) -> None:
    if not isinstance(value, (str, int)) or isinstance(value, bool) or value not in choices:
        raise ValueError(f"{name} must be one of {choices}, got {value!r}")


def check_choices(options: Mapping[str, Any], choices: Mapping[str, tuple]) -> None:
    """Raise `ValueError` for the first impossible option, if set; `choices` lists values of those with only a few."""
    given = {name: value for name, value in options.items() if value is not None}
    for name, value in given.items():
        if name in choices:
            check_choice(name, value, choices[name])
        elif name in COUNTS:
            check_whole_number(name, value, 1, COUNTS[name])
        elif name in SWITCHES:
            if not isinstance(value, (bool, np.bool_)):
                raise ValueError(f"{name} must be True or False, got {value!r}")
        elif name in CHECKS:
            CHECKS[name](name, value)
    if given.get("num_crops") == 3 and given.get("do_center_crop") is False:
        raise ValueError("num_crops=3 needs do_center_crop=True")


def plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options in plain Python types: int and float instead of NumPy's, lists instead of arrays."""

    def converted(name: str, value: Any) -> Any:
        if isinstance(value, (np.generic, np.ndarray)):
            value = value.tolist()
        if name in FLOATS and isinstance(value, (list, tuple)):
            return [converted(name, item) for item in value]
        return float(value) if name in FLOATS and isinstance(value, int) else value

    return {name: converted(name, value) for name, value in options.items()}


def in_few_lines(name: str, options: Mapping[str, Any]) -> str:
    """The `repr` of an object with these options.

    >>> print(in_few_lines("Processor", {"num_frames": 8, "size": {"shortest_edge": 224}}))
    Processor(num_frames=8, size={'shortest_edge': 224})
    """
    told = ", ".join(f"{option}={value!r}".replace(" ", UNBROKEN) for option, value in options.items())
    lines = textwrap.wrap(
        f"{name}({told})", PRINTED_WIDTH, subsequent_indent="    ", break_on_hyphens=False, break_long_words=False
    )
    return "\n".join(lines).replace(UNBROKEN, " ")


def check_rate(name: str, value: Any) -> None:
    check_number(name, value)
    if value <= 0:
        raise ValueError(f"{name} must be positive, got {value!r}")


def check_factor(name: str, value: Any) -> None:
    check_number(name, value)
    if value == 0:
        raise ValueError(f"{name} must not be 0, which would make all frames black")


def check_share(name: str, value: Any) -> None:
    check_number(name, value, 0, 1)


def check_size(name: str, value: Any) -> None:
    """A side, (height, width), or a dict of the sides in `SIZES`; for a crop, height and width."""
    fitting = SIZES if name == "size" else ({"height", "width"},)
    if isinstance(value, SizeDict):
        value = {side: length for side, length in dict(value).items() if length is not None}
    if isinstance(value, Mapping):
        if set(value) not in fitting:
            listed = ", or ".join(" and ".join(map(repr, sorted(sides))) for sides in fitting)
            raise ValueError(f"{name} as a dict must have {listed}, in pixels; got {dict(value)}")
        sides = dict(value)
    elif isinstance(value, (list, tuple)):
        if len(value) != 2:
            raise ValueError(f"{name} as a list must be [height, width], got {value!r}")
        sides = dict(zip(("height", "width"), value, strict=True))
    else:
        sides = {"": value}
    for side, length in sides.items():
        check_whole_number(f"{name}[{side!r}]" if side else name, length, 1, LONGEST_SIDE)


def check_colour(name: str, value: Any) -> None:
    """A number for all channels, or one for each channel of grey, RGB or transparent frames."""
    values = list(value) if isinstance(value, (list, tuple, np.ndarray)) and np.ndim(value) == 1 else [value]
    if len(values) not in (1, 3, 4):
        raise ValueError(f"{name} must be one number, or one for each of the 3 colours, got {value!r}")
    for number in values:
        check_number(name, number)
        if name == "image_std" and number <= 0:
            raise ValueError(f"image_std must be positive, because pixels are divided by it; got {value!r}")


def check_colours(channels: int, **colours: Any) -> None:
    """Raise `ValueError` for means and deviations, by name, with another number of channels."""
    for name, value in colours.items():
        if np.ndim(value) == 1 and len(value) not in (1, channels):
            raise ValueError(f"{name} has {len(value)} numbers, but the frames have {channels} channels: {value!r}")


def check_resampling(name: str, value: Any) -> None:
    value = getattr(PILImageResampling, str(getattr(value, "name", "")), value)  # torchvision's have the same names
    if isinstance(value, bool) or not isinstance(value, int) or value not in tuple(map(int, RESAMPLING)):
        listed = ", ".join(f"{int(filter)} ({filter.name.lower()})" for filter in RESAMPLING)
        raise ValueError(f"{name} must be one of PIL's filters {listed}, got {value!r}")


def check_layout(name: str, value: Any) -> None:
    if value not in ("channels_first", "channels_last"):
        raise ValueError(f"{name} must be 'channels_first' or 'channels_last', got {value!r}")
    if name == "data_format" and value != ChannelDimension.FIRST:
        raise ValueError("data_format must not be 'channels_last': models take channels before height and width")


def check_device_option(name: str, value: Any) -> None:
    try:
        torch.empty(0, device=value)  # the device exists and is available
    except (RuntimeError, TypeError, ValueError, AssertionError) as error:
        raise ValueError(
            f"{name} must be an available torch device, such as 'cpu' or 'cuda:0', got {value!r}"
        ) from error


def check_tensor_type(name: str, value: Any) -> None:
    if value not in (TensorType.PYTORCH, TensorType.NUMPY):
        raise ValueError(f"{name} must be 'pt' or 'np', got {value!r}")


def check_generator(name: str, value: Any) -> None:
    if not isinstance(value, torch.Generator):
        raise ValueError(f"{name} must be a torch.Generator, got {type(value).__name__}")


CHECKS = {
    "fps": check_rate,
    "rescale_factor": check_factor,
    "audio_center": check_share,
    "size": check_size,
    "crop_size": check_size,
    "image_mean": check_colour,
    "image_std": check_colour,
    "resample": check_resampling,
    "input_data_format": check_layout,
    "data_format": check_layout,
    "device": check_device_option,
    "return_tensors": check_tensor_type,
    "generator": check_generator,
}

__all__ = [
    "check_choices",
    "check_colours",
    "check_names",
    "check_no_slips",
    "check_number",
    "check_whole_number",
    "plain",
    "split_known",
]
