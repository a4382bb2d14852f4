"""Released checkpoints -> our models. The only file that knows the reference implementations' tensor names.

    model = from_reference("checkpoint_epoch_00001.pyth", "xvit", num_frames=16, mix_group=8)

A family is a function from a reference state dict to (model class, configuration, `Names`, state dict). What the
tensors tell (sizes, classes, depth, kind of head) is read from them; what they do not tell comes in as arguments.
Files are read with `weights_only=True`: nothing in them is executed.
"""

import inspect
import math
import os
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.utils import logging

from holovid.configuration.configuration_xvit import XViTConfig
from holovid.files import new_folder
from holovid.modeling.modeling_xvit import XViTForVideoClassification, resize_position_embeddings
from holovid.processing.video_processing_holovid import HolovidVideoProcessor

logger = logging.get_logger(__name__)

StateDict = Mapping[str, Tensor]

# where training scripts put the tensors; looked for in this order
WRAPPERS = ("model_state", "state_dict_ema", "model", "module", "state_dict")


@dataclass
class Names:
    """Which reference tensor becomes which of ours."""

    ours: dict[str, tuple[str, ...]]  # several names: the tensor is cut into equal parts along its first axis
    unused: frozenset[str] = frozenset()  # saved by the reference, never read by it
    reshape: dict[str, Callable[[Tensor], Tensor]] = field(default_factory=dict)  # by reference name


def from_reference(source: StateDict | str | os.PathLike, family: str, **settings) -> PreTrainedModel:
    """Build the model a reference checkpoint holds.

    Args:
        source: a state dict with the reference's tensor names, or the path of a `.pth`, `.pt`, `.pyth`, `.bin` or
            `.safetensors` file, in any of the layouts the reference's loaders accept.
        family: one of `FAMILIES`.
        settings: what the tensors do not tell. "xvit": `image_size` (positions are resized), `num_frames`,
            `num_attention_heads`, `temporal_num_attention_heads`, `mix_group`, `mix_divisor`, `mix_layers`,
            `id2label`.

    Returns the model in evaluation mode, in float32. Raises `ValueError` for an unknown family or setting, a file that
    is not a checkpoint, and for missing, unknown or misshapen tensors, each named.
    """
    if family not in FAMILIES:
        raise ValueError(f"unknown family {family!r}; known are {', '.join(FAMILIES)}")
    state_dict = unwrap(source if isinstance(source, Mapping) else read_checkpoint(source))
    accepted = list(inspect.signature(FAMILIES[family]).parameters)[1:]
    if unknown := settings.keys() - accepted:
        raise ValueError(f"{family} has no setting {_some(sorted(unknown))}; it takes {', '.join(accepted)}")
    model_class, config, names, state_dict = FAMILIES[family](state_dict, **settings)
    return load(model_class, config, names, state_dict)


def convert(
    source: StateDict | str | os.PathLike, family: str, output: str | os.PathLike, **settings
) -> PreTrainedModel:
    """`from_reference`, saved with its processor to the new folder `output`, which appears complete or not at all."""

    model = from_reference(source, family, **settings)
    height, width = model.config.frame_size
    processor = HolovidVideoProcessor(
        num_frames=model.config.num_frames,
        size={"shortest_edge": min(height, width)},
        crop_size={"height": height, "width": width},
    )
    with new_folder(output) as folder:
        model.save_pretrained(folder)
        processor.save_pretrained(folder)
    return model


def read_checkpoint(path: str | os.PathLike) -> Mapping:
    """The content of a checkpoint file, read without executing anything in it."""
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path} is not a file")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "global" in str(error).lower():
            reason = str(error).split("\n\n")[0].splitlines()[-1].strip()
            raise ValueError(f"{path} holds more than tensors and is not unpickled: {reason}") from error
        raise ValueError(f"{path} is not a checkpoint: {type(error).__name__}") from error
    except (SafetensorError, RuntimeError, OSError, EOFError, KeyError, ValueError) as error:
        raise ValueError(f"{path} is not a checkpoint: {error}") from error
    if not isinstance(content, Mapping):
        raise ValueError(f"{path} is not a checkpoint: it holds a {type(content).__name__}")
    return content


