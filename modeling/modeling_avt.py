# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""AVT: what a person does next (Girdhar and Grauman 2021, arXiv:2106.02036).

frames (B, T, C, H, W) -> [backbone] -> features (B, T, D) -> [decoder] -> predicted features (B, T, D), each of the
step after -> [classifier] -> logits (B, classes) of what follows the last frame

B clips, T frames, C colour channels, D width of a feature, M width of the decoder. Classes stand in the order the
tensor flows.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig
from transformers import initialization as init
from transformers.cache_utils import Cache, DynamicCache
from transformers.modeling_utils import PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_MAPPING
from transformers.processing_utils import Unpack
from transformers.pytorch_utils import Conv1D
from transformers.utils import ModelOutput, TransformersKwargs, logging
from transformers.utils.deprecation import deprecate_kwarg
from transformers.utils.generic import can_return_tuple, merge_with_config_defaults
from transformers.utils.output_capturing import capture_outputs

from holovid.configuration.configuration_avt import AVTConfig
from holovid.configuration.field_checks import check_field_names
from holovid.modeling.inner_models import build_inner_model, fill_inner_model, read_inner_model
from holovid.modeling.layers_avt import AVTAttention, AVTDecoder, AVTLayer
from holovid.modeling.model_inputs import check_frames, check_tensor
from holovid.modeling.modeling_common import IGNORED, HolovidPreTrainedModel, checked_classes, states_of
from holovid.modeling.tasks import Task
from holovid.modeling.weight_files import modules

logger = logging.get_logger(__name__)


class AVTFrames(nn.Module):
    """Frames (B, T, C, H, W) -> features (B, T, D).

    An image model encodes each frame alone: its pooled output, or else its class token. A video model of ours encodes
    a frame with the whole clip in view. No frame is later than AVT may see, so predictions remain honest; but the
    losses of the past and of features are easier than the paper's, because a feature already knows the frames that it
    predicts. Raises `ValueError` for a video model without frame features.
    """

    def __init__(self, config: PreTrainedConfig):
        super().__init__()
        model_class = MODEL_MAPPING[type(config)]
        self.model = build_inner_model(config)
        self.one_by_one = not hasattr(model_class, "frame_features")
        if not self.one_by_one and model_class.frame_features is HolovidPreTrainedModel.frame_features:
            raise ValueError(f"a {model_class.__name__} has no features of single frames; choose another backbone")

    def forward(self, pixel_values_videos: Tensor) -> Tensor:
        clips = pixel_values_videos.to(self.model.dtype)
        if not self.one_by_one:
            return self.model.frame_features(clips)
        outputs = self.model(clips.flatten(0, 1))
        pooled = getattr(outputs, "pooler_output", None)
        features = outputs.last_hidden_state[:, 0] if pooled is None else pooled.flatten(1)
        return features.unflatten(0, clips.shape[:2])


@dataclass
class AVTModelOutput(ModelOutput):
    """
    Args:
        last_hidden_state (B, T, M): of the decoder.
        predicted_features (B, T, D): at each step, of the next one.
        features (B, T, D): of the frames.
        cache: of the decoder, for the frames that follow.
        hidden_states, attentions: of the decoder's layers, (B, T, M) and (B, N, T, T).
    """

    last_hidden_state: Tensor | None = None
    predicted_features: Tensor | None = None
    features: Tensor | None = None
    cache: Cache | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


