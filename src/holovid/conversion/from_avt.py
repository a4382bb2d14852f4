"""Tensor names of the released AVT checkpoints, and the sizes that their shapes determine."""

from collections.abc import Callable

import torch
from torch import Tensor
from transformers import PreTrainedConfig, PreTrainedModel, ViTConfig

from holovid.configuration.configuration_avt import AVTConfig
from holovid.conversion.checkpoint import Names, StateDict, depth, label_settings, linear, say_assumed, some
from holovid.conversion.vit_block import stored_grid, vit_block
from holovid.modeling.modeling_avt import AVTForActionAnticipation
from holovid.modeling.modeling_common import resize_position_embeddings

HEAD = "future_predictor.gpt_model"
BACKBONE = "backbone.model"
MAPS = {"verb": "cls_map_verb_action", "noun": "cls_map_noun_action"}
MASKS = ("attn.bias", "attn.masked_bias")  # causal masks of transformers 4's GPT-2


def avt(
    state_dict: dict[str, Tensor],
    head_num_attention_heads: int | None = None,
    num_attention_heads: int | None = None,
    num_frames: int | None = None,
    image_size: int | tuple[int, int] | None = None,
    id2label: dict[int, str] | None = None,
) -> tuple[type[PreTrainedModel], PreTrainedConfig, Names, StateDict]:
    """AVT as released, with an image model or of features. Not in the tensors: heads, and the number of frames.

    Verb and noun of each action are read from the checkpoint's tables. Our losses average over what has a label; for
    the released code's average over all, set `valid_only=False`. For another frame size positions are resized, as in
    transformers' ViT.
    """
    needed = ("future_predictor.encoder.weight", f"{HEAD}.wpe.weight", f"{HEAD}.h.0.mlp.c_fc.weight")
    if missing := [name for name in (*needed, "classifiers.action.weight") if name not in state_dict]:
        raise ValueError(
            f"this is not a complete checkpoint of an AVT: it lacks {some(missing)}; it has {some(sorted(state_dict))}"
        )
    layers = depth(state_dict, f"{HEAD}.h.")
    width, feature = state_dict["future_predictor.encoder.weight"].shape
    untold = {"head_num_attention_heads": (head_num_attention_heads, 4), "num_frames": (num_frames, 10)}
    positions = state_dict[f"{HEAD}.wpe.weight"].shape[0]
    counts = {
        f"num_{name}s": state_dict[f"classifiers.{name}.weight"].shape[0]
        for name in MAPS
        if f"classifiers.{name}.weight" in state_dict
    }
    settings = {
        "head_hidden_size": width,
        "head_num_hidden_layers": layers,
        "head_intermediate_size": state_dict[f"{HEAD}.h.0.mlp.c_fc.weight"].shape[1],
        "max_position_embeddings": positions,
        **counts,
        **{
            f"{name}_of_action": classes_of_actions(state_dict, table)
            for name, table in MAPS.items()
            if table in state_dict
        },
        **say_assumed(untold),
    }
    actions = state_dict["classifiers.action.weight"].shape[0]
    ours: dict[str, tuple[str, ...]] = {
        "future_predictor.encoder.weight": ("avt.decoder.encoder.weight",),
        "future_predictor.decoder.weight": ("avt.decoder.decoder.weight",),
        f"{HEAD}.wpe.weight": ("avt.decoder.wpe.weight",),
        **linear(f"{HEAD}.ln_f", "avt.decoder.ln_f"),
        **linear("classifiers.action", "classifiers.action"),
    }
    for name in MAPS:
        if f"num_{name}s" in counts:
            ours |= linear(f"classifiers.{name}", f"classifiers.{name}")
    for index in range(layers):
        for part in ("ln_1", "attn.c_attn", "attn.c_proj", "ln_2", "mlp.c_fc", "mlp.c_proj"):
            ours |= linear(f"{HEAD}.h.{index}.{part}", f"avt.decoder.h.{index}.{part}")
    reshape: dict[str, Callable[[Tensor], Tensor]] = {}
    if f"{BACKBONE}.cls_token" in state_dict:
        vit = image_model(state_dict, num_attention_heads, image_size)
        ours |= image_model_names(vit)
        settings["backbone_config"] = vit
        rows, columns = grid_of(vit)
        reshape[f"{BACKBONE}.pos_embed"] = lambda table: resize_position_embeddings(
            table, stored_grid(table), (rows, columns)
        )
    else:
        settings["feature_size"] = feature
    check_masks(state_dict)
    unused = frozenset(MAPS.values()) | {f"{HEAD}.h.{index}.{mask}" for index in range(layers) for mask in MASKS}
    config = AVTConfig(**settings, **label_settings(actions, id2label))
    return AVTForActionAnticipation, config, Names(ours, unused=unused, reshape=reshape), state_dict


