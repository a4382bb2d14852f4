# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""The processor of a checkpoint: videos, and for models that hear their sound, on one clock.

In: videos, and `audio` where they do not bring it along. Out: `pixel_values_videos` (B, T, C, H, W); for a model that
hears also `frame_times` (B, T), `input_values` (B, rows, mel bins), `audio_mask` (B,) and `audio_span` (B, 2), with
seconds from the first frame of the video. What is heard of a clip: [`HolovidVideoProcessor`]. Alphabet: B clips.
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
    """What stands where `Trainer` looks for the tokenizer of a processor and its special tokens."""

    init_kwargs: dict[str, Any] = {}  # noqa: RUF012
    bos_token_id = eos_token_id = pad_token_id = None


class HolovidProcessor(SavedWithSource, ProcessorMixin):
    """Videos and sound in, everything that a model of holovid takes out.

    The video processor does the work, so that it works alone as well: in the stock video-classification pipeline.

    Args:
        video_processor: with an `audio_config` if the model hears.
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
        """The processor for a model or its configuration: its frames, their size and colours, and its spectrogram.

        Args:
            model: it, or its configuration.
            source: where its weights come from, if that is an image model or experts: a folder or Hub id, a model
                loaded from one, or an image processor; of experts, the name of each -> one of these. Mean, deviation,
                size and resampling are then those of its preprocessor_config.json, and of an audio expert mean,
                deviation and rate. A warning says when there is none, and what is assumed; where two experts, who see
                one clip, differ, the configuration's own counts.
            options: of the video processor, which take precedence; in `audio_config`, each of them does.

        >>> from holovid import XViTForVideoClassification
        >>> model = XViTForVideoClassification.from_image_model("google/vit-base-patch16-224")  # doctest: +SKIP
        >>> HolovidProcessor.for_model(model, source="google/vit-base-patch16-224")  # doctest: +SKIP

        Raises `ValueError` for options and files that cannot be, `OSError` where there is no source.
        """
        config = getattr(model, "config", model)
        if not hasattr(config, "frame_size"):
            raise ValueError(f"for_model takes a model of holovid or its configuration, got {type(model).__name__}")
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
        """What makes spectrograms of sound; `None` if the model does not hear."""
        return self.video_processor.feature_extractor

    @property
    def model_input_names(self) -> list[str]:
        return self.video_processor.model_input_names

    def to_dict(self) -> dict[str, Any]:
        extractor = self.feature_extractor
        # beside the video processor, which holds the same, where `AutoFeatureExtractor` looks for it
        return super().to_dict() | ({} if extractor is None else {"feature_extractor": extractor.to_dict()})

    def save_pretrained(self, save_directory: Any, **kwargs: Any) -> list[str]:
        saved = super().save_pretrained(save_directory, **kwargs)
        self.__dict__.pop("auto_map", None)  # it is about the folder, and loading does not keep it either
        return saved

    def __call__(
        self, videos: Any = None, audio: Any = None, **kwargs: Unpack[HolovidProcessorKwargs]
    ) -> ClipFeatures:
        """
        Args:
            videos, audio: see [`HolovidVideoProcessor.preprocess`].
            sampling_rate: of waveforms in `audio`, in Hz.
            kwargs: options of the video processor, plain or in `videos_kwargs`; `sampling_rate` may stand in
                `audio_kwargs`.

        Raises `ValueError` when videos are missing, when a model that hears gets frames without audio or one that does
        not gets audio, for unknown options, and what the video processor raises.
        """
        if videos is None:
            hears = self.feature_extractor is not None
            raise ValueError(
                f"this model {'sees and hears' if hears else 'sees'}: give it videos"
                f"{', with sound or with audio beside them' if hears else ''}"
            )
        known = {"common_kwargs", *HolovidProcessorKwargs.__annotations__}
        known |= HolovidVideoProcessorKwargs.__annotations__.keys() | HolovidAudioKwargs.__annotations__.keys()
        check_names(kwargs, known, "HolovidProcessor")
        if not isinstance(kwargs.get("videos_kwargs") or {}, Mapping):
            raise ValueError(f"videos_kwargs must be a dict of options, got {type(kwargs['videos_kwargs']).__name__}")
        check_names(kwargs.get("videos_kwargs") or {}, HolovidVideoProcessorKwargs.__annotations__, "videos_kwargs")
        # before they are merged, which is where transformers looks at types
        for given in (kwargs, kwargs.get("videos_kwargs") or {}):
            check_choices(given, CHOICES)
        kwargs = plain(kwargs)
        # Merging copies, and a copy of a generator would give the same numbers in each call.
        holders = [kwargs, plain(kwargs.get("videos_kwargs") or {})]
        generators = [holder.pop("generator") for holder in holders if holder.get("generator") is not None]
        merged = self._merge_kwargs(**kwargs | ({"videos_kwargs": holders[1]} if holders[1] else {}))
        options = merged["videos_kwargs"] | ({"generator": generators[0]} if generators else {})
        sampling_rate = merged["audio_kwargs"].get("sampling_rate")
        return self.video_processor(videos, audio=audio, sampling_rate=sampling_rate, **options)


__all__ = ["HolovidProcessor", "HolovidProcessorKwargs"]
