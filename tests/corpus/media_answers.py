"""What holovid makes of a file of video or sound, in numbers that a case can state."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from corpus.cases import Fault, described
from holovid import HolovidFeatureExtractor, HolovidVideoProcessor
from holovid.processing.video_decoding import open_video

NEAR = 7  # greys by which codecs and conversions of colour may be off


@dataclass(frozen=True)
class Seen:
    """A video: the mean grey of each frame, when each is shown, (height, width), frames a second, length in seconds."""

    greys: list[int]
    times: list[float]
    size: tuple[int, int]
    rate: float | None
    seconds: float


def see(source: Any) -> Seen:
    """All frames of a video; each must be the same when it is read alone, and none of another file."""
    with open_video(source) as video:
        pixels, times = video.frames()
        seconds, rate, start = video.seconds, video.metadata.fps, video.start
    check_strangers(pixels)
    for index in {0, len(pixels) // 2, len(pixels) - 1}:
        if hasattr(source, "seek"):
            source.seek(0)
        with open_video(source) as video:
            alone = video.frames([index])[0][0]
        if not alone.equal(pixels[index]):
            off = (alone.float() - pixels[index].float()).abs().max().item()
            raise Fault(f"frame {index} of {len(pixels)} read alone is off by {off:g} of 255")
    greys = [round(mean) for mean in pixels.float().mean(dim=(1, 2, 3)).tolist()]
    return Seen(greys, [round(time - start, 3) for time in times.tolist()], tuple(pixels.shape[-2:]), rate, seconds)


def check_strangers(pixels: Any) -> None:
    """Raise `Fault` where the magenta of the files that lie beside is seen, in uint8 (T, C, H, W)."""
    red, green, blue = np.asarray(pixels.float().mean(dim=(0, 2, 3)))
    if red > 180 and green < 90 and blue > 180:
        raise Fault("shows the pictures of another file")


def process(source: Any, **options: Any) -> tuple[int, ...]:
    """The shape of what a model would be given of 4 frames of 32 x 32."""
    options = {"num_frames": 4, "size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}} | options
    values = HolovidVideoProcessor(**options)(source, return_tensors="pt")["pixel_values_videos"]
    if not values.isfinite().all():
        raise Fault("gives the model numbers that are not finite")
    return tuple(values.shape)


def hear(source: Any, **options: Any) -> tuple[bool, float]:
    """Whether anything is heard in a second of a file of sound, and the row (of 98) that is loudest, in seconds."""
    extractor = HolovidFeatureExtractor(audio_frames=98, num_mel_bins=24)
    heard = extractor(source, return_tensors="pt", **options)
    rows = heard["input_values"][0]
    if not rows.isfinite().all():
        raise Fault("gives the model numbers that are not finite")
    return bool(heard["audio_mask"][0]), round(float(rows.mean(dim=-1).argmax()) / 100, 1)


def shows(*greys: int, near: int = NEAR, **facts: Any):
    """A check: these greys, in this order; and what else of `Seen` is named."""

    def is_right(seen: Seen) -> bool:
        same = len(seen.greys) == len(greys)
        same = same and all(abs(one - other) <= near for one, other in zip(seen.greys, greys, strict=True))
        return same and all(is_near(getattr(seen, name), value) for name, value in facts.items())

    return described(is_right, f"greys {list(greys)}, {facts}")


def is_near(value: Any, right: Any) -> bool:
    if isinstance(right, float):
        return value is not None and abs(value - right) <= 0.02 * max(1.0, right)
    if isinstance(right, list):
        return len(value) == len(right) and all(map(is_near, value, map(float, right)))
    return value == right


def begins(greys: list[int], least: int = 1):
    """A check: at least so many of the first of these greys; those that lean on what is missing, two, may be any."""

    def is_right(seen: Seen) -> bool:
        if not least <= len(seen.greys) <= len(greys):
            return False
        right = [abs(one - other) <= NEAR for one, other in zip(seen.greys, greys, strict=False)]
        return sum(not one for one in right) <= 2

    return described(is_right, f"the first of {greys}")
