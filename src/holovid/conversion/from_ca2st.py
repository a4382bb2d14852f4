"""Tensor names of the released CAST, CAVA and CA²ST checkpoints, and the sizes that their shapes determine.

The reference calls CAST's paths s(patial) and t(emporal); in CAVA the same names mean audio and space; CA²ST has all
three, and joins two paths l(eft) and r(ight) in each exchange. Ours are always space, time and audio.
"""

import math
from collections.abc import Mapping
from itertools import combinations
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedConfig, PreTrainedModel

from holovid.configuration.configuration_ca2st import CA2STConfig
from holovid.conversion.checkpoint import Names, StateDict, depth, label_settings, linear, say_assumed, some
from holovid.modeling.modeling_ca2st import CA2STForActionRecognition, CA2STForVideoClassification

EXPERTS = {"cast": ["space", "time"], "cava": ["space", "audio"], "ca2st": ["space", "time", "audio"]}
# prefixes of each expert's adapters
ADAPTERS = {
    "cast": {"space": "S_", "time": "T_"},
    "cava": {"space": "T_", "audio": "S_"},
    "ca2st": {"space": "S_", "time": "T_", "audio": "Audio_"},
}
LAST_ADAPTERS = {"cast": ("noun", "verb"), "cava": ("verb", "noun"), "ca2st": ("noun", "verb")}
# the experts' own layers: norms, attention, MLP
LAYERS = {
    "space": ("clip_ln_1", "clip_ln_2", "clip_mlp.c_fc", "clip_mlp.c_proj"),
    "time": ("norm1", "norm2", "mlp.fc1", "mlp.fc2"),
    "audio": ("ast_norm1", "ast_norm2", "ast_mlp.fc1", "ast_mlp.fc2"),
}
FEATURES = {"space": "clip_ln_post", "time": "vmae_fc_norm", "audio": "ast_norm"}
# linear layers and norm of the functions of seconds
TIME_MLP = {"cava": ("0", "2.0", "3.0", "4"), "ca2st": ("0", "2", "4", "6")}


# model class, configuration, names, tensors
Converted = tuple[type[PreTrainedModel], PreTrainedConfig, Names, StateDict]


class Exchange:
    def __init__(self, family: str, pair: tuple[str, str]):
        self.pair = pair
        if family == "ca2st":
            letter = {"space": "s", "time": "t", "audio": "audio"}
            self.prefix = f"{letter[pair[0]]}_{letter[pair[1]]}_b_cast."
            self.side = dict(zip(pair, "lr", strict=True))
            self.cross = {pair[0]: "r2l_cross", pair[1]: "l2r_cross"}
        else:
            self.prefix = ""
            self.side = {"space": "s", "time": "t"} if family == "cast" else {"audio": "s", "space": "t"}
            self.cross = {expert: {"s": "t2s_cross", "t": "s2t_cross"}[side] for expert, side in self.side.items()}
        if family == "ca2st" and "audio" in pair:
            self.projections = {expert: ("q", "kv", "proj") for expert in pair}
        else:  # both directions call their last projection t2s_proj
            names = {"s": "t2s", "t": "s2t"} | {"l": "t2s", "r": "s2t"}
            self.projections = {
                expert: (f"{names[side]}_q", f"{names[side]}_kv", "t2s_proj") for expert, side in self.side.items()
            }
        if family == "cava":
            self.tables = {"audio": "clip", "space": "vmae"}
        else:
            self.tables = {"space": "clip", "time": "vmae", "audio": "audio"}

    def projection(self, expert: str, way: str) -> str:
        return f"{self.prefix}cross_{self.side[expert]}_{way}"

    def names(self, block: str, ours: str, learned_positions: bool) -> dict[str, tuple[str, ...]]:
        """All but the projections into and out of the bottleneck. `block` and `ours` are the layer's prefixes."""
        names: dict[str, tuple[str, ...]] = {}
        block, ours = f"{block}{self.prefix}", f"{ours}.exchanges.{'_'.join(self.pair)}"
        for reader in self.pair:
            names |= linear(f"{block}ln_{self.side[reader]}_cross", f"{ours}.layernorms.{reader}")
            cross, reading = f"{block}{self.cross[reader]}", f"{ours}.readings.{reader}"
            query, key_value, output = self.projections[reader]
            q_proj, k_proj, v_proj = (f"{reading}.attention.{name}_proj" for name in "qkv")
            names |= {
                f"{cross}.{query}.weight": (f"{q_proj}.weight",),
                f"{cross}.{query}_bias": (f"{q_proj}.bias",),
                f"{cross}.{key_value}.weight": (f"{k_proj}.weight", f"{v_proj}.weight"),
                f"{cross}.{key_value}_bias": (f"{k_proj}.bias", f"{v_proj}.bias"),
                **linear(f"{cross}.{output}", f"{reading}.attention.o_proj"),
            }
            if "audio" not in self.pair:
                kinds = ["time" if reader == "space" else "space"]
            else:
                kinds = ["space", "temporal"] if learned_positions else []
            for expert in self.pair:
                role = "reader_positions" if expert == reader else "source_positions"
                for kind in kinds:
                    ours_kind = "time" if kind == "temporal" else kind
                    names[f"{cross}.{self.tables[expert]}_{kind}_pos"] = (f"{reading}.{role}.{ours_kind}",)
        return names


