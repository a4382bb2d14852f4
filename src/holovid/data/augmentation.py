"""Augmentation of training clips for the recipes: torchvision's transforms, with one random draw for a whole clip.

In: uint8 frames (T, C, H, W) as decoded. Out: float frames (T, C, h, w), normalised, of the model's size. Transforms
treat a clip as one batch of pictures, so all frames get the same crop, mirroring, colours and box. AutoAugment and
RandAugment are timm's, as in the papers. Random numbers come from torch's global generator. Pixel sizes are for
224 x 224 crops and scale with the processor's crop. T frames, C channels.

    augmentation = build_augmentation(get_recipe("cast-ek100"), processor)
    ClipDataset(rows, processor, augmentation=augmentation)

Departs: the reference of XViT draws bilinear or bicubic resampling inside AutoAugment frame by frame; here a clip has
one of them. Where timm's policies posterize to 0 bits (3 in 100 clips of "v0", which XViT's recipes name, become
black; Pillow refuses it from 13 on), one bit is kept.
"""

import copy
import random
from collections.abc import Callable
from itertools import chain
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms.v2 import functional as F

from holovid.data.open_videos import reader_of
from holovid.extras import needed
from holovid.processing.cropping import with_channel_order
from holovid.processing.processing_holovid import HolovidProcessor
from holovid.processing.video_processing_holovid import HolovidVideoProcessor
from holovid.recipes import Recipe

with needed("timm", "training"):
    from timm.data.auto_augment import auto_augment_transform, posterize, rand_augment_transform

ERASED: dict[str, Any] = {"scale": (0.02, 1 / 3), "ratio": (0.3, 1 / 0.3), "value": 0}
BILINEAR = {"interpolation": InterpolationMode.BILINEAR, "antialias": False}


class ClipAugmentation:
    """Augmentation of a clip: `__call__` for its frames, `spectrogram` for its sound.

    Args:
        frames: uint8 (T, C, H, W) -> float (T, C, h, w).
        sound: log-mel (rows, mel bins) -> the same shape; `None` leaves sound unchanged.
    """

    def __init__(self, frames: Callable[[Tensor], Tensor], sound: Callable[[Tensor], Tensor] | None = None):
        self.frames, self.sound = frames, sound

    def __call__(self, frames: Tensor) -> Tensor:
        """Raises `ValueError` for anything but uint8 colour frames (T, 3, H, W)."""
        if frames.ndim != 4 or frames.shape[1] != 3 or frames.dtype != torch.uint8:
            raise ValueError(f"frames to augment must be uint8 (T, 3, H, W), got {frames.dtype} {tuple(frames.shape)}")
        return self.frames(frames)

    def spectrogram(self, input_values: Tensor) -> Tensor:
        return input_values if self.sound is None else self.sound(input_values)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(frames={self.frames}, sound={self.sound})"


def build_augmentation(
    recipe: Recipe, processor: HolovidProcessor | HolovidVideoProcessor, flip: bool | None = None
) -> ClipAugmentation:
    """The recipe's augmentation for this processor's model.

    Args:
        recipe: its `augmentation`, `flip` and `spec_augment` are used.
        processor: gives the crop size and normalisation.
        flip: mirror half of the clips, instead of the recipe's choice; switch it off if labels tell left from right.

    "none" only resizes, crops the centre and normalises, as in evaluation. Policies work on full decoded frames, so
    large videos are slow: store them with a short side near 256, as the papers do.
    """
    video_processor: Any = getattr(processor, "video_processor", processor)
    size = crop_size(video_processor)
    normalise = Normalise(video_processor)
    mirror = [v2.RandomHorizontalFlip(0.5)] if (recipe.flip if flip is None else flip) else []
    colours = {"translate_const": 100, "img_mean": (128, 128, 128)}
    auto_augment = ClipPolicy(keeping_bits(auto_augment_transform("v0", colours)))
    rand_augment = ClipPolicy(keeping_bits(rand_augment_transform("rand-m7-n4-mstd0.5-inc1", {})))
    to_float = v2.ToDtype(torch.float32)
    least, most = (share * max(size) for share in recipe.short_sides)
    resized_crop = v2.RandomResizedCrop(size, scale=(0.08, 1.0), ratio=(3 / 4, 4 / 3), **BILINEAR)
    resized_crops = [to_float, resized_crop, *mirror, normalise]
    steps: dict[str, list[nn.Module]] = {
        "corner-crops": [
            auto_augment,
            MultiScaleCornerCrop(size),
            to_float,
            v2.Resize(size, **BILINEAR),
            normalise,
            *mirror,
        ],
        "short-side-crops": [
            auto_augment,
            normalise,
            RandomShortSide(least, most),
            v2.RandomCrop(size),
            *mirror,
            v2.RandomErasing(p=0.5, **ERASED),
        ],
        "scaled-crops": [normalise, RandomShortSide(least, most), v2.RandomCrop(size), *mirror],
        "inverse-scaled-crops": [normalise, RandomShortSide(least, most, inverse=True), v2.RandomCrop(size), *mirror],
        "resized-crops": [rand_augment, *resized_crops],
        "plain-resized-crops": resized_crops,
        "erased-resized-crops": [rand_augment, *resized_crops, v2.RandomErasing(p=0.25, **ERASED)],
        "none": [AsInEvaluation(video_processor), *mirror],
    }
    sound = None if recipe.spec_augment is None else SpecAugment(**recipe.spec_augment)
    return ClipAugmentation(v2.Compose(steps[recipe.augmentation]), sound)


