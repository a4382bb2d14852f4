"""Tensor names of the released XViT checkpoints, and the sizes that their shapes determine."""

import math

from torch import Tensor
from transformers import PreTrainedConfig, PreTrainedModel

from holovid.configuration.configuration_xvit import XViTConfig
from holovid.conversion.checkpoint import Names, StateDict, depth, label_settings, linear, say_assumed, some
from holovid.conversion.vit_block import vit_block
from holovid.modeling.modeling_xvit import XViTForVideoClassification, resize_position_embeddings


def xvit(
    state_dict: dict[str, Tensor],
    image_size: int | tuple[int, int] | None = None,
    num_frames: int | None = None,
    num_attention_heads: int | None = None,
    temporal_num_attention_heads: int | None = None,
    mix_group: int | None = None,
    mix_divisor: int | None = None,
    mix_layers: list[int] | None = None,
    id2label: dict[int, str] | None = None,
) -> tuple[type[PreTrainedModel], PreTrainedConfig, Names, StateDict]:
    """XViT as released. Not in the tensors: heads, the number of frames, and their mixing.

    Released settings: Kinetics `num_frames=16, mix_group=8, mix_divisor=8`; Something-Something v2
    `num_frames=16, mix_group=16, mix_divisor=4`. `mix_layers` beyond the depth are ignored, as in the reference.
    """
    if not any(name.startswith("base_model.") for name in state_dict):  # saved from inside the wrapper
        state_dict = {
            name if name.startswith(("consensus.", "new_fc.")) else f"base_model.{name}": tensor
            for name, tensor in state_dict.items()
        }
    # only without dropout, the reference keeps mean pooling's classifier in the backbone
    classifiers = {"consensus.mlp_head.4": "attention", "base_model.head": "mean", "new_fc": "mean"}
    classifier = next((name for name in classifiers if f"{name}.weight" in state_dict), "new_fc")
    told = _xvit_from_tensors(state_dict, classifier, classifiers[classifier])
    untold = {
        "num_frames": (num_frames, told["temporal_embedding_length"]),
        "num_attention_heads": (num_attention_heads, max(told["hidden_size"] // 64, 1)),  # as in every released ViT
        "mix_divisor": (mix_divisor, 8),
        "mix_group": (mix_group, None),
    }
    settings = told | say_assumed(untold)
    stored_grid = XViTConfig(**settings).grid_size
    if image_size is not None:
        settings["image_size"] = image_size
    if mix_layers is not None:
        settings["mix_layers"] = [layer for layer in mix_layers if layer < told["num_hidden_layers"]]
    settings |= label_settings(state_dict[f"{classifier}.weight"].shape[0], id2label)
    config = XViTConfig(**settings, temporal_num_attention_heads=temporal_num_attention_heads)

    names = _xvit_names(config, classifier)
    names.reshape = {
        "base_model.temp_embed": lambda table: table.squeeze(2),
        "base_model.pos_embed": lambda table: resize_position_embeddings(table, stored_grid, config.grid_size),
    }
    return XViTForVideoClassification, config, names, state_dict


def _xvit_from_tensors(state_dict: StateDict, classifier: str, pooling: str) -> dict:
    shape_of = {
        "cls_token": "base_model.cls_token",
        "positions": "base_model.pos_embed",
        "times": "base_model.temp_embed",
        "patches": "base_model.patch_embed.proj.weight",
        "mlp": "base_model.blocks.0.mlp.fc1.weight",
        "labels": f"{classifier}.weight",
    }
    if pooling == "attention":
        shape_of |= {
            "temporal_mlp": "consensus.temporal_encoder.0.mlp.fc1.weight",
            "dense": "consensus.mlp_head.1.weight",
        }
    if missing := [name for name in shape_of.values() if name not in state_dict]:
        raise ValueError(
            f"this is not a complete xvit checkpoint: it lacks {some(missing)}; it has {some(sorted(state_dict))}"
        )
    shapes = {role: state_dict[name].shape for role, name in shape_of.items()}
    settings = {
        "hidden_size": shapes["cls_token"][-1],
        "num_hidden_layers": depth(state_dict, "base_model.blocks."),
        "intermediate_size": shapes["mlp"][0],
        "qkv_bias": "base_model.blocks.0.attn.qkv.bias" in state_dict,
        "num_channels": shapes["patches"][1],
        "patch_size": shapes["patches"][-1],
        "image_size": math.isqrt(shapes["positions"][1] - 1) * shapes["patches"][-1],
        "temporal_embedding_length": shapes["times"][1],
        "pooling": pooling,
    }
    if pooling == "attention":
        settings |= {
            "temporal_num_hidden_layers": depth(state_dict, "consensus.temporal_encoder."),
            "temporal_intermediate_size": shapes["temporal_mlp"][0],
            "temporal_qkv_bias": "consensus.temporal_encoder.0.attn.qkv.bias" in state_dict,
            "pooler_output_size": shapes["dense"][0],
        }
    return settings


def _xvit_names(config: PreTrainedConfig, classifier: str) -> Names:
    ours: dict[str, tuple[str, ...]] = {
        "base_model.cls_token": ("xvit.embeddings.cls_token",),
        "base_model.pos_embed": ("xvit.embeddings.position_embeddings",),
        "base_model.temp_embed": ("xvit.embeddings.temporal_embeddings",),
        **linear("base_model.patch_embed.proj", "xvit.embeddings.patch_embeddings.projection"),
        **linear("base_model.norm", "xvit.layernorm"),
        **linear(classifier, "classifier"),
    }
    for index in range(config.num_hidden_layers):
        ours |= vit_block(f"base_model.blocks.{index}", f"xvit.layers.{index}", config.qkv_bias)
    if config.pooling == "mean":
        return Names(ours)
    ours["consensus.cls_token"] = ("xvit.pooler.cls_token",)
    ours |= linear("consensus.mlp_head.0", "xvit.pooler.layernorm")
    ours |= linear("consensus.mlp_head.1", "xvit.pooler.dense")
    for index in range(config.temporal_num_hidden_layers):
        block = f"consensus.temporal_encoder.{index}", f"xvit.pooler.temporal_layers.{index}"
        ours |= vit_block(*block, config.temporal_qkv_bias)
    # the reference saves this classifier beside consensus.*, but never calls it
    return Names(ours, unused=frozenset({"new_fc.weight", "new_fc.bias"}))
