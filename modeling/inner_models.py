# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Models inside ours, from transformers or holovid: built from a configuration, filled from a checkpoint."""

import os
from inspect import signature
from typing import Any

from torch import Tensor
from transformers import AutoModel, PreTrainedConfig
from transformers.modeling_utils import PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_MAPPING

from holovid.modeling.reachable import check_reachable
from holovid.modeling.weight_files import check_all_there, damage_named, some

# poolers are left out: most image checkpoints do not train them, and video models pool whole clips
POOLING = "add_pooling_layer"


def build_inner_model(config: PreTrainedConfig) -> PreTrainedModel:
    """A new base model, without its pooler if the class allows that."""
    without = {POOLING: False} if POOLING in signature(MODEL_MAPPING[type(config)]).parameters else {}
    return AutoModel.from_config(config, **without)


def read_inner_model(source: str | os.PathLike | PreTrainedModel) -> PreTrainedModel:
    """Read the base model from a Hub id, a folder, or a model; a head on top is left out.

    Raises `ValueError` for a checkpoint that is damaged or lacks tensors, and for a name that does not exist.
    """
    if isinstance(source, PreTrainedModel):
        return source.base_model
    check_reachable(source)
    with damage_named(source):
        model, loading = AutoModel.from_pretrained(source, output_loading_info=True)
    check_all_there(str(source), loading | {"unexpected_keys": ()}, new=("pooler.",))
    return model.base_model


def fill_inner_model(inner: Any, tensors: dict[str, Tensor]) -> None:
    """Copy a base model's tensors into the inner one, except a pooler's. Raises `ValueError` for missing ones."""
    own = inner.state_dict()
    if missing := sorted(name for name in own if name not in tensors or own[name].shape != tensors[name].shape):
        raise ValueError(f"the {inner.config.model_type} to start from lacks {some(missing)}")
    inner.load_state_dict({name: tensors[name] for name in own})


__all__ = ["build_inner_model", "fill_inner_model", "read_inner_model"]
