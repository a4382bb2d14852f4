"""TimeSformer as a model of transformers: learning, what reads what, sizes, fast paths, dropping branches."""

import pytest
import torch
from tiny_time_sformer import ATTENTION, clips, tiny, tiny_config
from tiny_xvit import image_model
from torch import nn

from holovid import TimeSformerConfig, TimeSformerForVideoClassification, TimeSformerModel
from holovid.modeling.modeling_time_sformer import TimeSformerDropPath


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("attention_type", ATTENTION)
def test_every_parameter_learns(attention_type, depth):
    model = tiny(attention_type=attention_type, num_hidden_layers=depth).train()
    model(clips(model.config), labels=torch.tensor([1, 3])).loss.backward()
    silent = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not silent


@torch.no_grad()
def test_divided_attention_by_hand():
    """One layer, token by token, with plain loops over places and frames."""
    model = tiny(num_hidden_layers=1).time_sformer
    layer, (frames, places) = model.layers[0], (4, 6)
    batch = clips(model.config, frames=frames)

    def attend(attention, tokens):  # (length, D), of one clip
        query, key, value = (
            projection(tokens).unflatten(-1, (3, 12)).transpose(0, 1)
            for projection in (attention.q_proj, attention.k_proj, attention.v_proj)
        )
        weights = (query @ key.transpose(-1, -2) / 12**0.5).softmax(-1)
        return attention.o_proj((weights @ value).transpose(0, 1).flatten(1))

    for tokens, expected in zip(model.embeddings(batch), model(batch, output_hidden_states=True).hidden_states[-1],
                                strict=True):  # fmt: skip
        cls_token, patches = tokens[0], tokens[1:].unflatten(0, (frames, places)).clone()
        for place in range(places):
            seen = layer.temporal_layernorm(patches[:, place])
            patches[:, place] += layer.temporal_dense(attend(layer.temporal_attention, seen))
        answers = []
        for frame in range(frames):
            seen = layer.layernorm_before(torch.cat((cls_token[None], patches[frame])))
            answer = attend(layer.attention, seen)
            answers.append(answer[0])
            patches[frame] += answer[1:]
        tokens = torch.cat((cls_token[None] + torch.stack(answers).mean(0), patches.flatten(0, 1)))
        tokens = tokens + layer.mlp(layer.layernorm_after(tokens))
        torch.testing.assert_close(tokens, expected, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_what_a_patch_reads():
    """One layer: with divided attention its place and its frame, with joint attention all, else its frame."""
    changed = {}
    for attention_type in ATTENTION:
        model = tiny(attention_type=attention_type, num_hidden_layers=1).time_sformer
        batch = clips(model.config, frames=4)
        before = model(batch, output_hidden_states=True).hidden_states[-1]
        batch[:, 2, :, 8:, 16:] += 1.0  # the last of 2 x 3 patches of frame 2
        after = model(batch, output_hidden_states=True).hidden_states[-1]
        moved = (after - before).abs().amax((0, -1)) > 1e-6
        changed[attention_type] = moved[:, 1:] if attention_type == "space_only" else moved[1:].unflatten(0, (4, 6))
    assert changed["joint_space_time"].all()
    assert changed["space_only"].nonzero()[:, 0].unique().tolist() == [2]
    # its place at all times; and through that, in the same layer, all patches of all frames
    assert changed["divided_space_time"].all()
    model = tiny(num_hidden_layers=1).time_sformer
    nn.init.zeros_(model.layers[0].temporal_dense.weight)
    batch = clips(model.config, frames=4)
    before = model(batch, output_hidden_states=True).hidden_states[-1]
    batch[:, 2] += 1.0
    moved = (model(batch, output_hidden_states=True).hidden_states[-1] - before).abs().amax((0, -1)) > 1e-6
    assert moved[1:].unflatten(0, (4, 6)).any(1).tolist() == [False, False, True, False]


@torch.no_grad()
def test_space_only_does_not_see_order():
    model = tiny(attention_type="space_only")
    batch = clips(model.config)
    shuffled = batch[:, [3, 0, 5, 1, 4, 2]]
    torch.testing.assert_close(model(batch).logits, model(shuffled).logits, rtol=1e-4, atol=1e-4)
    for attention_type in ATTENTION[:2]:
        model = tiny(attention_type=attention_type)
        assert (model(batch).logits - model(shuffled).logits).abs().max() > 2e-3


@pytest.mark.parametrize("attention_type", ATTENTION)
@torch.no_grad()
def test_any_number_of_frames_and_any_size(attention_type):
    model = tiny(attention_type=attention_type)
    for frames in (1, 3, 6, 13):
        assert model(clips(model.config, frames=frames)).logits.shape == (2, 5)
    other = torch.randn(2, 4, 3, 40, 8)
    with pytest.raises(ValueError, match=r"40x8 pixels do not match .* 16x24.*interpolate_pos_encoding=True"):
        model(other)
    assert model(other, interpolate_pos_encoding=True).logits.shape == (2, 5)
    with pytest.raises(ValueError, match="41x8 pixels are not a multiple of the patch size 8"):
        model(torch.randn(2, 4, 3, 41, 8), interpolate_pos_encoding=True)
    for bad in (None, torch.randn(2, 3, 16, 24), torch.randn(2, 3, 6, 16, 24), torch.randn(2, 0, 3, 16, 24)):
        with pytest.raises(ValueError, match=r"pixel_values_videos|frame"):
            model(bad)


def test_positions_are_the_nearest():
    embeddings = tiny(num_frames=3).time_sformer.embeddings
    table = embeddings.temporal_embeddings[0]
    torch.testing.assert_close(embeddings.time(7)[0], table[[0, 0, 0, 1, 1, 2, 2]])  # floor(3 t / 7)
    torch.testing.assert_close(embeddings.time(2)[0], table[[0, 1]])
    patches = embeddings.position_embeddings[0, 1:].unflatten(0, (2, 3))
    resized = embeddings.space(32, 16, True)[0]
    torch.testing.assert_close(resized[1:].unflatten(0, (4, 2)), patches[[0, 0, 1, 1]][:, [0, 1]])
    torch.testing.assert_close(resized[0], embeddings.position_embeddings[0, 0])


@pytest.mark.parametrize("attention_type", ATTENTION)
@torch.no_grad()
def test_eager_equals_sdpa(attention_type):
    model = tiny(attention_type=attention_type)
    batch = clips(model.config, frames=4)
    sdpa = model(batch)
    assert sdpa.attentions is None and sdpa.time_attentions is None
    model.set_attn_implementation("eager")
    eager = model(batch, output_attentions=True, output_hidden_states=True)
    torch.testing.assert_close(sdpa.logits, eager.logits, rtol=1e-4, atol=1e-4)
    tokens = (2, 4, 7, 36) if attention_type == "space_only" else (2, 25, 36)
    assert [tuple(states.shape) for states in eager.hidden_states] == [tokens] * 4
    seen = (2, 3, 25, 25) if attention_type == "joint_space_time" else (8, 3, 7, 7)
    assert [tuple(weights.shape) for weights in eager.attentions] == [seen] * 3
    if attention_type != "divided_space_time":
        assert eager.time_attentions is None and eager.space_attentions is None
        return
    assert all(map(torch.equal, eager.space_attentions, eager.attentions))
    assert [tuple(weights.shape) for weights in eager.time_attentions] == [(12, 3, 4, 4)] * 3
    torch.testing.assert_close(eager.time_attentions[0].sum(-1), torch.ones(12, 3, 4))


@torch.no_grad()
def test_time_maps_are_those_of_their_place():
    """Along time, clip b's place s looks from frame to frame as it does when all other places are replaced."""
    model = tiny(num_hidden_layers=1)
    model.set_attn_implementation("eager")
    batch = clips(model.config, frames=4)
    before = model(batch, output_attentions=True).time_attentions[0].unflatten(0, (2, 6))
    batch[1, :, :, 8:, 8:16] = torch.randn(4, 3, 8, 8)  # place 4 of 2 x 3
    after = model(batch, output_attentions=True).time_attentions[0].unflatten(0, (2, 6))
    changed = (after - before).abs().amax((2, 3, 4)) > 1e-6
    assert changed.nonzero().tolist() == [[1, 4]]


@pytest.mark.gpu
@pytest.mark.parametrize("implementation", ["flash_attention_2", "flex_attention", "sdpa"])
@pytest.mark.parametrize("attention_type", ATTENTION)
def test_fast_paths_equal_eager_on_gpu(attention_type, implementation):
    model = TimeSformerForVideoClassification(tiny_config(attention_type=attention_type, hidden_size=96))
    model = model.eval().to("cuda", torch.bfloat16)
    batch = clips(model.config).to("cuda", torch.bfloat16)
    with torch.no_grad():
        model.set_attn_implementation("eager")
        eager = model(batch).logits
        model.set_attn_implementation(implementation)
        torch.testing.assert_close(model(batch).logits, eager, rtol=0.05, atol=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("attention_type", ATTENTION)
def test_flex_attention(attention_type):
    model = tiny(attention_type=attention_type, hidden_size=48)  # heads of 16 channels, the least that flex takes
    batch = clips(model.config)
    with torch.no_grad():
        expected = model(batch).logits
        model.set_attn_implementation("flex_attention")
        torch.testing.assert_close(model(batch).logits, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("attention_type", ATTENTION)
def test_compiles_whole(attention_type):
    torch.compiler.reset()
    model = tiny(attention_type=attention_type)
    batch = clips(model.config)
    with torch.no_grad():
        compiled = torch.compile(model, fullgraph=True)
        torch.testing.assert_close(compiled(batch).logits, model(batch).logits, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("attention_type", ATTENTION)
def test_checkpointing_changes_nothing(attention_type):
    model = tiny(attention_type=attention_type).train()
    batch, labels = clips(model.config), torch.tensor([0, 4])
    model(batch, labels=labels).loss.backward()
    expected = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    model.zero_grad()
    model.activation_checkpointing_enable()
    model(batch, labels=labels).loss.backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name])


def test_initial_values():
    torch.manual_seed(0)
    model = TimeSformerForVideoClassification(TimeSformerConfig(num_hidden_layers=2, num_frames=4, image_size=64))
    for layer in model.time_sformer.layers:
        assert not layer.temporal_dense.weight.any() and not layer.temporal_dense.bias.any()
        assert abs(layer.temporal_attention.q_proj.weight.std().item() - 0.02) < 0.001
        assert not layer.attention.o_proj.bias.any()
    embeddings = model.time_sformer.embeddings
    assert not embeddings.temporal_embeddings.any() and embeddings.position_embeddings.std() > 0.015
    bound = (3 * 16 * 16) ** -0.5
    weight = embeddings.patch_embeddings.projection.weight
    assert 0.98 * bound < weight.abs().max() <= bound and embeddings.patch_embeddings.projection.bias.any()


def test_branches_are_dropped_as_released():
    """Along time a draw for each place of a clip, along space one for each frame; the mean stays."""
    torch.manual_seed(0)
    branch = torch.ones(50, 6, 8, 3)
    for axes, other in (((0, 2), 1), ((0, 1), 2)):
        drop = TimeSformerDropPath(0.25, axes).train()
        dropped = drop(branch)
        assert dropped.unique().tolist() == pytest.approx([0.0, 1 / 0.75])
        assert abs(dropped.mean().item() - 1) < 0.1
        assert (dropped == dropped.narrow(other, 0, 1)[..., :1]).all()
        rows = dropped.narrow(other, 0, 1)[..., 0].flatten(1)
        assert (rows.amax(1) > rows.amin(1)).float().mean() > 0.3  # the draws of a clip are not all the same
        assert torch.equal(drop.eval()(branch), branch)
    rates = [layer.time_drop_path.rate for layer in TimeSformerModel(tiny_config(drop_path_rate=0.1)).layers]
    assert rates == [0.0, 0.05, 0.1]
    model = TimeSformerForVideoClassification(tiny_config(drop_path_rate=1.0, num_hidden_layers=2)).train()
    with torch.no_grad():  # everything of the last layer is dropped, but for the bias behind time
        before, after = model(clips(model.config), output_hidden_states=True).hidden_states[-2:]
    assert torch.equal(before, after)


@torch.no_grad()
def test_from_image_model():
    image = image_model(image_size=32)
    model = TimeSformerForVideoClassification.from_image_model(image, num_frames=3, num_labels=4).eval()
    frames = torch.randn(2, 1, 3, 32, 32)
    still = frames.expand(-1, 3, -1, -1, -1)
    # what time adds starts at zero, and all frames are one picture: this is the image model
    expected = image.vit(frames[:, 0], interpolate_pos_encoding=False).last_hidden_state
    torch.testing.assert_close(model.time_sformer(still).pooler_output, expected[:, 0], rtol=1e-4, atol=1e-4)
    for layer in model.time_sformer.layers:
        for name, parameter in layer.temporal_attention.named_parameters():
            assert torch.equal(parameter, layer.attention.get_parameter(name))
        assert torch.equal(layer.temporal_layernorm.weight, layer.layernorm_before.weight)
    larger = TimeSformerForVideoClassification.from_image_model(image, num_frames=3, image_size=(48, 32))
    theirs = image.vit.embeddings.position_embeddings[0, 1:]
    ours = larger.time_sformer.embeddings.position_embeddings[0, 1:]
    assert torch.equal(ours, theirs[torch.arange(24) * 16 // 24])  # nearest in a row of all patches
    for attention_type in ATTENTION[1:]:
        other = TimeSformerForVideoClassification.from_image_model(image, attention_type=attention_type)
        assert other(still).logits.isfinite().all()
    base = TimeSformerModel.from_image_model(image)
    assert torch.equal(base.layers[1].mlp.fc1.weight, image.vit.layers[1].mlp.fc1.weight)
    with pytest.raises(ValueError, match="transformers ViT, got a time_sformer model"):
        TimeSformerForVideoClassification.from_image_model(model)
    with pytest.raises(ValueError, match=r"have no place in the model, .*: .*mlp\.fc1"):
        TimeSformerForVideoClassification.from_image_model(image, intermediate_size=32)
    with pytest.raises(ValueError, match="attention_typ"):
        TimeSformerForVideoClassification.from_image_model(image, attention_typ="space_only")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"attention_type": "axial"}, "attention_type"),
        ({"image_size": 30}, "multiple of patch_size"),
        ({"hidden_size": 37}, "multiple of num_attention_heads"),
        ({"num_frames": 0}, "num_frames must be at least 1"),
        ({"drop_path_rate": 1.5}, "drop_path_rate must be between 0 and 1"),
        ({"num_frame": 4}, "no field 'num_frame'"),
    ],
)
def test_configurations_that_cannot_be(fields, message):
    with pytest.raises(Exception, match=message):
        tiny_config(**fields)