def attention_names(expert: str, block: str, ours: str) -> dict[str, tuple[str, ...]]:
    """An expert's self-attention. The time expert's keys have no bias."""

    def qkv(kind: str, letters: str = "qkv") -> tuple[str, ...]:
        return tuple(f"{ours}.{letter}_proj.{kind}" for letter in letters)

    if expert == "space":
        fused = {f"{block}clip_attn.in_proj_weight": qkv("weight"), f"{block}clip_attn.in_proj_bias": qkv("bias")}
        return fused | linear(f"{block}clip_attn.out_proj", f"{ours}.o_proj")
    if expert == "time":
        biases = {f"{block}attn.q_bias": qkv("bias", "q"), f"{block}attn.v_bias": qkv("bias", "v")}
        return biases | {f"{block}attn.qkv.weight": qkv("weight")} | linear(f"{block}attn.proj", f"{ours}.o_proj")
    fused = {f"{block}ast_attn.qkv.{kind}": qkv(kind) for kind in ("weight", "bias")}
    return fused | linear(f"{block}ast_attn.proj", f"{ours}.o_proj")


EMBEDDINGS = {
    "space": {
        "clip_conv1.weight": "projection.weight",
        "clip_class_embedding": "cls_token",
        "clip_positional_embedding": "position_embeddings",
        "clip_ln_pre.weight": "layernorm.weight",
        "clip_ln_pre.bias": "layernorm.bias",
    },
    "time": {"patch_embed.proj.weight": "projection.weight", "patch_embed.proj.bias": "projection.bias"},
    "audio": {
        "ast_patch_embed.proj.weight": "projection.weight",
        "ast_patch_embed.proj.bias": "projection.bias",
        "ast_cls_token": "cls_token",
        "ast_dist_token": "distillation_token",
        "ast_pos_embed": "position_embeddings",
    },
}


def expert_names(config: PreTrainedConfig, expert: str) -> dict[str, tuple[str, ...]]:
    names: dict[str, tuple[str, ...]] = {
        reference: (f"ca2st.embeddings.{expert}.{ours}",) for reference, ours in EMBEDDINGS[expert].items()
    }
    for index in range(config.num_hidden_layers):
        block, ours = f"blocks.{index}.", f"ca2st.layers.{index}"
        norm1, norm2, fc1, fc2 = (f"{block}{name}" for name in LAYERS[expert])
        names |= linear(norm1, f"{ours}.attentions.{expert}.layernorm")
        names |= attention_names(expert, block, f"{ours}.attentions.{expert}.attention")
        names |= linear(norm2, f"{ours}.mlps.{expert}.layernorm")
        names |= linear(fc1, f"{ours}.mlps.{expert}.fc1") | linear(fc2, f"{ours}.mlps.{expert}.fc2")
    return names | linear(FEATURES[expert], f"ca2st.features.{expert}.layernorm")


