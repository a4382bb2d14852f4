# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Configuration of AVT, which predicts the next action (Girdhar and Grauman 2021, arXiv:2106.02036).

The defaults are the released AVT-b for EPIC-KITCHENS-100: ViT-B/16 on 10 frames, one a second, the last one a second
before the action. Names of the decoder are those of transformers' GPT-2 with the prefix `head_`.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from huggingface_hub.dataclasses import strict
from transformers import AutoConfig, ViTConfig
from transformers.configuration_utils import PreTrainedConfig

from holovid.configuration.class_names import NamedClasses
from holovid.configuration.configuration_common import SavedConfiguration
from holovid.configuration.encoder_configs import FramesOfEncoder, encoder_config
from holovid.configuration.field_checks import MOST, NoMisspeltFields, check_activation, check_counts, check_numbers


@strict
class AVTConfig(NoMisspeltFields, NamedClasses, FramesOfEncoder, SavedConfiguration, PreTrainedConfig):
    """
    Args:
        backbone_config (`dict` or `PreTrainedConfig`, *optional*): configuration of the model that encodes frames: an
            image model of transformers, which encodes each alone, or a video model of holovid with `frame_features`.
            Default: ViT-B/16 with norms of epsilon 1e-6.
        feature_size (`int`, *optional*): width of features given instead of frames; there is no backbone then.
        num_frames (`int`): frames of a clip the model was made for; it takes up to `max_position_embeddings`.
        frame_rate (`float`): frames a second.
        observation_seconds (`float`): seconds that the model sees.
        anticipation_seconds (`float`): from the last frame to the start of the action.
        head_hidden_size, head_num_hidden_layers, head_num_attention_heads, head_intermediate_size, head_hidden_act,
        head_layer_norm_eps, head_dropout:
            of the decoder. `head_intermediate_size=None` means `4 * head_hidden_size`. The dropout applies to
            embeddings, attention and branches.
        max_position_embeddings (`int`): positions of the decoder.
        classifier_dropout (`float`): before the classifiers.
        num_verbs, num_nouns (`int`): classes of the verb and noun classifiers; 0 = none.
        id2verb, id2noun (`dict[int, str]`, *optional*): their names.
        verb_of_action, noun_of_action (`list[int]`, *optional*): for each action, the number of its verb and noun.
            Their scores are then sums over actions.
        next_weight, past_weight, feature_weight (`float`): weights of the three losses (paper, equation 6). The
            classifier of the past is trained only if `past_weight` is not 0.
        valid_only (`bool`): average a loss over the frames that have a label. `False`: over all, as released; frames
            without a label count as 0.
        initializer_range, linear_initializer_range (`float`): standard deviation of new weights, in the decoder's
            layers and in the linear layers around them. As released, for widths of 768 and 2048.

    Raises huggingface_hub's `StrictDataclassError` for sizes that do not fit together and for wrong types;
    `ValueError` for names of classes that are not numbered from 0 without a gap.
    """

    model_type = "avt"
    sub_configs: ClassVar[dict[str, type]] = {"backbone_config": AutoConfig}
    attribute_map: ClassVar[dict[str, str]] = {
        "hidden_size": "head_hidden_size",
        "num_hidden_layers": "head_num_hidden_layers",
        "num_attention_heads": "head_num_attention_heads",
    }
    keys_to_ignore_at_inference: ClassVar[list[str]] = [
        "losses", "past_logits", "predicted_features", "features", "cache",
    ]  # fmt: skip

    backbone_config: dict[str, Any] | PreTrainedConfig | None = None
    feature_size: int | None = None
    num_frames: int = 10
    frame_rate: float | int = 1.0
    observation_seconds: float | int = 10.0
    anticipation_seconds: float | int = 1.0

    head_hidden_size: int = 2048
    head_num_hidden_layers: int = 6
    head_num_attention_heads: int = 4
    head_intermediate_size: int | None = None
    head_hidden_act: str = "gelu_new"
    head_layer_norm_eps: float | int = 1e-5
    head_dropout: float | int = 0.1
    max_position_embeddings: int = 1024
    classifier_dropout: float | int = 0.2

    num_verbs: int = 0
    num_nouns: int = 0
    id2verb: Any = None
    id2noun: Any = None
    verb_of_action: list[int] | tuple[int, ...] | None = None
    noun_of_action: list[int] | tuple[int, ...] | None = None

    next_weight: float | int = 1.0
    past_weight: float | int = 1.0
    feature_weight: float | int = 1.0
    valid_only: bool = True
    use_cache: bool = False
    initializer_range: float | int = 0.02
    linear_initializer_range: float | int = 0.01

    def __post_init__(self, **kwargs):
        if self.head_intermediate_size is None:
            self.head_intermediate_size = 4 * self.head_hidden_size
        if self.feature_size is None and self.backbone_config is None:
            self.backbone_config = ViTConfig(layer_norm_eps=1e-6)
        elif isinstance(self.backbone_config, Mapping):
            self.backbone_config = encoder_config("backbone_config", self.backbone_config)
        super().__post_init__(**kwargs)

    @property
    def frame_encoder(self) -> Any:
        return self.backbone_config

    @property
    def feature_width(self) -> int | None:
        return self.feature_size

    @property
    def frame_options(self) -> dict[str, Any]:
        """Frames counted back from the last one, at the model's rate."""
        return {"sampling": "last", "fps": self.frame_rate}

    @property
    def frame_width(self) -> int:
        if self.feature_size is not None:
            return self.feature_size
        width: int | None = getattr(self.backbone_config, "hidden_size", None)
        if width is None:  # one for each stage
            width = self.backbone_config.hidden_sizes[-1]  # type: ignore[union-attr]
        return width

    def validate_architecture(self):
        check_counts(self, (
            "num_frames", "head_hidden_size", "head_num_hidden_layers", "head_num_attention_heads",
            "head_intermediate_size", "max_position_embeddings", "feature_size",
        ))  # fmt: skip
        check_numbers(self, ("head_dropout", "classifier_dropout"), most=1.0)
        check_numbers(self, ("head_layer_norm_eps",), most=1.0, above=True)
        check_numbers(self, ("initializer_range", "linear_initializer_range"), most=100.0, above=True)
        check_numbers(self, ("next_weight", "past_weight", "feature_weight"), most=1e6)
        check_numbers(self, ("frame_rate", "observation_seconds"), most=1e6, above=True)
        check_numbers(self, ("anticipation_seconds",), most=1e6)
        check_activation("head_hidden_act", self.head_hidden_act)
        for name in ("num_verbs", "num_nouns"):
            if not 0 <= getattr(self, name) <= MOST:
                raise ValueError(f"{name} must be 0 for none, or up to {MOST:,}, got {getattr(self, name)}")
        if self.num_frames > self.max_position_embeddings:
            raise ValueError(
                f"num_frames {self.num_frames} is more than the max_position_embeddings "
                f"{self.max_position_embeddings} of the decoder, one for each frame"
            )
        if (self.feature_size is None) == (self.backbone_config is None):
            raise ValueError("pass a backbone_config for frames or a feature_size for features, not both")
        if isinstance(self.backbone_config, AVTConfig):
            raise ValueError("an AVT cannot be the backbone of another one: pass its own backbone_config")
        if self.head_hidden_size % self.head_num_attention_heads:
            raise ValueError(
                f"head_hidden_size {self.head_hidden_size} must be a multiple of head_num_attention_heads "
                f"{self.head_num_attention_heads}"
            )

    def validate_label_spaces(self):
        for field, count in (("verb_of_action", self.num_verbs), ("noun_of_action", self.num_nouns)):
            numbers = getattr(self, field)
            if numbers is None:
                continue
            if len(numbers) != self.num_labels:
                raise ValueError(
                    f"{field} must have a number for each of {self.num_labels} actions, got {len(numbers)}"
                )
            if any(number < 0 for number in numbers):
                raise ValueError(f"{field} must have class numbers from 0, got {min(numbers)}")
            if count and max(numbers) >= count:
                raise ValueError(f"{field} has class {max(numbers)}, but there are {count} classes")


__all__ = ["AVTConfig"]
