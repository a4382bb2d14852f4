# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Videos of any kind -> normalised frames: decode sampled frames, resize, crop, normalise; with their audio.

In: a path, URL, bytes, open file, list of PIL or array frames, array or tensor; or lists of these, also mixed.
Out: `pixel_values_videos`, float32 (B, T, C, H, W). With several views or crops (B, V, T, C, H, W), V = num_views x
num_crops, the crops of a view side by side: average a model's logits over V.

With an `audio_config`, for models that use audio, also the time-aligned audio of the same clips: `input_values` (B,
rows, mel bins), `audio_mask` (B,), `audio_span` (B, 2) and `frame_times` (B, T), with V after B if there are several.
The defaults are those of the released XViT models. B clips, V views and crops, T frames, C channels.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from huggingface_hub.dataclasses import validate_typed_dict
from torch import Tensor
from transformers.image_utils import ChannelDimension, PILImageResampling, SizeDict
from transformers.processing_utils import Unpack, VideosKwargs
from transformers.utils import TensorType
from transformers.video_processing_utils import BaseVideoProcessor
from transformers.video_utils import VideoMetadata

from holovid.configuration.configuration_common import SavedWithSource
from holovid.processing.audio_decoding import checked_rate
from holovid.processing.clip_features import ClipFeatures
from holovid.processing.clip_reading import LargeFrames, read_clips, read_frames, split_audio
from holovid.processing.clip_sound import Listening
from holovid.processing.cropping import CROP_ORDERS, check_resized, crop, resized_size, with_channel_order
from holovid.processing.feature_extraction_holovid import HolovidFeatureExtractor
from holovid.processing.frame_sampling import SAMPLINGS, WITH_STRIDE, sample_frame_indices
from holovid.processing.given_frames import flatten_videos
from holovid.processing.options import (
    check_choices,
    check_colours,
    check_names,
    check_no_slips,
    in_few_lines,
    plain,
    split_known,
)
from holovid.processing.video_decoding import open_video

RESIZE_AT_ONCE = 2**23  # float32 values; page faults of larger buffers cost more than resizing
CHOICES = {
    "sampling": SAMPLINGS,
    "short_video": ("repeat", "error"),
    "decoder": ("pyav", "torchcodec"),
    "num_crops": (1, 3),
    "channel_order": ("rgb", "bgr"),
    "crop_order": CROP_ORDERS,
}


NAMES_IN_FILES = ("video_processor_type", "image_processor_type", "processor_class", "auto_map")
# options printed first, and options not printed
TOLD = (
    "num_frames",
    "sampling",
    "frame_stride",
    "fps",
    "size",
    "crop_size",
    "num_views",
    "num_crops",
    "image_mean",
    "image_std",
)
HEARD = ("sampling_rate", "num_mel_bins", "audio_frames", "mean", "std")
UNTOLD = (*NAMES_IN_FILES, "audio_config")
# options that `_preprocess` does not take
USED_WHILE_READING = ("input_data_format", "do_convert_rgb", "do_sample_frames", "device", "video_metadata")
USED_AFTERWARDS = ("data_format", "return_metadata")
AUDIO_OPTIONS = ("audio_config", "audio_center", "load_audio_from_video")


