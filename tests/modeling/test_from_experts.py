"""Starting from CLIP, VideoMAE and AST: at first, the model computes what each of them computes alone."""

import json
import re

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_ca2st import (
    CA2ST,
    CAST,
    CAVA,
    FRAMES,
    WIDTHS,
    sharpen,
    tiny,
    tiny_ast,
    tiny_clip,
    tiny_videomae,
    tiny_whole_clip,
)
from transformers import (
    CLIPVisionModelWithProjection,
    VideoMAEForPreTraining,
    VideoMAEForVideoClassification,
    ViTConfig,
    ViTModel,
)

from holovid import CA2STForActionRecognition, CA2STForVideoClassification, CA2STModel
from holovid.modeling.audio_positions import cut_audio_positions


def expected_states(experts: dict, frames: torch.Tensor, sound: torch.Tensor | None) -> dict[str, list[torch.Tensor]]:
    """Hidden states of transformers' own models, laid out as ours."""
    states = {}
    if "space" in experts:
        seen = frames[:, 1::2]
        given = experts["space"](seen.flatten(0, 1), output_hidden_states=True).hidden_states
        states["space"] = [tokens.unflatten(0, seen.shape[:2]) for tokens in given]
    if "time" in experts:
        given = experts["time"](frames, output_hidden_states=True).hidden_states
        states["time"] = [tokens.unflatten(1, (frames.shape[1] // 2, -1)) for tokens in given]
    if "audio" in experts:
        states["audio"] = list(experts["audio"](sound, output_hidden_states=True).hidden_states)
    return states


MEMBERS = {"CAST": CAST, "CAVA": CAVA, "CA2ST": CA2ST}


@pytest.mark.parametrize("member", MEMBERS)
@torch.no_grad()
def test_at_first_each_expert_is_itself(member):
    makers = {"space": tiny_clip, "time": tiny_videomae, "audio": tiny_ast}
    experts = {expert: makers[expert]() for expert in MEMBERS[member]}
    model = CA2STForVideoClassification.from_experts(**experts, num_frames=8, audio_frames=64, num_labels=4)
    frames = torch.randn(2, 8, 3, 24, 24)
    sound = torch.randn(2, 64, 24) if "audio" in experts else None
    outputs = model(frames, sound, output_hidden_states=True)
    for expert, states in expected_states(experts, frames, sound).items():
        for ours, theirs in zip(outputs[f"{expert}_hidden_states"], states, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
    # adapters of features start as zero; CAVA has the features beside them, CA²ST's of sound starts otherwise
    if member == "CAST":
        assert torch.equal(outputs.logits, model.classifier.bias.expand(2, -1))


@torch.no_grad()
def test_features_are_those_of_the_experts():
    space, time, audio = tiny_clip(), tiny_videomae(), tiny_ast()
    model = CA2STModel.from_experts(space, time, audio, audio_frames=64)
    frames, sound = torch.randn(2, 8, 3, 24, 24), torch.randn(2, 64, 24)
    ours = model(frames, sound).pooler_output.chunk(3, dim=1)
    class_tokens = space(frames[:, 1::2].flatten(0, 1)).last_hidden_state[:, 0].unflatten(0, (2, 4))
    tokens = time(frames, output_hidden_states=True).hidden_states[-1]
    theirs = (
        space.post_layernorm(class_tokens.mean(1)),
        time.layernorm(tokens.mean(1)),
        audio.audio_spectrogram_transformer(sound).pooler_output,
    )
    for feature, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(feature, expected, rtol=1e-4, atol=1e-4)


def old_layout(path) -> None:
    """Rewrite a VideoMAE file as published files are."""
    tensors = load_file(path)
    renamed = {
        name.replace("query.bias", "q_bias").replace("value.bias", "v_bias"): tensor
        for name, tensor in tensors.items()
    }
    save_file(renamed, path, metadata={"format": "pt"})


def new_layout(path) -> None:
    tensors = load_file(path)
    renamed = {
        name.replace("q_bias", "query.bias").replace("v_bias", "value.bias"): tensor
        for name, tensor in tensors.items()
    }
    save_file(renamed, path, metadata={"format": "pt"})


@pytest.mark.parametrize("layout", [old_layout, new_layout])
@pytest.mark.parametrize(
    "model_class", [VideoMAEForPreTraining, VideoMAEForVideoClassification, type(tiny_videomae())]
)
def test_query_and_value_biases_of_videomae_files(model_class, layout, tmp_path):
    time = tiny_videomae(model_class)
    time.save_pretrained(tmp_path)
    layout(tmp_path / "model.safetensors")
    names = load_file(tmp_path / "model.safetensors").keys()
    assert any(name.endswith("attention.attention.q_bias") for name in names) == (layout is old_layout)
    model = CA2STModel.from_experts(space=tiny_clip(), time=tmp_path)
    for layer, theirs in zip(model.layers, time.base_model.encoder.layer, strict=True):
        ours, theirs = layer.attentions["time"].attention, theirs.attention.attention
        for name in ("query", "key", "value"):
            assert torch.equal(getattr(ours, f"{name[0]}_proj").weight, getattr(theirs, name).weight)
        assert torch.equal(ours.q_proj.bias, theirs.query.bias)
        assert torch.equal(ours.v_proj.bias, theirs.value.bias)
        assert ours.q_proj.bias.abs().min() > 0
        assert ours.k_proj.bias is None


@pytest.mark.parametrize("kind", ["whole", "shards", "bin", "bin shards"])
def test_folders_give_what_the_models_in_them_give(kind, tmp_path):
    experts = {"space": tiny_whole_clip(), "time": tiny_videomae(), "audio": tiny_ast()}
    for expert, model in experts.items():
        model.save_pretrained(tmp_path / expert, max_shard_size="20KB" if "shards" in kind else "1GB")
        if "bin" in kind:
            as_bin(tmp_path / expert)
    folders = {expert: str(tmp_path / expert) for expert in experts}
    from_folders = CA2STForActionRecognition.from_experts(**folders)
    from_models = CA2STForActionRecognition.from_experts(**experts)
    recorded = from_folders.config.expert_sources
    assert {expert: entry["source"] for expert, entry in recorded.items()} == folders
    assert {entry["revision"] for entry in recorded.values()} == {None}
    for entry in recorded.values():
        entry["source"] = None  # as for models; the hashes are the same whatever the format of the files
    assert from_folders.config.to_dict() == from_models.config.to_dict()
    expected = from_models.state_dict()
    of_experts = {id(p) for module in from_models.expert_modules() for p in module.parameters()}
    of_experts = [name for name, p in from_models.named_parameters() if id(p) in of_experts]
    assert all(torch.equal(from_folders.state_dict()[name], expected[name]) for name in of_experts)


def as_bin(folder) -> None:
    """Rewrite the safetensors files of a folder as torch files."""
    for path in list(folder.glob("*.safetensors")):
        torch.save(load_file(path), folder / path.name.replace("model", "pytorch_model").replace("safetensors", "bin"))
        path.unlink()
    for path in list(folder.glob("*.index.json")):
        index = json.loads(path.read_text())
        index["weight_map"] = {
            name: shard.replace("model", "pytorch_model").replace("safetensors", "bin")
            for name, shard in index["weight_map"].items()
        }
        (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
        path.unlink()


def test_sizes_come_from_the_experts_and_what_is_new_is_said(caplog):
    with caplog.at_level("WARNING", logger="transformers"):
        model = CA2STForVideoClassification.from_experts(
            space=tiny_whole_clip(), time=tiny_videomae(VideoMAEForPreTraining), audio=tiny_ast(), audio_frames=40,
            drop_path_rate=0.2, id2label={0: "open", 1: "close"},
        )  # fmt: skip
    config = model.config
    assert (config.hidden_size, config.num_frames, config.tubelet_size, config.image_size) == (36, 8, 2, 24)
    assert (config.audio_grid, config.num_mel_bins, config.audio_patch_size, config.audio_stride) == ((3, 6), 24, 8, 6)
    assert config.experts == CA2ST and config.share_projections and config.num_labels == 2
    assert (config.layer_norm_eps, config.space_layer_norm_eps, config.drop_path_rate) == (1e-6, 1e-5, 0.2)
    assert not model.training and model.dtype == torch.float32
    assert "text_model" in caplog.text and "visual_projection" in caplog.text and "mask_token" in caplog.text
    new = caplog.text.partition("New, to be trained:")[2]
    assert "layers.*.exchanges.space_time" in new and "layers.*.attentions.time.adapter.up" in new
    assert "classifier" in new and "readouts.all.adapters.time.up" in new and "features" not in new
    assert "embeddings" not in new and not re.search(r"attentions\.\w+\.attention|mlps\.\w+\.fc", new)
    with caplog.at_level("WARNING", logger="transformers"):
        CA2STModel.from_experts(space=tiny_clip(), time=tiny_videomae(use_mean_pooling=True))
    assert "features.time.layernorm" in caplog.text.rpartition("New, to be trained:")[2]


def test_epsilons_are_the_authors_whatever_the_experts_say():
    model = CA2STModel.from_experts(
        tiny_clip(layer_norm_eps=1e-3), tiny_videomae(layer_norm_eps=1e-12), tiny_ast(layer_norm_eps=1e-12)
    )
    layer = model.layers[0]
    assert {name: part.layernorm.eps for name, part in layer.attentions.items()} == {
        "space": 1e-5, "time": 1e-6, "audio": 1e-6,
    }  # fmt: skip


@torch.no_grad()
def test_positions_of_other_frame_sizes_are_those_of_clip():
    space = tiny_clip()
    model = CA2STModel.from_experts(space=space, time=tiny_videomae(), image_size=40)
    expected = space.embeddings.interpolate_pos_encoding(torch.zeros(1, 1 + 25, 36), 40, 40)
    torch.testing.assert_close(model.embeddings["space"].position_embeddings, expected[0])
    assert model(torch.randn(1, 8, 3, 40, 40)).last_hidden_state.shape == (1, 4, 26, 36)


def test_audio_positions_are_the_middle_of_the_table():
    rows, columns = 12, 101
    table = torch.arange(2 + rows * columns, dtype=torch.float32)[None, :, None].repeat(1, 1, 3)
    assert torch.equal(cut_audio_positions(table, columns, (rows, columns)), table)
    cut = cut_audio_positions(table, columns, (rows, 39))
    assert torch.equal(cut[:, :2], table[:, :2])
    grid = cut[0, 2:, 0].view(rows, 39)
    # AST on 400 rows: columns 50 - 19 = 31 up to 70, in every row of frequencies
    assert torch.equal(grid, torch.arange(31.0, 70.0) + 2 + columns * torch.arange(12.0)[:, None])
    long = cut_audio_positions(table, columns, (rows, 202))[0, 2:, 0].view(rows, 202)
    torch.testing.assert_close(long[:, 0], table[0, 2::101, 0])  # frequency is not blurred
    torch.testing.assert_close(long[:, 100:102].mean(1), table[0, 2:, 0].view(rows, columns)[:, 50])
    with pytest.raises(ValueError, match="1212 audio positions do not make 11 rows and 101 columns"):
        cut_audio_positions(table, columns, (11, 39))


def test_shorter_and_longer_sound():
    audio = tiny_ast()
    for audio_frames, columns in ((64, 10), (40, 6), (100, 16)):
        model = CA2STModel.from_experts(space=tiny_clip(), audio=audio, num_frames=4, audio_frames=audio_frames)
        assert model.embeddings["audio"].position_embeddings.shape == (1, 2 + 3 * columns, 36)


def unlike(model, **fields):
    for name, value in fields.items():
        setattr(model.config, name, value)
    return model


def vit():
    return ViTModel(ViTConfig(**WIDTHS | FRAMES))


BAD = {
    "one expert": (lambda: {"space": tiny_clip()}, r"pass the experts space and time, .* got \['space'\]"),
    "no image expert": (lambda: {"time": tiny_videomae(), "audio": tiny_ast()}, r"got \['time', 'audio'\]"),
    "nothing": (dict, r"got \[\]"),
    "not CLIP": (lambda: {"space": vit(), "time": tiny_videomae()}, "space must be a clip model, got a vit model"),
    "swapped": (lambda: {"space": tiny_videomae(), "time": tiny_clip()},
                "space must be a clip model, got a videomae model"),
    "another activation": (lambda: {"space": tiny_clip(hidden_act="gelu"), "time": tiny_videomae()},
                           "the space expert must have hidden_act 'quick_gelu', got 'gelu'"),
    "widths": (lambda: {"space": tiny_clip(), "time": tiny_videomae(hidden_size=48)},
               "the experts differ in hidden_size: space 36, time 48"),
    "depths": (lambda: {"space": tiny_clip(), "audio": tiny_ast(num_hidden_layers=2)},
               "the experts differ in num_hidden_layers: space 3, audio 2"),
    "pictures": (lambda: {"space": tiny_clip(), "time": tiny_videomae(image_size=32)},
                 "the experts differ in image_size: space 24, time 32; pass image_size"),
    "patches": (lambda: {"space": tiny_clip(patch_size=12), "time": tiny_videomae()},
                "the experts differ in patch_size: space 12, time 8$"),
    "contradiction": (lambda: {"space": tiny_clip(), "time": tiny_videomae(), "num_attention_heads": 6},
                      "num_attention_heads=6 contradicts the experts: space 3, time 3"),
    "strides": (lambda: {"space": tiny_clip(), "audio": tiny_ast(time_stride=5)},
                "strides must be equal, got frequency_stride 6 and time_stride 5"),
    "foreign tensor": (lambda: {"space": tiny_clip(), "time": sharpen_with_extra()},
                       r"the time expert has tensors that its model does not: encoder\.layer\.0\.extra\.bias"),
    "missing biases": (lambda: {"space": tiny_clip(), "time": tiny_videomae(qv_bias=False)},
                       r"the experts lack tensors for layers\.0\.attentions\.time\.attention\.q_proj\.bias"),
    "fewer positions": (lambda: {"space": tiny_clip(), "audio": unlike(tiny_ast(), max_length=40)},
                        "30 audio positions do not make 3 rows and 6 columns"),
    "not as it says": (lambda: {"space": unlike(tiny_clip(), intermediate_size=40),
                                "audio": unlike(tiny_ast(), intermediate_size=40)},
                       r"have no place in the model: .*fc1"),
    "its own kind": (lambda: {"space": tiny(), "time": tiny_videomae()}, "got a ca2st model"),
}  # fmt: skip


def sharpen_with_extra():
    time = tiny_videomae()
    time.encoder.layer[0].extra = torch.nn.LayerNorm(4, elementwise_affine=True)
    del time.encoder.layer[0].extra.weight
    return time


@pytest.mark.parametrize("kind", BAD)
def test_experts_that_do_not_fit(kind):
    make, message = BAD[kind]
    with pytest.raises(ValueError, match=message):
        CA2STForVideoClassification.from_experts(**make())


def test_folders_that_do_not_fit(tmp_path):
    tiny_clip().config.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"has neither model\.safetensors nor pytorch_model\.bin"):
        CA2STModel.from_experts(space=tmp_path, time=tiny_videomae())
    (tmp_path / "ViT-B-16.pt").touch()
    with pytest.raises(ValueError, match=r"got the file .*ViT-B-16\.pt; holovid\.reference_experts\.load_expert"):
        CA2STModel.from_experts(space=tmp_path / "ViT-B-16.pt", time=tiny_videomae())


def test_clip_with_projection():
    space = sharpen(CLIPVisionModelWithProjection(tiny_clip().config))
    model = CA2STModel.from_experts(space=space, time=tiny_videomae())
    assert torch.equal(model.features["space"].layernorm.weight, space.vision_model.post_layernorm.weight)
