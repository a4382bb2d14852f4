# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Video Swin from an image Swin: tensor names, and inflation from two to three dimensions.

For a still clip, every frame then has the image model's features. B clips, N heads, D width.
"""

import os
import re
from collections.abc import Mapping
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import SwinModel
from transformers.modeling_utils import PreTrainedModel

from holovid.modeling.image_vit import UNUSED_OF_IMAGE_MODELS, load_image_model
from holovid.modeling.weight_files import damage_named, some

# prefix of a released name -> ours, below the backbone; released image and video models share names
RELEASED = (
    (r"^patch_embed\.proj\.", "embeddings.patch_embeddings.projection."),
    (r"^patch_embed\.norm\.", "embeddings.norm."),
    (r"^layers\.(\d+)\.blocks\.(\d+)\.", r"stages.\1.layers.\2."),
    (r"\.norm1\.", ".layernorm_before."),
    (r"\.norm2\.", ".layernorm_after."),
    (r"\.attn\.proj\.", ".attention.o_proj."),
    (r"\.attn\.", ".attention."),
    (r"^norm\.", "layernorm."),
)
# the same of transformers' Swin
OF_TRANSFORMERS = (
    (r"^encoder\.layers\.(\d+)\.blocks\.(\d+)\.", r"stages.\1.layers.\2."),
    (r"\.relative_position_bias\.relative_position_bias_table", ".relative_position_bias_table"),
)
# our stages begin with the merging that ends theirs
MERGING = re.compile(r"^(?:encoder\.)?layers\.(\d+)\.downsample\.")
TABLE = ".attention.relative_position_bias_table"
PATCHES = "embeddings.patch_embeddings.projection.weight"
UNUSED_OF_FILES = re.compile(r"(^head\.|\.relative_position_index$|\.attn_mask$)")
WRAPPERS = ("model", "state_dict")
TIME_PATCH, TIME_WINDOW = 2, 8  # of all released video models


def own_name(name: str, renamings: tuple[tuple[str, str], ...]) -> str:
    """Our name, below the backbone, of a released tensor or one of transformers' Swin."""
    if merging := MERGING.match(name):
        return f"stages.{int(merging[1]) + 1}.merging.{name[merging.end() :]}"
    for pattern, replacement in renamings:
        name = re.sub(pattern, replacement, name)
    return name


def own_names(name: str) -> tuple[str, ...]:
    """Our names for a released tensor; a fused projection becomes three, in the order of its parts."""
    ours = own_name(name, RELEASED)
    return tuple(ours.replace(".qkv.", f".{part}_proj.") for part in "qkv") if ".qkv." in ours else (ours,)


def settings_of_tensors(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Configuration fields that follow from the tensors of a released backbone, of images or videos.

    `patch_size` as it is there. Raises `KeyError` when tensors are missing.
    """
    patches = tensors["patch_embed.proj.weight"].shape
    stages = {int(name.split(".")[1]) for name in tensors if name.startswith("layers.")}
    first = [f"layers.{stage}.blocks.0." for stage in sorted(stages)]
    return {
        "num_channels": patches[1],
        "embed_dim": patches[0],
        "patch_size": list(patches[2:]),
        "depths": [
            len({name.split(".")[3] for name in tensors if name.startswith(f"layers.{stage}.blocks.")})
            for stage in sorted(stages)
        ],
        "num_heads": [tensors[f"{block}attn.relative_position_bias_table"].shape[1] for block in first],
        "mlp_ratio": tensors[f"{first[0]}mlp.fc1.weight"].shape[0] / patches[0],
        "qkv_bias": f"{first[0]}attn.qkv.bias" in tensors,
        "patch_norm": "patch_embed.norm.weight" in tensors,
    }


def inflate(name: str, tensor: Tensor, patch_size: list[int], window: list[int]) -> Tensor:
    """A tensor of an image Swin, by our name -> that of a video Swin; `patch_size`, `window`: (time, height, width).

    A patch of T frames averages the image model's patches. Biases of distances in space are resized to the windows and
    repeated for every distance in time.
    """
    if name == PATCHES:
        return tensor[:, :, None].repeat(1, 1, patch_size[0], 1, 1) / patch_size[0]
    if name.endswith(TABLE):
        side = round(len(tensor) ** 0.5)
        height, width = 2 * window[1] - 1, 2 * window[2] - 1
        if side**2 == len(tensor) and (side, side) != (height, width):
            table = tensor.T.reshape(1, -1, side, side).float()
            table = nn.functional.interpolate(table, size=(height, width), mode="bicubic")
            tensor = table.flatten(2)[0].T.to(tensor.dtype)
        return tensor.repeat(2 * window[0] - 1, 1)
    return tensor


def image_swin(source: str | os.PathLike | PreTrainedModel) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Configuration fields, and tensors by our names, of an image Swin.

    Args:
        source: a Hub id or folder of a Swin of transformers, the model itself, or a file as the authors released them.

    `patch_size` and `window_size` are of space only. Raises `ValueError` for anything else, and for missing tensors.
    """
    is_file = isinstance(source, str | os.PathLike) and os.path.isfile(source)
    return of_released_file(source) if is_file else of_transformers(load_image_model(source, SwinModel))


def of_transformers(model: PreTrainedModel) -> tuple[dict[str, Any], dict[str, Tensor]]:
    config = model.config
    shared = (
        "image_size", "num_channels", "embed_dim", "depths", "num_heads", "mlp_ratio", "qkv_bias", "hidden_act",
        "layer_norm_eps", "initializer_range",
    )  # fmt: skip
    settings = {name: getattr(config, name) for name in shared}
    patch = config.patch_size
    settings["patch_size"] = [patch, patch] if isinstance(patch, int) else list(patch)
    settings["window_size"] = [config.window_size] * 2
    tensors = {
        own_name(name, OF_TRANSFORMERS): tensor
        for name, tensor in model.state_dict().items()
        if not name.startswith(UNUSED_OF_IMAGE_MODELS)
    }
    return settings, tensors


def of_released_file(path: str | os.PathLike) -> tuple[dict[str, Any], dict[str, Tensor]]:
    with damage_named(path):
        is_safetensors = str(path).endswith(".safetensors")
        content = load_file(path) if is_safetensors else torch.load(path, map_location="cpu", weights_only=True)
    for wrapper in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise ValueError(f"{path} is not a checkpoint of an image Swin: it holds no tensors by name")
    released = {name: tensor for name, tensor in content.items() if not UNUSED_OF_FILES.search(name)}
    try:
        settings = settings_of_tensors(released)
        tables = released["layers.0.blocks.0.attn.relative_position_bias_table"]
    except (LookupError, ValueError) as error:
        raise ValueError(f"{path} is not a checkpoint of an image Swin: it has {some(sorted(content))}") from error
    settings["window_size"] = [(round(len(tables) ** 0.5) + 1) // 2] * 2
    tensors: dict[str, Tensor] = {}
    for name, tensor in released.items():
        ours = own_names(name)
        tensors |= dict(zip(ours, tensor.float().chunk(len(ours)), strict=True))
    return settings, tensors


__all__ = ["TIME_PATCH", "TIME_WINDOW", "image_swin", "inflate", "own_names", "settings_of_tensors"]
