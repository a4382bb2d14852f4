# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""CAST, CAVA and CA²ST: frozen experts in space, time and audio that attend to each other through narrow bottlenecks.

clip (B, F, C, H, W), sound (B, frames, mel bins) -> tokens of each expert -> L layers -> a feature (B, D) an expert
-> logits. CAST (arXiv:2311.18825) = space + time, CAVA = space + audio, CA²ST (arXiv:2503.23447) = all three: the same
classes with other `config.experts`. The layers and the alphabet are in layers_ca2st.py.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import initialization as init
from transformers.activations import ACT2FN
from transformers.modeling_outputs import BaseModelOutputWithPooling, ImageClassifierOutput
from transformers.processing_utils import Unpack
from transformers.utils import ModelOutput, TransformersKwargs
from transformers.utils.generic import can_return_tuple, merge_with_config_defaults
from transformers.utils.output_capturing import (
    OutputRecorder,
    capture_outputs,
    resolve_hidden_states_indices,
    selected_hidden_states,
)

from holovid.configuration.configuration_ca2st import EXPERTS, CA2STConfig
from holovid.modeling.adapters_ca2st import ModelOfExperts
from holovid.modeling.axis_attention import AxisAttention
from holovid.modeling.layers_ca2st import (
    EMBEDDINGS,
    FEATURES,
    CA2STAdapter,
    CA2STAudioEmbeddings,
    CA2STExpertMLP,
    CA2STLayer,
    CA2STSpaceEmbeddings,
    CA2STTables,
    CA2STTimeEmbeddings,
    CA2STTimestamps,
    CA2STZeroLinear,
    sinusoids,
)
from holovid.modeling.model_inputs import check_floats, check_pixels, check_tensor
from holovid.modeling.modeling_common import class_loss, states_of, video_classification_loss
from holovid.modeling.tasks import LABEL, Task

RECORDED = ("hidden_states", "attentions")


@dataclass
class ByExpert(ModelOutput):
    """Hidden states and attentions of each expert, and attentions of the exchanges between them.

    Hidden states, from the embeddings on: space (B, T, 1 + S, D), time (B, T, S, D), audio (B, 2 + A, D). Attentions:
    space (B * T, N, 1 + S, 1 + S), time (B, N, T * S, T * S), audio (B, N, 2 + A, 2 + A). Cross-attentions: for each
    layer and pair, first the pair's first expert reads, then its second: (B, S * N, T, T) where space reads time,
    (B * T, N, S, S) where time reads space, (B, N, T * S, A) and (B, N, A, T * S) with audio.
    """

    space_hidden_states: tuple[Tensor, ...] | None = None
    time_hidden_states: tuple[Tensor, ...] | None = None
    audio_hidden_states: tuple[Tensor, ...] | None = None
    space_attentions: tuple[Tensor, ...] | None = None
    time_attentions: tuple[Tensor, ...] | None = None
    audio_attentions: tuple[Tensor, ...] | None = None
    cross_attentions: tuple[Tensor, ...] | None = None


@dataclass
class CA2STModelOutput(ByExpert, BaseModelOutputWithPooling):
    """`last_hidden_state`, `hidden_states` and `attentions` are the space expert's.

    `pooler_output` (B, experts * D): the experts' features side by side, in the order of `config.experts`. The audio
    feature of a clip without sound is zero.
    """


@dataclass
class CA2STClassifierOutput(ByExpert, ImageClassifierOutput):
    """`logits` (B, num_labels); hidden states and attentions as in [`CA2STModelOutput`]."""


@dataclass
class CA2STActionOutput(ByExpert, ModelOutput):
    """`verb_logits` (B, num_verbs), `noun_logits` (B, num_nouns): an action is a pair. `loss` is the sum of both."""

    loss: Tensor | None = None
    verb_logits: Tensor | None = None
    noun_logits: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


