"""Original files of CLIP, VideoMAE and AST -> models of transformers, as `from_experts` takes them.

CA2STForVideoClassification.from_experts(
    space=load_expert("ViT-B-16-visual.pt"), time=load_expert("videomae.pth"), audio=load_expert("audioset.pth")
)
"""

import math
import os
import zipfile
from collections.abc import Mapping

from transformers import (
    ASTConfig,
    ASTModel,
    CLIPVisionConfig,
    CLIPVisionModel,
    PreTrainedModel,
    VideoMAEConfig,
    VideoMAEModel,
)

from holovid.conversion.checkpoint import (
    Names,
    StateDict,
    depth,
    linear,
    load_converted,
    read_checkpoint,
    say_assumed,
    some,
    unwrap,
)


def load_expert(
    source: StateDict | str | os.PathLike,
    *,
    num_attention_heads: int | None = None,
    image_size: int | None = None,
    num_frames: int | None = None,
    audio_stride: int | None = None,
    num_mel_bins: int | None = None,
) -> PreTrainedModel:
    """Build the model in an expert's original checkpoint.

    Args:
        source: a state dict, or the path of a `.pt`, `.pth` or `.safetensors` file: an OpenAI CLIP (whole, or its
            visual tensors alone), a VideoMAE (pre-trained or fine-tuned), an AST.
        num_attention_heads: default: one for 64 channels.
        image_size, num_frames: of a VideoMAE, default 224 and 16.
        audio_stride, num_mel_bins: of an AST, default 10 and 128.

    Returns a `CLIPVisionModel`, `VideoMAEModel` or `ASTModel` in evaluation mode, in float32, with its authors'
    epsilons. Raises `ValueError` for other files, and for missing, unknown or misshapen tensors.
    """
    if not isinstance(source, Mapping):
        refuse_torchscript(source)
        source = read_checkpoint(source)
    state_dict = unwrap(source)
    of_sound = {"audio_stride": (audio_stride, 10), "num_mel_bins": (num_mel_bins, 128)}
    of_frames = {"image_size": (image_size, 224), "num_frames": (num_frames, 16)}
    if "visual.class_embedding" in state_dict or "class_embedding" in state_dict:
        return _clip(state_dict, num_attention_heads)
    if "v.cls_token" in state_dict:
        return _ast(state_dict, num_attention_heads, of_sound)
    for prefix in ("encoder.", "backbone.", ""):
        if f"{prefix}patch_embed.proj.weight" in state_dict:
            return _videomae(state_dict, prefix, num_attention_heads, of_frames)
    raise ValueError(f"this is not a CLIP, VideoMAE or AST checkpoint: it has {some(sorted(state_dict))}")


