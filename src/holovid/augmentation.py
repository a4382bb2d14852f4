"""Public import path of `holovid.data.augmentation`."""

from holovid.data.augmentation import ClipAugmentation as ClipAugmentation
from holovid.data.augmentation import SpecAugment as SpecAugment
from holovid.data.augmentation import build_augmentation as build_augmentation