class HolovidVideoProcessorKwargs(VideosKwargs, total=False):  # type: ignore[call-arg]
    r"""
    sampling (`"uniform"`, `"segments"`, `"dense"`, `"strided"`, `"spread"` or `"last"`):
        Frame sampling with `do_sample_frames=True`: evenly spaced; one of each of `num_frames` equal segments;
        `num_frames` of a window of `num_frames * frame_stride`; or exactly `frame_stride` apart, with views from end
        to end, spread over the video, or counted back from its end; see `frame_sampling.py`. With `fps`, "uniform"
        takes that many frames a second and ignores `num_frames`; those with a stride count it at that rate.
    frame_stride (`int`):
        Step in frames of `sampling="dense"`, `"strided"`, `"spread"` and `"last"`.
    num_views (`int`):
        Passes over the video in time, for testing. Ignored with `do_sample_frames=False`.
    num_crops (`int`):
        1 = the centre; 3 = the two ends and the centre of the long side, for testing.
    do_random_sampling (`bool`):
        Pick frames at random within the recipe, for training.
    generator (`torch.Generator`, *optional*):
        Source of that randomness, only in the call; default: torch's generator.
    short_video (`"repeat"` or `"error"`):
        For a video shorter than the recipe: repeat its last frame, or raise a `ValueError`.
    decoder (`"pyav"` or `"torchcodec"`):
        Decoder of video files; torchcodec needs FFmpeg on the machine.
    antialias (`bool`):
        Smooth while shrinking. The released XViT models were trained without.
    crop_order (`"along"` or `"ends_first"`):
        Start, centre and end of the long side; or start, end and centre, at equal steps, as in the released Video
        Swin: with odd margins the centre is further up or left, and the end one pixel inside.
    channel_order (`"rgb"` or `"bgr"`):
        Of the output; mean and deviation are always those of red, green, blue. The released TimeSformer for
        Something-Something was trained on "bgr".
    audio_config (`dict`, *optional*):
        Parameters of a [`HolovidFeatureExtractor`], for a model that uses audio; not an argument of the call.
    load_audio_from_video (`bool`):
        Whether a model that uses audio gets the sound track of a video file if no `audio` is passed. If not, such a
        clip is silent.
    audio_center (`float`, *optional*):
        Which part of long audio is kept, from 0 (its beginning) to 1 (its end). Default: the middle (with several
        views, places around it), or with `do_random_sampling` any.
    """

    sampling: str | None
    frame_stride: int | None
    num_views: int | None
    num_crops: int | None
    do_random_sampling: bool | None
    generator: torch.Generator | None
    short_video: str | None
    decoder: str | None
    antialias: bool | None
    channel_order: str | None
    crop_order: str | None
    audio_config: dict | None
    load_audio_from_video: bool | None
    audio_center: float | None


