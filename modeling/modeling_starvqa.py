# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""StarVQA: predicts how good a video looks, with a TimeSformer (Xing et al. 2021, arXiv:2108.09635).

clip (B, T, C, H, W) -> TimeSformer's class token (B, D) -> logits (B, K), one for each anchor -> softmax, which
training compares with a score's label vector, and inference decodes to a score (B,).
B clips, T frames, C colour channels, D width, K anchors. label_codec.py converts scores and label vectors.
"""

import os
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers.activations import ACT2FN
from transformers.modeling_utils import PreTrainedModel
from transformers.processing_utils import Unpack
from transformers.utils import ModelOutput, TransformersKwargs
from transformers.utils.generic import can_return_tuple

from holovid.configuration.configuration_starvqa import StarVQAConfig
from holovid.modeling.label_codec import (
    decode_by_support_vectors,
    decode_on_grid,
    encode,
    rescale,
    vectorized_regression_loss,
)
from holovid.modeling.model_inputs import check_tensor
from holovid.modeling.modeling_time_sformer import TimeSformerModel, TimeSformerPreTrainedModel, states_of
from holovid.modeling.tasks import Task

QUALITY = Task("quality", labels="labels", scores="scores", kind="score")


@dataclass
class StarVQAOutput(ModelOutput):
    """`scores` (B,) on the scale of the data, float32. `logits` (B, K), whose softmax is the predicted label vector.

    `loss`, if labels are given. Hidden states and attentions as in `TimeSformerModelOutput`.
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    scores: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None
    space_attentions: tuple[Tensor, ...] | None = None
    time_attentions: tuple[Tensor, ...] | None = None


class StarVQAModel(TimeSformerModel):
    """The backbone, a [`TimeSformerModel`]; it also loads that model's checkpoints."""

    config: StarVQAConfig


class StarVQAHead(nn.Module):
    def __init__(self, config: StarVQAConfig):
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.activation = ACT2FN[config.hidden_act]
        self.out_proj = nn.Linear(config.hidden_size, len(config.anchors))

    def forward(self, features: Tensor) -> Tensor:
        return self.out_proj(self.activation(self.dense(features)))


class StarVQAForVideoQuality(TimeSformerPreTrainedModel):
    """Predicts quality scores of videos without a reference video."""

    config: StarVQAConfig
    tasks = (QUALITY,)

    def __init__(self, config: StarVQAConfig):
        super().__init__(config)
        self.time_sformer = StarVQAModel(config)
        self.classifier = StarVQAHead(config)
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        pixel_values_videos: Tensor | None = None,
        labels: Tensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> StarVQAOutput:
        r"""
        pixel_values_videos (`Tensor` of shape (B, T, C, H, W)):
            Normalised frames; further arguments as in [`TimeSformerModel`].
        labels (`Tensor` of shape (B,), *optional*):
            Scores within `config.score_range`; a clip whose label is NaN is left out of the loss.

        Returns:
            [`StarVQAOutput`]: `scores` (B,) on the scale of the data; `logits` (B, K) of the anchors; `loss` if
            labels are given; hidden states and attentions on request, attentions with
            `attn_implementation="eager"` only.

        Example:

        >>> import torch
        >>> from holovid import StarVQAConfig, StarVQAForVideoQuality
        >>> sizes = {"image_size": 32, "hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
        >>> config = StarVQAConfig(**sizes, score_range=(0.0, 100.0))
        >>> model = StarVQAForVideoQuality(config)
        >>> outputs = model(torch.randn(2, 8, 3, 32, 32), labels=torch.tensor([70.0, 20.0]))
        >>> outputs.scores.shape, outputs.loss.shape
        (torch.Size([2]), torch.Size([]))
        """
        outputs = self.time_sformer(pixel_values_videos, **kwargs)
        logits = self.classifier(outputs.pooler_output)
        probabilities = logits.softmax(dim=-1, dtype=torch.float32)
        loss = None if labels is None else vectorized_regression_loss(probabilities, self.encode(labels, len(logits)))
        return StarVQAOutput(
            loss=loss, logits=logits, scores=self.decode(probabilities.detach()), **states_of(outputs)
        )

    def encode(self, labels: Tensor, clips: int) -> Tensor:
        """Scores (B,) on the scale of the data -> label vectors (B, K)."""
        low, high = self.config.score_range
        check_tensor("labels", labels)
        if labels.numel() != clips:
            raise ValueError(f"labels must be one score per clip ({clips},), got {tuple(labels.shape)}")
        scores = labels.reshape(clips).float()
        # labels on a GPU are not checked: the training loop would have to wait for the answer
        if scores.device.type == "cpu" and not torch.compiler.is_compiling():
            outside = scores[(scores < low) | (scores > high)]
            if len(outside):
                raise ValueError(
                    f"labels must be scores from {low:g} to {high:g} (config.score_range), got {outside[0]:g}"
                )
        return encode(rescale(scores, (low, high), self.ends), self.config.anchors)

    def decode(self, probabilities: Tensor) -> Tensor:
        """Vectors (B, K) -> scores (B,) on the scale of the data, by `config.score_regressor` if there is one."""
        config = self.config
        if config.score_regressor is None:
            scores = decode_on_grid(probabilities, config.anchors)
        else:
            scores = decode_by_support_vectors(probabilities, config.score_regressor)
        return rescale(scores, self.ends, config.score_range)

    @property
    def ends(self) -> tuple[float, float]:
        return self.config.anchors[0], self.config.anchors[-1]

    @classmethod
    def from_image_model(
        cls, source: str | os.PathLike | PreTrainedModel, copy_to_time: bool = True, **config_overrides: Any
    ) -> "StarVQAForVideoQuality":
        """Start from an image ViT of transformers, as [`TimeSformerForVideoClassification.from_image_model`] does.

        Args:
            source, config_overrides: as there.
            copy_to_time: start attention along time with the weights of attention along space, as TimeSformer does;
                the released StarVQA code leaves it new.
        """
        model = super().from_image_model(source, **config_overrides)
        if not copy_to_time:
            new = cls(model.config).to(model.dtype).state_dict()
            model.load_state_dict({name: new[name] for name in new if ".temporal_" in name}, strict=False)
        return model


__all__ = ["StarVQAForVideoQuality", "StarVQAModel", "StarVQAOutput"]
