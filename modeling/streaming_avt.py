# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""AVT on a live stream: each frame is seen once, and after each it is said what comes next.

    stream = AVTStream(model)
    for frames in camera:  # (B, t, C, H, W), as the model's video processor gives them; any t
        show(stream(frames).logits.softmax(-1))  # (B, num_labels) of the action that follows

The image model sees a new frame, and the decoder takes one more step with what it holds of the frames before. As soon
as there are more than T frames, it forgets the oldest: then the decoder alone reads the features of the last T anew,
because each of them has moved to another place.

B streams, t frames of a chunk, T frames that logits are about, D width of a feature.
"""

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache

from holovid.modeling.model_inputs import check_frames
from holovid.modeling.modeling_avt import AVTForActionAnticipation
from holovid.modeling.stream_output import StreamOutput


class AVTStream:
    """Feeds streams of frames to an AVT and says what comes after the last of them.

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

    All streams of a batch advance together; `reset()` begins them anew. What is kept does not grow beyond T frames.

    Args:
        model: in eval mode, of frames. Its weights are looked at when frames come, not copied.
        num_frames: T, by default the model's `num_frames`: it has learned no more places than that. A model that was
            trained on long clips may look back as far as `max_position_embeddings`.

    Attributes:
        num_frames (`int`): T.
        step (`int`): 1: logits change with every frame.

    Raises `ValueError` for a model that is no AVT of frames, whose backbone is a video model, or that is in training
    mode, and for T out of range.
    """

    step = 1

    def __init__(self, model: AVTForActionAnticipation, num_frames: int | None = None):
        if not isinstance(model, AVTForActionAnticipation):
            raise ValueError(f"a stream is read by an AVTForActionAnticipation, got {type(model).__name__}")
        if model.avt.frames is None:
            raise ValueError("a stream has frames, and this model takes features")
        if not model.avt.frames.one_by_one:
            raise ValueError(
                f"a stream sees each frame once, and the backbone {type(model.avt.frames.model).__name__} looks at "
                "the whole clip for each; give an AVT whose backbone is an image model"
            )
        if model.training:
            raise ValueError(
                "the model is in training mode, where chance has a part in its answers; call model.eval()"
            )
        self.model = model
        self.num_frames = model.config.num_frames if num_frames is None else num_frames
        most = model.config.max_position_embeddings
        if not 1 <= self.num_frames <= most:
            raise ValueError(f"num_frames must be from 1 to the {most} steps of the decoder, got {num_frames}")
        self.reset()

    def reset(self) -> None:
        """Begin all streams anew."""
        self.shape: tuple[int, ...] | None = None  # of a frame of each stream: (B, C, H, W)
        self.features: Tensor | None = None  # (B, up to T, D) of the last frames
        self.cache: DynamicCache | None = None  # what the decoder holds of them
        self.seen = 0

    @torch.no_grad()
    def __call__(self, pixel_values_videos: Tensor) -> StreamOutput:
        """Take the next frames of each stream and say what follows the last of them.

        Args:
            pixel_values_videos: (B, t, C, H, W), t at least 1, as the model takes them.

        Raises `ValueError` when B or the size of frames is not what it was before, and for frames that the model does
        not take; the streams are then as they were. After any other error all streams begin anew.
        """
        return self._follow(pixel_values_videos)[-1]

    @torch.no_grad()
    def after_each(self, pixel_values_videos: Tensor) -> list[StreamOutput]:
        """Take the next frames together, which is cheaper than one by one, and return what was said after each.

        Args:
            pixel_values_videos: (B, t, C, H, W) as in the call.

        Raises what the call raises.
        """
        return self._follow(pixel_values_videos, each=True)

    def _follow(self, pixel_values_videos: Tensor, each: bool = False) -> list[StreamOutput]:
        """What follows after the last frame, or after `each`; all of them are seen together."""
        check_frames(pixel_values_videos, self.model.config.num_channels)
        shape = (pixel_values_videos.shape[0], *pixel_values_videos.shape[2:])
        if self.shape not in (None, shape):
            raise ValueError(f"frames of these streams are {self.shape}, got {shape}; reset() begins new streams")
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
        """Hidden states (B, steps, M) of the decoder, the last one that of the last frame."""
        decoder = self.model.avt.decoder
        before = 0 if self.features is None else self.features.shape[1]
        known = features if self.features is None else torch.cat((self.features, features), dim=1)
        self.features = known[:, -self.num_frames :]
        if self.cache is None or before + features.shape[1] > self.num_frames:
            self.cache, features = DynamicCache(), self.features
        return decoder(features, self.cache)


__all__ = ["AVTStream"]
