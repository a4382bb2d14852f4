"""Tensor names of the released Video Swin checkpoints, and of torchvision's; what their shapes tell."""

import re
from collections.abc import Mapping, Sequence
from itertools import product
from math import prod
from typing import Any

import torch
import torchvision
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel

from holovid.configuration.configuration_video_swin import VideoSwinConfig
from holovid.conversion.checkpoint import Names, StateDict, label_settings, load_converted, say_assumed, some
from holovid.modeling.inflation_video_swin import own_names, settings_of_tensors
from holovid.modeling.layers_video_swin import relative_positions
from holovid.modeling.modeling_video_swin import VideoSwinForVideoClassification

BACKBONE, CLASSIFIER = "backbone.", "cls_head.fc_cls."
INDEX, TABLE = ".attn.relative_position_index", ".attn.relative_position_bias_table"
RELEASED_WINDOW = (8, 7, 7)
# torchvision's names -> released ones; its features are stages and mergings in turn
OF_TORCHVISION = (
    (r"^head\.", CLASSIFIER),
    (r"^(patch_embed|norm)\.", BACKBONE + r"\1."),
    (r"\.mlp\.0\.", ".mlp.fc1."),
    (r"\.mlp\.3\.", ".mlp.fc2."),
)
FEATURE = re.compile(r"^features\.(\d+)\.(?P<rest>.*)")


def videoswin(
    state_dict: dict[str, Tensor],
    window_size: tuple[int, ...] | None = None,
    image_size: int | tuple[int, int] | None = None,
    num_frames: int | None = None,
    qk_scale: float | None = None,
    id2label: dict[int, str] | None = None,
) -> tuple[type[PreTrainedModel], PreTrainedConfig, Names, StateDict]:
    """Video Swin as released, or as torchvision has it.

    Windows are told by the index that released checkpoints hold, which must be the one that the model computes. Not in
    the tensors: `num_frames` (32 in all released models), `image_size` (224, 384 of the one with windows of 12), and
    `qk_scale` where it is not 1 / sqrt(width of a head).
    """
    if any(FEATURE.match(name) for name in state_dict):
        state_dict = {released_name(name): tensor for name, tensor in state_dict.items()}
    if not any(name.startswith(BACKBONE) for name in state_dict):
        state_dict = {name if name.startswith(CLASSIFIER) else BACKBONE + name: t for name, t in state_dict.items()}
    backbone = {name.removeprefix(BACKBONE): t for name, t in state_dict.items() if name.startswith(BACKBONE)}
    try:
        told = settings_of_tensors(backbone)
        classes = state_dict[f"{CLASSIFIER}weight"].shape[0]
    except KeyError as error:
        raise ValueError(
            f"this is not a complete videoswin checkpoint: it lacks {error}; it has {some(sorted(state_dict))}"
        ) from error
    settings = told | {"window_size": window_of(backbone, window_size), "qk_scale": qk_scale}
    settings |= say_assumed({"num_frames": (num_frames, 32), "image_size": (image_size, 224)})
    config = VideoSwinConfig(**settings, **label_settings(classes, id2label))
    check_window_index(backbone, config.window_size)
    unused = {f"{BACKBONE}{name}" for name in backbone if name.endswith(INDEX)}
    ours = {
        name: tuple(f"video_swin.{own}" for own in own_names(name.removeprefix(BACKBONE)))
        for name in state_dict
        if name.startswith(BACKBONE) and name not in unused
    }
    ours |= {f"{CLASSIFIER}{kind}": (f"classifier.{kind}",) for kind in ("weight", "bias")}
    return VideoSwinForVideoClassification, config, Names(known_alone(ours, config), frozenset(unused)), state_dict


def known_alone(ours: Mapping[str, tuple[str, ...]], config: VideoSwinConfig) -> dict[str, tuple[str, ...]]:
    """Names that lead to a tensor of the model; what does not is told as unknown."""
    with torch.device("meta"):
        known = VideoSwinForVideoClassification(config).state_dict().keys()
    return {name: own for name, own in ours.items() if known >= set(own)}