def crop_size(processor: HolovidVideoProcessor) -> list[int]:
    """(height, width) of the model's frames. Raises `ValueError` if the processor has none."""
    sides: list[Any] = [getattr(processor.crop_size, side, None) for side in ("height", "width")]
    if None in sides:
        raise ValueError(f"the processor must have a crop_size with 'height' and 'width', got {processor.crop_size}")
    return sides


class ClipPolicy(nn.Module):
    """A policy for pictures, applied to every frame, uint8 (T, 3, H, W), with the same random draws.

    timm's policies draw from Python's and NumPy's global generators. Both are seeded for each frame with one number
    from torch's, and restored afterwards.
    """

    def __init__(self, policy: Callable):
        super().__init__()
        self.policy = policy

    def forward(self, frames: Tensor) -> Tensor:
        seed = int(torch.randint(2**32, ()))
        states = random.getstate(), np.random.get_state()
        try:
            return torch.stack([self.augment(frame, seed) for frame in frames])
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])

    def augment(self, frame: Tensor, seed: int) -> Tensor:
        random.seed(seed)
        np.random.seed(seed)
        return F.pil_to_tensor(self.policy(F.to_pil_image(frame)))

    def extra_repr(self) -> str:
        return type(self.policy).__name__


def keeping_bits(policy: Any) -> Any:
    """Change a timm policy so that posterizing keeps at least one of 8 bits."""
    for operation in getattr(policy, "ops", None) or chain.from_iterable(policy.policy):
        if operation.aug_fn is posterize:
            operation.aug_fn = posterize_to_bits
    return policy


def posterize_to_bits(image: Image.Image, bits: int, **options: Any) -> Image.Image:
    return posterize(image, max(1, bits), **options)


class MultiScaleCornerCrop(nn.Module):
    """Crop (T, C, H, W) to one of several sizes, at one of 13 places.

    Height and width are 1, 0.875, 0.75 or 0.66 of the short side, neighbours in this list or equal; those within two
    pixels of the final `size` become it. The places are the corners, the centre, the middles of the edges and the four
    points between the centre and the corners.
    """

    scales = (1.0, 0.875, 0.75, 0.66)
    # quarters of the room left, (down, right)
    places = (
        (0, 0), (0, 4), (4, 0), (4, 4), (2, 2), (0, 2), (2, 0), (2, 4), (4, 2), (1, 1), (1, 3), (3, 1), (3, 3),
    )  # fmt: skip

    def __init__(self, size: list[int]):
        super().__init__()
        self.size = size

    def sizes(self, height: int, width: int) -> list[tuple[int, int]]:
        def snapped(length: int, final: int, most: int) -> int:
            return min(final, most) if abs(length - final) <= 2 else length

        lengths = [int(min(height, width) * scale) for scale in self.scales]
        return [
            (snapped(down, self.size[0], height), snapped(right, self.size[1], width))
            for row, down in enumerate(lengths)
            for column, right in enumerate(lengths)
            if abs(row - column) <= 1
        ]

    def forward(self, frames: Tensor) -> Tensor:
        height, width = frames.shape[-2:]
        sizes = self.sizes(height, width)
        down, right = sizes[int(torch.randint(len(sizes), ()))]
        quarters = self.places[int(torch.randint(len(self.places), ()))]
        top, left = (height - down) * quarters[0] // 4, (width - right) * quarters[1] // 4
        return F.crop(frames, top, left, down, right)

    def extra_repr(self) -> str:
        return f"size={self.size}"