def exchange_names(config: PreTrainedConfig, family: str) -> dict[str, tuple[str, ...]]:
    names: dict[str, tuple[str, ...]] = {}
    learned = config.audio_positions == "learned"
    for index in range(config.num_hidden_layers):
        block, ours = f"blocks.{index}.", f"ca2st.layers.{index}"
        for expert, prefix in ADAPTERS[family].items():
            names |= adapter(f"{block}{prefix}Adapter", f"{ours}.attentions.{expert}.adapter")
            names |= adapter(f"{block}{prefix}MLP_Adapter", f"{ours}.mlps.{expert}.adapter")
        for pair in combinations(config.experts, 2):
            if index in config.exchange_layers["_".join(pair)]:
                exchange = Exchange(family, pair)
                names |= exchange.names(block, ours, learned)
                for expert in pair:
                    own = expert if config.share_projections else f"{'_'.join(pair)}_{expert}"
                    names |= linear(f"{block}{exchange.projection(expert, 'down')}", f"{ours}.down.{own}")
                    names |= linear(f"{block}{exchange.projection(expert, 'up')}", f"{ours}.up.{own}")
    if "audio" in config.experts and not learned:
        *layers, norm = TIME_MLP[family]
        for reference, mlp in (("time_mlp", "frames"), ("audio_time_mlp", "audio"))[
            : 1 if config.share_time_mlp else 2
        ]:
            for number, layer in enumerate(layers):
                names |= linear(f"{reference}.{layer}", f"ca2st.timestamps.{mlp}.layers.{number}")
            names |= linear(f"{reference}.{norm}", f"ca2st.timestamps.{mlp}.layernorm")
    return names


def adapter(reference: str, ours: str, down: str = "D_fc1", up: str = "D_fc2") -> dict[str, tuple[str, ...]]:
    return linear(f"{reference}.{down}", f"{ours}.down") | linear(f"{reference}.{up}", f"{ours}.up")


def head_names(family: str, composition: bool) -> dict[str, tuple[str, ...]]:
    if composition:
        names = linear("head_verb", "classifiers.verb") | linear("head_noun", "classifiers.noun")
    else:
        names = linear("head", "classifier")
    first, second = (expert for expert in EXPERTS[family][:2])
    separate = composition and family != "cava"
    if separate and family == "cast":
        return names
    for word, expert, readout in (
        (LAST_ADAPTERS[family][0], first, "noun" if separate else "all"),
        (LAST_ADAPTERS[family][1], second, "verb" if separate else "all"),
    ):
        names |= adapter(f"{word}_last_Adapter", f"readouts.{readout}.adapters.{expert}")
    if family == "ca2st":
        for word in ("noun", "verb") if composition else ("verb",):
            readout = word if composition else "all"
            ours = f"readouts.{readout}.adapters.audio"
            names |= adapter(f"audio_{word}_last_Adapter", ours, "c_fc", "c_proj")
    return names


def cast(
    state_dict: dict[str, Tensor],
    image_size: int | None = None,
    num_frames: int | None = None,
    num_attention_heads: int | None = None,
    feature_adapter_skip: bool | None = None,
    feature_scale: float | None = None,
    id2label: dict[int, str] | None = None,
) -> Converted:
    """CAST as released. Not in the tensors: heads, and the number of frames unless a table over time has it."""
    return ca2st_family("cast", **locals())


def cava(
    state_dict: dict[str, Tensor],
    image_size: int | None = None,
    num_frames: int | None = None,
    num_attention_heads: int | None = None,
    audio_frames: int | None = None,
    audio_stride: int | None = None,
    num_mel_bins: int | None = None,
    audio_time_layout: str | None = None,
    feature_adapter_skip: bool | None = None,
    feature_scale: float | None = None,
    id2label: dict[int, str] | None = None,
) -> Converted:
    """CAVA as released. Not in the tensors: heads, frames; rows, mel bins and patch stride of the spectrogram."""
    return ca2st_family("cava", **locals())