class HolovidVideoProcessor(SavedWithSource, BaseVideoProcessor):
    """Converts videos into the input of holovid's models; every option can be set here, or per call.

    With `audio_config` it also reads audio, on a clock that starts with the first frame of the video:

    - audio before the first frame or after the last one is left out; before a track that starts late, and in gaps,
      there is silence; after a track that ends early there are rows of zeros, as after all short audio;
    - audio longer than the spectrogram is cropped: around the middle, or around the frames that `sampling="dense"`,
      `"strided"`, `"spread"` and `"last"` choose; `audio_span` says where;
    - a clip without a track, with an empty one, or with only zeros in the crop is silent: its `audio_mask` is False
    and its
      `input_values` are zeros.

    Raises `ValueError` for a source that is not a video, and for options that do not fit together.
    """

    resample = PILImageResampling.BILINEAR
    antialias = False
    image_mean: ClassVar = [0.5, 0.5, 0.5]
    image_std: ClassVar = [0.5, 0.5, 0.5]
    size: ClassVar = {"shortest_edge": 224}
    default_to_square = False
    crop_size: ClassVar = {"height": 224, "width": 224}
    do_resize = True
    do_center_crop = True
    do_rescale = True
    rescale_factor = 1 / 255
    do_normalize = True
    do_convert_rgb = True
    channel_order = "rgb"
    crop_order = "along"

    do_sample_frames = True
    num_frames = 8
    sampling = "uniform"
    frame_stride = 1
    num_views = 1
    num_crops = 1
    do_random_sampling = False
    short_video = "repeat"
    decoder = "pyav"

    feature_extractor: HolovidFeatureExtractor | None = None
    load_audio_from_video = True
    audio_center: float | None = None

    valid_kwargs = HolovidVideoProcessorKwargs

    def __init__(self, **kwargs: Unpack[HolovidVideoProcessorKwargs]):
        if kwargs.pop("generator", None) is not None:
            raise ValueError("generator is an argument of the call: processor(videos, generator=generator)")
        check_names(kwargs, self.known_names(), "HolovidVideoProcessor")
        super().__init__(**kwargs)

    def __repr__(self) -> str:
        settings = self.to_dict()
        others = [
            option
            for option, value in settings.items()
            if option not in (*TOLD, *UNTOLD) and value is not None and value != getattr(type(self), option, None)
        ]
        told = {option: settings[option] for option in (*TOLD, *others) if settings.get(option) is not None}
        if self.audio_config is not None:
            told["audio_config"] = {name: settings["audio_config"][name] for name in HEARD}
        return in_few_lines(type(self).__name__, told)

    @classmethod
    def known_names(cls) -> set[str]:
        """Options, and other entries of saved files."""
        return {*cls.valid_kwargs.__annotations__, "pad_size", *NAMES_IN_FILES}

    @classmethod
    def from_dict(cls, video_processor_dict: dict[str, Any], **kwargs: Any):
        """Unknown entries of files are kept, so files of later versions load. Misspelt options are a `ValueError`."""
        check_no_slips(kwargs, cls.known_names(), "HolovidVideoProcessor")
        known, others = split_known(video_processor_dict, cls.known_names())
        loaded = super().from_dict(known, **kwargs)
        for name, value in others.items():
            setattr(loaded[0] if isinstance(loaded, tuple) else loaded, name, value)
        return loaded

    @property
    def audio_config(self) -> dict | None:
        """Parameters of `feature_extractor`; `None` if the model does not use audio."""
        return None if self.feature_extractor is None else self.feature_extractor.to_dict()

    @audio_config.setter
    def audio_config(self, config: dict | None):
        if not isinstance(config, dict | None):
            raise ValueError(
                f"audio_config must be a dict of the parameters of a HolovidFeatureExtractor, got {config!r}"
            )
        self.feature_extractor = None if config is None else HolovidFeatureExtractor(**config)

    @property
    def model_input_names(self) -> list[str]:
        sound = [] if self.feature_extractor is None else ["frame_times", *self.feature_extractor.model_input_names]
        return ["pixel_values_videos", *sound]

    def to_dict(self) -> dict[str, Any]:
        saved = super().to_dict()
        saved.pop("feature_extractor", None)
        if self.feature_extractor is None:
            return {name: value for name, value in saved.items() if name not in AUDIO_OPTIONS}
        return saved | {"audio_config": self.audio_config}

    def __call__(self, videos: Any, **kwargs: Any) -> ClipFeatures:
        """Convert videos into a model's inputs.

        Args:
            videos: one or several, of any kind that [`HolovidVideoProcessor.preprocess`] lists: paths, URLs, bytes,
                open files, parts of films, lists of frames, arrays, tensors.
            kwargs: `audio` and `sampling_rate` for models that use audio, `return_tensors="pt"`, and options instead
                of
                the processor's own.

        Returns a dict with `pixel_values_videos` (B, T, C, H, W), for models that use audio also `input_values`,
        `audio_mask`, `audio_span` and `frame_times`; with several views or crops V of them after B.

        >>> import torch
        >>> from holovid import HolovidVideoProcessor
        >>> processor = HolovidVideoProcessor(num_frames=4)
        >>> video = torch.randint(256, (30, 3, 240, 320), dtype=torch.uint8)
        >>> processor(video, return_tensors="pt")["pixel_values_videos"].shape
        torch.Size([1, 4, 3, 224, 224])
        """
        return super().__call__(videos, **kwargs)

    def preprocess(
        self,
        videos: Any,
        audio: Any = None,
        sampling_rate: int | None = None,
        **kwargs: Unpack[HolovidVideoProcessorKwargs],
    ) -> ClipFeatures:
        """
        Args:
            videos: a path, URL, bytes, binary file object, `{"path", "bytes"}` (as `datasets.Video(decode=False)`
                returns, and with `"start"` and `"end"` in seconds a part of it), part of an open video
                (`VideoFile.part`), list of frames (PIL, or arrays of 3 axes), array or tensor (T, C, H, W) or (T, H,
                W, C); a batch of those as an array of 5 axes or as a list, which may mix them.
            audio: for a model that uses audio, the sound of each video in the kinds that [`HolovidFeatureExtractor`]
                takes; it starts with the first frame. `None`, also in a list, stands for the video's sound track; an
                empty waveform for silence.
            sampling_rate: in Hz, of waveforms in `audio` that come without one.
            kwargs: options that differ from the processor's own.

        For a model that uses audio, videos given as frames need `audio`, and should have a rate (`video_metadata` with
        `fps`), else they are assumed to last as long as the sound.
        """
        return self.with_options(sampling_rate, **kwargs)(videos, audio)

    def with_options(
        self, sampling_rate: int | None = None, **kwargs: Unpack[HolovidVideoProcessorKwargs]
    ) -> Callable[..., ClipFeatures]:
        """`preprocess` with these options, which are checked only once: for reading many clips.

        Args:
            sampling_rate, kwargs: see `preprocess`. The processor's current options complete them.

        Returns a function of `(videos, audio=None)` that returns what `preprocess` does. Raises `ValueError` for
        impossible options.
        """
        kwargs = {name: value for name, value in kwargs.items() if value is not None}  # None: the processor's own
        if "audio_config" in kwargs:
            raise ValueError("audio_config is not an argument of the call; set it on the processor")
        options: dict[str, Any] = {
            name: kwargs.get(name, getattr(self, name, None)) for name in self.valid_kwargs.__annotations__
        }
        check_names(kwargs, options, "HolovidVideoProcessor")
        check_choices(options, CHOICES)
        kwargs = plain(kwargs)
        options |= kwargs
        if sampling_rate is not None:
            checked_rate(sampling_rate)
        if not options["do_sample_frames"]:
            options["num_views"] = 1
        validate_typed_dict(self.valid_kwargs, kwargs)
        # from here on as in the base class, which would check everything again for each clip
        of_frames = self._standardize_kwargs(
            **{name: value for name, value in options.items() if name not in USED_WHILE_READING}
        )
        self._validate_preprocess_kwargs(**of_frames)
        of_frames = {name: value for name, value in of_frames.items() if name not in USED_AFTERWARDS}
        return partial(self._read, options=options, of_frames=of_frames, sampling_rate=sampling_rate)

    def _read(
        self,
        videos: Any,
        audio: Any = None,
        *,
        options: dict[str, Any],
        of_frames: dict[str, Any],
        sampling_rate: int | None,
    ) -> ClipFeatures:
        """Model inputs of clips, with checked options; `of_frames` are those of `_preprocess`."""
        videos, listening = flatten_videos(videos), self._listening(options, sampling_rate)
        pick = partial(self.sample_frames, **options) if options["do_sample_frames"] else None
        large = LargeFrames(self._shrinking(options), RESIZE_AT_ONCE // 2)  # resized one by one
        clips = read_clips(videos, split_audio(videos, audio, listening), options, pick, large, listening)
        frames = self._prepare_input_videos(
            [clip.frames for clip in clips],
            do_convert_rgb=options["do_convert_rgb"],
            input_data_format=ChannelDimension.FIRST,
            device=options["device"],
        )
        features = self._preprocess(videos=frames, are_resized=[clip.is_resized for clip in clips], **of_frames)
        if options["return_metadata"]:
            features["video_metadata"] = [clip.metadata for clip in clips]
        if listening is not None:
            inputs = listening.inputs([clip.heard for clip in clips if clip.heard is not None], options["device"])
            features.update(ClipFeatures(inputs, tensor_type=options["return_tensors"]))
        return features

    def _listening(self, options: dict[str, Any], sampling_rate: int | None) -> Listening | None:
        """How a call's clips use audio; `None` if the model does not."""
        if self.feature_extractor is None:
            return None
        return Listening(
            self.feature_extractor,
            sampling_rate,
            from_video=options["load_audio_from_video"],
            num_views=options["num_views"],
            num_crops=options["num_crops"],
            around_frames=options["sampling"] in WITH_STRIDE and options["do_sample_frames"],
            center=options["audio_center"],
            at_random=options["do_random_sampling"],
            generator=options["generator"],
        )

    def _shrinking(self, options: dict[str, Any]) -> Callable[[Tensor], Tensor]:
        """A function that resizes frames which are too large to keep."""

        def shrink(frames: Tensor) -> Tensor:
            if options["device"] is not None:
                frames = frames.to(options["device"])
            size = super(HolovidVideoProcessor, self)._standardize_kwargs(
                size=options["size"], default_to_square=options["default_to_square"]
            )["size"]
            to_float = options["do_rescale"] or options["do_normalize"]
            return self._resized(
                frames, to_float, options["do_resize"], size, options["resample"], options["antialias"]
            )

        return shrink

    def _resized(
        self, frames: Tensor, to_float: bool, do_resize: bool, size: SizeDict, resample: Any, antialias: bool
    ) -> Tensor:
        """Frames (T, C, H, W) before cropping; frames of the target size stay unchanged."""
        # float before resizing: the reference does not round resized pixels
        if do_resize:
            check_resized(frames, resized_size(self.resize, frames.shape[-2:], tuple(vars(size).items())))
        frames = frames.to(torch.float32) if to_float else frames
        return self.resize(frames, size=size, resample=resample, antialias=antialias) if do_resize else frames

    def sample_frames(
        self,
        metadata: VideoMetadata,
        num_frames: int | None = None,
        fps: int | float | None = None,
        sampling: str | None = None,
        frame_stride: int | None = None,
        num_views: int | None = None,
        do_random_sampling: bool | None = None,
        short_video: str | None = None,
        generator: torch.Generator | None = None,
        **kwargs,
    ) -> np.ndarray:
        """Frame indices (V * T,), view after view; `None` options are the processor's own."""

        def own(value, name):
            return getattr(self, name) if value is None else value

        return sample_frame_indices(
            metadata.total_num_frames,
            own(sampling, "sampling"),
            own(num_frames, "num_frames"),
            fps=own(fps, "fps"),
            video_fps=metadata.fps,
            frame_stride=own(frame_stride, "frame_stride"),
            num_views=own(num_views, "num_views"),
            do_random_sampling=own(do_random_sampling, "do_random_sampling"),
            short_video=own(short_video, "short_video"),
            generator=generator,
        ).reshape(-1)

    def fetch_videos(self, video_url_or_urls: Any, sample_indices_fn: Callable | None = None):
        """Decode one video, (frames uint8 (T, C, H, W), metadata), or a list, (all frames, all metadata)."""
        if isinstance(video_url_or_urls, list):
            return list(zip(*[self.fetch_videos(x, sample_indices_fn) for x in video_url_or_urls], strict=True))
        with open_video(video_url_or_urls, self.decoder) as video:
            return read_frames(video, sample_indices_fn)[:2]

    def _standardize_kwargs(self, **kwargs) -> dict:
        # called with the processor's options and with a call's
        check_choices(kwargs, CHOICES)
        return super()._standardize_kwargs(**kwargs)

    def _preprocess(
        self,
        videos: list[Tensor],
        do_resize: bool,
        size: SizeDict,
        resample: PILImageResampling | int | None,
        antialias: bool,
        do_center_crop: bool,
        crop_size: SizeDict,
        num_views: int,
        num_crops: int,
        do_rescale: bool,
        rescale_factor: float,
        do_normalize: bool,
        image_mean: float | tuple[float, ...] | None,
        image_std: float | tuple[float, ...] | None,
        channel_order: str,
        crop_order: str,
        return_tensors: str | TensorType | None = None,
        are_resized: Sequence[bool] = (),
        **kwargs,
    ) -> ClipFeatures:
        """`are_resized`: for each video, whether it was resized while it was read; by default none was."""
        to_float = do_rescale or do_normalize

        def resized(frames: Tensor) -> Tensor:
            return self._resized(frames, to_float, do_resize, size, resample, antialias)

        processed = []
        for frames, is_resized in zip(videos, are_resized or [False] * len(videos), strict=True):
            if not is_resized:  # sizes are rounded: a second time would give another one
                at_once = max(1, RESIZE_AT_ONCE // frames[0].numel()) if do_resize else len(frames)
                pieces = [resized(piece) for piece in frames.split(at_once)]
                frames = torch.cat(pieces) if len(pieces) > 1 else pieces[0]
            if num_views * num_crops > 1:
                crops = crop(frames, crop_size, num_crops, crop_order) if do_center_crop else [frames]
                # (V * T, C, H, W) -> (views, crops, T, C, H, W)
                frames = torch.stack([crop.unflatten(0, (num_views, -1)) for crop in crops], dim=1).flatten(0, 1)
            elif do_center_crop:
                (frames,) = crop(frames, crop_size, num_crops, crop_order)
            # Frames as decoded stay in memory as (T, H, W, C), which a transform resizes in half the time. They are
            # normalised as (T, C, H, W), which takes a third of the time.
            stays = return_tensors is None and not (to_float or do_resize)
            frames = frames if stays else frames.contiguous()
            if do_normalize:
                check_colours(frames.shape[-3], image_mean=image_mean, image_std=image_std)
            frames = self.rescale_and_normalize(
                frames, do_rescale, rescale_factor, do_normalize, image_mean, image_std
            )
            processed.append(with_channel_order(frames, channel_order))
        # one clip need not be copied into a batch, unless it may be the memory of what was given
        is_new = to_float and len(processed) == 1 and return_tensors == "pt"
        batch = processed[0][None] if is_new else processed
        return ClipFeatures(data={"pixel_values_videos": batch}, tensor_type=return_tensors)


__all__ = ["CHOICES", "HolovidVideoProcessor", "HolovidVideoProcessorKwargs"]
