# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Reading the experts of the CA²ST family: CLIP, VideoMAE and AST models of transformers.

Tensors are read from the files themselves, under the names of all transformers versions: published VideoMAE files name
the biases of queries and values `q_bias` and `v_bias`, which some releases of transformers 5 silently replace by
zeros.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from torch import Tensor
from transformers import AutoConfig, PreTrainedConfig
from transformers.modeling_utils import PreTrainedModel, load_state_dict
from transformers.utils import (
    CONFIG_NAME,
    SAFE_WEIGHTS_NAME,
    WEIGHTS_NAME,
    cached_file,
    extract_commit_hash,
    logging,
)

from holovid.modeling.audio_positions import cut_audio_positions
from holovid.modeling.modeling_common import resize_position_embeddings
from holovid.modeling.reachable import check_reachable
from holovid.modeling.weight_files import KINDS, check_weight_files, damage_named, modules, shard_names

logger = logging.get_logger(__name__)

ExpertSource: TypeAlias = str | os.PathLike | PreTrainedModel

MODEL_TYPES = {
    "space": ("clip", "clip_vision_model"),
    "time": ("videomae",),
    "audio": ("audio-spectrogram-transformer",),
}
ACTIVATIONS = {"space": "quick_gelu", "time": "gelu", "audio": "gelu"}