def ca2st(
    state_dict: dict[str, Tensor],
    image_size: int | None = None,
    num_frames: int | None = None,
    num_attention_heads: int | None = None,
    audio_frames: int | None = None,
    audio_stride: int | None = None,
    num_mel_bins: int | None = None,
    exchange_order: str | None = None,
    audio_time_layout: str | None = None,
    feature_adapter_skip: bool | None = None,
    feature_scale: float | None = None,
    id2label: dict[int, str] | None = None,
) -> Converted:
    """CA²ST as released. Not in the tensors: what CAVA's lack, and the order of exchanges, sequential or parallel."""
    return ca2st_family("ca2st", **locals())


def ca2st_family(
    family: str,
    state_dict: dict[str, Tensor],
    image_size: int | None = None,
    num_frames: int | None = None,
    num_attention_heads: int | None = None,
    audio_frames: int | None = None,
    audio_stride: int | None = None,
    num_mel_bins: int | None = None,
    exchange_order: str | None = None,
    audio_time_layout: str | None = None,
    feature_adapter_skip: bool | None = None,
    feature_scale: float | None = None,
    id2label: dict[int, str] | None = None,
) -> Converted:
    """CAST, CAVA or CA²ST as released; not in the tensors: heads, order of exchanges, and sizes of the spectrogram.

    The number of frames is in the tables of CAST, CA²ST and learned positions; `feature_adapter_skip=True,
    feature_scale=0.5` is the variant of the late single-head CAST runs.
    """
    told = _from_tensors(family, state_dict)
    composition = "head_verb.weight" in state_dict
    if composition and id2label is not None:
        raise ValueError(
            "this checkpoint has verbs and nouns, which one list of labels does not name: leave it out, and set "
            "id2verb and id2noun of the configuration"
        )
    untold: dict[str, tuple] = {"num_attention_heads": (num_attention_heads, max(told["hidden_size"] // 64, 1))}
    if "num_frames" not in told:
        untold["num_frames"] = (num_frames, 16)
    elif num_frames not in (None, told["num_frames"]):
        raise ValueError(f"the checkpoint is for {told['num_frames']} frames, got num_frames={num_frames}")
    if image_size not in (None, told["image_size"]):
        raise ValueError(f"the checkpoint is for {told['image_size']} pixels, got image_size={image_size}")
    if family == "ca2st":
        untold["exchange_order"] = (exchange_order, "sequential")
    if "audio" in EXPERTS[family]:
        untold["num_mel_bins"] = (num_mel_bins, 128)
        untold["audio_stride"] = (audio_stride, 10)
    settings = told | say_assumed(untold)
    if "audio" in EXPERTS[family]:
        settings["audio_frames"] = audio_frames or _audio_frames(settings, state_dict["ast_pos_embed"].shape[1] - 2)
    switches = {
        "audio_time_layout": audio_time_layout,
        "feature_adapter_skip": feature_adapter_skip,
        "feature_scale": feature_scale,
    }
    settings |= {name: value for name, value in switches.items() if value is not None}
    settings |= label_settings(None if composition else state_dict["head.weight"].shape[0], id2label)
    config = CA2STConfig(**settings)

    ours: dict[str, tuple[str, ...]] = {}
    for expert in config.experts:
        ours |= expert_names(config, expert)
    ours |= exchange_names(config, family) | head_names(family, composition)
    # tables of time are added to those of space; audio's second table has one row for all patches
    sound = "clip" if family == "cava" else "audio"
    reshape = {
        name: lambda table: table[:, None]
        for name in ours
        if name.endswith(("_time_pos", "_temporal_pos")) and not name.endswith(f".{sound}_temporal_pos")
    }
    unused = {"audio_ln_post.weight", "audio_ln_post.bias"}
    if family == "cast" and composition:  # one version of the reference creates it, none calls it
        unused |= set(adapter("noun_last_Adapter", "")) | set(adapter("verb_last_Adapter", ""))
    model_class = CA2STForActionRecognition if composition else CA2STForVideoClassification
    return model_class, config, Names(ours, frozenset(unused), reshape), state_dict


def _from_tensors(family: str, state_dict: StateDict) -> dict:
    experts = EXPERTS[family]
    composition = "head_verb.weight" in state_dict
    pairs = {"_".join(pair): Exchange(family, pair) for pair in combinations(experts, 2)}
    first = "space_time" if "time" in experts else "space_audio"
    shape_of = {
        "positions": "clip_positional_embedding",
        "patches": "clip_conv1.weight",
        "mlp": "blocks.0.clip_mlp.c_fc.weight",
        "adapter": f"blocks.0.{ADAPTERS[family]['space']}Adapter.D_fc1.weight",
    }
    for expert in experts:
        shape_of[expert] = f"blocks.0.{LAYERS[expert][0]}.weight"
    shape_of["labels"] = "head_noun.weight" if composition else "head.weight"
    if "time" in experts:
        shape_of |= {"tubelet": "patch_embed.proj.weight"}
    if "audio" in experts:
        shape_of |= {"audio": "ast_pos_embed", "audio_patches": "ast_patch_embed.proj.weight"}
    foreign = [
        name for expert in FEATURES if expert not in experts for name in EMBEDDINGS[expert] if name in state_dict
    ]
    if missing := [name for name in shape_of.values() if name not in state_dict]:
        raise ValueError(
            f"this is not a complete {family} checkpoint: it lacks {some(missing)}; it has {some(sorted(state_dict))}"
        )
    if foreign:
        raise ValueError(f"this is not a {family} checkpoint: it has {some(foreign)}, of another expert")
    shapes = {role: state_dict[name].shape for role, name in shape_of.items()}

    depth_ = depth(state_dict, "blocks.")
    downs = {
        pair: [f"blocks.{index}.{exchange.projection(pair.split('_')[0], 'down')}.weight" for index in range(depth_)]
        for pair, exchange in pairs.items()
    }
    layers = {pair: [i for i, name in enumerate(names) if name in state_dict] for pair, names in downs.items()}
    if not layers[first]:
        raise ValueError(f"this is not a complete {family} checkpoint: it lacks {downs[first][0]}")
    used = f"blocks.{layers[first][0]}."
    settings: dict[str, Any] = {
        "experts": experts,
        "hidden_size": shapes["positions"][1],
        "num_hidden_layers": depth_,
        "intermediate_size": shapes["mlp"][0],
        "image_size": math.isqrt(shapes["positions"][0] - 1) * shapes["patches"][-1],
        "patch_size": shapes["patches"][-1],
        "num_channels": shapes["patches"][1],
        "adapter_ratio": shapes["adapter"][0] / shapes["adapter"][1],
        "bottleneck_ratio": state_dict[downs[first][layers[first][0]]].shape[0] / shapes["positions"][1],
        "exchange_layers": layers,
    }
    if "time" in experts:
        settings["tubelet_size"] = shapes["tubelet"][2]
    for table in ("t2s_cross.clip_time_pos", "s_t_b_cast.r2l_cross.clip_time_pos", "t2s_cross.vmae_temporal_pos"):
        if f"{used}{table}" in state_dict:
            settings["num_frames"] = state_dict[f"{used}{table}"].shape[0] * settings.get("tubelet_size", 2)
    if "audio" in experts:
        learned = not any(name.startswith("time_mlp.") for name in state_dict)
        settings["audio_positions"] = "learned" if learned else "timestamps"
        settings["share_time_mlp"] = not learned and not any(name.startswith("audio_time_mlp.") for name in state_dict)
        settings["audio_patch_size"] = shapes["audio_patches"][-1]
    if family == "ca2st":
        settings["share_projections"] = all(
            torch.equal(state_dict[downs["space_time"][index]], state_dict[downs["space_audio"][index]])
            for index in layers["space_audio"]
        )
    if composition:
        settings |= {"num_verbs": state_dict["head_verb.weight"].shape[0], "num_nouns": shapes["labels"][0]}
    return settings


def _audio_frames(settings: Mapping, patches: int) -> int:
    """The rows of a spectrogram with this many patches: a released number if it fits, else the smallest."""
    size, stride = settings["audio_patch_size"], settings["audio_stride"]
    rows = (settings["num_mel_bins"] - size) // stride + 1
    if rows < 1 or patches % rows:
        raise ValueError(
            f"{patches} audio patches do not fit num_mel_bins={settings['num_mel_bins']} and audio_stride={stride}"
        )
    smallest = (patches // rows - 1) * stride + size
    return next((frames for frames in (400, 1024) if smallest <= frames < smallest + stride), smallest)