def unwrap(content: Mapping) -> dict[str, Tensor]:
    """The state dict inside a training checkpoint, without the prefix that DistributedDataParallel adds."""
    for wrapper in WRAPPERS:
        if isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
            break
    strange = [str(name) for name, value in content.items() if not isinstance(value, Tensor)]
    if strange or not content:
        listed = ", ".join(strange[:5]) or "nothing"
        raise ValueError(
            f"no state dict found: neither tensors at the top nor one of {', '.join(WRAPPERS)}; found {listed}"
        )
    if all(name.startswith("module.") for name in content):
        return {name.removeprefix("module."): tensor for name, tensor in content.items()}
    return dict(content)


def load(
    model_class: type[PreTrainedModel], config: PreTrainedConfig, names: Names, state_dict: StateDict
) -> PreTrainedModel:
    """Rename, cut and check every tensor, then load them all."""
    if missing := sorted(names.ours.keys() - state_dict.keys()):
        raise ValueError(f"the checkpoint lacks {len(missing)} tensors: {_some(missing)}")
    if unknown := sorted(state_dict.keys() - names.ours.keys() - names.unused):
        raise ValueError(f"the checkpoint has {len(unknown)} tensors that nothing uses: {_some(unknown)}")
    with torch.device("meta"):
        expected = {name: tensor.shape for name, tensor in model_class(config).state_dict().items()}

    tensors = {}
    for reference, ours in names.ours.items():
        tensor = names.reshape.get(reference, lambda same: same)(state_dict[reference].float())
        if tensor.shape[0] % len(ours):
            raise ValueError(f"{reference} of shape {tuple(tensor.shape)} cannot be cut into {len(ours)} parts")
        for name, part in zip(ours, tensor.chunk(len(ours)), strict=True):
            if part.shape != expected[name]:
                raise ValueError(f"{reference} gives {name} shape {tuple(part.shape)}, not {tuple(expected[name])}")
            tensors[name] = part.contiguous()
    if homeless := expected.keys() - tensors.keys():
        raise ValueError(f"the checkpoint gives no value to {_some(sorted(homeless))}")
    return model_class.from_pretrained(None, config=config, state_dict=tensors, dtype=torch.float32).eval()


