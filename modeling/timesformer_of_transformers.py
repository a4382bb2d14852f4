# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Reading transformers' TimeSformer: its fields and tensors under our names."""

import os
from typing import Any

from torch import Tensor
from transformers import TimesformerForVideoClassification
from transformers.modeling_utils import PreTrainedModel

from holovid.modeling.image_vit import load_source

SHARED_FIELDS = (
    "image_size", "patch_size", "num_channels", "num_frames", "attention_type", "hidden_size", "num_hidden_layers",
    "num_attention_heads", "intermediate_size", "hidden_act", "qkv_bias", "layer_norm_eps", "hidden_dropout_prob",
    "attention_probs_dropout_prob", "drop_path_rate", "initializer_range", "id2label", "problem_type",
)  # fmt: skip
# the order matters: "attention.output" belongs to attention, a bare "output" to the MLP
NAMES = (
    ("timesformer.", "time_sformer."),
    ("time_embeddings", "temporal_embeddings"),
    ("encoder.layer.", "layers."),
    ("attention.output.dense", "attention.o_proj"),
    ("intermediate.dense", "mlp.fc1"),
    ("output.dense", "mlp.fc2"),
)
FUSED = "attention.attention.qkv."


def read_timesformer(source: str | os.PathLike | PreTrainedModel) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Configuration fields and tensors, by our names, of transformers' classifier.

    Raises `ValueError` for other models, and for a checkpoint that lacks tensors.
    """
    model = load_source(source, TimesformerForVideoClassification)
    if not hasattr(model, "classifier"):
        raise ValueError(
            f"source must be a TimesformerForVideoClassification, got a {type(model).__name__}, which has no "
            "classifier"
        )
    tensors: dict[str, Tensor] = {}
    for name, tensor in model.state_dict().items():
        for theirs, ours in NAMES:
            name = name.replace(theirs, ours)
        if FUSED in name:
            parts = (name.replace(FUSED, f"attention.{x}_proj.") for x in "qkv")
            tensors |= dict(zip(parts, tensor.chunk(3), strict=True))
        else:
            tensors[name] = tensor
    return {name: getattr(model.config, name) for name in SHARED_FIELDS}, tensors


__all__ = ["read_timesformer"]
