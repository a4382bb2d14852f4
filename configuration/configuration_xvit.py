# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Configuration of XViT: space-time mixing attention (Bulat et al. 2021, arXiv:2106.05968).

The defaults are the released ViT-B/16 model on 8 frames of 224 x 224. A user usually changes `num_frames`,
`mix_divisor` (the share of keys and values that comes from neighbouring frames) and `num_labels` / `id2label`.
Names are those of transformers' ViT if the field means the same.
"""

from typing import ClassVar, Literal

from huggingface_hub.dataclasses import strict
from transformers.configuration_utils import PreTrainedConfig

from holovid.configuration.class_names import NamedClasses
from holovid.configuration.configuration_common import SavedConfiguration
from holovid.configuration.field_checks import MOST, NoMisspeltFields, check_activation, check_counts, check_numbers
from holovid.configuration.frames_in_patches import FramesInPatches


@strict
class XViTConfig(NoMisspeltFields, NamedClasses, FramesInPatches, SavedConfiguration, PreTrainedConfig):
    r"""
    Args:
        image_size (`int` or `[height, width]`): pixels of a frame; each side a multiple of `patch_size`.
        patch_size (`int`): side of a square patch in pixels.
        num_channels (`int`): colour channels.
        num_frames (`int`): frames of a clip the model was made for; it takes any number that mixing allows.
        hidden_size, num_hidden_layers, num_attention_heads, intermediate_size, hidden_act, qkv_bias, layer_norm_eps,
        hidden_dropout_prob, attention_probs_dropout_prob, drop_path_rate, initializer_range:
            as in `ViTConfig`; `drop_path_rate` grows linearly from 0 in the first layer and drops whole clips.
            `intermediate_size=None` means `4 * hidden_size`.
        mix_divisor (`int`): each neighbouring frame gives `hidden_size // mix_divisor` channels of every key and value
            at `mix_window=1`; 8 mixes 25 % of the channels, 4 mixes 50 % (paper, ablation of rho).
        mix_window (`int`): how many frames to each side give channels (the paper's t_w). The two shares of
            `hidden_size // mix_divisor` channels are split evenly over the `2 * mix_window` neighbours.
        mix_direction ("both" or "past"): "past" takes all channels from earlier frames (from t-1 those that "both"
            takes from t+1), so a stream can be read frame by frame. Ours; the paper mixes both ways.
        mix_layers (`list[int]`, *optional*): indices of the layers that mix; `None` = all, `[]` = none.
        mix_group (`int`, *optional*): length of the groups of frames that mix; `None` = the whole clip. The released
            Kinetics models see 16 frames in groups of 8.
        mix_per_head (`bool`): take the channel slices inside every head, as the paper writes it. The released code
            takes them from all heads together, so some heads see only other frames.
        num_summary_tokens (`int`): summary tokens a frame adds, in each layer, to the keys and values of all frames
            (paper, "summary token"); 1 is the mean over the frame's patches. 0 = off, as released.
        temporal_embedding_length (`int`, *optional*): learned vectors of the temporal embedding; frame t gets vector
            `t % temporal_embedding_length`. `None` = `num_frames`. Released: 8, also for 16 frames.
        pooling (`"attention"` or `"mean"`): of frames: the temporal attention head, or the mean.
        temporal_num_hidden_layers, temporal_num_attention_heads, temporal_intermediate_size, temporal_layer_norm_eps,
        temporal_qkv_bias: the transformer layers of `pooling="attention"`; heads and intermediate size follow the
            backbone when `None`.
        pooler_output_size (`int`, *optional*): width of the pooled feature; `None` = `hidden_size`. Only
            `pooling="attention"` can change it.
        classifier_dropout (`float`): dropout on the frame features and on the pooled feature.

    Raises huggingface_hub's `StrictDataclassError` for sizes that do not fit together and for wrong types;
    `ValueError` for names of classes that are not numbered from 0 without a gap.
    """

    model_type = "xvit"
    # as in the reference's training
    image_mean: ClassVar[tuple[float, ...]] = (0.5, 0.5, 0.5)
    image_std: ClassVar[tuple[float, ...]] = (0.5, 0.5, 0.5)

    image_size: int | list[int] | tuple[int, int] = 224
    patch_size: int = 16
    num_channels: int = 3
    num_frames: int = 8

    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int | None = None
    hidden_act: str = "gelu"
    qkv_bias: bool = True
    layer_norm_eps: float | int = 1e-6
    hidden_dropout_prob: float | int = 0.0
    attention_probs_dropout_prob: float | int = 0.0
    drop_path_rate: float | int = 0.0
    initializer_range: float | int = 0.02

    mix_divisor: int = 8
    mix_window: int = 1
    mix_direction: Literal["both", "past"] = "both"
    mix_layers: list[int] | tuple[int, ...] | None = None
    mix_group: int | None = None
    mix_per_head: bool = False
    num_summary_tokens: int = 0

    temporal_embedding_length: int | None = None

    pooling: Literal["attention", "mean"] = "attention"
    temporal_num_hidden_layers: int = 1
    temporal_num_attention_heads: int | None = None
    temporal_intermediate_size: int | None = None
    temporal_layer_norm_eps: float | int = 1e-5
    temporal_qkv_bias: bool = False
    pooler_output_size: int | None = None
    classifier_dropout: float | int = 0.5

    def __post_init__(self, **kwargs):
        if self.intermediate_size is None:
            self.intermediate_size = 4 * self.hidden_size
        if self.mix_layers is not None:
            self.mix_layers = list(self.mix_layers)
        if self.temporal_embedding_length is None:
            self.temporal_embedding_length = self.num_frames
        if self.temporal_num_attention_heads is None:
            self.temporal_num_attention_heads = self.num_attention_heads
        if self.temporal_intermediate_size is None:
            self.temporal_intermediate_size = 4 * self.hidden_size
        if self.pooler_output_size is None:
            self.pooler_output_size = self.hidden_size
        super().__post_init__(**kwargs)

    @property
    def mix_slice_size(self) -> int:
        """Channels that mixing divides at a time: one head's, or those of all heads."""
        return self.hidden_size // self.num_attention_heads if self.mix_per_head else self.hidden_size

    @property
    def mix_channels(self) -> int:
        """Channels of such a slice from each of the `2 * mix_window` neighbouring frames."""
        return self.mix_slice_size // self.mix_divisor // self.mix_window

    @property
    def mix_offsets(self) -> tuple[int, ...]:
        """The frames that give the slices of `mix_channels` channels, in the order of the channels: +1 = the next."""
        later = 1 if self.mix_direction == "both" else -1
        return tuple(offset for step in range(1, self.mix_window + 1) for offset in (later * step, -step))

    def validate_architecture(self):
        self.check_sizes()
        self.check_frame_size()
        self.check_widths()
        self.check_mixing()

    def check_sizes(self):
        check_counts(self, (
            "patch_size", "num_channels", "num_frames", "hidden_size", "num_hidden_layers", "num_attention_heads",
            "intermediate_size", "mix_divisor", "mix_window", "temporal_embedding_length",
            "temporal_num_hidden_layers", "temporal_num_attention_heads", "temporal_intermediate_size",
            "pooler_output_size",
        ))  # fmt: skip
        if not 0 <= self.num_summary_tokens <= MOST:
            raise ValueError(f"num_summary_tokens must be 0 or more, up to {MOST:,}, got {self.num_summary_tokens}")
        if self.mix_group is not None and not 1 <= self.mix_group <= MOST:
            raise ValueError(f"mix_group must be at least 1, or None for the whole clip, got {self.mix_group}")
        dropouts = ("hidden_dropout_prob", "attention_probs_dropout_prob", "drop_path_rate", "classifier_dropout")
        check_numbers(self, dropouts, most=1.0)
        check_numbers(self, ("layer_norm_eps", "temporal_layer_norm_eps"), most=1.0, above=True)
        check_numbers(self, ("initializer_range",), most=100.0, above=True)
        check_activation("hidden_act", self.hidden_act)

    def check_widths(self):
        for name in ("num_attention_heads", "temporal_num_attention_heads"):
            if self.hidden_size % getattr(self, name):
                raise ValueError(f"hidden_size {self.hidden_size} must be a multiple of {name} {getattr(self, name)}")
        if self.pooling == "mean" and self.pooler_output_size != self.hidden_size:
            raise ValueError(
                f"pooling='mean' keeps the width: pooler_output_size must be hidden_size {self.hidden_size}, "
                f"got {self.pooler_output_size}"
            )

    def check_mixing(self):
        unknown = [layer for layer in self.mix_layers or () if not 0 <= layer < self.num_hidden_layers]
        if unknown:
            raise ValueError(
                f"mix_layers {unknown} do not exist; the model has layers 0 to {self.num_hidden_layers - 1}"
            )
        if self.mix_divisor < 2:
            raise ValueError(f"mix_divisor must be at least 2 (no channel stays in its frame), got {self.mix_divisor}")
        if self.mix_layers != [] and self.mix_channels == 0:
            raise ValueError(
                f"mix_divisor {self.mix_divisor} and mix_window {self.mix_window} leave no channel to mix out of "
                f"{self.mix_slice_size}; lower them, or switch mixing off with mix_layers=[]"
            )
        if self.mix_direction == "past" and self.num_summary_tokens:
            raise ValueError(
                f"mix_direction='past' hides later frames, but all frames attend to summary tokens: set "
                f"num_summary_tokens=0, got {self.num_summary_tokens}"
            )


__all__ = ["XViTConfig"]