def _some(names: list[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _vit_block(reference: str, ours: str, qkv_bias: bool = True) -> dict[str, tuple[str, ...]]:
    """A timm-style transformer block: fused projection, `norm1` / `norm2`."""
    table: dict[str, tuple[str, ...]] = {}
    for kind in ("weight", "bias"):
        if kind == "weight" or qkv_bias:
            table[f"{reference}.attn.qkv.{kind}"] = tuple(f"{ours}.attention.{x}_proj.{kind}" for x in "qkv")
        table[f"{reference}.attn.proj.{kind}"] = (f"{ours}.attention.o_proj.{kind}",)
        table[f"{reference}.norm1.{kind}"] = (f"{ours}.layernorm_before.{kind}",)
        table[f"{reference}.norm2.{kind}"] = (f"{ours}.layernorm_after.{kind}",)
        table[f"{reference}.mlp.fc1.{kind}"] = (f"{ours}.mlp.fc1.{kind}",)
        table[f"{reference}.mlp.fc2.{kind}"] = (f"{ours}.mlp.fc2.{kind}",)
    return table


def _linear(reference: str, ours: str) -> dict[str, tuple[str, ...]]:
    return {f"{reference}.{kind}": (f"{ours}.{kind}",) for kind in ("weight", "bias")}


def _depth(state_dict: StateDict, prefix: str) -> int:
    """How many numbered modules follow `prefix`."""
    return len({name.removeprefix(prefix).split(".")[0] for name in state_dict if name.startswith(prefix)})


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
    """XViT as released. Not in the tensors: heads, the number of frames, and how they mix.

    Released settings: Kinetics `num_frames=16, mix_group=8, mix_divisor=8`; Something-Something v2
    `num_frames=16, mix_group=16, mix_divisor=4`. `mix_layers` beyond the depth are ignored, as the reference does.
    """
    if not any(name.startswith("base_model.") for name in state_dict):  # saved from the backbone's point of view
        state_dict = {
            name if name.startswith(("consensus.", "new_fc.")) else f"base_model.{name}": tensor
            for name, tensor in state_dict.items()
        }
    # without dropout, and only then, the reference keeps the classifier of mean pooling in the backbone
    classifiers = {"consensus.mlp_head.4": "attention", "base_model.head": "mean", "new_fc": "mean"}
    classifier = next((name for name in classifiers if f"{name}.weight" in state_dict), "new_fc")
    told = _xvit_from_tensors(state_dict, classifier, classifiers[classifier])
    if id2label is not None and len(id2label) != told["num_labels"]:
        raise ValueError(f"the checkpoint has {told['num_labels']} classes, id2label names {len(id2label)}")

    untold = {
        "num_frames": (num_frames, told["temporal_embedding_length"]),
        "num_attention_heads": (num_attention_heads, max(told["hidden_size"] // 64, 1)),  # as in every released ViT
        "mix_divisor": (mix_divisor, 8),
        "mix_group": (mix_group, None),
    }
    if assumed := {name: default for name, (given, default) in untold.items() if given is None}:
        logger.warning(f"Not in the checkpoint, and assumed: {assumed}. Give them if the model was trained otherwise.")

    settings = told | {name: default if given is None else given for name, (given, default) in untold.items()}
    stored_grid = XViTConfig(**settings).grid_size
    if image_size is not None:
        settings["image_size"] = image_size
    if mix_layers is not None:
        settings["mix_layers"] = [layer for layer in mix_layers if layer < told["num_hidden_layers"]]
    if id2label is not None:
        settings |= {"id2label": id2label, "label2id": {label: index for index, label in id2label.items()}}
    config = XViTConfig(**settings, temporal_num_attention_heads=temporal_num_attention_heads)

    names = _xvit_names(config, classifier)
    names.reshape = {
        "base_model.temp_embed": lambda table: table.squeeze(2),
        "base_model.pos_embed": lambda table: resize_position_embeddings(table, stored_grid, config.grid_size),
    }
    return XViTForVideoClassification, config, names, state_dict


def _xvit_from_tensors(state_dict: StateDict, classifier: str, pooling: str) -> dict:
    """What names and shapes tell of the configuration."""
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
            f"this is not a complete xvit checkpoint: it lacks {_some(missing)}; it has {_some(sorted(state_dict))}"
        )
    shapes = {role: state_dict[name].shape for role, name in shape_of.items()}
    settings = {
        "hidden_size": shapes["cls_token"][-1],
        "num_hidden_layers": _depth(state_dict, "base_model.blocks."),
        "intermediate_size": shapes["mlp"][0],
        "qkv_bias": "base_model.blocks.0.attn.qkv.bias" in state_dict,
        "num_channels": shapes["patches"][1],
        "patch_size": shapes["patches"][-1],
        "image_size": math.isqrt(shapes["positions"][1] - 1) * shapes["patches"][-1],
        "temporal_embedding_length": shapes["times"][1],
        "pooling": pooling,
        "num_labels": shapes["labels"][0],
    }
    if pooling == "attention":
        settings |= {
            "temporal_num_hidden_layers": _depth(state_dict, "consensus.temporal_encoder."),
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
        **_linear("base_model.patch_embed.proj", "xvit.embeddings.patch_embeddings.projection"),
        **_linear("base_model.norm", "xvit.layernorm"),
        **_linear(classifier, "classifier"),
    }
    for index in range(config.num_hidden_layers):
        ours |= _vit_block(f"base_model.blocks.{index}", f"xvit.layers.{index}", config.qkv_bias)
    if config.pooling == "mean":
        return Names(ours)
    ours["consensus.cls_token"] = ("xvit.pooler.cls_token",)
    ours |= _linear("consensus.mlp_head.0", "xvit.pooler.layernorm")
    ours |= _linear("consensus.mlp_head.1", "xvit.pooler.dense")
    for index in range(config.temporal_num_hidden_layers):
        block = f"consensus.temporal_encoder.{index}", f"xvit.pooler.temporal_layers.{index}"
        ours |= _vit_block(*block, config.temporal_qkv_bias)
    # the reference creates and saves this classifier beside consensus.*, and never calls it
    return Names(ours, unused=frozenset({"new_fc.weight", "new_fc.bias"}))


FAMILIES: dict[str, Callable] = {"xvit": xvit}
