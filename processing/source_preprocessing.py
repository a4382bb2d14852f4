# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Preprocessing for weights from elsewhere, read from their source.

A ViT trained with ImageNet's mean and deviation silently gets other colours with (0.5, 0.5, 0.5).
"""

import json
import os
from collections.abc import Mapping
from typing import Any

from transformers import AutoImageProcessor, AutoVideoProcessor
from transformers.utils import PROCESSOR_NAME, cached_file, logging

logger = logging.get_logger(__name__)

IMAGE_FILE, VIDEO_FILE = "preprocessor_config.json", "video_preprocessor_config.json"
COLOURS = ("do_rescale", "rescale_factor", "do_normalize", "image_mean", "image_std")
# AST's defaults, which files leave out; our spectrograms are the same
SOUND = {"mean": -4.2677393, "std": 4.5689974, "sampling_rate": 16_000}


def source_options(source: Any, frame_size: tuple[int, int], assumed: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a video processor from the source's preprocessing: colours, size and resampling.

    Args:
        source: a folder or Hub id, a model loaded from one, an image or video processor, or a dict from each expert's
            name to one of these.
        frame_size: (height, width) that the model takes; sizes of the source are scaled to it.
        assumed: the values in use if the source has no preprocessing.

    If experts differ, `assumed` counts, because they see the same frames; a warning says so. Raises `ValueError` for
    damaged files and preprocessing that no option expresses, `OSError` if the source does not exist.
    """
    if not isinstance(source, Mapping):
        return frame_options(source, frame_size, assumed)
    found = {expert: frame_options(one, frame_size, assumed) for expert, one in source.items() if expert != "audio"}
    found = {expert: options for expert, options in found.items() if options}
    shared: dict[str, Any] = {}
    for name in dict.fromkeys(name for options in found.values() for name in options):
        values = {expert: options.get(name) for expert, options in found.items()}
        first, *others = values.values()
        if all(other == first for other in others):
            shared[name] = first
        else:
            told = ", ".join(f"{expert} {value}" for expert, value in values.items())
            kept = f"{assumed[name]} is used" if name in assumed else "the processor's own is used"
            logger.warning_once(f"the experts see the same frames but differ in {name} ({told}): {kept}")
    return shared


def sound_options(source: Any) -> dict[str, Any]:
    """Parameters of a feature extractor from the audio expert's preprocessing; empty without one."""
    saved = read_settings(source, (IMAGE_FILE,), ("feature_extractor",))
    if not saved or "num_mel_bins" not in saved:
        return {}
    options = {name: saved.get(name, value) for name, value in SOUND.items()}
    return options if saved.get("do_normalize", True) else options | {"mean": 0.0, "std": 0.5}


def frame_options(source: Any, frame_size: tuple[int, int], assumed: Mapping[str, Any]) -> dict[str, Any]:
    processor = find_processor(source)
    if processor is None:
        where = "the model" if not isinstance(source, (str, os.PathLike)) else os.fspath(source)
        logger.warning_once(
            f"{where} has no {IMAGE_FILE} with its preprocessing; the defaults are used: "
            f"{', '.join(f'{name} {value}' for name, value in assumed.items())}"
        )
        return {}
    options = {name: value for name in COLOURS if (value := getattr(processor, name, None)) is not None}
    if getattr(processor, "offset", None) or getattr(processor, "rescale_offset", None):
        raise ValueError("the source shifts colours after scaling them, which no option here can do; leave out source")
    options |= {
        name: list(options[name]) for name in ("image_mean", "image_std") if isinstance(options.get(name), tuple)
    }
    if (resample := getattr(processor, "resample", None)) is not None:
        options |= {"resample": resample, "antialias": True}  # image processors smooth when they shrink
    if getattr(processor, "do_resize", None) is not None:
        options["do_resize"] = processor.do_resize
    return options | {"size": fitting_size(processor, frame_size)}


def fitting_size(processor: Any, frame_size: tuple[int, int]) -> dict[str, int]:
    """The size before the centre crop, in the source's proportion to its crop."""
    height, width = frame_size
    size, crop = sides(getattr(processor, "size", None)), sides(getattr(processor, "crop_size", None))
    cropped = bool(getattr(processor, "do_center_crop", False)) and {"height", "width"} <= crop.keys()
    if (share := getattr(processor, "crop_pct", None)) and "shortest_edge" in size:
        return {"shortest_edge": round(max(height, width) / share)}
    if size.keys() == {"height", "width"}:  # ignores the frame's proportions
        if cropped:
            height, width = (
                round(height * size["height"] / crop["height"]),
                round(width * size["width"] / crop["width"]),
            )
        return {"height": height, "width": width}
    if size.keys() == {"shortest_edge"} and cropped:
        return {
            "shortest_edge": round(max(height, width) * size["shortest_edge"] / max(crop["height"], crop["width"]))
        }
    return {"shortest_edge": max(height, width)}


def sides(size: Any) -> dict[str, int]:
    return {name: length for name, length in dict(size or {}).items() if length is not None}


def find_processor(source: Any) -> Any:
    """The source's image or video processor with its class's defaults; `None` if it has none."""
    if hasattr(source, "image_mean") and hasattr(source, "preprocess"):
        return source
    source = place_of(source)
    saved = read_settings(source, (VIDEO_FILE, IMAGE_FILE), ("video_processor", "image_processor"))
    if not saved or not saved.keys() & {*COLOURS, "size", "image_processor_type", "video_processor_type"}:
        return None
    is_of_videos = "video_processor_type" in saved
    try:
        return (AutoVideoProcessor if is_of_videos else AutoImageProcessor).from_pretrained(source)
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        raise ValueError(f"the preprocessing of {source} cannot be read: {error}") from error


def place_of(source: Any) -> Any:
    """Folder or Hub id of a source; for a model the one it was loaded from, or `None`."""
    if isinstance(source, (str, os.PathLike)):
        return source
    if hasattr(source, "name_or_path"):
        return source.name_or_path or None
    raise ValueError(f"source must be a folder, a Hub id, a model or an image processor, got {type(source).__name__}")


def read_settings(source: Any, files: tuple[str, ...], parts: tuple[str, ...]) -> dict[str, Any] | None:
    if (source := place_of(source)) is None:
        return None
    for name in (PROCESSOR_NAME, *files):
        path = cached_file(source, name, _raise_exceptions_for_missing_entries=False)
        if path is None:
            continue
        try:
            with open(path, encoding="utf-8") as file:
                saved = json.load(file)
        except ValueError as error:
            raise ValueError(f"{path} is not JSON: {error}") from error
        if not isinstance(saved, dict):
            raise ValueError(f"{path} must hold a JSON object, got a {type(saved).__name__}")
        if name != PROCESSOR_NAME:
            return saved
        for part in parts:
            if isinstance(saved.get(part), dict):
                return saved[part]
    return None


__all__ = ["sound_options", "source_options"]
