# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Reading models of transformers that ours start from."""

import os
from collections.abc import Mapping
from typing import Any

from torch import Tensor
from transformers import AutoConfig, ViTModel
from transformers.modeling_utils import PreTrainedModel
from transformers.utils import logging

from holovid.modeling.reachable import check_reachable
from holovid.modeling.weight_files import check_all_there, check_weight_files, damage_named, modules

logger = logging.get_logger(__name__)

# tensors of image ViT checkpoints that belong to other tasks
UNUSED_OF_IMAGE_MODELS = ("classifier.", "decoder.", "embeddings.mask_token", "pooler.")
SHARED_FIELDS = (
    "image_size", "patch_size", "num_channels", "hidden_size", "num_hidden_layers", "num_attention_heads",
    "intermediate_size", "hidden_act", "qkv_bias", "layer_norm_eps", "initializer_range",
)  # fmt: skip


def read_image_vit(source: str | os.PathLike | PreTrainedModel) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Configuration fields that a ViT shares with video models, and the ViT's tensors by name.

    Args:
        source: Hub id or folder of a ViT checkpoint, or the model itself (`ViTModel` or any model on top of one).

    Heads, pooler and mask token are left out. Raises `ValueError` when the source is not a ViT or lacks tensors of it.
    """
    model = load_image_model(source, ViTModel)
    config = model.config
    tensors = {
        name: tensor for name, tensor in model.state_dict().items() if not name.startswith(UNUSED_OF_IMAGE_MODELS)
    }
    return {name: getattr(config, name) for name in SHARED_FIELDS}, tensors


def load_image_model(source: Any, model_class: type[PreTrainedModel]) -> PreTrainedModel:
    """Load a base model from a Hub id, a folder, or a model. Raises `ValueError` for others and missing tensors."""
    return load_source(source, model_class, UNUSED_OF_IMAGE_MODELS, add_pooling_layer=False).base_model


def load_source(
    source: Any, model_class: type[PreTrainedModel], unused: tuple[str, ...] = (), **options: Any
) -> PreTrainedModel:
    """Load a model of class `model_class` from a Hub id or a folder; a model is returned as it is.

    `unused` are prefixes of tensors that a checkpoint may have in addition. Raises `ValueError` for a model of another
    type, a checkpoint that lacks tensors, and a name that does not exist.
    """
    name, model_type = model_class.__name__.removesuffix("Model"), model_class.config_class.model_type
    if not isinstance(source, str | os.PathLike | PreTrainedModel):
        raise ValueError(f"source must be a Hub id, a folder or a transformers {name}, got a {type(source).__name__}")
    if isinstance(source, PreTrainedModel):
        config = source.config
    else:
        check_reachable(source)
        config = AutoConfig.from_pretrained(source)
    if config.model_type != model_type:
        raise ValueError(f"source must be a transformers {name}, got a {config.model_type} model")
    if isinstance(source, PreTrainedModel):
        return source
    if os.path.isdir(source):
        check_weight_files(source)
    with damage_named(source):
        model, loading = model_class.from_pretrained(
            source, output_loading_info=True, ignore_mismatched_sizes=True, **options
        )
    check_all_there(str(source), loading, unused)
    return model


def start_from(model: PreTrainedModel, tensors: Mapping[str, Tensor]) -> PreTrainedModel:
    """Copy tensors into `model` by name, with a warning about new modules. Raises `ValueError` for unplaced ones."""
    model.to(next(iter(tensors.values())).dtype)
    own, prefix = model.state_dict(), f"{model.base_model_prefix}."
    placed = {name if name in own else prefix + name: tensor for name, tensor in tensors.items()}
    homeless = [name for name, tensor in placed.items() if name not in own or own[name].shape != tensor.shape]
    if homeless:
        raise ValueError(
            f"these tensors of the source have no place in the model, check its configuration: {homeless}"
        )
    model.load_state_dict(placed, strict=False)
    if new := [name for name in own if name not in placed]:
        logger.warning(f"{len(placed)} tensors come from the source. New, to be trained: {', '.join(modules(new))}")
    return model


__all__ = ["UNUSED_OF_IMAGE_MODELS", "load_image_model", "load_source", "read_image_vit", "start_from"]
