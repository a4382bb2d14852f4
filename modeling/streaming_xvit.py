# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""XViT on a live stream of frames or chunks: no frame is computed twice, and the logits are exact.

    stream = XViTStream(model)
    for frames in camera:  # (B, t, C, H, W) from the model's video processor; any t
        output = stream(frames)
        if output.logits is not None:
            show(output.logits.softmax(-1), output.frames)  # (B, num_labels), and the frames that they describe

The model's configuration decides when frames can be computed:

- `mix_direction="past"`: no frame depends on a later one, so each is computed when it comes (`PastFrames`). There are
  logits after every frame: those of the model run over the whole stream from its first frame, pooled over the last T.
- otherwise: frames mix inside groups of G, and a group is computed when it is complete (`FrameGroups`). There are
  logits after every G frames: those of the model run on the last T.

B streams, t frames of a chunk, T frames that logits describe, G frames of a group, S tokens of a frame, D width.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from holovid.modeling.model_inputs import check_pixels
from holovid.modeling.modeling_xvit import XViTForVideoClassification, XViTModel, XViTTimeMixing
from holovid.modeling.stream_output import StreamOutput


class XViTStream:
    """Feeds streams of frames to an XViT and classifies the last T of them.

    >>> from holovid import XViTConfig
    >>> _ = torch.manual_seed(0)
    >>> config = XViTConfig(image_size=16, num_frames=8, mix_group=4, temporal_embedding_length=4, hidden_size=48)
    >>> model = XViTForVideoClassification(config).eval()
    >>> stream, frames = XViTStream(model), torch.randn(1, 13, 3, 16, 16)
    >>> output = stream(frames)
    >>> output.frames, output.frames_seen
    ([range(4, 12)], [13])
    >>> torch.allclose(output.logits, model(frames[:, 4:12]).logits, atol=1e-5)
    True

    All streams of a batch advance together. If frames were lost, call `reset()`. Memory does not grow with a stream
    (`num_bytes`); a chunk needs the memory of a clip of as many frames.

    Args:
        model: in eval mode. Its weights are used in place, not copied.
        num_frames: T, by default the model's `num_frames`.

    Attributes:
        num_frames (`int`): T.
        step (`int`): logits change after this many frames: 1, or G.

    Raises `ValueError` for another model, one in training mode, and when a group's result would change as the stream
    moves on: the message says why, and which `num_frames` works.
    """

    def __init__(self, model: XViTForVideoClassification, num_frames: int | None = None):
        if not isinstance(model, XViTForVideoClassification):
            raise ValueError(
                f"XViTStream takes holovid's XViTForVideoClassification, got {type(model).__module__}."
                f"{type(model).__name__}"
            )
        if model.training:
            raise ValueError(
                "the model is in training mode, where dropout makes its answers random; call model.eval()"
            )
        self.model = model
        self.num_frames = model.config.num_frames if num_frames is None else num_frames
        if self.num_frames < 1:
            raise ValueError(f"num_frames must be at least 1, got {num_frames}")
        self.backbone: PastFrames | FrameGroups
        if model.config.mix_direction == "past":
            self.backbone = PastFrames(model.xvit)
            self.step = 1
        else:
            self.step = group_length(model.xvit, self.num_frames)
            self.backbone = FrameGroups(model.xvit, self.step, self.num_frames)
        self.reset()

    def reset(self, streams: Sequence[int] | None = None) -> None:
        """Start anew: all streams, or those of these numbers while the others go on (not possible with groups)."""
        if streams is None:
            self.shape: tuple[int, ...] | None = None  # (B, C, H, W) of one frame a stream
            self.frames_seen: list[int] = []
            self.features: Tensor | None = None  # (B, up to T, D) of the last frames
            self.logits: Tensor | None = None
            self.frames: list[range] | None = None  # that the logits describe
            self.backbone.forget()
            return
        if isinstance(self.backbone, FrameGroups):
            raise ValueError(
                "this model's streams complete their groups together, so single ones cannot start anew: call reset() "
                "for all"
            )
        if unknown := [stream for stream in streams if not 0 <= stream < len(self.frames_seen)]:
            raise ValueError(f"there are no streams {unknown}; their numbers are 0 to {len(self.frames_seen) - 1}")
        for stream in streams:
            self.frames_seen[stream] = 0

    @torch.no_grad()
    def __call__(self, pixel_values_videos: Tensor, interpolate_pos_encoding: bool = False) -> StreamOutput:
        """Take the next frames of each stream and return the output after the last.

        Args:
            pixel_values_videos: (B, t, C, H, W), t at least 1, as the model takes them.
            interpolate_pos_encoding: as in the model, for frames of another size than its own.

        Raises `ValueError` when B or the frame size changes (`reset()` starts new streams), and for frames that the
        model does not take; the streams then stay as they were. After any other error all streams start anew.
        """
        self._take(pixel_values_videos, interpolate_pos_encoding)
        return StreamOutput(self.logits, self.frames, list(self.frames_seen))

    @torch.no_grad()
    def after_each(self, pixel_values_videos: Tensor, interpolate_pos_encoding: bool = False) -> list[StreamOutput]:
        """Take several frames together, which is cheaper than one by one, and return the outputs in between.

        Arguments and errors as in the call; with groups, t is at most T. Returns an output for each `step` frames
        completed now, as a call after the last of them would; empty while a group is incomplete.
        """
        return self._take(pixel_values_videos, interpolate_pos_encoding, each=True)

    def _take(
        self, pixel_values_videos: Tensor, interpolate_pos_encoding: bool, each: bool = False
    ) -> list[StreamOutput]:
        """Compute frames together and slide the window over them at once, or in steps: over `each`."""
        self._check(pixel_values_videos, interpolate_pos_encoding)
        count = pixel_values_videos.shape[1]
        if each and count > self.num_frames and isinstance(self.backbone, FrameGroups):
            raise ValueError(f"after_each takes at most {self.num_frames} frames at once from this model, got {count}")
        outputs = []
        try:
            features = self.backbone(
                pixel_values_videos.to(self.model.device), self.frames_seen, interpolate_pos_encoding
            )
            seen_then = [seen + count for seen in self.frames_seen]
            if features is not None:
                left = features.shape[1] + seen_then[0] % self.step  # groups of all streams end together
                for piece in features.split(self.step if each else features.shape[1], dim=1):
                    left -= piece.shape[1]
                    self.frames_seen = [seen - left for seen in seen_then]
                    self._append(piece)
                    outputs.append(StreamOutput(self.logits, self.frames, list(self.frames_seen)))
            self.frames_seen = seen_then
        except BaseException:
            self.reset()
            raise
        return outputs

    @property
    def num_bytes(self) -> int:
        kept = [*self.backbone.kept(), self.features, self.logits]
        return sum(tensor.untyped_storage().nbytes() for tensor in kept if tensor is not None)

    def _check(self, pixel_values_videos: Tensor, interpolate_pos_encoding: bool) -> None:
        channels = self.model.config.num_channels
        expected = f"(streams, at least one frame, {channels}, height, width)"
        check_pixels(pixel_values_videos, channels, expected)
        if 0 in pixel_values_videos.shape:
            raise ValueError(f"pixel_values_videos must be {expected}, got {tuple(pixel_values_videos.shape)}")
        batch, _, _, height, width = pixel_values_videos.shape
        shape = batch, channels, height, width
        if self.shape is None:
            # raises for sizes that the model does not take
            self.model.xvit.embeddings.space(height, width, interpolate_pos_encoding)
            self.shape = shape
            self.frames_seen = [0] * batch
        elif self.shape != shape:
            raise ValueError(
                f"the frames so far were {self.shape} (streams, channels, height, width), these are "
                f"{shape}; call reset() for new streams"
            )

    def _append(self, features: Tensor) -> None:
        if self.features is not None:
            features = torch.cat((self.features, features), dim=1)
        self.features = features[:, -self.num_frames :].clone()
        finished = [seen - seen % self.step for seen in self.frames_seen]
        lengths = [min(stop, self.num_frames) for stop in finished]
        if min(lengths) >= self.backbone.first_due:
            self.logits = self._classify(self.features, lengths)
            self.frames = [range(stop - length, stop) for stop, length in zip(finished, lengths, strict=True)]

    def _classify(self, features: Tensor, lengths: list[int]) -> Tensor:
        """Logits (B, num_labels) of each stream's last frames; streams of equal `lengths` are pooled together."""
        rows: list[int] = []
        logits: list[Tensor] = []
        for length in set(lengths):
            some = [row for row, other in enumerate(lengths) if other == length]
            rows += some
            pooled = self.model.xvit.pooler(features[some, -length:])  # type: ignore[misc]  # a classifier has one
            logits.append(self.model.classifier(pooled))
        return torch.cat(logits)[torch.tensor(rows).argsort()]


