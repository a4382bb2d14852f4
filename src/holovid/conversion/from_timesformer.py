"""Tensor names of the released TimeSformer checkpoints, and the sizes that their shapes determine."""

from torch import Tensor
from transformers import PreTrainedConfig, PreTrainedModel

from holovid.configuration.configuration_time_sformer import TimeSformerConfig
from holovid.conversion.checkpoint import Names, StateDict, depth, label_settings, linear, say_assumed, some
from holovid.conversion.vit_block import fused_attention, stored_grid, vit_block
from holovid.modeling.modeling_common import resize_position_embeddings
from holovid.modeling.modeling_time_sformer import TimeSformerForVideoClassification, resize_temporal_embeddings


def timesformer(
    state_dict: dict[str, Tensor],
    image_size: int | tuple[int, int] | None = None,
    num_frames: int | None = None,
    num_attention_heads: int | None = None,
    id2label: dict[int, str] | None = None,
) -> tuple[type[PreTrainedModel], PreTrainedConfig, Names, StateDict]:
    """TimeSformer as released. Not in the tensors: heads, and for a space-only model the number of frames.

    For another frame size or number of frames, positions are those of the nearest patch and frame.
    """
    state_dict = bare(state_dict)
    settings = backbone_settings(state_dict, ("head.weight",), image_size, num_frames, num_attention_heads)
    config = TimeSformerConfig(**settings, **label_settings(state_dict["head.weight"].shape[0], id2label))
    names = backbone_names(state_dict, config, linear("head", "classifier"))
    return TimeSformerForVideoClassification, config, names, state_dict


def bare(state_dict: dict[str, Tensor]) -> dict[str, Tensor]:
    if all(name.startswith("model.") for name in state_dict):
        return {name.removeprefix("model."): tensor for name, tensor in state_dict.items()}
    return state_dict


def backbone_settings(
    state_dict: StateDict,
    head: tuple[str, ...],
    image_size: int | tuple[int, int] | None,
    num_frames: int | None,
    num_attention_heads: int | None,
) -> dict:
    """Configuration fields: given ones, else from names and shapes. Raises `ValueError` for missing tensors."""
    needed = ("cls_token", "pos_embed", "patch_embed.proj.weight", "blocks.0.mlp.fc1.weight", *head)
    if missing := [name for name in needed if name not in state_dict]:
        raise ValueError(
            f"this is not a complete checkpoint of a TimeSformer: it lacks {some(missing)}; it has "
            f"{some(sorted(state_dict))}"
        )
    attention_type = "space_only"
    if "time_embed" in state_dict:
        divided = any(name.startswith("blocks.0.temporal_attn.") for name in state_dict)
        attention_type = "divided_space_time" if divided else "joint_space_time"
        num_frames = num_frames or state_dict["time_embed"].shape[1]
    width, patch = state_dict["cls_token"].shape[-1], state_dict["patch_embed.proj.weight"].shape[-1]
    untold = {
        "num_frames": (num_frames, 8),
        "num_attention_heads": (num_attention_heads, max(width // 64, 1)),  # as in every released ViT
    }
    return {
        "hidden_size": width,
        "num_hidden_layers": depth(state_dict, "blocks."),
        "intermediate_size": state_dict["blocks.0.mlp.fc1.weight"].shape[0],
        "qkv_bias": "blocks.0.attn.qkv.bias" in state_dict,
        "num_channels": state_dict["patch_embed.proj.weight"].shape[1],
        "patch_size": patch,
        "image_size": image_size or stored_grid(state_dict["pos_embed"])[0] * patch,
        "attention_type": attention_type,
        **say_assumed(untold),
    }


def backbone_names(state_dict: StateDict, config: TimeSformerConfig, head: dict[str, tuple[str, ...]]) -> Names:
    ours: dict[str, tuple[str, ...]] = {
        "cls_token": ("time_sformer.embeddings.cls_token",),
        "pos_embed": ("time_sformer.embeddings.position_embeddings",),
        **linear("patch_embed.proj", "time_sformer.embeddings.patch_embeddings.projection"),
        **linear("norm", "time_sformer.layernorm"),
        **head,
    }
    if config.attention_type != "space_only":
        ours["time_embed"] = ("time_sformer.embeddings.temporal_embeddings",)
    for index in range(config.num_hidden_layers):
        block, layer = f"blocks.{index}", f"time_sformer.layers.{index}"
        ours |= vit_block(block, layer, config.qkv_bias)
        if config.attention_type == "divided_space_time":
            ours |= fused_attention(f"{block}.temporal_attn", f"{layer}.temporal_attention", config.qkv_bias)
            ours |= linear(f"{block}.temporal_norm1", f"{layer}.temporal_layernorm")
            ours |= linear(f"{block}.temporal_fc", f"{layer}.temporal_dense")
    reshape = {
        "pos_embed": lambda table: resize_position_embeddings(
            table, stored_grid(table), config.grid_size, mode="nearest"
        ),
        "time_embed": lambda table: resize_temporal_embeddings(table, config.num_frames),
    }
    return Names(ours, reshape=reshape)