def classes_of_actions(state_dict: StateDict, table: str) -> list[int]:
    """For each action, the column of the 1 in its row of a 0-1 table (actions, classes)."""
    rows = state_dict[table]
    if rows.ndim != 2 or not bool(((rows == 0) | (rows == 1)).all() and (rows.sum(1) == 1).all()):
        raise ValueError(f"{table} must have a single 1 in each row, for the action's class, and 0 elsewhere")
    return rows.argmax(1).tolist()


def check_masks(state_dict: StateDict) -> None:
    """Refuse decoders that are not causal: they are another model."""
    for name, mask in state_dict.items():
        if name.endswith(".attn.bias") and name.startswith(HEAD):
            side = mask.shape[-1]
            if not torch.equal(mask.reshape(side, side).bool(), torch.ones(side, side, dtype=torch.bool).tril()):
                raise ValueError(f"{name} must be a causal mask: each step sees itself and earlier steps only")


def grid_of(config: ViTConfig) -> tuple[int, int]:
    sides = (config.image_size, config.image_size) if isinstance(config.image_size, int) else config.image_size
    return sides[0] // config.patch_size, sides[1] // config.patch_size


def image_model(
    state_dict: StateDict, num_attention_heads: int | None, image_size: int | tuple[int, int] | None
) -> ViTConfig:
    width, patch = state_dict[f"{BACKBONE}.cls_token"].shape[-1], state_dict[f"{BACKBONE}.patch_embed.proj.weight"]
    heads = say_assumed({"num_attention_heads": (num_attention_heads, max(width // 64, 1))})
    return ViTConfig(
        hidden_size=width,
        num_hidden_layers=depth(state_dict, f"{BACKBONE}.blocks."),
        intermediate_size=state_dict[f"{BACKBONE}.blocks.0.mlp.fc1.weight"].shape[0],
        qkv_bias=f"{BACKBONE}.blocks.0.attn.qkv.bias" in state_dict,
        num_channels=patch.shape[1],
        patch_size=patch.shape[-1],
        image_size=image_size or stored_grid(state_dict[f"{BACKBONE}.pos_embed"])[0] * patch.shape[-1],
        layer_norm_eps=1e-6,
        **heads,
    )


def image_model_names(config: ViTConfig) -> dict[str, tuple[str, ...]]:
    ours: dict[str, tuple[str, ...]] = {
        f"{BACKBONE}.cls_token": ("avt.frames.model.embeddings.cls_token",),
        f"{BACKBONE}.pos_embed": ("avt.frames.model.embeddings.position_embeddings",),
        **linear(f"{BACKBONE}.patch_embed.proj", "avt.frames.model.embeddings.patch_embeddings.projection"),
        **linear(f"{BACKBONE}.norm", "avt.frames.model.layernorm"),
    }
    for index in range(config.num_hidden_layers):
        ours |= vit_block(f"{BACKBONE}.blocks.{index}", f"avt.frames.model.layers.{index}", config.qkv_bias)
    return ours
