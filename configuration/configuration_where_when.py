# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Configuration of WhereWhen, a classifier that shows where in frames and when in sound its evidence is.

Inspired by "Where and When: Space-Time Attention for Audio-Visual Explanations" (Chen et al. 2021, arXiv:2105.01517),
of which only the abstract is known here: the design is holovid's own. The defaults are ViT-B/16 on 8 frames and AST on
the ten seconds of sound around them.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from huggingface_hub.dataclasses import strict
from transformers import ASTConfig, AutoConfig, ViTConfig
from transformers.configuration_utils import PreTrainedConfig

from holovid.configuration.class_names import NamedClasses
from holovid.configuration.configuration_common import SavedConfiguration
from holovid.configuration.encoder_configs import FramesOfEncoder, encoder_config
from holovid.configuration.field_checks import NoMisspeltFields, check_activation, check_counts, check_numbers

HEARD = ("audio-spectrogram-transformer",)


@strict
class WhereWhenConfig(NoMisspeltFields, NamedClasses, FramesOfEncoder, SavedConfiguration, PreTrainedConfig):
    """
    Args:
        visual_config (`dict` or `PreTrainedConfig`, *optional*): configuration of the visual encoder: an image model
        of
            transformers whose tokens are patches, for each frame; or a video model of holovid. Default: ViT-B/16.
        audio_config (`dict` or `PreTrainedConfig`, *optional*): of the audio encoder, an AST of transformers. Default:
            AST-B/16.
        visual_feature_size, audio_feature_size (`int`, *optional*): width of features given instead of frames or of
            sound; there is no encoder then.
        num_frames (`int`): frames of a clip the model was made for; positions are stretched to any other number.
        num_audio_steps (`int`, *optional*): audio steps the model was made for. Default: columns of the AST's patches.
        hidden_size, num_hidden_layers, num_attention_heads, intermediate_size, hidden_act, layer_norm_eps:
            of the layers that mix frames and audio. `intermediate_size=None` means `4 * hidden_size`.
        hidden_dropout_prob, attention_probs_dropout_prob (`float`): of these layers.
        classifier_dropout (`float`): before the classifier.
        modality_dropout (`float`): share of training clips whose sound is dropped, and of those whose frames are; it
            keeps both maps meaningful.
        initializer_range (`float`): standard deviation of new weights.

    Raises huggingface_hub's `StrictDataclassError` for sizes that do not fit together and for wrong types;
    `ValueError` for names of classes that are not numbered from 0 without a gap.
    """

    model_type = "where_when"
    sub_configs: ClassVar[dict[str, type]] = {"visual_config": AutoConfig, "audio_config": AutoConfig}
    keys_to_ignore_at_inference: ClassVar[list[str]] = [
        "where", "when_visual", "when_audio", "frame_times", "audio_times", "visual_evidence", "audio_evidence",
    ]  # fmt: skip

    visual_config: dict[str, Any] | PreTrainedConfig | None = None
    audio_config: dict[str, Any] | PreTrainedConfig | None = None
    visual_feature_size: int | None = None
    audio_feature_size: int | None = None
    num_frames: int = 8
    num_audio_steps: int | None = None

    hidden_size: int = 768
    num_hidden_layers: int = 2
    num_attention_heads: int = 12
    intermediate_size: int | None = None
    hidden_act: str = "gelu"
    layer_norm_eps: float | int = 1e-6
    hidden_dropout_prob: float | int = 0.0
    attention_probs_dropout_prob: float | int = 0.0
    classifier_dropout: float | int = 0.0
    modality_dropout: float | int = 0.25
    initializer_range: float | int = 0.02

    def __post_init__(self, **kwargs):
        if self.intermediate_size is None:
            self.intermediate_size = 4 * self.hidden_size
        if self.visual_feature_size is None and self.visual_config is None:
            self.visual_config = ViTConfig()
        elif isinstance(self.visual_config, Mapping):
            self.visual_config = encoder_config("visual_config", self.visual_config)
        if self.audio_feature_size is None and self.audio_config is None:
            self.audio_config = ASTConfig()
        elif isinstance(self.audio_config, Mapping):
            self.audio_config = encoder_config("audio_config", self.audio_config)
        if self.audio_config is not None and self.audio_config.model_type not in HEARD:  # type: ignore[union-attr]
            raise ValueError(f"audio_config must be of an {HEARD[0]}, got a {self.audio_config.model_type}")  # type: ignore[union-attr]
        if self.num_audio_steps is None:
            self.num_audio_steps = self.audio_grid[1] if self.audio_config is not None else self.num_frames
        super().__post_init__(**kwargs)

    @property
    def frame_encoder(self) -> Any:
        return self.visual_config

    @property
    def feature_width(self) -> int | None:
        return self.visual_feature_size

    @property
    def hears(self) -> bool:
        return True

    @property
    def reads_times(self) -> bool:
        return True

    @property
    def visual_width(self) -> int:
        width: int = self.visual_feature_size or self.visual_config.hidden_size  # type: ignore[union-attr]
        return width

    @property
    def audio_width(self) -> int:
        width: int = self.audio_feature_size or self.audio_config.hidden_size  # type: ignore[union-attr]
        return width

    @property
    def audio_frames(self) -> int:
        """Rows of the spectrogram. Raises `ValueError` if the model takes audio features."""
        if self.audio_config is None:
            raise ValueError(f"this model takes audio features of width {self.audio_feature_size}, not a spectrogram")
        return self.audio_config.max_length  # type: ignore[union-attr]

    @property
    def num_mel_bins(self) -> int:
        return self.audio_config.num_mel_bins  # type: ignore[union-attr]

    @property
    def audio_grid(self) -> tuple[int, int]:
        """Patches of the spectrogram, (along frequency, along time)."""
        sound: Any = self.audio_config
        rows = (sound.num_mel_bins - sound.patch_size) // sound.frequency_stride + 1
        return rows, (sound.max_length - sound.patch_size) // sound.time_stride + 1

    def validate_architecture(self):
        check_counts(self, (
            "num_frames", "num_audio_steps", "hidden_size", "num_hidden_layers", "num_attention_heads",
            "intermediate_size", "visual_feature_size", "audio_feature_size",
        ))  # fmt: skip
        rates = ("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout")
        check_numbers(self, rates, most=1.0)
        check_numbers(self, ("modality_dropout",), most=0.5)
        check_numbers(self, ("layer_norm_eps",), most=1.0, above=True)
        check_numbers(self, ("initializer_range",), most=100.0, above=True)
        check_activation("hidden_act", self.hidden_act)
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} must be a multiple of num_attention_heads {self.num_attention_heads}"
            )

    def validate_encoders(self):
        for kind, given in (("visual", "frames"), ("audio", "sound")):
            encoder, width = getattr(self, f"{kind}_config"), getattr(self, f"{kind}_feature_size")
            if (encoder is None) == (width is None):
                raise ValueError(f"pass a {kind}_config for {given} or a {kind}_feature_size for features, not both")
        if self.audio_config is not None and min(self.audio_grid) < 1:
            raise ValueError(
                f"a spectrogram of {self.audio_frames} rows of {self.num_mel_bins} mel bins has no patch of "
                f"{self.audio_config.patch_size}"  # type: ignore[union-attr]
            )


__all__ = ["WhereWhenConfig"]