class FrameGroups:
    """Computes each group of G frames once, when its last frame has come."""

    def __init__(self, model: XViTModel, length: int, num_frames: int):
        self.model, self.length, self.num_frames = model, length, num_frames
        self.first_due = num_frames
        self.forget()

    def forget(self) -> None:
        self.waiting: Tensor | None = None  # (B, fewer than G, C, H, W)

    def kept(self) -> list[Tensor | None]:
        return [self.waiting]

    def __call__(self, frames: Tensor, frames_seen: list[int], interpolate_pos_encoding: bool) -> Tensor | None:
        """Frames (B, t, C, H, W) -> features (B, n, D) of the groups completed now, at most T frames."""
        if self.waiting is not None:
            frames = torch.cat((self.waiting, frames), dim=1)
        whole = frames.shape[1] - frames.shape[1] % self.length
        self.waiting = frames[:, whole:].clone()
        if not whole:
            return None
        frames = frames[:, max(0, whole - self.num_frames) : whole]  # earlier ones are outside the window
        groups = frames.unflatten(1, (-1, self.length)).flatten(0, 1)
        numbers = torch.arange(self.length, device=frames.device)[None]
        contexts = [None] * len(self.model.layers)
        features = frame_features(self.model, groups, numbers, contexts, interpolate_pos_encoding)
        return features.reshape(*frames.shape[:2], -1)