class RandomShortSide(nn.Module):
    """Resize (T, C, H, W) to a random whole short side; with `inverse`, its inverse is drawn uniformly."""

    def __init__(self, smallest: float, largest: float, inverse: bool = False):
        super().__init__()
        self.smallest, self.largest, self.inverse = smallest, largest, inverse

    def forward(self, frames: Tensor) -> Tensor:
        if self.inverse:
            side = 1 / torch.empty(()).uniform_(1 / self.largest, 1 / self.smallest).item()
        else:
            side = torch.empty(()).uniform_(self.smallest, self.largest).item()
        return F.resize(frames, [round(side)], **BILINEAR)

    def extra_repr(self) -> str:
        return f"{self.smallest:g} to {self.largest:g}" + (", drawn by its inverse" if self.inverse else "")


class Normalise(nn.Module):
    """Pixels 0 to 255 -> the processor's range and colour order, float32."""

    def __init__(self, processor: HolovidVideoProcessor):
        super().__init__()
        self.processor = processor

    def forward(self, frames: Tensor) -> Tensor:
        own = self.processor
        frames = own.rescale_and_normalize(
            frames.to(torch.float32),
            own.do_rescale,
            own.rescale_factor,
            own.do_normalize,
            own.image_mean,
            own.image_std,
        )
        return with_channel_order(frames, own.channel_order)


class AsInEvaluation(nn.Module):
    def __init__(self, processor: HolovidVideoProcessor):
        super().__init__()
        silent = copy.copy(processor)
        silent.feature_extractor = None  # frames only
        options: dict[str, Any] = {"do_sample_frames": False, "num_crops": 1, "input_data_format": "channels_first"}
        self.reader = reader_of(silent, **options)

    def forward(self, frames: Tensor) -> Tensor:
        return self.reader(frames)["pixel_values_videos"][0]


class SpecAugment(nn.Module):
    """Mask stripes of a normalised log-mel spectrogram (rows, mel bins) with 0, its mean.

    Args:
        time_masks: number of stripes along time.
        time_rows: largest height; drawn uniformly from 0 to this, at most all rows.
        frequency_masks, frequency_bins: the same for mel bins.
    """

    def __init__(self, time_masks: int = 2, time_rows: int = 70, frequency_masks: int = 2, frequency_bins: int = 20):
        super().__init__()
        for name, value in (
            ("time_masks", time_masks), ("time_rows", time_rows),
            ("frequency_masks", frequency_masks), ("frequency_bins", frequency_bins),
        ):  # fmt: skip
            if value < 0:
                raise ValueError(f"{name} must be 0 or more, got {value}")
        self.time_masks, self.time_rows = time_masks, time_rows
        self.frequency_masks, self.frequency_bins = frequency_masks, frequency_bins

    def forward(self, input_values: Tensor) -> Tensor:
        if input_values.ndim != 2:
            raise ValueError(f"a spectrogram must be (rows, mel bins), got shape {tuple(input_values.shape)}")
        masked = input_values.clone()
        masks = ((self.time_masks, self.time_rows), (self.frequency_masks, self.frequency_bins))
        for axis, (count, most) in enumerate(masks):
            length = masked.shape[axis]
            for _ in range(count):
                width = int(torch.randint(min(most, length) + 1, ()))
                start = int(torch.randint(length - width + 1, ()))
                masked.narrow(axis, start, width).zero_()
        return masked

    def extra_repr(self) -> str:
        return (
            f"{self.time_masks} x {self.time_rows} rows, {self.frequency_masks} x {self.frequency_bins} bins at most"
        )
