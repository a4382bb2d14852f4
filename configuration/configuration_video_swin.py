# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Configuration of Video Swin: attention inside windows of space and time (Liu et al. 2021, arXiv:2106.13230).

The defaults are the released Swin-T on 32 frames of 224 x 224; `VideoSwinConfig.small()`, `.base()` and `.large()` are
larger ones. Names are those of transformers' Swin if the field means the same.
"""

from typing import Any, ClassVar

from huggingface_hub.dataclasses import strict
from transformers.backbone_utils import BackboneConfigMixin
from transformers.configuration_utils import PreTrainedConfig

from holovid.configuration.class_names import NamedClasses
from holovid.configuration.configuration_common import SavedConfiguration
from holovid.configuration.field_checks import MOST, NoMisspeltFields, check_activation, check_counts, check_numbers
from holovid.configuration.frames_in_patches import FrameSize

AXES = ("time", "height", "width")
MOST_IN_A_WINDOW = 2**14  # tokens; attention has a table of its square


@strict
class VideoSwinConfig(
    NoMisspeltFields, NamedClasses, FrameSize, SavedConfiguration, BackboneConfigMixin, PreTrainedConfig
):
    r"""
    Args:
        image_size (`int` or `[height, width]`): pixels of the processor's crop. The model takes frames of any size.
        num_frames (`int`): frames of a clip the model was made for. It takes any number.
        patch_size (`[time, height, width]`): frames and pixels of a patch. Clips are padded with zeros to a multiple.
        num_channels (`int`): colour channels.
        embed_dim (`int`): width of the first stage; each stage is twice as wide as the one before.
        depths (`list[int]`): layers of each stage.
        num_heads (`list[int]`): attention heads of each stage.
        window_size (`[time, height, width]`): tokens of an attention window, at most the clip's.
        mlp_ratio (`float`): width inside the MLPs over that of the stage.
        patch_norm (`bool`): a layer norm after the patch embedding, as in all released models.
        qkv_bias (`bool`): whether queries, keys and values have a bias.
        qk_scale (`float`, *optional*): factor of the attention scores; `None` = 1 / sqrt(width of a head).
        hidden_act, layer_norm_eps, hidden_dropout_prob, attention_probs_dropout_prob, drop_path_rate,
        initializer_range:
            as in `SwinConfig`; `drop_path_rate` grows linearly from 0 in the first layer of the first stage to this
            in the last layer of the last, and drops whole clips.
        classifier_dropout (`float`): dropout on the pooled feature.
        out_features, out_indices (`list`, *optional*): which feature maps [`VideoSwinBackbone`] returns, by name
            ("stem", "stage1", ...) or number; `None` = the last one.

    Raises huggingface_hub's `StrictDataclassError` for sizes that do not fit together and for wrong types;
    `ValueError` for names of classes that are not numbered from 0 without a gap.
    """

    model_type = "video_swin"
    # as in the reference's training
    image_mean: ClassVar[tuple[float, ...]] = (0.485, 0.456, 0.406)
    image_std: ClassVar[tuple[float, ...]] = (0.229, 0.224, 0.225)

    image_size: int | list[int] | tuple[int, int] = 224
    num_frames: int = 32
    patch_size: list[int] | tuple[int, int, int] = (2, 4, 4)
    num_channels: int = 3
    embed_dim: int = 96
    depths: list[int] | tuple[int, ...] = (2, 2, 6, 2)
    num_heads: list[int] | tuple[int, ...] = (3, 6, 12, 24)
    window_size: list[int] | tuple[int, int, int] = (8, 7, 7)
    mlp_ratio: float | int = 4.0
    patch_norm: bool = True
    qkv_bias: bool = True
    qk_scale: float | int | None = None
    hidden_act: str = "gelu"
    layer_norm_eps: float | int = 1e-5
    hidden_dropout_prob: float | int = 0.0
    attention_probs_dropout_prob: float | int = 0.0
    drop_path_rate: float | int = 0.1
    initializer_range: float | int = 0.02
    classifier_dropout: float | int = 0.5
    _out_features: list[str] | None = None
    _out_indices: list[int] | None = None

    def __post_init__(self, **kwargs):
        for name in ("patch_size", "depths", "num_heads", "window_size"):
            setattr(self, name, list(getattr(self, name)))
        self.stage_names = ["stem"] + [f"stage{number}" for number in range(1, len(self.depths) + 1)]
        self.set_output_features_output_indices(
            out_indices=kwargs.pop("out_indices", None), out_features=kwargs.pop("out_features", None)
        )
        super().__post_init__(**kwargs)

    @classmethod
    def tiny(cls, **overrides: Any) -> "VideoSwinConfig":
        """Swin-T as released, 28 million parameters."""
        return cls(**overrides)

    @classmethod
    def small(cls, **overrides: Any) -> "VideoSwinConfig":
        """Swin-S as released, 50 million parameters."""
        return cls(**{"depths": (2, 2, 18, 2)} | overrides)

    @classmethod
    def base(cls, **overrides: Any) -> "VideoSwinConfig":
        """Swin-B as released, 88 million parameters; on Something-Something v2 with `window_size=(16, 7, 7)`."""
        return cls(**{"embed_dim": 128, "depths": (2, 2, 18, 2), "num_heads": (4, 8, 16, 32)} | overrides)

    @classmethod
    def large(cls, **overrides: Any) -> "VideoSwinConfig":
        """Swin-L, 197 million parameters; on frames of 384 pixels with `window_size=(8, 12, 12), image_size=384`."""
        return cls(**{"embed_dim": 192, "depths": (2, 2, 18, 2), "num_heads": (6, 12, 24, 48)} | overrides)

    @property
    def frame_options(self) -> dict[str, Any]:
        """Every other frame; a short video starts over after its end."""
        return {"sampling": "spread", "frame_stride": 2, "crop_order": "ends_first"}

    @property
    def widths(self) -> list[int]:
        return [self.embed_dim * 2**stage for stage in range(len(self.depths))]

    @property
    def hidden_size(self) -> int:
        """Channels of the last stage and of the pooled feature."""
        return self.widths[-1]

    @property
    def num_hidden_layers(self) -> int:
        return sum(self.depths)

    @property
    def num_stages(self) -> int:
        return len(self.depths)

    @property
    def shift(self) -> list[int]:
        """How far every other layer shifts its windows, (time, height, width)."""
        return [side // 2 for side in self.window_size]

    def validate_architecture(self):
        check_counts(self, ("num_channels", "num_frames", "embed_dim"))
        for name in ("patch_size", "window_size"):
            self.check_list(name, len(AXES), f"along {', '.join(AXES)}")
        self.check_list("depths", len(self.depths) or 1, "layers of each stage")
        self.check_list("num_heads", len(self.depths), "one for each of depths")
        self.check_widths()
        self.check_frame_size()
        dropouts = ("hidden_dropout_prob", "attention_probs_dropout_prob", "drop_path_rate", "classifier_dropout")
        check_numbers(self, dropouts, most=1.0)
        check_numbers(self, ("layer_norm_eps",), most=1.0, above=True)
        check_numbers(self, ("initializer_range", "mlp_ratio", "qk_scale"), most=100.0, above=True)
        check_activation("hidden_act", self.hidden_act)

    def check_list(self, name: str, length: int, meaning: str):
        values = getattr(self, name)
        if len(values) != length or any(isinstance(value, bool) or not 1 <= value <= MOST for value in values):
            raise ValueError(f"{name} must be {length} numbers from 1 to {MOST:,}, {meaning}, got {values}")

    def check_widths(self):
        for width, heads in zip(self.widths, self.num_heads, strict=True):
            if width > MOST:
                raise ValueError(
                    f"{len(self.depths)} stages make the last one wider than {MOST:,} channels; use fewer"
                )
            if width % heads:
                raise ValueError(
                    f"a stage of {width} channels cannot have {heads} heads: num_heads must divide the channels"
                )
        if self.embed_dim * self.mlp_ratio < 1:
            raise ValueError(f"mlp_ratio {self.mlp_ratio} leaves no channel inside the MLPs; use a larger one")
        tokens = self.window_size[0] * self.window_size[1] * self.window_size[2]
        if tokens > MOST_IN_A_WINDOW:
            raise ValueError(f"window_size {self.window_size} is {tokens:,} tokens; the limit is {MOST_IN_A_WINDOW:,}")

    def check_frame_size(self):
        if not isinstance(self.image_size, int) and len(self.image_size) != 2:
            raise ValueError(f"image_size must be one side or (height, width), got {self.image_size}")
        if any(isinstance(side, bool) or not 1 <= side <= MOST for side in self.frame_size):
            raise ValueError(f"image_size must be from 1 to {MOST:,} pixels a side, got {self.image_size}")


__all__ = ["VideoSwinConfig"]
