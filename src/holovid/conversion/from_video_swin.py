"""Tensor names of the released Video Swin checkpoints and of torchvision's; the sizes that their shapes determine."""

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
# torchvision's names -> released ones; its features alternate stages and mergings
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
    """Video Swin as released, or as in torchvision.

    The window size follows from the index in released checkpoints, which must equal the model's. Not in the tensors:
    `num_frames` (32 in all released models), `image_size` (224; 384 in the one with windows of 12), and `qk_scale` if
    it is not 1 / sqrt(width of a head).
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
    """Only the names of tensors that the model has; others are then reported as unknown."""
    with torch.device("meta"):
        known = VideoSwinForVideoClassification(config).state_dict().keys()
    return {name: own for name, own in ours.items() if known >= set(own)}


def released_name(name: str) -> str:
    if feature := FEATURE.match(name):
        stage, is_merging = divmod(int(feature[1]), 2)
        name = f"{BACKBONE}layers.{stage}.{'downsample' if is_merging else 'blocks'}.{feature['rest']}"
    for pattern, replacement in OF_TORCHVISION:
        name = re.sub(pattern, replacement, name)
    return name


def window_of(backbone: StateDict, given: tuple[int, ...] | None) -> list[int]:
    """The window size: given, of the checkpoint's index, or released. Raises `ValueError` if biases do not fit it."""
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
            f"window_size {tuple(window)} does not fit: {BACKBONE}{block}{TABLE} has {rows} distances; pass "
            "window_size=(time, height, width) with (2 time - 1) (2 height - 1) (2 width - 1) distances"
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
    """Raise `ValueError` for an index other than the model's, for which the biases would be wrong."""
    for name, tensor in backbone.items():
        flat = tensor.ndim == 1 and tensor.numel() == prod(window) ** 2  # some versions of torchvision flatten it
        square = tensor.view(prod(window), -1) if flat else tensor
        if name.endswith(INDEX) and not is_index_of(square, window):
            raise ValueError(
                f"{BACKBONE}{name} is not the index of windows {tuple(window)}, so its weights were trained with "
                "others"
            )


def from_torchvision(source: str | nn.Module, **settings: Any) -> PreTrainedModel:
    """Convert a Video Swin of torchvision; the weights stay the same.

    Args:
        source: "swin3d_t", "swin3d_s" or "swin3d_b", whose weights torchvision then fetches, with their classes; or
            such a model.
        settings: the arguments of [`videoswin`].

    Returns the model in evaluation mode. Raises `ValueError` for another model. `from_reference(path, "videoswin")`
    reads a file of such weights.
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