def released_name(name: str) -> str:
    """The released name of a tensor of torchvision's SwinTransformer3d."""
    if feature := FEATURE.match(name):
        stage, is_merging = divmod(int(feature[1]), 2)
        name = f"{BACKBONE}layers.{stage}.{'downsample' if is_merging else 'blocks'}.{feature['rest']}"
    for pattern, replacement in OF_TORCHVISION:
        name = re.sub(pattern, replacement, name)
    return name


def window_of(backbone: StateDict, given: tuple[int, ...] | None) -> list[int]:
    """The windows of a checkpoint: as given, or those whose index it holds, or else the released ones.

    Raises `ValueError` where these are not as large as the tables of biases.
    """
    block = "layers.0.blocks.0"
    rows = len(backbone[f"{block}{TABLE}"])
    index = backbone.get(f"{block}{INDEX}")
    if given is None and index is not None:
        tokens = range(1, len(index) + 1)
        sides = [side for side in tokens if len(index) % side == 0]
        for window in product(sides, repeat=3):
            if prod(window) == len(index) and rows == num_distances(window) and is_index_of(index, window):
                return list(window)
        raise ValueError(f"{BACKBONE}{block}{INDEX} is not the index of any window: the checkpoint is damaged")
    window = say_assumed({"window_size": (given, RELEASED_WINDOW)})["window_size"]
    if len(window) != 3 or num_distances(window) != rows:
        raise ValueError(
            f"window_size {tuple(window)} does not fit: {BACKBONE}{block}{TABLE} has {rows} distances, give "
            "window_size=(time, height, width) of which (2 time - 1) (2 height - 1) (2 width - 1) is that"
        )
    return list(window)


def num_distances(window: tuple[int, ...]) -> int:
    return prod(2 * side - 1 for side in window)


def is_index_of(index: Tensor, window: Any) -> bool:
    tokens = prod(window)
    return index.shape == (tokens, tokens) and torch.equal(
        index, relative_positions(window, tokens, index.device).to(index.dtype)
    )


def check_window_index(backbone: StateDict, window: Sequence[int]) -> None:
    """Raise `ValueError` for an index that is not the one that the model computes: its biases would mean others."""
    for name, tensor in backbone.items():
        flat = tensor.ndim == 1 and tensor.numel() == prod(window) ** 2  # as some versions of torchvision save it
        square = tensor.view(prod(window), -1) if flat else tensor
        if name.endswith(INDEX) and not is_index_of(square, window):
            raise ValueError(
                f"{BACKBONE}{name} is not the index of windows {tuple(window)}, with which its weights were trained"
            )


def from_torchvision(source: str | nn.Module, **settings: Any) -> PreTrainedModel:
    """A Video Swin of torchvision as one of ours, with the same weights.

    Args:
        source: "swin3d_t", "swin3d_s" or "swin3d_b", whose weights torchvision then fetches, with their classes; or
            such a model.
        settings: the arguments of [`videoswin`].

    Returns the model in evaluation mode. Raises `ValueError` for another model. A file of such weights is read by
    `from_reference(path, "videoswin")`.
    """
    if isinstance(source, str):
        names = torchvision.models.list_models(module=torchvision.models.video, include="swin3d*")
        if source not in names:
            raise ValueError(f"torchvision's Video Swins are {', '.join(names)}; got {source!r}")
        weights = torchvision.models.get_model_weights(source).DEFAULT
        settings = {"id2label": dict(enumerate(weights.meta["categories"]))} | settings
        source = torchvision.models.get_model(source, weights=weights)
    if not isinstance(source, torchvision.models.video.SwinTransformer3d):
        raise ValueError(f"source must be a SwinTransformer3d of torchvision, got a {type(source).__name__}")
    return load_converted(*videoswin(dict(source.state_dict()), **settings))