class PastFrames:
    """Computes frames when they come; layers remember what they need of earlier frames."""

    first_due = 1

    def __init__(self, model: XViTModel):
        self.model = model
        self.forget()

    def forget(self) -> None:
        contexts: list[Any] = [layer.get_submodule("attention.context") for layer in self.model.layers]
        self.mixings = [  # for keys and values of each layer that mixes
            (RememberingMixing(context), RememberingMixing(context)) if isinstance(context, XViTTimeMixing) else None
            for context in contexts
        ]

    def kept(self) -> list[Tensor | None]:
        return [tensor for pair in self.mixings if pair for mixing in pair for tensor in mixing.past]

    def __call__(self, frames: Tensor, frames_seen: list[int], interpolate_pos_encoding: bool) -> Tensor:
        """Frames (B, t, C, H, W), with the number of frames seen before in each stream -> features (B, t, D)."""
        numbers = torch.tensor(frames_seen)[:, None] + torch.arange(frames.shape[1])
        group = self.model.config.mix_group
        places = numbers if group is None else numbers % group  # on the CPU, so that looking at them waits for nothing
        known: dict[int, Tensor | None] = {}
        for pair in filter(None, self.mixings):
            for distance in pair[0].distances:
                missing = (places < distance)[..., None, None, None]
                known[distance] = missing.to(frames.device) if missing.any() else None
        contexts = [pair and tuple(partial(mixing, missing=known) for mixing in pair) for pair in self.mixings]
        return frame_features(self.model, frames, numbers.to(frames.device), contexts, interpolate_pos_encoding)