@dataclass
class AVTOutput(ModelOutput):
    """
    Args:
        loss: the sum of `losses`, each times its weight.
        logits (B, num_labels): of the next action.
        verb_logits (B, num_verbs), noun_logits (B, num_nouns): if there are such classes.
        losses: "next", for the next action; "past", for each frame's action; "feature", for predicted features.
        past_logits (B, T, num_labels): of each frame's action, predicted from earlier frames; the first from itself.
        predicted_features, features, cache, hidden_states, attentions: as in [`AVTModelOutput`].
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    verb_logits: Tensor | None = None
    noun_logits: Tensor | None = None
    losses: dict[str, Tensor] | None = None
    past_logits: Tensor | None = None
    predicted_features: Tensor | None = None
    features: Tensor | None = None
    cache: Cache | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


class AVTPreTrainedModel(HolovidPreTrainedModel):
    config: AVTConfig
    base_model_prefix = "avt"
    input_modalities = ("video",)
    supports_gradient_checkpointing = True
    _no_split_modules = ["AVTLayer"]  # noqa: RUF012
    _skip_keys_device_placement = ["cache"]  # noqa: RUF012
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_flex_attn = True
    _supports_attention_backend = True
    _can_compile_fullgraph = True
    _can_record_outputs = {"hidden_states": AVTLayer, "attentions": AVTAttention}  # noqa: RUF012

    def clip_features(self, **inputs: Tensor) -> Tensor:
        """Clip features (B, M): the mean over time of the decoder's `last_hidden_state`."""
        return self.base_model(**inputs).last_hidden_state.mean(dim=1)

    @torch.no_grad()
    def _init_weights(self, module: nn.Module):
        """As released: normal; decoder layers as in GPT-2, the linear layers around them with half its deviation."""
        super()._init_weights(module)
        if isinstance(module, Conv1D):
            init.normal_(module.weight, std=self.config.initializer_range)
            init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            init.normal_(module.weight, std=self.config.linear_initializer_range)