class CA2STPreTrainedModel(ModelOfExperts):
    config: CA2STConfig
    base_model_prefix = "ca2st"
    input_modalities = ("video", "audio")
    supports_gradient_checkpointing = True
    _no_split_modules = ["CA2STLayer"]  # noqa: RUF012
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_flex_attn = True
    _supports_attention_backend = True
    _can_compile_fullgraph = True
    _can_record_outputs = {  # noqa: RUF012
        **{
            f"{expert}_hidden_states": [
                OutputRecorder(EMBEDDINGS[expert]),
                OutputRecorder(CA2STExpertMLP, layer_name=f"mlps.{expert}"),
            ]
            for expert in EMBEDDINGS
        },
        **{
            f"{expert}_attentions": OutputRecorder(AxisAttention, index=1, layer_name=f"attentions.{expert}")
            for expert in EMBEDDINGS
        },
        "cross_attentions": OutputRecorder(AxisAttention, index=1, layer_name="exchanges"),
    }

    @property
    def clip_feature_parts(self) -> tuple[str, ...]:
        return tuple(self.config.experts)

    @torch.no_grad()
    def _init_weights(self, module: nn.Module):
        """As released: truncated normal; the projections from the exchanges back into the experts start at zero."""
        super()._init_weights(module)
        width = self.config.hidden_size
        if isinstance(module, CA2STZeroLinear):
            init.zeros_(module.weight)
        elif isinstance(module, nn.Linear):
            init.trunc_normal_(module.weight, std=self.config.initializer_range)
        elif isinstance(module, CA2STTables):
            for table in module.parameters():
                init.normal_(table, std=(self.config.bottleneck_size / self.config.num_attention_heads) ** -0.5)
        elif isinstance(module, CA2STSpaceEmbeddings):
            init.normal_(module.cls_token, std=width**-0.5)
            init.normal_(module.position_embeddings, std=width**-0.5)
        elif isinstance(module, CA2STTimeEmbeddings):
            sines = module.get_buffer("position_embeddings")
            init.copy_(sines, sinusoids(*sines.shape))
        elif isinstance(module, CA2STAudioEmbeddings):
            for parameter in (module.cls_token, module.distillation_token, module.position_embeddings):
                init.trunc_normal_(parameter, std=self.config.initializer_range)