# field of our configuration -> field of the expert's. The first four are the same for all experts.
WIDTHS = {name: name for name in ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")}
FRAMES = {name: name for name in ("image_size", "patch_size", "num_channels")}
SOUND = {"audio_patch_size": "patch_size", "audio_stride": "time_stride", "num_mel_bins": "num_mel_bins"}
FIELDS = {
    "space": WIDTHS | FRAMES,
    "time": WIDTHS | FRAMES | {"num_frames": "num_frames", "tubelet_size": "tubelet_size"},
    "audio": WIDTHS | SOUND,
}
RESIZABLE = ("image_size", "num_frames")  # positions are resized; other fields determine tensors

# modules of our models that belong to an expert; all others are new
EXPERT_PARTS = (
    r"embeddings\.{0}|features\.audio|layers\.\d+\.attentions\.{0}\.(?:layernorm|attention)"
    r"|layers\.\d+\.mlps\.{0}\.(?:layernorm|fc1|fc2)"
).format("(?:space|time|audio)")

# prefix of an expert's tensors in a larger model
PREFIXES = {"space": "vision_model.", "time": "videomae.", "audio": "audio_spectrogram_transformer."}
# our module or parameter -> its names in transformers and in published files
NAMES = {
    "embeddings.{expert}.cls_token": ("embeddings.class_embedding", "embeddings.cls_token"),
    "embeddings.{expert}.distillation_token": ("embeddings.distillation_token",),
    "embeddings.{expert}.position_embeddings": (
        "embeddings.position_embedding.weight",
        "embeddings.position_embeddings",
    ),
    "embeddings.{expert}.projection": ("embeddings.patch_embedding", "embeddings.patch_embeddings.projection"),
    "embeddings.{expert}.layernorm": ("pre_layrnorm",),
    "features.{expert}.layernorm": ("post_layernorm", "layernorm"),
}
LAYER_NAMES = {
    "attentions.{expert}.layernorm": ("layer_norm1", "layernorm_before"),
    "attentions.{expert}.attention.q_proj": ("self_attn.q_proj", "attention.q_proj", "attention.attention.query"),
    "attentions.{expert}.attention.k_proj": ("self_attn.k_proj", "attention.k_proj", "attention.attention.key"),
    "attentions.{expert}.attention.v_proj": ("self_attn.v_proj", "attention.v_proj", "attention.attention.value"),
    "attentions.{expert}.attention.q_proj.bias": ("attention.attention.q_bias",),
    "attentions.{expert}.attention.v_proj.bias": ("attention.attention.v_bias",),
    "attentions.{expert}.attention.o_proj": ("self_attn.out_proj", "attention.o_proj", "attention.output.dense"),
    "mlps.{expert}.layernorm": ("layer_norm2", "layernorm_after"),
    "mlps.{expert}.fc1": ("mlp.fc1", "intermediate.dense"),
    "mlps.{expert}.fc2": ("mlp.fc2", "output.dense"),
}
LAYERS = ("layers", "encoder.layers", "encoder.layer")
# tensors of larger models that do not belong to the expert, and norms tuned on other data
UNUSED = {
    "space": r"text_model\..*|(text|visual)_projection\..*|logit_scale|classifier\..*|embeddings\.position_ids",
    "time": r"mask_token|encoder_to_decoder\..*|decoder\..*|fc_norm\..*|classifier\..*",
    "audio": r"classifier\..*",
}


@dataclass
class Expert:
    """
    Args:
        config: transformers' configuration, for CLIP of the image tower alone.
        tensors: under our names.
        unused: transformers' names of tensors that are not needed.
        source: Hub id or absolute path of a folder; `None` for a model object.
        revision: commit on the Hub.
    """

    config: PreTrainedConfig
    tensors: dict[str, Tensor]
    unused: list[str]
    source: str | None = None
    revision: str | None = None


def expert_of(name: str) -> str | None:
    """The expert that a tensor of our models belongs to: "space", "time" or "audio"; `None` for all other tensors."""
    own = re.match(rf"(?:ca2st\.)?(?:{EXPERT_PARTS})\.", name)
    return re.findall("space|time|audio", own[0])[0] if own else None


def read_expert(expert: str, source: ExpertSource, **hub: Any) -> Expert:
    """Read an expert's configuration and tensors.

    `hub`: options of `from_pretrained` for the Hub: `revision`, `token`, `cache_dir`, `local_files_only`, ... Raises
    `ValueError` when the source is not a model of the right kind, has unknown tensors, or does not exist (after one
    request), and `OSError` when files are missing.
    """
    if isinstance(source, PreTrainedModel):
        read = Expert(source.config, source.state_dict(), [])
    elif os.path.isfile(source):
        raise ValueError(
            f"{expert} must be a Hub id, a folder or a model, got the file {source}; "
            "holovid.reference_experts.load_expert reads original CLIP, VideoMAE and AST files"
        )
    elif os.path.isdir(source):
        check_weight_files(source)
        read = Expert(AutoConfig.from_pretrained(source), read_tensors(source), [], os.path.abspath(source))
    else:
        if hub.keys() <= {"revision"}:  # other options look elsewhere, or as another user
            check_reachable(source, hub.get("revision"))
        # one commit for configuration and tensors, even if someone pushes in between
        hub["revision"] = commit = extract_commit_hash(cached_file(source, CONFIG_NAME, **hub), None)
        config, tensors = AutoConfig.from_pretrained(source, **hub), read_tensors(source, **hub)
        read = Expert(config, tensors, [], os.fspath(source), commit)
    if read.config.model_type not in MODEL_TYPES[expert]:
        raise ValueError(f"{expert} must be a {MODEL_TYPES[expert][0]} model, got a {read.config.model_type} model")
    read.config = config = getattr(read.config, "vision_config", read.config)
    if config.hidden_act != ACTIVATIONS[expert]:
        raise ValueError(
            f"the {expert} expert must have hidden_act {ACTIVATIONS[expert]!r}, got {config.hidden_act!r}"
        )
    if expert == "audio" and config.frequency_stride != config.time_stride:
        raise ValueError(
            f"the audio expert's strides must be equal, got frequency_stride {config.frequency_stride} and "
            f"time_stride {config.time_stride}"
        )

    ours = names(expert, config.num_hidden_layers)
    theirs, read.tensors = read.tensors, {}
    unknown: list[str] = []
    for full_name, tensor in theirs.items():
        name = full_name.removeprefix(PREFIXES[expert])
        if name in ours:
            read.tensors[ours[name]] = tensor
        else:
            (read.unused if re.fullmatch(UNUSED[expert], name) else unknown).append(full_name)
    if unknown:
        raise ValueError(f"the {expert} expert has tensors that its model does not: {', '.join(sorted(unknown))}")
    return read


def read_tensors(source: str | os.PathLike, **hub: Any) -> dict[str, Tensor]:
    """All tensors of a Hub id or folder by name. Raises `ValueError` for damaged files, outside files, and code."""

    def find(name: str) -> str | None:
        return cached_file(source, name, _raise_exceptions_for_missing_entries=False, **hub)

    for whole, index in KINDS:
        if path := find(whole):
            with damage_named(source):
                return load_state_dict(path)
        if path := find(index):
            tensors: dict[str, Tensor] = {}
            for shard in shard_names(path):
                path = cached_file(source, shard, **hub)  # raises if missing
                with damage_named(source):
                    tensors |= load_state_dict(path)
            return tensors
    raise ValueError(f"{source} has neither {SAFE_WEIGHTS_NAME} nor {WEIGHTS_NAME}")


def names(expert: str, num_hidden_layers: int) -> dict[str, str]:
    """transformers' names of a tensor, in every spelling -> ours."""
    modules = {theirs: ours for ours, spellings in NAMES.items() for theirs in spellings}
    for layers in LAYERS:
        for index in range(num_hidden_layers):
            for ours, spellings in LAYER_NAMES.items():
                modules |= {f"{layers}.{index}.{theirs}": f"layers.{index}.{ours}" for theirs in spellings}
    tensors = modules | {
        f"{theirs}.{kind}": f"{ours}.{kind}" for theirs, ours in modules.items() for kind in ("weight", "bias")
    }
    return {theirs: ours.format(expert=expert) for theirs, ours in tensors.items()}


def joint_settings(configs: Mapping[str, PreTrainedConfig], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of our configuration that the experts determine, updated by `overrides`.

    Raises `ValueError` when two experts disagree, or an override contradicts them.
    """
    if "space" not in configs or len(configs) == 1:
        raise ValueError(f"pass the experts space and time, space and audio, or all three; got {list(configs)}")
    settings: dict[str, Any] = {"experts": list(configs)}
    told = {expert: {ours: getattr(config, field) for ours, field in FIELDS[expert].items()}
            for expert, config in configs.items()}  # fmt: skip
    for name in dict.fromkeys(name for fields in told.values() for name in fields):
        values = {expert: fields[name] for expert, fields in told.items() if name in fields}
        listed = ", ".join(f"{expert} {value}" for expert, value in values.items())
        if name in overrides and (name in RESIZABLE or {overrides[name]} == set(values.values())):
            continue
        if name in overrides:
            raise ValueError(f"{name}={overrides[name]} contradicts the experts: {listed}")
        if len(set(values.values())) > 1:
            hint = f"; pass {name}" if name in RESIZABLE else ""
            raise ValueError(f"the experts differ in {name}: {listed}{hint}")
        settings[name] = next(iter(values.values()))
    return settings | dict(overrides)


def load_experts(model: PreTrainedModel, experts: Mapping[str, Expert]) -> None:
    """Copy the experts' tensors into `model`, positions resized. Raises `ValueError` for unplaced or missing ones."""
    base_model = model.base_model
    config = base_model.config
    tensors: dict[str, Tensor] = {}
    for expert, given in experts.items():
        tensors |= given.tensors
        if given.unused:
            logger.warning(f"Not used from the {expert} expert: {', '.join(modules(given.unused))}")
    image = experts["space"].config
    side, table = image.image_size // image.patch_size, "embeddings.space.position_embeddings"
    if table in tensors:
        new = config.image_size // config.patch_size
        tensors[table] = resize_position_embeddings(tensors[table][None], (side, side), (new, new))[0]
    table = "embeddings.audio.position_embeddings"
    if table in tensors:
        sound = experts["audio"].config
        columns = (sound.max_length - sound.patch_size) // sound.time_stride + 1
        tensors[table] = cut_audio_positions(tensors[table], columns, config.audio_grid)

    own = base_model.state_dict(keep_vars=True)
    if strange := [
        f"{name} {tuple(tensor.shape)}"
        for name, tensor in tensors.items()
        if name not in own or own[name].shape != tensor.shape
    ]:
        raise ValueError(f"these tensors of the experts have no place in the model: {', '.join(strange)}")
    if missing := [name for name in own if expert_of(name) and name not in tensors]:
        raise ValueError(f"the experts lack tensors for {', '.join(missing)}")
    base_model.load_state_dict(tensors, strict=False)
    copied = {id(own[name]) for name in tensors}
    new = [name for name, tensor in model.state_dict(keep_vars=True).items() if id(tensor) not in copied]
    logger.warning(f"{len(tensors)} tensors come from the experts. New, to be trained: {', '.join(modules(new))}")


__all__ = ["EXPERT_PARTS", "Expert", "ExpertSource", "expert_of", "joint_settings", "load_experts", "read_expert"]