class AVTModel(AVTPreTrainedModel):
    """Features of frames, and for each the predicted next feature."""

    def __init__(self, config: AVTConfig):
        super().__init__(config)
        self.frames = None if config.backbone_config is None else AVTFrames(config.backbone_config)
        self.decoder = AVTDecoder(config)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        return self.decoder.encoder if self.frames is None else self.frames.model.get_input_embeddings()

    @can_return_tuple
    @merge_with_config_defaults
    @capture_outputs(tie_last_hidden_states=False)
    @deprecate_kwarg("past_key_values", "5.40.0", new_name="cache")
    def forward(
        self,
        pixel_values_videos: Tensor | None = None,
        features: Tensor | None = None,
        cache: Cache | None = None,
        use_cache: bool | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> AVTModelOutput:
        r"""
        pixel_values_videos (`Tensor` of shape (B, T, C, H, W)):
            Normalised frames, in the order of time.
        features (`Tensor` of shape (B, T, D)):
            Instead of frames.
        cache (`Cache`, *optional*):
            The decoder's cache of earlier frames.
        use_cache (`bool`, *optional*):
            Return `cache` for the frames that follow.
        """
        if use_cache and cache is None:
            cache = DynamicCache()
        features = self.see(pixel_values_videos, features)
        hidden_states = self.decoder(features, cache, **kwargs)
        return AVTModelOutput(
            last_hidden_state=hidden_states,
            predicted_features=self.decoder.predict(hidden_states),
            features=features,
            cache=cache if use_cache else None,
        )

    def see(self, pixel_values_videos: Tensor | None, features: Tensor | None = None) -> Tensor:
        """Features (B, T, D) of frames, or the given ones. Raises `ValueError` for both, neither, or other shapes."""
        if (pixel_values_videos is None) == (features is None):
            raise ValueError("pass pixel_values_videos or features, not both")
        if features is not None:
            check_tensor("features", features)
            width = self.config.frame_width
            if features.ndim != 3 or features.shape[-1] != width or not features.shape[1]:
                raise ValueError(f"features must be (B, T, {width}), got {tuple(features.shape)}")
            return features.to(self.decoder.encoder.weight.dtype)
        return self.frame_features(pixel_values_videos)

    def frame_features(self, pixel_values_videos: Tensor) -> Tensor:
        """The decoder's inputs (B, T, D) for frames. Raises `ValueError` for a model without a backbone."""
        if self.frames is None:
            raise ValueError(f"this model has no backbone: pass features (B, T, {self.config.feature_size})")
        check_frames(pixel_values_videos, self.config.num_channels)
        return self.frames(pixel_values_videos)

    @torch.no_grad()
    def rollout(
        self, pixel_values_videos: Tensor | None = None, steps: int = 1, features: Tensor | None = None
    ) -> Tensor:
        """Predict features (B, steps, D) that follow the last frame, one after the other.

        As released, the decoder reads its own last hidden state next, not the feature predicted from it.
        Raises `ValueError` for less than one step, or more than the decoder has positions.
        """
        if steps < 1:
            raise ValueError(f"steps must be 1 or more, got {steps}")
        cache = DynamicCache()
        hidden_states = self.decoder(self.see(pixel_values_videos, features), cache)[:, -1:]
        following = [hidden_states]
        for _ in range(steps - 1):
            hidden_states = self.decoder.decode(hidden_states, cache)
            following.append(hidden_states)
        return self.decoder.predict(torch.cat(following, dim=1))


class AVTForActionAnticipation(AVTPreTrainedModel):
    """AVT with a classifier of the next action, and of its verb and noun if the configuration counts them.

    If the model only has actions, a verb's probability is the sum over all actions with that verb; nouns likewise.
    """

    tasks = (
        Task("label", labels="labels", scores="logits", kind="future"),
        Task("verb", labels="verb_labels", scores="verb_logits", kind="future"),
        Task("noun", labels="noun_labels", scores="noun_logits", kind="future"),
    )

    def __init__(self, config: AVTConfig):
        super().__init__(config)
        self.num_labels = config.num_labels
        self.avt = AVTModel(config)
        self.dropout = nn.Dropout(config.classifier_dropout)
        counts = {"action": config.num_labels, "verb": config.num_verbs, "noun": config.num_nouns}
        self.classifiers = nn.ModuleDict(
            {name: nn.Linear(config.frame_width, count) for name, count in counts.items() if count}
        )
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        pixel_values_videos: Tensor | None = None,
        features: Tensor | None = None,
        labels: Tensor | None = None,
        past_labels: Tensor | None = None,
        verb_labels: Tensor | None = None,
        noun_labels: Tensor | None = None,
        past_verb_labels: Tensor | None = None,
        past_noun_labels: Tensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> AVTOutput:
        r"""
        pixel_values_videos (`Tensor` of shape (B, T, C, H, W)), features (`Tensor` of shape (B, T, D)):
            One of them; further arguments as in [`AVTModel`].
        labels (`Tensor` of shape (B,), *optional*):
            Number of the next action; -100 if unknown.
        past_labels (`Tensor` of shape (B, T), *optional*):
            Number of the action in each frame; -100 if unknown.
        verb_labels, noun_labels, past_verb_labels, past_noun_labels (*optional*):
            The same for the classifiers of verb and noun.

        Returns:
            [`AVTOutput`]: `logits` (B, num_labels) of the next action; `loss` and `losses` if labels are given; the
            decoder's outputs, attentions with `attn_implementation="eager"` only.

        Example:

        >>> import torch
        >>> from holovid import AVTConfig, AVTForActionAnticipation
        >>> sizes = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
        >>> image = {"model_type": "vit", "image_size": 32, "patch_size": 16, **sizes}
        >>> head = {"head_hidden_size": 48, "head_num_hidden_layers": 2, "head_num_attention_heads": 2}
        >>> config = AVTConfig(backbone_config=image, **head, num_labels=5)
        >>> model = AVTForActionAnticipation(config)
        >>> outputs = model(torch.randn(2, 8, 3, 32, 32), labels=torch.tensor([0, 4]))
        >>> outputs.logits.shape, outputs.past_logits.shape
        (torch.Size([2, 5]), torch.Size([2, 8, 5]))
        """
        outputs = self.avt(pixel_values_videos, features, **kwargs)
        following = self.dropout(outputs.predicted_features[:, -1])
        # each frame's action is predicted from earlier frames; the first, which has none, from itself
        past = self.dropout(torch.cat((outputs.features[:, :1], outputs.predicted_features[:, :-1]), dim=1))
        logits = {name: classifier(following) for name, classifier in self.classifiers.items()}
        past_logits = {name: classifier(past) for name, classifier in self.classifiers.items()}
        losses = self.losses(
            logits,
            {"action": labels, "verb": verb_labels, "noun": noun_labels},
            past_logits,
            {"action": past_labels, "verb": past_verb_labels, "noun": past_noun_labels},
            outputs,
        )
        return AVTOutput(
            loss=self.total(losses),
            logits=logits["action"],
            verb_logits=self.of_actions(logits, "verb", self.config.verb_of_action),
            noun_logits=self.of_actions(logits, "noun", self.config.noun_of_action),
            losses=losses or None,
            past_logits=past_logits["action"],
            predicted_features=outputs.predicted_features,
            features=outputs.features,
            cache=outputs.cache,
            **states_of(outputs),
        )

    def losses(
        self,
        logits: dict[str, Tensor],
        labels: dict[str, Tensor | None],
        past_logits: dict[str, Tensor],
        past_labels: dict[str, Tensor | None],
        outputs: AVTModelOutput,
    ) -> dict[str, Tensor]:
        """Losses of the next action, past actions, and features (which learn too, as released); paper, section 3.3."""
        found = {
            "next": [self.cross_entropy(logits, name, given) for name, given in labels.items() if given is not None],
            "past": [
                self.cross_entropy(past_logits, name, given)
                for name, given in past_labels.items()
                if given is not None
            ],
        }
        losses = {name: torch.stack(terms).sum() for name, terms in found.items() if terms}
        predicted, features = outputs.predicted_features, outputs.features
        if losses and predicted is not None and features is not None and features.shape[1] > 1:
            losses["feature"] = nn.functional.mse_loss(predicted[:, :-1], features[:, 1:])
        return losses

    def cross_entropy(self, logits: dict[str, Tensor], name: str, labels: Tensor) -> Tensor:
        """Mean over all that have a label; with `valid_only=False` over all, where those without count as 0."""
        check_tensor("labels", labels)
        if name not in logits:
            raise ValueError(f"this model has no classifier of {name}s: num_{name}s is 0")
        if labels.shape != logits[name].shape[:-1]:
            raise ValueError(
                f"labels of {name}s must have shape {tuple(logits[name].shape[:-1])}, got {tuple(labels.shape)}"
            )
        rows = logits[name].flatten(0, -2)
        labels = checked_classes(labels, len(rows), rows.shape[-1], f"labels of {name}s")
        total = nn.functional.cross_entropy(rows, labels, ignore_index=IGNORED, reduction="sum")
        # Departs, unless asked for: the released code divides by the number of all, labelled or not.
        count = (labels != IGNORED).sum().clamp(min=1) if self.config.valid_only else labels.numel()
        return total / count

    def total(self, losses: dict[str, Tensor]) -> Tensor | None:
        if not losses:
            return None
        return sum(getattr(self.config, f"{name}_weight") * loss for name, loss in losses.items())

    def of_actions(self, logits: dict[str, Tensor], name: str, numbers: Sequence[int] | None) -> Tensor | None:
        """Logits of verbs or nouns: from their classifier, or log sums of action probabilities."""
        if name in logits or numbers is None:
            return logits.get(name)
        probabilities = logits["action"].softmax(dim=-1)
        index = torch.tensor(numbers, device=probabilities.device).expand(probabilities.shape)
        sums = probabilities.new_zeros(len(probabilities), max(numbers) + 1).scatter_add(-1, index, probabilities)
        return sums.clamp(min=torch.finfo(sums.dtype).tiny).log()

    @torch.no_grad()
    def rollout(
        self, pixel_values_videos: Tensor | None = None, steps: int = 1, features: Tensor | None = None
    ) -> Tensor:
        """Logits (B, steps, num_labels) of the next actions, as [`AVTModel.rollout`]; the first as in `forward`."""
        return self.classifiers["action"](self.avt.rollout(pixel_values_videos, steps, features))

    @classmethod
    def from_image_model(
        cls, source: str | os.PathLike | PreTrainedModel, **config_overrides: Any
    ) -> "AVTForActionAnticipation":
        """Start from an image model of transformers, as the paper does from ImageNet's ViT. All else is new.

        A video model of holovid that has features of frames works, too.

        Args:
            source: Hub id or folder of a checkpoint, or the model itself.
            config_overrides: fields of [`AVTConfig`], `num_labels`, `id2label`.

        Raises `ValueError` for a checkpoint that is damaged or lacks tensors.
        """
        check_field_names(AVTConfig, config_overrides)
        image_model = read_inner_model(source)
        model = cls(AVTConfig(backbone_config=image_model.config.to_dict(), **config_overrides))
        tensors = image_model.state_dict()
        fill_inner_model(model.avt.frames.model, tensors)  # type: ignore[union-attr]
        new = [name for name in model.state_dict() if not name.startswith("avt.frames.model.")]
        logger.warning(f"{len(tensors)} tensors come from the source. New, to be trained: {', '.join(modules(new))}")
        return model


__all__ = ["AVTForActionAnticipation", "AVTModel", "AVTPreTrainedModel"]
