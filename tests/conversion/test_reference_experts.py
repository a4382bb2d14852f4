"""Original CLIP, VideoMAE and AST files give the models of transformers that these files became.

A file of the original layout is made from a model by writing down the original names here, tensor by tensor.
"""

import warnings

import pytest
import torch
from safetensors.torch import save_file
from tiny_ca2st import tiny_ast, tiny_clip, tiny_videomae
from torch import nn
from transformers import PreTrainedModel

from holovid import CA2STModel
from holovid.conversion.from_experts import load_expert


def put(tensors: dict, name: str, module: nn.Module) -> None:
    tensors |= {f"{name}.{kind}": tensor.detach() for kind, tensor in module.named_parameters(recurse=False)}


def fused(attention: nn.Module, names: str, kind: str) -> torch.Tensor:
    return torch.cat([getattr(getattr(attention, name), kind).detach() for name in names.split()])


def clip_file(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    tensors = {
        "conv1.weight": model.embeddings.patch_embedding.weight.detach(),
        "class_embedding": model.embeddings.class_embedding.detach(),
        "positional_embedding": model.embeddings.position_embedding.weight.detach(),
        "proj": torch.randn(36, 11),
    }
    put(tensors, "ln_pre", model.pre_layrnorm)
    put(tensors, "ln_post", model.post_layernorm)
    for index, layer in enumerate(model.encoder.layers):
        block = f"transformer.resblocks.{index}"
        for kind in ("weight", "bias"):
            tensors[f"{block}.attn.in_proj_{kind}"] = fused(layer.self_attn, "q_proj k_proj v_proj", kind)
        put(tensors, f"{block}.attn.out_proj", layer.self_attn.out_proj)
        put(tensors, f"{block}.ln_1", layer.layer_norm1)
        put(tensors, f"{block}.ln_2", layer.layer_norm2)
        put(tensors, f"{block}.mlp.c_fc", layer.mlp.fc1)
        put(tensors, f"{block}.mlp.c_proj", layer.mlp.fc2)
    return tensors


def videomae_file(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    tensors: dict[str, torch.Tensor] = {}
    put(tensors, "patch_embed.proj", model.embeddings.patch_embeddings.projection)
    if model.layernorm is not None:
        put(tensors, "norm", model.layernorm)
    for index, layer in enumerate(model.encoder.layer):
        block, attention = f"blocks.{index}", layer.attention.attention
        tensors[f"{block}.attn.qkv.weight"] = fused(attention, "query key value", "weight")
        tensors[f"{block}.attn.q_bias"] = attention.query.bias.detach()
        tensors[f"{block}.attn.v_bias"] = attention.value.bias.detach()
        put(tensors, f"{block}.attn.proj", layer.attention.output.dense)
        put(tensors, f"{block}.norm1", layer.layernorm_before)
        put(tensors, f"{block}.norm2", layer.layernorm_after)
        put(tensors, f"{block}.mlp.fc1", layer.intermediate.dense)
        put(tensors, f"{block}.mlp.fc2", layer.output.dense)
    return tensors


def ast_file(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    tensors = {
        "v.cls_token": model.embeddings.cls_token.detach(),
        "v.dist_token": model.embeddings.distillation_token.detach(),
        "v.pos_embed": model.embeddings.position_embeddings.detach(),
        "v.head.weight": torch.randn(3, 36),
        "v.head_dist.bias": torch.randn(3),
        "mlp_head.0.weight": torch.randn(36),
    }
    put(tensors, "v.patch_embed.proj", model.embeddings.patch_embeddings.projection)
    put(tensors, "v.norm", model.layernorm)
    for index, layer in enumerate(model.layers):
        block = f"v.blocks.{index}"
        for kind in ("weight", "bias"):
            tensors[f"{block}.attn.qkv.{kind}"] = fused(layer.attention, "q_proj k_proj v_proj", kind)
        put(tensors, f"{block}.attn.proj", layer.attention.o_proj)
        put(tensors, f"{block}.norm1", layer.layernorm_before)
        put(tensors, f"{block}.norm2", layer.layernorm_after)
        put(tensors, f"{block}.mlp.fc1", layer.mlp.fc1)
        put(tensors, f"{block}.mlp.fc2", layer.mlp.fc2)
    return tensors


def prefixed(prefix: str, tensors: dict) -> dict:
    return {f"{prefix}{name}": tensor for name, tensor in tensors.items()}


def tiny_audio() -> PreTrainedModel:
    return tiny_ast().audio_spectrogram_transformer


def fine_tuned() -> PreTrainedModel:
    return tiny_videomae(use_mean_pooling=True)


DECODER = {"mask_token": torch.zeros(1, 1, 4), "encoder_to_decoder.weight": torch.zeros(4, 36)}
HEAD = {"fc_norm.weight": torch.ones(36), "head.weight": torch.zeros(3, 36)}
TEXT = {"positional_embedding": torch.zeros(7, 36), "transformer.resblocks.0.ln_1.weight": torch.ones(36)}
FRAMES = {"num_attention_heads": 3, "image_size": 24, "num_frames": 8}
SOUND = {"num_attention_heads": 3, "audio_stride": 6, "num_mel_bins": 24}
LAYOUTS = {
    "CLIP's visual tensors": (tiny_clip, lambda m: clip_file(m), {"num_attention_heads": 3}),
    "all of CLIP": (tiny_clip, lambda m: prefixed("visual.", clip_file(m)) | TEXT, {"num_attention_heads": 3}),
    "pre-trained VideoMAE": (
        tiny_videomae, lambda m: {"model": prefixed("encoder.", videomae_file(m)) | DECODER, "epoch": 3}, FRAMES
    ),
    "fine-tuned VideoMAE": (fine_tuned, lambda m: {"module": videomae_file(m) | HEAD}, FRAMES),
    "VideoMAE as a backbone": (tiny_videomae, lambda m: prefixed("backbone.", videomae_file(m)), FRAMES),
    "AST": (tiny_audio, lambda m: prefixed("module.", ast_file(m)), SOUND),
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_original_layouts(layout, tmp_path):
    make, write, settings = LAYOUTS[layout]
    model = make()
    torch.save(write(model), tmp_path / "original.pth")
    loaded = load_expert(tmp_path / "original.pth", **settings)
    assert type(loaded) is type(model) and not loaded.training
    expected = model.state_dict()
    assert loaded.state_dict().keys() == expected.keys()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in loaded.state_dict().items())
    for name in ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "patch_size"):
        assert getattr(loaded.config, name) == getattr(model.config, name)
    assert loaded.config.layer_norm_eps == (1e-5 if "CLIP" in layout else 1e-6)


def test_safetensors_in_half_precision(tmp_path):
    model = tiny_clip()
    half = {name: tensor.half().contiguous() for name, tensor in clip_file(model).items()}
    save_file(half, tmp_path / "visual.safetensors")
    loaded = load_expert(tmp_path / "visual.safetensors", num_attention_heads=3)
    assert loaded.dtype == torch.float32
    assert torch.equal(loaded.post_layernorm.weight, model.post_layernorm.weight.half().float())


def test_sizes_of_released_files():
    """What is assumed of them; AST's table has 12 x 101 positions for 1024 rows."""
    with torch.device("meta"):
        audio = tiny_ast(
            num_mel_bins=128, max_length=1024, patch_size=16, time_stride=10, frequency_stride=10, hidden_size=64,
            num_attention_heads=1,
        ).audio_spectrogram_transformer  # fmt: skip
        videomae = tiny_videomae(hidden_size=64, num_attention_heads=1)
    loaded = load_expert({name: torch.zeros(t.shape) for name, t in prefixed("module.", ast_file(audio)).items()})
    assert (loaded.config.max_length, loaded.config.time_stride, loaded.config.num_attention_heads) == (1024, 10, 1)
    loaded = load_expert({name: torch.zeros(tensor.shape) for name, tensor in videomae_file(videomae).items()})
    assert (loaded.config.image_size, loaded.config.num_frames, loaded.config.tubelet_size) == (224, 16, 2)


@torch.no_grad()
def test_a_model_from_original_files_is_the_model_from_transformers():
    space, time, audio = tiny_clip(), tiny_videomae(), tiny_audio()
    original = CA2STModel.from_experts(
        space=load_expert(clip_file(space), num_attention_heads=3),
        time=load_expert(videomae_file(time), **FRAMES),
        audio=load_expert(ast_file(audio), **SOUND),
        audio_frames=40,
    )
    given = CA2STModel.from_experts(space, time, audio, audio_frames=40)
    frames, sound = torch.randn(1, 8, 3, 24, 24), torch.randn(1, 40, 24)
    assert torch.equal(original(frames, sound).pooler_output, given(frames, sound).pooler_output)


def without(tensors: dict, name: str) -> dict:
    return {key: value for key, value in tensors.items() if key != name}


BROKEN = {
    "something else": (lambda: {"weight": torch.zeros(1)},
                       "not a CLIP, VideoMAE or AST checkpoint: it has weight"),
    "not all of CLIP": (lambda: without(clip_file(tiny_clip()), "conv1.weight"),
                        "not a complete CLIP checkpoint: it lacks conv1.weight"),
    "a bias less": (lambda: without(videomae_file(tiny_videomae()), "blocks.2.attn.q_bias"),
                    r"lacks 1 tensors: blocks\.2\.attn\.q_bias"),
    "one more": (lambda: ast_file(tiny_audio()) | {"v.extra": torch.zeros(1)}, r"does not use: v\.extra"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_files(kind):
    make, message = BROKEN[kind]
    tensors = make()
    settings = SOUND if "v.cls_token" in tensors else {}
    with pytest.raises(ValueError, match=message):
        load_expert(tensors, **settings)


def test_other_spectrograms():
    with pytest.raises(ValueError, match="30 audio patches do not fit num_mel_bins=128 and audio_stride=10"):
        load_expert(ast_file(tiny_audio()))


def test_archives_with_code_are_not_read(tmp_path):
    """What OpenAI publishes is TorchScript."""
    with warnings.catch_warnings(action="ignore"), torch.no_grad():  # TorchScript is deprecated
        torch.jit.trace(nn.Linear(2, 2), torch.zeros(1, 2)).save(tmp_path / "ViT-B-16.pt")
    with pytest.raises(ValueError, match=r"TorchScript archive, which holds code.*\.visual\.state_dict\(\)"):
        load_expert(tmp_path / "ViT-B-16.pt")