def refuse_torchscript(path: str | os.PathLike) -> None:
    """Raise `ValueError` for a TorchScript archive, as OpenAI publishes CLIP: it holds code."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        if any("/code/" in name for name in archive.namelist()):
            raise ValueError(
                f"{path} is a TorchScript archive, which holds code. If you trust it, save its tensors first: "
                f"torch.save(torch.jit.load({os.fspath(path)!r}).visual.state_dict(), 'visual.pt')"
            )


def common(state_dict: StateDict, blocks: str, width: int, mlp: str, heads: int | None) -> dict:
    fields = {"num_attention_heads": (heads, max(width // 64, 1))}
    return say_assumed(fields) | {
        "hidden_size": width,
        "num_hidden_layers": depth(state_dict, blocks),
        "intermediate_size": state_dict[mlp].shape[0],
    }


def require(state_dict: StateDict, family: str, *names: str) -> None:
    if missing := [name for name in names if name not in state_dict]:
        raise ValueError(f"this is not a complete {family} checkpoint: it lacks {some(missing)}")


def _clip(state_dict: StateDict, heads: int | None) -> PreTrainedModel:
    prefix = "visual." if "visual.class_embedding" in state_dict else ""
    block = f"{prefix}transformer.resblocks."
    positions, patches, mlp = f"{prefix}positional_embedding", f"{prefix}conv1.weight", f"{block}0.mlp.c_fc.weight"
    require(state_dict, "CLIP", positions, patches, mlp)
    patch_size = state_dict[patches].shape[-1]
    config = CLIPVisionConfig(
        **common(state_dict, block, state_dict[positions].shape[1], mlp, heads),
        patch_size=patch_size,
        image_size=math.isqrt(state_dict[positions].shape[0] - 1) * patch_size,
        num_channels=state_dict[patches].shape[1],
        hidden_act="quick_gelu",
        layer_norm_eps=1e-5,
    )
    ours: dict[str, tuple[str, ...]] = {
        f"{prefix}class_embedding": ("embeddings.class_embedding",),
        patches: ("embeddings.patch_embedding.weight",),
        positions: ("embeddings.position_embedding.weight",),
        **linear(f"{prefix}ln_pre", "pre_layrnorm"),
        **linear(f"{prefix}ln_post", "post_layernorm"),
    }
    for index in range(config.num_hidden_layers):
        theirs, layer = f"{block}{index}", f"encoder.layers.{index}"
        qkv = [f"{layer}.self_attn.{letter}_proj" for letter in "qkv"]
        ours |= {
            f"{theirs}.attn.in_proj_{kind}": tuple(f"{name}.{kind}" for name in qkv) for kind in ("weight", "bias")
        }
        ours |= linear(f"{theirs}.attn.out_proj", f"{layer}.self_attn.out_proj")
        ours |= linear(f"{theirs}.ln_1", f"{layer}.layer_norm1") | linear(f"{theirs}.ln_2", f"{layer}.layer_norm2")
        ours |= linear(f"{theirs}.mlp.c_fc", f"{layer}.mlp.fc1") | linear(f"{theirs}.mlp.c_proj", f"{layer}.mlp.fc2")
    of_text = {name for name in state_dict if prefix and not name.startswith(prefix)}
    return load_converted(CLIPVisionModel, config, Names(ours, frozenset({f"{prefix}proj"} | of_text)), state_dict)


def _videomae(state_dict: StateDict, prefix: str, heads: int | None, untold: dict[str, tuple]) -> PreTrainedModel:
    block = f"{prefix}blocks."
    patches, mlp = f"{prefix}patch_embed.proj.weight", f"{block}0.mlp.fc1.weight"
    require(state_dict, "VideoMAE", patches, mlp)
    width, channels, tubelet_size, patch_size = state_dict[patches].shape[:4]
    final_norm = f"{prefix}norm.weight" in state_dict
    config = VideoMAEConfig(
        **common(state_dict, block, width, mlp, heads),
        **say_assumed(untold),
        patch_size=patch_size,
        tubelet_size=tubelet_size,
        num_channels=channels,
        use_mean_pooling=not final_norm,
        layer_norm_eps=1e-6,
    )
    ours = linear(f"{prefix}patch_embed.proj", "embeddings.patch_embeddings.projection")
    if final_norm:
        ours |= linear(f"{prefix}norm", "layernorm")
    for index in range(config.num_hidden_layers):
        theirs, layer = f"{block}{index}", f"encoder.layer.{index}"
        query, key, value = (f"{layer}.attention.attention.{name}" for name in ("query", "key", "value"))
        ours |= {
            f"{theirs}.attn.qkv.weight": (f"{query}.weight", f"{key}.weight", f"{value}.weight"),
            f"{theirs}.attn.q_bias": (f"{query}.bias",),
            f"{theirs}.attn.v_bias": (f"{value}.bias",),
            **linear(f"{theirs}.attn.proj", f"{layer}.attention.output.dense"),
            **linear(f"{theirs}.norm1", f"{layer}.layernorm_before"),
            **linear(f"{theirs}.norm2", f"{layer}.layernorm_after"),
            **linear(f"{theirs}.mlp.fc1", f"{layer}.intermediate.dense"),
            **linear(f"{theirs}.mlp.fc2", f"{layer}.output.dense"),
        }
    others = ("mask_token", "encoder_to_decoder.", "decoder.", "head.", "fc_norm.")
    unused = {name for name in state_dict if name.removeprefix(prefix).startswith(others)}
    return load_converted(VideoMAEModel, config, Names(ours, frozenset(unused)), state_dict)


def _ast(state_dict: StateDict, heads: int | None, untold: dict[str, tuple]) -> PreTrainedModel:
    positions, patches, mlp = "v.pos_embed", "v.patch_embed.proj.weight", "v.blocks.0.mlp.fc1.weight"
    require(state_dict, "AST", positions, patches, mlp)
    patch_size, sizes = state_dict[patches].shape[-1], say_assumed(untold)
    count, stride = state_dict[positions].shape[1] - 2, sizes["audio_stride"]
    rows = (sizes["num_mel_bins"] - patch_size) // stride + 1
    if rows < 1 or count % rows:
        raise ValueError(
            f"{count} audio patches do not fit num_mel_bins={sizes['num_mel_bins']} and audio_stride={stride}"
        )
    smallest = (count // rows - 1) * stride + patch_size
    config = ASTConfig(
        **common(state_dict, "v.blocks.", state_dict[positions].shape[2], mlp, heads),
        patch_size=patch_size,
        frequency_stride=stride,
        time_stride=stride,
        num_mel_bins=sizes["num_mel_bins"],
        max_length=1024 if smallest <= 1024 < smallest + stride else smallest,
        layer_norm_eps=1e-6,
    )
    ours: dict[str, tuple[str, ...]] = {
        "v.cls_token": ("embeddings.cls_token",),
        "v.dist_token": ("embeddings.distillation_token",),
        positions: ("embeddings.position_embeddings",),
        **linear("v.patch_embed.proj", "embeddings.patch_embeddings.projection"),
        **linear("v.norm", "layernorm"),
    }
    for index in range(config.num_hidden_layers):
        theirs, layer = f"v.blocks.{index}", f"layers.{index}"
        qkv = [f"{layer}.attention.{letter}_proj" for letter in "qkv"]
        ours |= {f"{theirs}.attn.qkv.{kind}": tuple(f"{name}.{kind}" for name in qkv) for kind in ("weight", "bias")}
        ours |= linear(f"{theirs}.attn.proj", f"{layer}.attention.o_proj")
        ours |= linear(f"{theirs}.norm1", f"{layer}.layernorm_before")
        ours |= linear(f"{theirs}.norm2", f"{layer}.layernorm_after")
        ours |= linear(f"{theirs}.mlp.fc1", f"{layer}.mlp.fc1") | linear(f"{theirs}.mlp.fc2", f"{layer}.mlp.fc2")
    unused = {name for name in state_dict if name.startswith(("mlp_head.", "v.head.", "v.head_dist."))}
    return load_converted(ASTModel, config, Names(ours, frozenset(unused)), state_dict)