class RememberingMixing:
    """A layer's mixing of keys (or of values) over chunks of a stream; it continues where the last chunk ended."""

    def __init__(self, mixing: XViTTimeMixing):
        self.mixing = mixing
        self.distances = [-offset for offset in mixing.offsets]
        self.past: list[Tensor] = []  # for the slice from t - d, of the last d frames: (B, d, S, slices, channels)

    def __call__(self, hidden_states: Tensor, missing: dict[int, Tensor | None]) -> Tensor:
        """(B, t, S, D) -> (B, t, S, D).

        `missing`: for each distance d, whether a frame (B, t, 1, 1, 1) has none d before it in its group; `None`: all
        have.
        """
        *slices, own = self.mixing.split(hidden_states)
        past = self.past or [
            piece.new_zeros(piece.shape[0], distance, *piece.shape[2:])
            for piece, distance in zip(slices, self.distances, strict=True)
        ]
        moved, self.past = [], []
        for before, piece, distance in zip(past, slices, self.distances, strict=True):
            shown, kept = slide(before, piece)
            if (gaps := missing[distance]) is not None:
                shown = shown.masked_fill(gaps, 0)
            moved.append(shown)
            self.past.append(kept)
        return torch.cat((*moved, own), dim=-1).view_as(hidden_states)


def slide(before: Tensor, arrived: Tensor) -> tuple[Tensor, Tensor]:
    """The first t and the last d of d frames and t that `arrived`, both (B, frames, ...); the last are a copy."""
    distance, count = before.shape[1], arrived.shape[1]
    if count < distance:
        return before[:, :count], torch.cat((before[:, count:], arrived), dim=1)
    first = torch.cat((before, arrived[:, : count - distance]), dim=1) if count > distance else before
    return first, arrived[:, count - distance :].clone()


def frame_features(
    model: XViTModel,
    frames: Tensor,
    frame_numbers: Tensor,
    contexts: Sequence[tuple[Callable, ...] | None],
    interpolate_pos_encoding: bool,
) -> Tensor:
    """Class tokens (B, t, D) of frames (B, t, C, H, W): the input of the model's pooling."""
    hidden_states = model.embeddings(frames, interpolate_pos_encoding, frame_numbers=frame_numbers)
    for layer, pair in zip(model.layers, contexts, strict=True):
        hidden_states = layer(hidden_states, contexts=pair)
    return model.layernorm(hidden_states[:, :, 0])


def group_length(model: XViTModel, num_frames: int) -> int:
    """G: the fewest frames of a window of `num_frames` that can be computed independently, wherever in it they are.

    Such frames see no others and have the same temporal embeddings at each place; at worst G is the whole window.
    Raises `ValueError` if the model takes no clips of `num_frames` frames, and if its groups are shorter than the
    window but depend on their place, or on other groups.
    """
    config, group = model.config, model.config.mix_group
    period = model.embeddings.temporal_embeddings.shape[1]
    if group is not None and num_frames % group:
        raise ValueError(f"num_frames must be a multiple of mix_group {group}, got {num_frames}")
    mixes = config.mix_layers != []
    if not mixes and not config.num_summary_tokens:
        return num_frames if num_frames % period else period
    if group is None or group == num_frames or not mixes:
        return num_frames
    if config.num_summary_tokens:
        raise ValueError(
            f"all frames of a clip attend to its summary tokens, so {group} out of {num_frames} frames cannot be "
            f"computed alone: pass num_frames={group}"
        )
    if group % period:
        raise ValueError(
            f"mix_group {group} is not a multiple of temporal_embedding_length {period}, so a group would have other "
            f"temporal embeddings at another place among the last {num_frames} frames: pass num_frames={group}"
        )
    return group


__all__ = ["StreamOutput", "XViTStream"]
