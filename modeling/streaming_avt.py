# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""AVT on a live stream: each frame is encoded once, and after each chunk the model predicts the next action.

    stream = AVTStream(model)
    for frames in camera:  # (B, t, C, H, W) from the model's video processor; any t
        show(stream(frames).logits.softmax(-1))  # (B, num_labels) of the next action

The image model encodes a new frame, and the decoder takes one more step with its cache. Beyond T frames the oldest is
dropped, and the decoder (not the image model) reads the last T features again, because their positions have changed.

B streams, t frames of a chunk, T frames that logits describe, D width of a feature.
"""

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache

from holovid.modeling.model_inputs import check_frames
from holovid.modeling.modeling_avt import AVTForActionAnticipation
from holovid.modeling.stream_output import StreamOutput


class AVTStream:
    """Feeds streams of frames to an AVT and predicts the next action.

    >>> from holovid import AVTConfig
    >>> _ = torch.manual_seed(0)
    >>> image_model = {"model_type": "vit", "image_size": 32, "hidden_size": 48, "num_attention_heads": 3}
    >>> config = AVTConfig(backbone_config=image_model, head_hidden_size=32, head_num_hidden_layers=1)
    >>> model = AVTForActionAnticipation(config).eval()
    >>> stream, frames = AVTStream(model, num_frames=4), torch.randn(1, 6, 3, 32, 32)
    >>> output = stream(frames)
    >>> output.frames, output.frames_seen
    ([range(2, 6)], [6])
    >>> torch.allclose(output.logits, model(frames[:, 2:]).logits, atol=1e-5)
    True

    All streams of a batch advance together; `reset()` starts new ones. Memory does not grow beyond T frames.

    Args:
        model: in eval mode, with an image model as backbone. Its weights are used in place, not copied.
        num_frames: T, by default the model's `num_frames`, as many positions as it was trained on. A model trained on
            long clips may use up to `max_position_embeddings`.

    Attributes:
        num_frames (`int`): T.
        step (`int`): 1: logits change with every frame.

    Raises `ValueError` for another model, one of features or with a video model as backbone, one in training mode,
    and for T out of range.
    """

    step = 1

    def __init__(self, model: AVTForActionAnticipation, num_frames: int | None = None):
        if not isinstance(model, AVTForActionAnticipation):
            raise ValueError(f"AVTStream takes an AVTForActionAnticipation, got {type(model).__name__}")
        if model.avt.frames is None:
            raise ValueError(
                "this model takes features; a stream needs a model of frames, with an image model as backbone"
            )
        if not model.avt.frames.one_by_one:
            raise ValueError(
                f"a stream encodes each frame once, but the backbone {type(model.avt.frames.model).__name__} needs "
                "the whole clip; use an AVT whose backbone is an image model"
            )
        if model.training:
            raise ValueError(
                "the model is in training mode, where dropout makes its answers random; call model.eval()"
            )
        self.model = model
        self.num_frames = model.config.num_frames if num_frames is None else num_frames
        most = model.config.max_position_embeddings
        if not 1 <= self.num_frames <= most:
            raise ValueError(f"num_frames must be from 1 to the {most} steps of the decoder, got {num_frames}")
        self.reset()

    def reset(self) -> None:
        """Start new streams."""
        self.shape: tuple[int, ...] | None = None  # (B, C, H, W) of one frame a stream
        self.features: Tensor | None = None  # (B, up to T, D) of the last frames
        self.cache: DynamicCache | None = None  # of the decoder
        self.seen = 0

    @torch.no_grad()
    def __call__(self, pixel_values_videos: Tensor) -> StreamOutput:
        """Take the next frames (B, t, C, H, W), t at least 1, of each stream and predict what follows the last.

        Raises `ValueError` when B or the frame size changes, and for frames that the model does not take; the streams
        then stay as they were. After any other error all streams start anew.
        """
        return self._follow(pixel_values_videos)[-1]

    @torch.no_grad()
    def after_each(self, pixel_values_videos: Tensor) -> list[StreamOutput]:
        """Take several frames (B, t, C, H, W) together, which is cheaper, and return a prediction after each."""
        return self._follow(pixel_values_videos, each=True)

    def _follow(self, pixel_values_videos: Tensor, each: bool = False) -> list[StreamOutput]:
        """Predictions after the last frame, or after `each`; all frames are encoded together."""
        check_frames(pixel_values_videos, self.model.config.num_channels)
        shape = (pixel_values_videos.shape[0], *pixel_values_videos.shape[2:])
        if self.shape not in (None, shape):
            raise ValueError(f"frames of these streams are {self.shape}, got {shape}; call reset() for new streams")
        outputs = []
        try:
            seen = self.model.avt.see(pixel_values_videos.to(self.model.device))
            for features in seen.split(1 if each else seen.shape[1], dim=1):
                following = self.model.avt.decoder.predict(self._read(features)[:, -1])
                self.seen += features.shape[1]
                frames = range(max(0, self.seen - self.num_frames), self.seen)
                logits = self.model.classifiers["action"](following)
                outputs.append(StreamOutput(logits, [frames] * shape[0], [self.seen] * shape[0]))
        except BaseException:
            self.reset()
            raise
        self.shape = shape
        return outputs

    def _read(self, features: Tensor) -> Tensor:
        """Hidden states (B, steps, M) of the decoder, up to the last frame's."""
        decoder = self.model.avt.decoder
        before = 0 if self.features is None else self.features.shape[1]
        known = features if self.features is None else torch.cat((self.features, features), dim=1)
        self.features = known[:, -self.num_frames :]
        if self.cache is None or before + features.shape[1] > self.num_frames:
            self.cache, features = DynamicCache(), self.features
        return decoder(features, self.cache)


__all__ = ["AVTStream"]
