"""Configuration of the frame-wise model; names are those of transformers' ViT."""

from typing import Any, ClassVar

from huggingface_hub.dataclasses import strict
from transformers.configuration_utils import PreTrainedConfig

from holovid.configuration.class_names import NamedClasses
from holovid.configuration.configuration_common import SavedConfiguration
from holovid.configuration.field_checks import NoMisspeltFields, check_counts

OF_IMAGE_MODEL = (
    "image_size", "patch_size", "num_channels", "hidden_size", "num_hidden_layers", "num_attention_heads",
    "intermediate_size",
)  # fmt: skip


@strict
class FramewiseConfig(NoMisspeltFields, NamedClasses, SavedConfiguration, PreTrainedConfig):
    model_type = "framewise"
    image_mean: ClassVar[tuple[float, ...]] = (0.5, 0.5, 0.5)
    image_std: ClassVar[tuple[float, ...]] = (0.5, 0.5, 0.5)

    image_size: int = 224
    patch_size: int = 16
    num_channels: int = 3
    num_frames: int = 8
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    initializer_range: float | int = 0.02

    @property
    def frame_size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.image_size, self.image_size

    @property
    def image_model_settings(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in (*OF_IMAGE_MODEL, "initializer_range")}

    def validate_architecture(self):
        check_counts(self, (*OF_IMAGE_MODEL, "num_frames"))
        if self.image_size % self.patch_size:
            raise ValueError(f"image_size {self.image_size} must be a multiple of patch_size {self.patch_size}")


__all__ = ["FramewiseConfig"]
