# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Configuration of the CA²ST family: frozen image, video and audio experts that attend to each other.

CAST (Lee et al. 2023, arXiv:2311.18825) = space + time, CAVA = space + audio, CA²ST (Lee et al. 2025,
arXiv:2503.23447) = all three, with other `experts`. The defaults are CAST-B/16. A user usually changes `experts`,
`num_frames`, `audio_frames` and the labels, or takes a preset: `CA2STConfig.cast_base()`, `cava_base()`,
`ca2st_base()`.
"""

from collections.abc import Mapping
from itertools import combinations
from typing import Any, ClassVar, Literal

from huggingface_hub.dataclasses import strict
from transformers.configuration_utils import PreTrainedConfig

from holovid.configuration.class_names import NamedClasses
from holovid.configuration.configuration_common import SavedConfiguration
from holovid.configuration.field_checks import MOST, NoMisspeltFields, check_counts, check_numbers

EXPERTS = ("space", "time", "audio")
SOURCE_FIELDS = {"source", "revision", "sha256"}
ROUNDING = 1e-6  # so that a ratio w / D gives w again: 49 * (1 / 49) is less than 1


@strict
class CA2STConfig(NoMisspeltFields, NamedClasses, SavedConfiguration, PreTrainedConfig):
    r"""
    Args:
        experts (`list[str]`): two or three of "space" (CLIP image model), "time" (VideoMAE) and "audio" (AST), in this
            order. All have `hidden_size`, `num_hidden_layers`, `num_attention_heads` and `intermediate_size`.
        image_size, patch_size, num_channels: of the square frames, in pixels.
        num_frames (`int`): frames of a clip, a multiple of `tubelet_size`.
        tubelet_size (`int`): frames that the time expert joins in a token; the space expert takes the last.
        audio_frames (`int`): rows of the log-mel spectrogram, 10 ms each, as the experts were trained.
        num_mel_bins (`int`): its columns.
        audio_patch_size, audio_stride (`int`): of the audio expert's overlapping square patches.
        layer_norm_eps (`float`): of the time and audio experts and of the exchange.
        space_layer_norm_eps (`float`): of the space expert.
        space_feature_layer_norm_eps (`float`, *optional*): of the norm of its pooled class tokens; `None` = as
            released: 1e-5 beside a time expert, 1e-6 without.
        bottleneck_ratio (`float`): width inside the exchange over `hidden_size`.
        adapter_ratio (`float`): width inside an adapter over `hidden_size`.
        exchange_layers (`dict[str, list[int]]`, *optional*): the layers in which two experts exchange, by pair:
            "space_time", "space_audio", "time_audio". A pair left out exchanges in all layers; with three experts,
            pairs with audio in the last three.
        exchange_order ("sequential" or "parallel"): pairs exchange one after the other, or all from the same states,
            whose updates are then averaged for each expert.
        share_projections (`bool`, *optional*): an expert uses the same projections into and out of the bottleneck for
            all its pairs; `None` = as released: with three experts.
        audio_positions ("timestamps" or "learned"): positions in the exchange with audio: functions of seconds, or
            tables.
        share_time_mlp (`bool`): frames and audio share one function of seconds.
        audio_time_layout ("official" or "aligned"): "official" keeps the reference's order of audio timestamps, which
            differs from the order of its tokens; released weights need it. "aligned" corrects it.
        feature_adapter_skip (`bool`, *optional*), feature_scale (`float`): the classifier reads
            `feature_scale * sum(adapter(feature) [+ feature])` over experts; `None` = as released: only CAVA adds the
            feature.
        drop_path_rate (`float`): of the exchange and the feed-forward adapters; grows from 0 in the first layer to
            this in the last; drops whole clips.
        classifier_dropout (`float`): before the classifier.
        num_verbs, num_nouns (`int`): of `CA2STForActionRecognition`.
        id2verb, id2noun (`dict[int, str]`, *optional*): their names.
        expert_sources (`dict[str, dict]`, *optional*): where the experts' weights come from, by expert; `from_experts`
            and `record_experts` of the models write it. "source" is a Hub id or the absolute path of a folder, `None`
            for a model object; "revision" the commit on the Hub; "sha256" a hash of the weights, see
            `content_hash` in adapters_ca2st.py.
        adapters_only (`bool`): saved folders leave out the experts' weights, and loading fetches them.

    Raises huggingface_hub's `StrictDataclassError` when fields do not fit together or have a wrong type, `ValueError`
    for names of classes that are not numbered from 0 without a gap.
    """

    model_type = "ca2st"
    # for all experts, as in the reference's training
    image_mean: ClassVar[tuple[float, ...]] = (0.485, 0.456, 0.406)
    image_std: ClassVar[tuple[float, ...]] = (0.229, 0.224, 0.225)

    experts: list[str] | tuple[str, ...] = ("space", "time")
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int | None = None

    image_size: int = 224
    patch_size: int = 16
    num_channels: int = 3
    num_frames: int = 16
    tubelet_size: int = 2

    audio_frames: int = 400
    num_mel_bins: int = 128
    audio_patch_size: int = 16
    audio_stride: int = 10

    layer_norm_eps: float | int = 1e-6
    space_layer_norm_eps: float | int = 1e-5
    space_feature_layer_norm_eps: float | int | None = None
    attention_probs_dropout_prob: float | int = 0.0
    initializer_range: float | int = 0.02

    bottleneck_ratio: float | int = 0.5
    adapter_ratio: float | int = 0.25
    exchange_layers: dict[str, list[int]] | None = None
    exchange_order: Literal["sequential", "parallel"] = "sequential"
    share_projections: bool | None = None
    audio_positions: Literal["timestamps", "learned"] = "timestamps"
    share_time_mlp: bool = False
    audio_time_layout: Literal["official", "aligned"] = "official"
    drop_path_rate: float | int = 0.0

    feature_adapter_skip: bool | None = None
    feature_scale: float | int = 1.0
    classifier_dropout: float | int = 0.0
    num_verbs: int = 97
    num_nouns: int = 300
    id2verb: Any = None
    id2noun: Any = None

    expert_sources: dict[str, dict[str, str | None]] | None = None
    adapters_only: bool = False

    def __post_init__(self, **kwargs: Any):
        self.experts = list(self.experts)
        if self.intermediate_size is None:
            self.intermediate_size = 4 * self.hidden_size
        if self.space_feature_layer_norm_eps is None:
            self.space_feature_layer_norm_eps = 1e-5 if "time" in self.experts else 1e-6
        if self.feature_adapter_skip is None:
            self.feature_adapter_skip = "time" not in self.experts
        if self.share_projections is None:
            self.share_projections = len(self.experts) == 3
        layers = list(range(min(self.num_hidden_layers, MOST)))  # more are refused later
        late = layers[-3:] if len(self.experts) == 3 else layers
        default = {pair: late if "audio" in pair else layers for pair in self.pairs}
        self.exchange_layers = default | (self.exchange_layers or {})
        super().__post_init__(**kwargs)

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any):
        """`experts` as a mapping is not a field: it says where loading finds the experts."""
        if not (isinstance(kwargs.get("experts"), Mapping) and kwargs.get("return_unused_kwargs")):
            return super().from_dict(config_dict, **kwargs)
        experts = kwargs.pop("experts")
        config, unused = super().from_dict(config_dict, **kwargs)
        return config, unused | {"experts": experts}

    @property
    def hears(self) -> bool:
        """Whether there is an audio expert, which takes `input_values`."""
        return "audio" in self.experts

    @property
    def reads_times(self) -> bool:
        return self.hears and self.audio_positions == "timestamps"

    @property
    def pairs(self) -> list[str]:
        """The pairs of experts, in the order of their exchanges."""
        return ["_".join(pair) for pair in combinations(self.experts, 2)]

    @property
    def num_slots(self) -> int:
        """Moments of a clip, T: the time expert's tokens along time, and the space expert's frames."""
        return self.num_frames // self.tubelet_size

    @property
    def frame_size(self) -> tuple[int, int]:
        return self.image_size, self.image_size

    @property
    def num_patches(self) -> int:
        return (self.image_size // self.patch_size) ** 2

    @property
    def audio_grid(self) -> tuple[int, int]:
        """Patches of the spectrogram, (along frequency, along time)."""
        return tuple(
            (size - self.audio_patch_size) // self.audio_stride + 1 for size in (self.num_mel_bins, self.audio_frames)
        )  # type: ignore[return-value]

    @property
    def bottleneck_size(self) -> int:
        """Width inside the exchange, d."""
        return int(self.hidden_size * self.bottleneck_ratio + ROUNDING)

    @property
    def adapter_size(self) -> int:
        return int(self.hidden_size * self.adapter_ratio + ROUNDING)

    @classmethod
    def cast_base(cls, **overrides: Any) -> "CA2STConfig":
        """CAST-B/16 as released: CLIP and VideoMAE on 16 frames."""
        return cls(**overrides)

    @classmethod
    def cava_base(cls, **overrides: Any) -> "CA2STConfig":
        """CAVA-B/16 as its authors ran it on EPIC-SOUNDS: CLIP and AST on 4 seconds of sound."""
        return cls(**{"experts": ["space", "audio"]} | overrides)

    @classmethod
    def ca2st_base(cls, **overrides: Any) -> "CA2STConfig":
        """CA²ST-B/16 as its authors ran it on EPIC-KITCHENS-100: all three experts, shared projections."""
        return cls(**{"experts": ["space", "time", "audio"]} | overrides)

    def validate_experts(self):
        ordered = [expert for expert in EXPERTS if expert in self.experts]
        if len(self.experts) < 2 or "space" not in self.experts or ordered != self.experts:
            raise ValueError(
                "experts must be ['space', 'time'], ['space', 'audio'] or ['space', 'time', 'audio'], got "
                f"{list(self.experts)}"
            )
        for pair, layers in (self.exchange_layers or {}).items():
            if pair not in self.pairs:
                raise ValueError(f"exchange_layers names {pair!r}; these experts have {', '.join(self.pairs)}")
            if unknown := [layer for layer in layers if not 0 <= layer < self.num_hidden_layers]:
                raise ValueError(
                    f"exchange_layers[{pair!r}] {unknown} do not exist; the model has layers 0 to "
                    f"{self.num_hidden_layers - 1}"
                )
        for expert, recorded in (self.expert_sources or {}).items():
            if expert not in self.experts:
                raise ValueError(f"expert_sources names {expert!r}; the experts are {', '.join(self.experts)}")
            if set(recorded) != SOURCE_FIELDS or recorded["sha256"] is None:
                raise ValueError(f"expert_sources[{expert!r}] must have source, revision and sha256, got {recorded}")

    def validate_architecture(self):
        check_numbers(self, ("bottleneck_ratio", "adapter_ratio"), most=64.0)
        check_counts(self, (
            "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "image_size", "patch_size",
            "num_channels", "num_frames", "tubelet_size", "audio_frames", "num_mel_bins", "audio_patch_size",
            "audio_stride", "bottleneck_size", "adapter_size", "num_verbs", "num_nouns",
        ))  # fmt: skip
        check_numbers(self, ("attention_probs_dropout_prob", "drop_path_rate", "classifier_dropout"), most=1.0)
        eps = ("layer_norm_eps", "space_layer_norm_eps", "space_feature_layer_norm_eps")
        check_numbers(self, eps, most=1.0, above=True)
        check_numbers(self, ("initializer_range",), most=100.0, above=True)
        check_numbers(self, ("feature_scale",), most=1e6, least=-1e6)
        for size, divisor in (
            ("hidden_size", "num_attention_heads"),
            ("bottleneck_size", "num_attention_heads"),
            ("image_size", "patch_size"),
            ("num_frames", "tubelet_size"),
        ):
            if getattr(self, size) % getattr(self, divisor):
                raise ValueError(
                    f"{size} {getattr(self, size)} must be a multiple of {divisor} {getattr(self, divisor)}"
                )
        if self.hears and min(self.num_mel_bins, self.audio_frames) < self.audio_patch_size:
            raise ValueError(
                f"a spectrogram of {self.audio_frames} frames of {self.num_mel_bins} mel bins has no patch of "
                f"{self.audio_patch_size} x {self.audio_patch_size}"
            )


__all__ = ["CA2STConfig"]
