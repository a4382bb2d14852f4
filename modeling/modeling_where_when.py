# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""WhereWhen: a classifier whose logits are a sum of evidence over the patches of frames and the moments of audio.

frames (B, F, 3, H, W), sound (B, rows, mel bins) -> patches (B, T, h, w, C), audio steps (B, A, D) -> frame features
(B, T, D) and where (B, T, h, w) -> mixed states -> when (B, T), (B, A) -> logits (B, classes)
Inspired by Chen et al. 2021 (arXiv:2105.01517), of which only the abstract is known here: the design is holovid's own.
The layers and the alphabet are in layers_where_when.py.
"""

import os
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import initialization as init
from transformers.masking_utils import create_bidirectional_mask
from transformers.modeling_outputs import BaseModelOutputWithPooling, ImageClassifierOutput
from transformers.modeling_utils import PreTrainedModel
from transformers.processing_utils import Unpack
from transformers.utils import TransformersKwargs
from transformers.utils.generic import can_return_tuple, merge_with_config_defaults
from transformers.utils.output_capturing import OutputRecorder, capture_outputs

from holovid.configuration.configuration_where_when import WhereWhenConfig
from holovid.configuration.field_checks import check_field_names
from holovid.modeling.audio_positions import cut_audio_positions
from holovid.modeling.axis_attention import AxisAttention
from holovid.modeling.inner_models import fill_inner_model, read_inner_model
from holovid.modeling.layers_where_when import (
    WhereWhenLayer,
    WhereWhenPositions,
    WhereWhenSoundEncoder,
    WhereWhenSpatialAttention,
    WhereWhenTemporalPooling,
    build_visual_encoder,
    shares_of_sound,
)
from holovid.modeling.model_inputs import check_floats, check_frames, check_tensor
from holovid.modeling.modeling_common import HolovidPreTrainedModel, states_of, video_classification_loss
from holovid.modeling.tasks import LABEL

SECONDS_PER_ROW = 0.01  # of a spectrogram, as in AST's training


@dataclass
class WhereWhenModelOutput(BaseModelOutputWithPooling):
    """
    Args:
        last_hidden_state (B, T + A, D): frames, then audio steps, after mixing.
        pooler_output (B, 2 * D): the visual feature, then the audio feature; zeros for what a clip lacks.
        where (B, T, h, w): the weight of each patch in its frame; sums to 1 in each frame.
        when_visual (B, T), when_audio (B, A): the weight of each frame and of each audio step; each sums to 1, or is 0
            if there is none.
        frame_times (B, T), audio_times (B, A): their middles, in seconds of the clip.
        visual_values (B, T, D), audio_values (B, A, D): the unmixed value of each.
        hidden_states, attentions: of the layers, (B, T + A, D) and (B, N, T + A, T + A).
    """

    where: Tensor | None = None
    when_visual: Tensor | None = None
    when_audio: Tensor | None = None
    frame_times: Tensor | None = None
    audio_times: Tensor | None = None
    visual_values: Tensor | None = None
    audio_values: Tensor | None = None


@dataclass
class WhereWhenOutput(ImageClassifierOutput):
    """
    Args:
        logits (B, num_labels).
        where, when_visual, when_audio, frame_times, audio_times: as in [`WhereWhenModelOutput`], with
            `output_maps=True`.
        visual_evidence (B, T, num_labels), audio_evidence (B, A, num_labels): what each frame and audio step adds to
            the logits; together with the classifier's bias they sum to `logits`. With `output_maps=True`.
    """

    where: Tensor | None = None
    when_visual: Tensor | None = None
    when_audio: Tensor | None = None
    frame_times: Tensor | None = None
    audio_times: Tensor | None = None
    visual_evidence: Tensor | None = None
    audio_evidence: Tensor | None = None


class WhereWhenPreTrainedModel(HolovidPreTrainedModel):
    config: WhereWhenConfig
    base_model_prefix = "where_when"
    input_modalities = ("video", "audio")
    supports_gradient_checkpointing = True
    _no_split_modules = ["WhereWhenLayer", "WhereWhenSpatialAttention"]  # noqa: RUF012
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_flex_attn = True
    _supports_attention_backend = True
    _can_compile_fullgraph = True
    _can_record_outputs = {  # noqa: RUF012
        "hidden_states": WhereWhenLayer,
        "attentions": OutputRecorder(AxisAttention, index=1, layer_name="layers"),
    }

    @property
    def clip_feature_parts(self) -> tuple[str, ...]:
        return "visual", "audio"

    @torch.no_grad()
    def _init_weights(self, module: nn.Module):
        super()._init_weights(module)
        std = self.config.initializer_range
        if isinstance(module, nn.Linear):
            init.trunc_normal_(module.weight, std=std)
        elif isinstance(module, WhereWhenSpatialAttention):
            for weight in (module.key_weight, module.value_weight, module.silent_query):
                init.trunc_normal_(weight, std=std)
        elif isinstance(module, WhereWhenPositions):
            init.trunc_normal_(module.table, std=std)


class WhereWhenModel(WhereWhenPreTrainedModel):
    """WhereWhen without a head: encoders, attention to patches, mixing, and attention to moments."""

    def __init__(self, config: WhereWhenConfig):
        super().__init__(config)
        self.visual_encoder = None if config.visual_config is None else build_visual_encoder(config.visual_config)
        self.audio_encoder = (
            None if config.audio_config is None else WhereWhenSoundEncoder(config.audio_config, config.audio_grid[1])
        )
        self.audio_projection = nn.Linear(config.audio_width, config.hidden_size)
        self.spatial_attention = WhereWhenSpatialAttention(config)
        self.visual_positions = WhereWhenPositions(config, config.num_frames)
        self.audio_positions = WhereWhenPositions(config, config.num_audio_steps)
        self.layers = nn.ModuleList(WhereWhenLayer(config) for _ in range(config.num_hidden_layers))
        self.visual_pooling = WhereWhenTemporalPooling(config)
        self.audio_pooling = WhereWhenTemporalPooling(config)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        if self.visual_encoder is None:
            return self.audio_projection
        return self.visual_encoder.get_submodule("model").get_input_embeddings()  # type: ignore[operator]

    def encoders(self) -> list[nn.Module]:
        """The visual and audio encoders that are models; none where the model takes features."""
        return [encoder for encoder in (self.visual_encoder, self.audio_encoder) if encoder is not None]

    @can_return_tuple
    @merge_with_config_defaults
    @capture_outputs(tie_last_hidden_states=False)
    def forward(
        self,
        pixel_values_videos: Tensor | None = None,
        input_values: Tensor | None = None,
        audio_mask: Tensor | None = None,
        visual_mask: Tensor | None = None,
        frame_times: Tensor | None = None,
        audio_span: Tensor | None = None,
        visual_features: Tensor | None = None,
        audio_features: Tensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> WhereWhenModelOutput:
        r"""
        pixel_values_videos (`Tensor` of shape (B, F, C, H, W)):
            Normalised frames, in the order of time.
        input_values (`Tensor` of shape (B, audio frames, mel bins), *optional*):
            Normalised log-mel. `None`: no clip has sound.
        audio_mask (`Tensor` of shape (B,) or (B, A), bool, *optional*):
            False for clips without sound, whose `input_values` are ignored; or for single audio steps.
        visual_mask (`Tensor` of shape (B, F), bool, *optional*):
            False for frames to ignore. A visual encoder of clips still sees all frames.
        frame_times (`Tensor` of shape (B, F), *optional*), audio_span (`Tensor` of shape (B, 2), *optional*):
            Seconds of the clip: of each frame, and of the start and end of the audio. Default: 10 ms a row of the
            spectrogram, or a second a step of features; frames are spread evenly over it.
        visual_features (`Tensor` of shape (B, T, h, w, C)), audio_features (`Tensor` of shape (B, A, C)):
            Instead of frames and sound, for a model of features.

        Raises `ValueError` for inputs of other shapes, and for both or neither of frames and their features.
        """
        patches = self.see(pixel_values_videos, visual_features)
        drops = self.training and self.config.modality_dropout > 0
        masked = drops or audio_mask is not None or visual_mask is not None
        steps, audio_mask = self.hear(patches, input_values, audio_features, audio_mask)
        visual_mask = self.seen(patches, pixel_values_videos, visual_mask)
        if drops:
            visual_mask, audio_mask = self.drop(visual_mask, audio_mask)
        frame_times, audio_times = self.clock(patches, pixel_values_videos, steps, frame_times, audio_span)

        shares, hears = shares_of_sound(frame_times, audio_times, audio_mask)
        steps = self.audio_projection(steps).masked_fill(~audio_mask[..., None], 0.0)
        patches = patches.masked_fill(~visual_mask[..., None, None, None], 0.0)
        seen, where = self.spatial_attention(patches, shares.to(steps.dtype) @ steps, hears)

        states = torch.cat((self.visual_positions(seen), self.audio_positions(steps)), dim=1)
        counts = torch.cat((visual_mask, audio_mask), dim=1) if masked else None
        # passed even if all count: finding out would make the GPU wait
        mask = create_bidirectional_mask(self.config, states, counts, allow_is_bidirectional_skip=False)
        for layer in self.layers:
            states = layer(states, mask, **kwargs)
        visual_states, audio_states = states.split((seen.shape[1], steps.shape[1]), dim=1)
        when_visual, visual_values = self.visual_pooling(visual_states, seen, visual_mask)
        when_audio, audio_values = self.audio_pooling(audio_states, steps, audio_mask)
        pooled = [(when[:, None] @ values).squeeze(1) for when, values in (
            (when_visual, visual_values), (when_audio, audio_values),
        )]  # fmt: skip
        return WhereWhenModelOutput(
            last_hidden_state=states,
            pooler_output=torch.cat(pooled, dim=-1),
            where=where,
            when_visual=when_visual,
            when_audio=when_audio,
            frame_times=frame_times,
            audio_times=audio_times,
            visual_values=visual_values,
            audio_values=audio_values,
        )

    def see(self, pixel_values_videos: Tensor | None, features: Tensor | None) -> Tensor:
        """Patches (B, T, h, w, C) of frames, or the given ones."""
        if (pixel_values_videos is None) == (features is None):
            raise ValueError("pass pixel_values_videos or visual_features, not both")
        if features is not None:
            width = self.config.visual_width
            check_floats("visual_features", features)
            if features.ndim != 5 or features.shape[-1] != width or 0 in features.shape:
                raise ValueError(f"visual_features must be (B, T, h, w, {width}), got {tuple(features.shape)}")
            return features.to(self.audio_projection.weight.dtype)
        if self.visual_encoder is None:
            raise ValueError(
                f"this model takes visual_features (B, T, h, w, {self.config.visual_width}) instead of frames"
            )
        check_frames(pixel_values_videos, self.config.num_channels)
        return self.visual_encoder(pixel_values_videos)

    def hear(
        self, patches: Tensor, input_values: Tensor | None, features: Tensor | None, audio_mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Audio steps (B, A, C), A = 0 if no clip has sound, and their mask (B, A), beside `patches` (B, ...)."""
        clips = patches.shape[0]
        if input_values is not None and features is not None:
            raise ValueError("pass input_values or audio_features, not both")
        config, name, given = self.config, "input_values", input_values
        if features is not None:
            name, given = "audio_features", features
        if given is None:
            steps = patches.new_zeros(clips, 0, config.audio_width, dtype=self.audio_projection.weight.dtype)
            return steps, torch.zeros(clips, 0, dtype=torch.bool, device=steps.device)
        check_floats(name, given)
        if name == "audio_features":
            if given.ndim != 3 or given.shape[::2] != (clips, config.audio_width) or not given.shape[1]:
                expected = clips, "A", config.audio_width
                raise ValueError(f"audio_features must be {expected}, got {tuple(given.shape)}".replace("'", ""))
        elif self.audio_encoder is None:
            raise ValueError(f"this model takes audio_features (B, A, {config.audio_width}) instead of input_values")
        elif given.shape != (clips, config.audio_frames, config.num_mel_bins):
            raise ValueError(
                f"input_values must be log-mel of shape {(clips, config.audio_frames, config.num_mel_bins)} (clips, "
                f"frames, mel bins), got {tuple(given.shape)}; for clips without sound pass audio_mask=False"
            )
        count = given.shape[1] if self.audio_encoder is None else self.audio_encoder.num_steps
        mask = self.checked_mask("audio_mask", audio_mask, clips, count, given.device)
        given = given.masked_fill(~mask.any(dim=1)[:, None, None], 0.0)  # may hold NaN
        if self.audio_encoder is not None:
            return self.audio_encoder(given), mask
        return given.to(self.audio_projection.weight.dtype).masked_fill(~mask[..., None], 0.0), mask

    def checked_mask(self, name: str, mask: Tensor | None, clips: int, count: int, device: torch.device) -> Tensor:
        """A mask of clips (B,) or of steps (B, count) as bool (B, count); `None` = all count."""
        if mask is None:
            return torch.ones(clips, count, dtype=torch.bool, device=device)
        check_tensor(name, mask)
        if mask.shape not in ((clips,), (clips, count)):
            raise ValueError(f"{name} must be of shape {(clips,)} or {(clips, count)}, got {tuple(mask.shape)}")
        if mask.is_floating_point():
            raise ValueError(f"{name} must be a bool tensor, False for what is ignored, got {mask.dtype}")
        mask = mask.to(device=device, dtype=torch.bool)
        return mask[:, None].expand(-1, count) if mask.ndim == 1 else mask

    def seen(self, patches: Tensor, pixel_values_videos: Tensor | None, visual_mask: Tensor | None) -> Tensor:
        frames = patches.shape[1] if pixel_values_videos is None else pixel_values_videos.shape[1]
        mask = self.checked_mask("visual_mask", visual_mask, patches.shape[0], frames, patches.device)
        if patches.shape[1] == frames:
            return mask
        return nn.functional.adaptive_max_pool1d(mask[:, None].float(), patches.shape[1])[:, 0] > 0

    def drop(self, visual_mask: Tensor, audio_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Drop the sound of some clips and the frames of others; never all that a clip has."""
        draw, rate = torch.rand(visual_mask.shape[0], 1, device=visual_mask.device), self.config.modality_dropout
        deaf = (draw < rate) & visual_mask.any(dim=1, keepdim=True)
        blind = (draw >= 1 - rate) & audio_mask.any(dim=1, keepdim=True)
        return visual_mask & ~blind, audio_mask & ~deaf

    def clock(
        self,
        patches: Tensor,
        pixel_values_videos: Tensor | None,
        steps: Tensor,
        frame_times: Tensor | None,
        audio_span: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Middles of moments (B, T) and of audio steps (B, A) in seconds, in float32 at least."""
        config, (clips, moments), count = self.config, patches.shape[:2], steps.shape[1]
        sound: Any = config.audio_config
        frames = moments if pixel_values_videos is None else pixel_values_videos.shape[1]
        for name, times, length in (("frame_times", frame_times, frames), ("audio_span", audio_span, 2)):
            if times is not None:
                check_tensor(name, times)
                if times.shape != (clips, length):
                    raise ValueError(f"{name} must be seconds of shape {(clips, length)}, got {tuple(times.shape)}")
        options: dict[str, Any] = {"device": patches.device, "dtype": torch.float32}
        if audio_span is None:
            seconds = (count or config.num_audio_steps) if sound is None else SECONDS_PER_ROW * config.audio_frames
            audio_span = torch.tensor([[0.0, seconds]], **options).expand(clips, -1)
        start, end = audio_span.to(**options).split(1, dim=1)
        if frame_times is None:
            frame_times = start + (torch.arange(frames, **options) + 0.5) / frames * (end - start)
        frame_times = frame_times.to(**options)
        if moments != frames:
            frame_times = nn.functional.adaptive_avg_pool1d(frame_times[:, None], moments)[:, 0]
        if sound is None:
            middles = (torch.arange(count, **options) + 0.5) / max(count, 1)
        else:  # patches overlap
            middles = (torch.arange(count, **options) * sound.time_stride + sound.patch_size / 2) / config.audio_frames
        return frame_times, start + middles * (end - start)


class WhereWhenForVideoClassification(WhereWhenPreTrainedModel):
    """WhereWhen with a linear classifier: each logit is a sum of evidence over frames and audio steps."""

    tasks = (LABEL,)

    def __init__(self, config: WhereWhenConfig):
        super().__init__(config)
        self.num_labels = config.num_labels
        self.where_when = WhereWhenModel(config)
        self.dropout = nn.Dropout(config.classifier_dropout)
        self.classifier = nn.Linear(2 * config.hidden_size, config.num_labels)
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        pixel_values_videos: Tensor | None = None,
        input_values: Tensor | None = None,
        audio_mask: Tensor | None = None,
        labels: Tensor | None = None,
        output_maps: bool = False,
        **kwargs: Unpack[TransformersKwargs],
    ) -> WhereWhenOutput:
        r"""
        pixel_values_videos (`Tensor` of shape (B, F, C, H, W)), input_values, audio_mask:
            Frames and sound; these and further arguments as in [`WhereWhenModel`].
        labels (`Tensor` of shape (B,) or (B, num_labels), *optional*):
            As in [`XViTForVideoClassification`].
        output_maps (`bool`):
            Return where, when, and the evidence of each frame and audio step.

        Returns:
            [`WhereWhenOutput`]: `logits` (B, num_labels); `loss` if labels are given; maps with `output_maps=True`;
            hidden states and attentions on request, attentions with `attn_implementation="eager"` only.

        Example:

        >>> import torch
        >>> from holovid import WhereWhenConfig, WhereWhenForVideoClassification
        >>> sizes = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
        >>> visual = {"model_type": "vit", "image_size": 32, "patch_size": 16, **sizes}
        >>> audio = {"model_type": "audio-spectrogram-transformer", "max_length": 64, "num_mel_bins": 32, **sizes}
        >>> config = WhereWhenConfig(visual_config=visual, audio_config=audio, **sizes, num_labels=5)
        >>> model = WhereWhenForVideoClassification(config)
        >>> outputs = model(torch.randn(2, 4, 3, 32, 32), torch.randn(2, 64, 32), output_maps=True)
        >>> outputs.logits.shape, outputs.when_visual.shape
        (torch.Size([2, 5]), torch.Size([2, 4]))
        """
        outputs = self.where_when(pixel_values_videos, input_values, audio_mask, **kwargs)
        logits = self.classifier(self.dropout(outputs.pooler_output))
        loss = None if labels is None else video_classification_loss(self, labels, logits, **kwargs)
        maps = self.maps(outputs) if output_maps else {}
        return WhereWhenOutput(loss=loss, logits=logits, **maps, **states_of(outputs))

    def maps(self, outputs: WhereWhenModelOutput) -> dict[str, Tensor | None]:
        """Where, when, and the terms whose sum, with the classifier's bias, is the logits."""
        weights = self.classifier.weight.split(self.config.hidden_size, dim=1)
        evidence = {}
        for name, weight in zip(("visual", "audio"), weights, strict=True):
            evidence[f"{name}_evidence"] = outputs[f"when_{name}"][..., None] * (outputs[f"{name}_values"] @ weight.T)
        names = ("where", "when_visual", "when_audio", "frame_times", "audio_times")
        return {name: outputs[name] for name in names} | evidence

    def freeze_encoders(self) -> None:
        """Train all but the encoders: attention to patches and moments, mixing and the classifier."""
        for encoder in self.where_when.encoders():
            encoder.requires_grad_(False)

    @classmethod
    def from_experts(
        cls,
        visual: str | os.PathLike | PreTrainedModel,
        audio: str | os.PathLike | PreTrainedModel,
        audio_frames: int | None = None,
        **config_overrides: Any,
    ) -> "WhereWhenForVideoClassification":
        """Start from a published visual and a published audio model. All else is new.

        Args:
            visual: Hub id or folder of an image model of transformers whose tokens are patches, or of a video model of
                holovid; or the model itself.
            audio: the same for an AST of transformers.
            audio_frames: rows of the spectrogram, if not the AST's own; the middle of its positions is kept.
            config_overrides: fields of [`WhereWhenConfig`], `num_labels`, `id2label`.

        Raises `ValueError` for models of other kinds, and for a checkpoint that is damaged or lacks tensors.
        """
        check_field_names(WhereWhenConfig, config_overrides)
        models = {kind: read_inner_model(source) for kind, source in (("visual", visual), ("audio", audio))}
        configs = {f"{kind}_config": model.config.to_dict() for kind, model in models.items()}
        theirs = WhereWhenConfig(**configs)
        if audio_frames is not None:
            configs["audio_config"]["max_length"] = audio_frames
        model = cls(WhereWhenConfig(**configs | config_overrides))
        tensors = models["audio"].state_dict()
        positions = "embeddings.position_embeddings"
        tensors[positions] = cut_audio_positions(tensors[positions], theirs.audio_grid[1], model.config.audio_grid)
        visual_encoder, audio_encoder = model.where_when.encoders()
        fill_inner_model(visual_encoder.model, models["visual"].state_dict())
        fill_inner_model(audio_encoder.model, tensors)
        return model


__all__ = ["WhereWhenForVideoClassification", "WhereWhenModel", "WhereWhenPreTrainedModel"]
