"""The toy model of a variant, as its record makes it."""

import torch
from tiny_xvit import sharpen
from transformers import AutoModelForVideoClassification

from holovid.families import Variant
from holovid.families.family import family_of_variant

NAMES = {0: "left", 1: "right", 2: "up"}


def toy(variant: Variant):
    """The model with weights that make attention matter, and two clips of noise as it takes them."""
    family = family_of_variant(variant.name)
    config = family.config_class(**variant.settings, **family.toy, num_frames=4, id2label=NAMES)
    model = sharpen(AutoModelForVideoClassification.from_config(config)).eval()
    inputs = {"pixel_values_videos": torch.randn(2, 4, config.num_channels, *config.frame_size)}
    if config.hears:
        inputs["input_values"] = torch.randn(2, config.audio_frames, config.num_mel_bins)
    return model, inputs
