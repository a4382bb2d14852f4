# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Configuration of TimeSformer: attention over space and over time (Bertasius et al. 2021, arXiv:2102.05095).

The defaults are the released model for Kinetics: ViT-B/16 on 8 frames of 224 x 224, divided attention. Names are those
of transformers' ViT and TimeSformer if the field means the same.
"""

from typing import ClassVar, Literal

from huggingface_hub.dataclasses import strict
from transformers.configuration_utils import PreTrainedConfig

from holovid.configuration.class_names import NamedClasses
from holovid.configuration.configuration_common import SavedConfiguration
from holovid.configuration.field_checks import NoMisspeltFields, check_activation, check_counts, check_numbers
from holovid.configuration.frames_in_patches import FramesInPatches


@strict
class TimeSformerConfig(NoMisspeltFields, NamedClasses, FramesInPatches, SavedConfiguration, PreTrainedConfig):
    r"""
    Args:
        image_size (`int` or `[height, width]`): pixels of a frame; each side a multiple of `patch_size`.
        patch_size (`int`): side of a square patch in pixels.
        num_channels (`int`): colour channels.
        num_frames (`int`): frames of a clip the model was made for; it takes any number.
        attention_type (`"divided_space_time"`, `"joint_space_time"` or `"space_only"`): tokens attend along time at
            their place, then within their frame; or to the whole clip; or only within their frame, and the frames are
            averaged at the end (paper, section 3).
        hidden_size, num_hidden_layers, num_attention_heads, intermediate_size, hidden_act, qkv_bias, layer_norm_eps,
        hidden_dropout_prob, attention_probs_dropout_prob, initializer_range:
            as in `ViTConfig`. `intermediate_size=None` means `4 * hidden_size`.
        drop_path_rate (`float`): probability of dropping a branch, growing linearly from 0 in the first layer to this
            in the last; the released models were trained with 0.1.

    Raises huggingface_hub's `StrictDataclassError` for sizes that do not fit together and for wrong types;
    `ValueError` for names of classes that are not numbered from 0 without a gap.
    """

    model_type = "time_sformer"
    # as in the reference's training
    image_mean: ClassVar[tuple[float, ...]] = (0.45, 0.45, 0.45)
    image_std: ClassVar[tuple[float, ...]] = (0.225, 0.225, 0.225)

    image_size: int | list[int] | tuple[int, int] = 224
    patch_size: int = 16
    num_channels: int = 3
    num_frames: int = 8
    attention_type: Literal["divided_space_time", "joint_space_time", "space_only"] = "divided_space_time"

    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int | None = None
    hidden_act: str = "gelu"
    qkv_bias: bool = True
    layer_norm_eps: float | int = 1e-6
    hidden_dropout_prob: float | int = 0.0
    attention_probs_dropout_prob: float | int = 0.0
    drop_path_rate: float | int = 0.1
    initializer_range: float | int = 0.02

    def __post_init__(self, **kwargs):
        if self.intermediate_size is None:
            self.intermediate_size = 4 * self.hidden_size
        super().__post_init__(**kwargs)

    def validate_architecture(self):
        check_counts(self, (
            "patch_size", "num_channels", "num_frames", "hidden_size", "num_hidden_layers", "num_attention_heads",
            "intermediate_size",
        ))  # fmt: skip
        dropouts = ("hidden_dropout_prob", "attention_probs_dropout_prob", "drop_path_rate")
        check_numbers(self, dropouts, most=1.0)
        check_numbers(self, ("layer_norm_eps",), most=1.0, above=True)
        check_numbers(self, ("initializer_range",), most=100.0, above=True)
        check_activation("hidden_act", self.hidden_act)
        self.check_frame_size()
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} must be a multiple of num_attention_heads {self.num_attention_heads}"
            )


__all__ = ["TimeSformerConfig"]
