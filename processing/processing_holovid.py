# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""The processor of a checkpoint: videos, and for models that use audio their sound, time-aligned.

In: videos, and `audio` that they do not contain. Out: `pixel_values_videos` (B, T, C, H, W); for a model that uses
audio also `frame_times` (B, T), `input_values` (B, rows, mel bins), `audio_mask` (B,) and `audio_span` (B, 2), in
seconds from the first frame of the video. [`HolovidVideoProcessor`] says which part of the audio is used. B clips.
"""

from collections.abc import Mapping
from typing import Any, TypedDict

from transformers import PreTrainedConfig, PreTrainedModel
from transformers.processing_utils import ProcessingKwargs, ProcessorMixin, Unpack

from holovid.configuration.configuration_common import SavedWithSource
from holovid.processing.clip_features import ClipFeatures
from holovid.processing.feature_extraction_holovid import HolovidFeatureExtractor
from holovid.processing.options import check_choices, check_names, plain
from holovid.processing.source_preprocessing import sound_options, source_options
from holovid.processing.video_processing_holovid import CHOICES, HolovidVideoProcessor, HolovidVideoProcessorKwargs


class HolovidAudioKwargs(TypedDict, total=False):
    """`sampling_rate` (`int`): of waveforms in `audio`, in Hz."""

    sampling_rate: int | None
    return_tensors: str | None


class HolovidProcessorKwargs(ProcessingKwargs, total=False):  # type: ignore[call-arg]
    videos_kwargs: HolovidVideoProcessorKwargs
    audio_kwargs: HolovidAudioKwargs


class NoTokenizer:
    init_kwargs: dict[str, Any] = {}  # noqa: RUF012
    bos_token_id = eos_token_id = pad_token_id = None


class HolovidProcessor(SavedWithSource, ProcessorMixin):
    """Converts videos and sound into all inputs of a holovid model.

    The video processor does the work, and can be used alone: in the stock video-classification pipeline.

    Args:
        video_processor: with an `audio_config` if the model uses audio.
    """

    valid_processor_kwargs = HolovidProcessorKwargs
    tokenizer = NoTokenizer()

    def __init__(self, video_processor: HolovidVideoProcessor):
        super().__init__(video_processor)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.video_processor!r})"

    @classmethod
    def for_model(
        cls, model: PreTrainedModel | PreTrainedConfig, source: Any = None, **options: Any
    ) -> "HolovidProcessor":
        """The processor for a model or its configuration: frames, their size and colours, and spectrogram.

        Args:
            model: it, or its configuration.
            source: where its weights come from, if from an image model or experts: a folder or Hub id, a model loaded
                from one, or an image processor; for experts, a dict from each name to one of these. Mean, deviation,
                size and resampling come from its preprocessor_config.json; an audio expert's mean, deviation and rate
                too. Without one, a warning names the defaults; if two experts differ, the configuration's own count.
            options: of the video processor, which take precedence, also single ones in `audio_config`.

        >>> from holovid import XViTForVideoClassification
        >>> model = XViTForVideoClassification.from_image_model("google/vit-base-patch16-224")  # doctest: +SKIP
        >>> HolovidProcessor.for_model(model, source="google/vit-base-patch16-224")  # doctest: +SKIP

        Raises `ValueError` for impossible options and files, `OSError` if the source does not exist.
        """
        config = getattr(model, "config", model)
        if not hasattr(config, "frame_size"):
            raise ValueError(f"for_model takes a holovid model or its configuration, got {type(model).__name__}")
        height, width = config.frame_size
        colours = {"image_mean": list(config.image_mean), "image_std": list(config.image_std)}
        fitting = {
            "num_frames": config.num_frames,
            "size": {"shortest_edge": max(height, width)},
            "crop_size": {"height": height, "width": width},
            **colours,
            **getattr(config, "frame_options", {}),
        }
        audio: dict[str, Any] = {}
        if source is not None:
            fitting |= source_options(source, (height, width), colours)
            if isinstance(source, Mapping) and "audio" in source:
                audio = sound_options(source["audio"])
        if config.hears:
            audio |= {"audio_frames": config.audio_frames, "num_mel_bins": config.num_mel_bins}
            options["audio_config"] = audio | (options.get("audio_config") or {})
        return cls(HolovidVideoProcessor(**fitting | options))

    @property
    def feature_extractor(self) -> HolovidFeatureExtractor | None:
        """Makes spectrograms; `None` if the model does not use audio."""
        return self.video_processor.feature_extractor

    @property
    def model_input_names(self) -> list[str]:
        return self.video_processor.model_input_names

    def to_dict(self) -> dict[str, Any]:
        extractor = self.feature_extractor
        # a copy of the video processor's, for `AutoFeatureExtractor`
        return super().to_dict() | ({} if extractor is None else {"feature_extractor": extractor.to_dict()})

    def save_pretrained(self, save_directory: Any, **kwargs: Any) -> list[str]:
        saved = super().save_pretrained(save_directory, **kwargs)
        self.__dict__.pop("auto_map", None)  # it belongs to the folder; loading does not keep it either
        return saved

    def __call__(
        self, videos: Any = None, audio: Any = None, **kwargs: Unpack[HolovidProcessorKwargs]
    ) -> ClipFeatures:
        """
        Args:
            videos, audio: see [`HolovidVideoProcessor.preprocess`].
            sampling_rate: of waveforms in `audio`, in Hz.
            kwargs: options of the video processor, plain or in `videos_kwargs`; `sampling_rate` also in
                `audio_kwargs`.

        Raises `ValueError` when videos are missing, when a model that uses audio gets frames without it or another
        gets audio, for unknown options, and what the video processor raises.
        """
        if videos is None:
            hears = self.feature_extractor is not None
            raise ValueError(f"this model takes videos{', with sound or with audio passed too' if hears else ''}")
        known = {"common_kwargs", *HolovidProcessorKwargs.__annotations__}
        known |= HolovidVideoProcessorKwargs.__annotations__.keys() | HolovidAudioKwargs.__annotations__.keys()
        check_names(kwargs, known, "HolovidProcessor")
        if not isinstance(kwargs.get("videos_kwargs") or {}, Mapping):
            raise ValueError(f"videos_kwargs must be a dict of options, got {type(kwargs['videos_kwargs']).__name__}")
        check_names(kwargs.get("videos_kwargs") or {}, HolovidVideoProcessorKwargs.__annotations__, "videos_kwargs")
        # before merging, where transformers checks types
        for given in (kwargs, kwargs.get("videos_kwargs") or {}):
            check_choices(given, CHOICES)
        kwargs = plain(kwargs)
        # Merging copies, and a copied generator would draw the same numbers in each call.
        holders = [kwargs, plain(kwargs.get("videos_kwargs") or {})]
        generators = [holder.pop("generator") for holder in holders if holder.get("generator") is not None]
        merged = self._merge_kwargs(**kwargs | ({"videos_kwargs": holders[1]} if holders[1] else {}))
        options = merged["videos_kwargs"] | ({"generator": generators[0]} if generators else {})
        sampling_rate = merged["audio_kwargs"].get("sampling_rate")
        return self.video_processor(videos, audio=audio, sampling_rate=sampling_rate, **options)


__all__ = ["HolovidProcessor", "HolovidProcessorKwargs"]
