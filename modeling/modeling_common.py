# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""What all model families share: attention, losses, resized positions, saving and loading.

B clips, T frames, S tokens of a frame, D width, N heads.
"""

import os
from typing import ClassVar

import torch
from torch import Tensor, nn
from transformers import initialization as init
from transformers.modeling_utils import PreTrainedModel
from transformers.utils import ModelOutput

from holovid.configuration.configuration_common import UploadedWhole
from holovid.modeling.linear import use_onednn
from holovid.modeling.model_inputs import check_tensor
from holovid.modeling.tasks import Task
from holovid.modeling.weight_files import check_all_there, check_indices

IGNORED = -100  # the label that cross-entropy leaves out


def eager_attention_forward(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    **kwargs,
) -> tuple[Tensor, Tensor]:
    """softmax(Q K^T * scaling) V on (batch, N, S, D / N): the reference that fast implementations are tested against.

    Returns the output (batch, S, N, D / N) and the attention weights (batch, N, S, S').
    """
    # contiguous: the memory layout decides the last bits, which must not depend on the batch size
    query, key, value = query.contiguous(), key.transpose(-1, -2).contiguous(), value.contiguous()
    attention = torch.matmul(query, key) * scaling
    if attention_mask is not None:
        attention = attention + attention_mask
    attention = nn.functional.softmax(attention, dim=-1, dtype=torch.float32).to(query.dtype)
    attention = nn.functional.dropout(attention, p=dropout, training=module.training)
    return torch.matmul(attention, value).transpose(1, 2).contiguous(), attention


def video_classification_loss(model: PreTrainedModel, labels: Tensor, logits: Tensor, **kwargs) -> Tensor:
    """The loss of transformers' classifiers, which also takes probabilities as labels.

    `config.problem_type` chooses it, as in transformers: regression, single-label or multi-label. `None` is guessed
    from the first labels seen: one output is regression, integers of any type are single-label, floats multi-label.
    With `"single_label_classification"`, float labels (B, num_labels) are probabilities, as mixup and distillation
    make them. Clips without a label are left out; without any label the loss is 0. Raises `ValueError` for labels of
    another shape and for class numbers that the model does not have.
    """
    check_tensor("labels", labels)
    problem_type = model.config.problem_type or guessed_problem_type(labels, logits.shape[-1])
    if problem_type == "regression":
        loss = score_loss(logits, labels)
    elif problem_type == "multi_label_classification":
        loss = multi_label_loss(logits, labels)
    elif labels.is_floating_point():
        loss = class_loss(logits, labels)
    else:
        labels = checked_classes(labels, len(logits), logits.shape[-1])
        # the mean over all clips that have a class, of which there may be none
        kwargs.setdefault("num_items_in_batch", (labels != IGNORED).sum().clamp(min=1))
        loss = model.loss_function(labels, logits, model.config, **kwargs)
    if model.config.problem_type is None:  # not before: labels of another shape are refused
        model.config.problem_type = problem_type
    return loss


def guessed_problem_type(labels: Tensor, count: int) -> str:
    """As transformers guesses it, but the same for all types of integers."""
    if count == 1:
        return "regression"
    return "multi_label_classification" if labels.is_floating_point() else "single_label_classification"


def class_loss(logits: Tensor, labels: Tensor, weight: Tensor | None = None, name: str = "labels") -> Tensor:
    """Mean cross-entropy of logits (B, K) over the clips that have a class; 0 if none has one, where torch gives NaN.

    `labels` are class numbers (B,), -100 for no class, or probabilities (B, K); `weight` (K,) is torch's.
    Raises `ValueError` for others, called `name`.
    """
    check_tensor(name, labels)
    if labels.is_floating_point():
        if labels.shape != logits.shape:
            raise ValueError(
                f"soft {name} must have shape {tuple(logits.shape)}, got {tuple(labels.shape)}; class numbers must be "
                "integers"
            )
        return nn.functional.cross_entropy(logits, labels.to(logits), weight=weight)
    labels = checked_classes(labels, len(logits), logits.shape[-1], name)
    total = nn.functional.cross_entropy(logits, labels, weight=weight, ignore_index=IGNORED, reduction="sum")
    kept = labels != IGNORED
    if weight is None:
        return total / kept.sum().clamp(min=1)
    weights = weight[labels.masked_fill(~kept, 0)] * kept
    return total / weights.sum().clamp(min=torch.finfo(weights.dtype).tiny)


def checked_classes(labels: Tensor, clips: int, count: int, name: str = "labels") -> Tensor:
    """Class numbers of any integer type as int64 (clips,). Raises `ValueError` for others, or too few or too many."""
    if labels.is_floating_point():
        raise ValueError(f"{name} must be class numbers as integers, got {str(labels.dtype)[6:]}")
    if labels.numel() != clips:
        raise ValueError(f"{name} must be one class number per clip ({clips},), got {tuple(labels.shape)}")
    check_classes(labels, count, name)
    return labels.reshape(clips).long()


def multi_label_loss(logits: Tensor, labels: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean binary cross-entropy of logits and labels (B, K): 1 for each class of a clip, 0 for the others.

    Mixed labels between 0 and 1 are allowed; -100 is left out. `weight` (K,) is torch's `pos_weight`.
    Raises `ValueError` for other shapes.
    """
    if labels.shape != logits.shape:
        raise ValueError(
            f"multi-label labels must hold 0 or 1 for every class, shape {tuple(logits.shape)}, got "
            f"{tuple(labels.shape)}"
        )
    losses = nn.functional.binary_cross_entropy_with_logits(
        logits, labels.to(logits), reduction="none", pos_weight=weight
    )
    kept = labels != IGNORED
    return (losses * kept).sum() / kept.sum().clamp(min=1)


def score_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean squared error of (B, 1) and labels (B,) or (B, 1), except NaN. Raises `ValueError` for other shapes."""
    if labels.numel() != logits.numel() or len(labels) != len(logits):
        raise ValueError(f"labels must be one number per clip ({len(logits)},), got {tuple(labels.shape)}")
    labels = labels.view_as(logits).to(logits)
    kept = ~labels.isnan()
    errors = torch.where(kept, logits - labels, 0.0)
    return errors.square().sum() / kept.sum().clamp(min=1)


def check_classes(labels: Tensor, count: int, name: str = "labels") -> None:
    """Raise `ValueError` for class numbers outside 0 to `count` - 1, except -100; a GPU's labels would take a wait."""
    if labels.device.type != "cpu" or labels.is_floating_point() or torch.compiler.is_compiling():
        return
    wrong = labels[((labels < 0) | (labels >= count)) & (labels != IGNORED)]
    if len(wrong):
        raise ValueError(
            f"{name} must be class numbers from 0 to {count - 1}, or {IGNORED} for no class, got {wrong[0]}"
        )


def resize_position_embeddings(
    table: Tensor, grid: tuple[int, int], new_grid: tuple[int, int], mode: str = "bicubic"
) -> Tensor:
    """Resize learned positions (1, 1 + rows * columns, D) to another grid, not the class row. `mode`: `interpolate`'s.

    Departs: the released code of XViT passes `image_size / 224` as the scale and rounds the side down, which loses a
    row at 976 pixels. We pass the side, as transformers' ViT does: every multiple of the patch size is right, and all
    other sizes get the same numbers.
    """
    if grid == new_grid:
        return table
    patches = table[:, 1:].unflatten(1, grid).permute(0, 3, 1, 2)
    patches = nn.functional.interpolate(patches.float(), size=new_grid, mode=mode)
    return torch.cat((table[:, :1], patches.permute(0, 2, 3, 1).flatten(1, 2).to(table.dtype)), dim=1)


def init_as_torch(module: nn.Linear | nn.Conv2d | nn.Conv3d) -> None:
    """`module.reset_parameters()` through transformers' guarded functions: uniform within 1 / sqrt(fan in)."""
    bound = module.weight[0].numel() ** -0.5
    init.uniform_(module.weight, -bound, bound)
    if module.bias is not None:
        init.uniform_(module.bias, -bound, bound)


def states_of(outputs: ModelOutput) -> dict:
    return {name: value for name, value in outputs.items() if name.endswith(("hidden_states", "attentions"))}


def align(model: nn.Module) -> None:
    """Copy tensors to multiples of 64 bytes, as torch allocates them; else the last bits of CPU products differ."""
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.device.type == "cpu" and tensor.data_ptr() % 64:
            tensor.data = tensor.data.clone()


def state_of(model: nn.Module) -> dict[str, tuple[int, int]]:
    """Identity and version of each parameter; they differ after a step of training."""
    return {
        name: (id(parameter), 0 if parameter.is_inference() else parameter._version)
        for name, parameter in model.named_parameters()
    }


class HolovidPreTrainedModel(UploadedWhole, PreTrainedModel):
    """Saves folders that load through the Auto classes, with holovid installed or with `trust_remote_code=True`."""

    main_input_name = "pixel_values_videos"
    tasks: ClassVar[tuple[Task, ...]] = ()  # what a head answers; `tasks_of` also looks at its configuration
    # Without this, Trainer assumes that the loss divides by `num_items_in_batch`. Only cross-entropy would, and
    # accumulated gradients of multi-label and regression losses would be too large.
    accepts_loss_kwargs = False
    # name, loading info and state, if the checkpoint had other tensors than the model
    loaded_with_faults: tuple[str, dict, dict] | None = None

    def post_init(self) -> None:
        super().post_init()
        use_onednn(self)

    def frame_features(self, pixel_values_videos: Tensor) -> Tensor:
        """Features (B, T, D) of each frame of clips (B, T, C, H, W).

        The feature of a frame may also depend on other frames of the clip, later ones too. Raises `ValueError` for a
        model that has no such features.
        """
        if self.base_model is self:
            raise ValueError(f"a {type(self).__name__} has no features of single frames")
        return self.base_model.frame_features(pixel_values_videos)

    def clip_features(self, **inputs: Tensor) -> Tensor:
        """One feature vector a clip, (B, D), from the processor's outputs for B clips.

        It is the base model's `pooler_output`, unless a family says otherwise. Raises `ValueError` for a model that
        has none.
        """
        features = self.base_model(**inputs).pooler_output
        if features is None:
            raise ValueError(f"this {type(self).__name__} has no clip features: it was made without a pooling layer")
        return features

    @property
    def clip_feature_parts(self) -> tuple[str, ...]:
        """Names of the equally wide parts that `clip_features` concatenates; empty if there is only one."""
        return ()

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, *arguments, **options):
        """As in transformers; results do not depend on where in a file the weights lie.

        Raises `ValueError` for a folder whose index of weights is damaged or names files outside it.
        """
        source = pretrained_model_name_or_path
        if isinstance(source, (str, os.PathLike)) and os.path.isdir(source):
            check_indices(os.path.join(source, options.get("subfolder") or ""))
        wants_info = options.pop("output_loading_info", False)
        model, loading = super().from_pretrained(source, *arguments, output_loading_info=True, **options)
        align(model)
        if any(loading.values()):
            model.loaded_with_faults = str(source), loading, state_of(model)
        return (model, loading) if wants_info else model

    def check_loaded(self) -> None:
        """Raise `ValueError`, naming tensors, if the model's checkpoint lacked some of its tensors or had others.

        After training the model is accepted: a script may load an incomplete checkpoint and train what is missing.
        """
        if self.loaded_with_faults is not None:
            source, loading, state = self.loaded_with_faults
            if state == state_of(self):
                check_all_there(source, loading)

    def save_pretrained(self, save_directory, save_original_format: bool = False, **kwargs):
        """As in transformers, but whole: a process that is killed leaves this model or the former one in the folder.

        Raises `ValueError` when another process is saving to the folder, and `OSError` when there is no space.
        """
        kwargs["save_original_format"] = save_original_format
        saving = self._saving()
        writes_alone = kwargs.get("is_main_process", True) and not kwargs.get("distributed_checkpoint")
        if saving is None or not writes_alone or os.path.isfile(save_directory):
            super().save_pretrained(save_directory, **kwargs)
        else:
            saving.save_whole(super().save_pretrained, save_directory, **kwargs)


__all__ = [
    "HolovidPreTrainedModel",
    "check_classes",
    "checked_classes",
    "class_loss",
    "eager_attention_forward",
    "init_as_torch",
    "resize_position_embeddings",
    "states_of",
    "video_classification_loss",
]