class CA2STModel(CA2STPreTrainedModel):
    """The experts and their exchanges without a head: tokens and a feature of each."""

    def __init__(self, config: CA2STConfig):
        super().__init__(config)
        self.embeddings = nn.ModuleDict({expert: EMBEDDINGS[expert](config) for expert in config.experts})
        self.timestamps = nn.ModuleDict()
        if config.hears and config.audio_positions == "timestamps":
            names = ("frames",) if config.share_time_mlp else ("frames", "audio")
            self.timestamps.update({name: CA2STTimestamps(config) for name in names})
            self._keep_in_fp32_modules_strict = ["timestamps"]  # see `CA2STTimestamps`
        self.layers = nn.ModuleList(CA2STLayer(config, index) for index in range(config.num_hidden_layers))
        self.features = nn.ModuleDict({expert: FEATURES[expert](config) for expert in config.experts})
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        return self.embeddings["space"].get_submodule("projection")

    def set_input_embeddings(self, value: nn.Module):
        self.embeddings["space"].projection = value

    def check_inputs(self, pixel_values_videos: Any, input_values: Any, audio_mask: Any):
        config = self.config
        frames = (config.num_frames, config.num_channels, config.image_size, config.image_size)
        expected = f"(clips, {', '.join(map(str, frames))})"
        check_pixels(pixel_values_videos, config.num_channels, expected)
        if pixel_values_videos.shape[1:] != frames:
            raise ValueError(f"pixel_values_videos must be {expected}, got {tuple(pixel_values_videos.shape)}")
        if not config.hears:
            if input_values is not None:
                raise ValueError(
                    f"this model has no audio expert ({', '.join(config.experts)}): leave out input_values"
                )
            return
        sound = (pixel_values_videos.shape[0], config.audio_frames, config.num_mel_bins)
        if input_values is not None:
            check_floats("input_values", input_values)
        if input_values is None or input_values.shape != sound:
            got = None if input_values is None else tuple(input_values.shape)
            raise ValueError(
                f"input_values must be log-mel of shape {sound} (clips, frames, mel bins), got {got}; for clips "
                "without sound pass zeros and audio_mask=False"
            )
        if audio_mask is None:
            return
        check_tensor("audio_mask", audio_mask)
        if audio_mask.shape != sound[:1]:
            raise ValueError(f"audio_mask must be of shape {sound[:1]} (clips), got {tuple(audio_mask.shape)}")
        if audio_mask.is_floating_point():
            raise ValueError(
                f"audio_mask must be True for clips with sound and False for others, got {audio_mask.dtype}"
            )

    def timestamp_vectors(
        self, frame_times: Tensor | None, audio_span: Tensor | None, like: Tensor
    ) -> tuple[Tensor | None, Tensor | None]:
        """Vectors for the times of tokens: of frames (B, T, 1, d), of audio (B, A, d); B and device of `like`."""
        if not len(self.timestamps):
            return None, None
        # not the model's device, which is meta while its weights are on a disk
        config, clips, device = self.config, like.shape[0], like.device
        for name, times in (("frame_times", frame_times), ("audio_span", audio_span)):
            if times is not None:
                check_tensor(name, times)
        if audio_span is None:
            seconds = 0.01 * config.audio_frames
            audio_span = torch.tensor([[0.0, seconds]], device=device).expand(clips, -1)
        if frame_times is None:
            part = torch.arange(config.num_frames, device=device) / config.num_frames
            frame_times = audio_span[:, :1] + part * (audio_span[:, 1:] - audio_span[:, :1])
        for name, times, count in (("frame_times", frame_times, config.num_frames), ("audio_span", audio_span, 2)):
            if times.shape != (clips, count):
                raise ValueError(f"{name} must be seconds of shape {(clips, count)}, got {tuple(times.shape)}")
        dtype = self.timestamps["frames"].dtype
        frame_times, audio_span = (times.to(device).to(dtype) for times in (frame_times, audio_span))

        slots = config.num_slots
        moments = frame_times.unflatten(1, (slots, config.tubelet_size))[:, :, [0, -1]]
        borders = torch.arange(slots + 1, device=device) / slots
        borders = audio_span[:, :1] + borders * (audio_span[:, 1:] - audio_span[:, :1])
        segments = torch.stack((borders[:, :-1], borders[:, 1:]), dim=-1)

        rows, columns = config.audio_grid
        patches = torch.arange(rows * columns, device=device)
        # "official" takes columns in the order of time, although patches are in the order of frequency
        column = patches // rows if config.audio_time_layout == "official" else patches % columns
        segment = column // (columns // slots + 1)
        audio_mlp = self.timestamps["frames" if config.share_time_mlp else "audio"]
        return self.timestamps["frames"](moments)[:, :, None], audio_mlp(segments)[:, segment]

    def feature_map(self, pixel_values_videos: Tensor, **kwargs: Any) -> Tensor:
        """The space expert's patches (B, T, h, w, D); arguments as in `forward`."""
        patches = self(pixel_values_videos, **kwargs).last_hidden_state[:, :, 1:]
        return patches.unflatten(2, (self.config.image_size // self.config.patch_size, -1))

    @can_return_tuple
    def forward(
        self,
        pixel_values_videos: Tensor | None = None,
        input_values: Tensor | None = None,
        audio_mask: Tensor | None = None,
        frame_times: Tensor | None = None,
        audio_span: Tensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> CA2STModelOutput:
        r"""
        pixel_values_videos (`Tensor` of shape (B, F, C, H, W)):
            Normalised frames.
        input_values (`Tensor` of shape (B, audio frames, mel bins)):
            Normalised log-mel, if the model has an audio expert.
        audio_mask (`Tensor` of shape (B,), bool, *optional*):
            False for clips without sound; their `input_values` are then ignored.
        frame_times (`Tensor` of shape (B, F), *optional*), audio_span (`Tensor` of shape (B, 2), *optional*):
            Seconds from the start of the clip: of each frame, and of the start and end of the audio. Default: the
            audio starts with the clip, 10 ms a row, and frames are spread evenly over it.
        """
        asked = {kind: kwargs.get(f"output_{kind}", getattr(self.config, f"output_{kind}")) for kind in RECORDED}
        for kind in (kind for kind in RECORDED if asked[kind]):
            kwargs |= {f"output_{expert}_{kind}": True for expert in self.config.experts}
        outputs = self.encode(pixel_values_videos, input_values, audio_mask, frame_times, audio_span, **kwargs)
        if (selected := selected_hidden_states(asked["hidden_states"])) is not None:  # by index, as in transformers
            for expert in self.config.experts:
                states = outputs[f"{expert}_hidden_states"]
                kept = resolve_hidden_states_indices(self, selected, len(states))
                outputs[f"{expert}_hidden_states"] = tuple(
                    state if index in kept else None for index, state in enumerate(states)
                )
        outputs.hidden_states = outputs.space_hidden_states
        outputs.attentions = outputs.space_attentions
        return outputs

    @merge_with_config_defaults
    @capture_outputs(tie_last_hidden_states=False)
    def encode(
        self,
        pixel_values_videos: Tensor | None,
        input_values: Tensor | None,
        audio_mask: Tensor | None,
        frame_times: Tensor | None,
        audio_span: Tensor | None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> CA2STModelOutput:
        self.check_inputs(pixel_values_videos, input_values, audio_mask)
        inputs = {"space": pixel_values_videos, "time": pixel_values_videos, "audio": input_values}
        if audio_mask is not None and input_values is not None:
            audio_mask = audio_mask.to(device=input_values.device, dtype=torch.bool)
            inputs["audio"] = input_values.masked_fill(~audio_mask[:, None, None], 0.0)  # may hold NaN
        states = {expert: embeddings(inputs[expert]) for expert, embeddings in self.embeddings.items()}
        tokens = tuple(states.get(expert) for expert in EXPERTS)
        timestamps = [
            None if vectors is None else vectors.to(states["space"].dtype)
            for vectors in self.timestamp_vectors(frame_times, audio_span, states["space"])
        ]
        for layer in self.layers:
            tokens = layer(*tokens, *timestamps, audio_mask, **kwargs)
        states = dict(zip(EXPERTS, tokens, strict=True))
        features = {expert: feature(states[expert]) for expert, feature in self.features.items()}
        if audio_mask is not None and "audio" in features:
            features["audio"] = features["audio"].masked_fill(~audio_mask[:, None], 0.0)
        return CA2STModelOutput(
            last_hidden_state=states["space"], pooler_output=torch.cat(list(features.values()), dim=-1)
        )


class CA2STQuickAdapter(CA2STAdapter):
    def __init__(self, config: CA2STConfig):
        super().__init__(config)
        self.activation = ACT2FN["quick_gelu"]
        self.up = nn.Linear(config.adapter_size, config.hidden_size)  # type: ignore[assignment]


class CA2STReadout(nn.Module):
    """Experts' features side by side (B, experts * D) -> the classifier's input (B, D), a sum through adapters.

    The audio feature of a clip without sound adds nothing, not even the adapter's bias.
    """

    def __init__(self, config: CA2STConfig, experts: list[str], adapters: dict[str, type[nn.Module]]):
        super().__init__()
        self.all_experts = list(config.experts)
        self.experts = experts
        self.skip, self.scale = config.feature_adapter_skip, config.feature_scale
        self.adapters = nn.ModuleDict({expert: make(config) for expert, make in adapters.items()})

    def forward(self, pooled: Tensor, audio_mask: Tensor | None) -> Tensor:
        features = dict(zip(self.all_experts, pooled.chunk(len(self.all_experts), dim=-1), strict=True))
        total = torch.zeros_like(features["space"])
        for expert in self.experts:
            feature = features[expert]
            if expert in self.adapters:
                adapted = self.adapters[expert](feature)
                feature = feature + adapted if self.skip else adapted
            if expert == "audio" and audio_mask is not None:
                feature = feature.masked_fill(~audio_mask.to(feature.device, torch.bool)[:, None], 0.0)
            total = total + feature
        return self.scale * total


def build_readouts(config: CA2STConfig, tasks: dict[str, str]) -> nn.ModuleDict:
    """One readout for each of `tasks`, which maps its name to the leading expert ("all" = every expert).

    As released: without a time expert all tasks share one readout; without an audio expert a task's own readout is the
    leading expert's bare feature.
    """
    audio = CA2STQuickAdapter if "time" in config.experts else CA2STAdapter
    adapters = {"space": CA2STAdapter, "time": CA2STAdapter, "audio": audio}
    readouts = nn.ModuleDict()
    for task, leader in tasks.items():
        shared = leader == "all" or "time" not in config.experts
        experts = [expert for expert in config.experts if shared or expert in (leader, "audio")]
        bare = not shared and experts == [leader]
        readouts["all" if shared else task] = CA2STReadout(
            config, experts, {} if bare else {expert: adapters[expert] for expert in experts}
        )
    return readouts


class CA2STForVideoClassification(CA2STPreTrainedModel):
    """CAST, CAVA or CA²ST with one classifier."""

    tasks = (LABEL,)

    def __init__(self, config: CA2STConfig):
        super().__init__(config)
        self.num_labels = config.num_labels
        self.ca2st = CA2STModel(config)
        self.readouts = build_readouts(config, {"label": "all"})
        self.dropout = nn.Dropout(config.classifier_dropout)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        pixel_values_videos: Tensor | None = None,
        input_values: Tensor | None = None,
        audio_mask: Tensor | None = None,
        frame_times: Tensor | None = None,
        audio_span: Tensor | None = None,
        labels: Tensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> CA2STClassifierOutput:
        r"""
        Inputs as in [`CA2STModel`]; `labels` (B,) or (B, num_labels) as in [`XViTForVideoClassification`].

        Returns:
            [`CA2STClassifierOutput`]: `logits` (B, num_labels); `loss` if labels are given; hidden states and
            attentions on request, attentions with `attn_implementation="eager"` only.

        Example:

        >>> import torch
        >>> from holovid import CA2STConfig, CA2STForVideoClassification
        >>> sizes = {"image_size": 32, "hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
        >>> model = CA2STForVideoClassification(CA2STConfig(experts=["space", "time"], **sizes, num_labels=5))
        >>> model(torch.randn(2, 16, 3, 32, 32)).logits.shape
        torch.Size([2, 5])
        """
        outputs = self.ca2st(pixel_values_videos, input_values, audio_mask, frame_times, audio_span, **kwargs)
        logits = self.classifier(self.dropout(self.readouts["all"](outputs.pooler_output, audio_mask)))
        loss = None if labels is None else video_classification_loss(self, labels, logits, **kwargs)
        return CA2STClassifierOutput(loss=loss, logits=logits, **states_of(outputs))


class CA2STForActionRecognition(CA2STPreTrainedModel):
    """CAST, CAVA or CA²ST with a classifier of verbs and one of nouns; an action is a pair."""

    tasks = (
        Task("verb", labels="verb_labels", scores="verb_logits"),
        Task("noun", labels="noun_labels", scores="noun_logits"),
    )

    def __init__(self, config: CA2STConfig):
        super().__init__(config)
        self.ca2st = CA2STModel(config)
        self.readouts = build_readouts(config, {"verb": "time", "noun": "space"})
        self.dropout = nn.Dropout(config.classifier_dropout)
        self.classifiers = nn.ModuleDict(
            {
                "verb": nn.Linear(config.hidden_size, config.num_verbs),
                "noun": nn.Linear(config.hidden_size, config.num_nouns),
            }
        )
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        pixel_values_videos: Tensor | None = None,
        input_values: Tensor | None = None,
        audio_mask: Tensor | None = None,
        frame_times: Tensor | None = None,
        audio_span: Tensor | None = None,
        verb_labels: Tensor | None = None,
        noun_labels: Tensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> CA2STActionOutput:
        r"""
        Inputs as in [`CA2STModel`].

        verb_labels, noun_labels (`Tensor` of shape (B,), or (B, classes) of probabilities, *optional*):
            Give both or neither; -100 for no class. The loss is the sum of the two cross-entropies.

        Returns:
            [`CA2STActionOutput`]: `verb_logits` (B, num_verbs), `noun_logits` (B, num_nouns); `loss` if labels are
            given; hidden states and attentions as in [`CA2STForVideoClassification`].

        Example:

        >>> import torch
        >>> from holovid import CA2STConfig, CA2STForActionRecognition
        >>> sizes = {"image_size": 32, "hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
        >>> config = CA2STConfig(experts=["space", "time"], **sizes, num_verbs=3, num_nouns=4)
        >>> model = CA2STForActionRecognition(config)
        >>> outputs = model(torch.randn(2, 16, 3, 32, 32))
        >>> outputs.verb_logits.shape, outputs.noun_logits.shape
        (torch.Size([2, 3]), torch.Size([2, 4]))
        """
        outputs = self.ca2st(pixel_values_videos, input_values, audio_mask, frame_times, audio_span, **kwargs)
        read = {name: readout(outputs.pooler_output, audio_mask) for name, readout in self.readouts.items()}
        verb_logits, noun_logits = (
            self.classifiers[task](self.dropout(read.get(task, read.get("all")))) for task in ("verb", "noun")
        )
        loss = None
        if (verb_labels is None) != (noun_labels is None):
            raise ValueError("give both verb_labels and noun_labels, or neither")
        if verb_labels is not None:
            loss = class_loss(verb_logits, verb_labels, name="verb_labels")
            loss = loss + class_loss(noun_logits, noun_labels, name="noun_labels")
        return CA2STActionOutput(loss=loss, verb_logits=verb_logits, noun_logits=noun_logits, **states_of(outputs))

    @staticmethod
    def action_in_top(
        verb_scores: Tensor, noun_scores: Tensor, verb_labels: Tensor, noun_labels: Tensor, k: int = 1
    ) -> Tensor:
        """Which actions (B,) are correct: verb and noun are both among the k highest of their scores (B, classes).

        Scores may be logits or, as in the papers, probabilities averaged over views.
        """
        verb, noun = (
            (scores.topk(k).indices == labels[:, None]).any(dim=1)
            for scores, labels in ((verb_scores, verb_labels), (noun_scores, noun_labels))
        )
        return verb & noun


__all__ = ["CA2STForActionRecognition", "CA2STForVideoClassification", "CA2STModel", "CA2STPreTrainedModel"]
