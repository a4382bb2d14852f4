"""XViT as a model of transformers: learning, invariances, sizes, fast paths, losses, saving."""

import copy

import pytest
import torch
from tiny_xvit import VARIANTS, clips, tiny, tiny_config
from torch import nn
from transformers import Trainer, TrainingArguments, ViTConfig, ViTModel

import holovid.modeling.modeling_xvit as modeling
from holovid import XViTConfig, XViTForVideoClassification, XViTModel


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_parameter_learns(variant, depth):
    overrides = {name: value for name, value in VARIANTS[variant].items() if name != "mix_layers" or depth == 3}
    model = tiny(**overrides, num_hidden_layers=depth).train()
    model(clips(model.config), labels=torch.tensor([1, 3])).loss.backward()
    silent = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not silent


@pytest.mark.parametrize("variant", VARIANTS)
@torch.no_grad()
def test_clips_do_not_see_one_another(variant):
    model = tiny(**VARIANTS[variant])
    batch = clips(model.config, batch=3)
    together = model(batch).logits
    torch.testing.assert_close(together[[2, 0, 1]], model(batch[[2, 0, 1]]).logits, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(together[1:2], model(batch[1:2]).logits, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_a_layer_reaches_one_frame_and_groups_are_walls():
    for overrides, reached in (({}, [1, 2, 3]), ({"mix_window": 2, "mix_divisor": 4}, [0, 1, 2, 3, 4]),
                               ({"mix_group": 2}, [2, 3]), ({"mix_layers": []}, [2])):  # fmt: skip
        model = tiny(num_hidden_layers=1, **overrides).xvit
        batch = clips(model.config)
        before = model(batch).last_hidden_state
        batch[:, 2] += 1.0
        changed = (model(batch).last_hidden_state - before).abs().amax((0, 2, 3)) > 1e-6
        assert changed.nonzero().flatten().tolist() == reached


@torch.no_grad()
def test_without_mixing_and_temporal_embedding_order_is_invisible():
    model = tiny(mix_layers=[], temporal_embedding_length=1)
    batch = clips(model.config)
    shuffled = batch[:, [3, 0, 5, 1, 4, 2]]
    torch.testing.assert_close(model(batch).logits, model(shuffled).logits, rtol=1e-4, atol=1e-4)
    model = tiny(temporal_embedding_length=1)
    assert (model(batch).logits - model(shuffled).logits).abs().max() > 2e-3


@torch.no_grad()
def test_mean_pooling_is_the_mean_of_the_frames_logits():
    model = tiny(pooling="mean")
    batch = clips(model.config)
    frames = model.xvit(batch).last_hidden_state[:, :, 0]
    torch.testing.assert_close(model(batch).logits, model.classifier(frames).mean(1), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_other_numbers_of_frames():
    model = tiny(mix_group=2)
    for frames in (2, 4, 8, 14):
        assert model(clips(model.config, frames=frames)).logits.shape == (2, 5)
    with pytest.raises(ValueError, match="give a multiple of 2 frames, got 7"):
        model(clips(model.config, frames=7))
    whole = tiny()
    for frames in (1, 5, 13):
        assert whole(clips(whole.config, frames=frames)).logits.shape == (2, 5)


def test_temporal_embedding_repeats_or_stretches():
    embeddings = tiny(num_frames=3).xvit.embeddings
    table = embeddings.temporal_embeddings[0]
    torch.testing.assert_close(embeddings.time(7, False)[0], table[[0, 1, 2, 0, 1, 2, 0]])
    torch.testing.assert_close(embeddings.time(2, False)[0], table[:2])
    stretched = embeddings.time(6, True)[0]
    torch.testing.assert_close(stretched[2], 0.25 * table[0] + 0.75 * table[1])
    torch.testing.assert_close(embeddings.time(3, True)[0], table)
    model = tiny(num_frames=3)
    batch = clips(model.config, frames=6)
    with torch.no_grad():
        repeated, stretched = model(batch).logits, model(batch, interpolate_temporal_encoding=True).logits
    assert (repeated - stretched).abs().max() > 1e-3


@torch.no_grad()
def test_other_frame_sizes_need_interpolation_as_in_vit():
    model = tiny(image_size=32)
    vit = ViTModel(ViTConfig(image_size=32, patch_size=8, hidden_size=36, num_hidden_layers=1, num_attention_heads=3))
    vit.embeddings.position_embeddings.copy_(model.xvit.embeddings.position_embeddings)
    batch = torch.randn(2, 6, 3, 48, 24)
    with pytest.raises(ValueError, match=r"48x24 pixels do not match .* 32x32.*interpolate_pos_encoding=True"):
        model(batch)
    with pytest.raises(ValueError, match="47x24 pixels are not a multiple of the patch size 8"):
        model(batch[..., :47, :], interpolate_pos_encoding=True)
    assert model(batch, interpolate_pos_encoding=True).logits.shape == (2, 5)
    expected = vit.embeddings.interpolate_pos_encoding(torch.zeros(1, 1 + 18, 36), 48, 24)
    torch.testing.assert_close(model.xvit.embeddings.space(48, 24, True), expected)


def test_position_resize_equals_the_reference_rule():
    """bicubic with the scale factor R / 224, as the reference gives it, at every size where that rule is sound"""
    table = torch.randn(1, 197, 8)
    for size in (32, 112, 208, 240, 320, 448, 1024):
        ours = modeling.resize_position_embeddings(table, (14, 14), (size // 16, size // 16))
        grid = table[:, 1:].view(1, 14, 14, 8).permute(0, 3, 1, 2)
        reference = nn.functional.interpolate(grid, scale_factor=size / 224, mode="bicubic")
        torch.testing.assert_close(ours[:, 1:], reference.flatten(2).transpose(1, 2), rtol=0, atol=2e-5)
        torch.testing.assert_close(ours[:, :1], table[:, :1], rtol=0, atol=0)


BAD_CLIPS = {
    "nothing": (None, "got None"),
    "an image": (torch.randn(2, 3, 16, 16), r"got \(2, 3, 16, 16\)"),
    "channels before frames": (torch.randn(2, 3, 6, 16, 16), r"\(clips, frames, 3, height, width\)"),
    "views": (torch.randn(1, 2, 6, 3, 16, 16), r"got \(1, 2, 6, 3, 16, 16\)"),
}


@pytest.mark.parametrize("kind", BAD_CLIPS)
def test_bad_clips_say_what_is_accepted(kind):
    clip, message = BAD_CLIPS[kind]
    with pytest.raises(ValueError, match=message):
        tiny()(clip)


@pytest.mark.parametrize("variant", VARIANTS)
def test_eager_equals_sdpa(variant):
    model = tiny(**VARIANTS[variant])
    batch = clips(model.config)
    sdpa = model(batch).logits
    model.set_attn_implementation("eager")
    eager = model(batch, output_attentions=True, output_hidden_states=True)
    torch.testing.assert_close(sdpa, eager.logits, rtol=1e-4, atol=1e-4)
    tokens = 1 + model.config.grid_size[0] * model.config.grid_size[1]
    assert [tuple(states.shape) for states in eager.hidden_states] == [(2, 6, tokens, 36)] * 4
    seen = tokens + 6 * model.config.num_summary_tokens
    assert [tuple(weights.shape) for weights in eager.attentions] == [(12, 3, tokens, seen)] * 3
    torch.testing.assert_close(eager.attentions[0].sum(-1), torch.ones(12, 3, tokens))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variant", "backend"),
    [
        ("released", "inductor"),
        ("window of two", "aot_eager"),
        pytest.param("summary token", "aot_eager", marks=pytest.mark.integration),
    ],
)
def test_compiles_without_graph_breaks(variant, backend):
    """aot_eager traces forward and backward as inductor does, and spares the minute of generating code."""
    torch._dynamo.reset()  # what other tests compiled counts towards its limit
    model = tiny(**VARIANTS[variant], drop_path_rate=0.1)
    batch = clips(model.config)
    compiled = torch.compile(copy.deepcopy(model), fullgraph=True, backend=backend)
    with torch.no_grad():
        torch.testing.assert_close(compiled(batch).logits, model(batch).logits, rtol=1e-4, atol=1e-4)
    compiled.train()(batch, labels=torch.tensor([0, 4])).loss.backward()


@pytest.mark.slow
def test_flex_attention_equals_sdpa():
    model = tiny(num_summary_tokens=1)
    batch = clips(model.config)
    with torch.no_grad():
        sdpa = model(batch).logits
        model.set_attn_implementation("flex_attention")
        torch.testing.assert_close(model(batch).logits, sdpa, rtol=1e-3, atol=1e-3)


@pytest.mark.gpu
@pytest.mark.parametrize("implementation", ["flash_attention_2", "flex_attention", "sdpa"])
def test_fast_paths_equal_eager_on_gpu(implementation):
    model = XViTForVideoClassification(tiny_config(hidden_size=96)).eval().to("cuda", torch.bfloat16)
    batch = clips(model.config).to("cuda", torch.bfloat16)
    with torch.no_grad():
        model.set_attn_implementation("eager")
        eager = model(batch).logits
        model.set_attn_implementation(implementation)
        torch.testing.assert_close(model(batch).logits, eager, rtol=0.05, atol=0.02)


@pytest.mark.parametrize("variant", ["released", "summary token", "mean pooling"])
def test_exports_with_dynamic_batch(variant):
    model = tiny(**VARIANTS[variant])
    example, other = clips(model.config, batch=2), clips(model.config, batch=5)
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(
        model, (), {"pixel_values_videos": example}, dynamic_shapes={"pixel_values_videos": {0: batch}}, strict=False
    )
    with torch.no_grad():
        exported = program.module()(pixel_values_videos=other).logits
        torch.testing.assert_close(exported, model(other).logits, rtol=1e-4, atol=1e-4)


def test_bfloat16_runs_and_stays_close():
    model = XViTForVideoClassification(tiny_config()).eval()
    batch = clips(model.config)
    with torch.no_grad():
        full = model(batch).logits
        half = model.to(torch.bfloat16)(batch).logits  # float frames are cast to the weights' type
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), full, rtol=0.05, atol=0.05)


def test_activation_checkpointing_gives_the_same_gradients():
    plain, checkpointed = tiny(), tiny()
    checkpointed.load_state_dict(plain.state_dict())
    checkpointed.activation_checkpointing_enable()
    batch, labels = clips(plain.config), torch.tensor([2, 0])
    for model in (plain, checkpointed):
        for module in model.modules():
            module.training = not isinstance(module, nn.Dropout)
        model(batch, labels=labels).loss.backward()
    for (name, a), (_, b) in zip(plain.named_parameters(), checkpointed.named_parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-5, msg=name)


def test_drop_path_drops_whole_clips_and_grows_with_depth():
    model = tiny(drop_path_rate=0.5).train()
    assert [getattr(layer.drop_path, "p", 0.0) for layer in model.xvit.layers] == [0.0, 0.25, 0.5]
    dropped = model.xvit.layers[2].drop_path(torch.ones(64, 6, 5, 36)).flatten(1)
    assert set(dropped.amin(1).tolist()) == {0.0, 2.0}
    assert torch.equal(dropped.amin(1), dropped.amax(1))


def test_losses():
    batch = clips(tiny_config())
    for problem_type, labels, expected in (
        (None, torch.tensor([1, 4]), nn.functional.cross_entropy),
        ("single_label_classification", torch.rand(2, 5).softmax(-1), nn.functional.cross_entropy),
        ("multi_label_classification", torch.ones(2, 5), nn.functional.binary_cross_entropy_with_logits),
        ("regression", torch.randn(2, 5), nn.functional.mse_loss),
    ):  # fmt: skip
        model = tiny(problem_type=problem_type)
        outputs = model(batch, labels=labels)
        torch.testing.assert_close(outputs.loss, expected(outputs.logits, labels))
    one = tiny(num_labels=1)
    outputs = one(batch, labels=torch.tensor([0.3, 0.7]))
    torch.testing.assert_close(outputs.loss, nn.functional.mse_loss(outputs.logits[:, 0], torch.tensor([0.3, 0.7])))
    with pytest.raises(ValueError, match=r"soft labels must have shape \(2, 5\), got \(2, 4\)"):
        tiny(problem_type="single_label_classification")(batch, labels=torch.rand(2, 4))


def test_hard_and_one_hot_labels_agree():
    model = tiny(problem_type="single_label_classification")
    batch, labels = clips(model.config), torch.tensor([3, 1])
    hard = model(batch, labels=labels).loss
    torch.testing.assert_close(model(batch, labels=nn.functional.one_hot(labels, 5).float()).loss, hard)


def test_initial_values_are_the_reference_ones():
    model = XViTForVideoClassification(XViTConfig(num_hidden_layers=2))
    backbone = model.xvit.layers[0].attention.q_proj
    assert backbone.weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert backbone.bias.abs().max() == 0
    assert model.xvit.embeddings.temporal_embeddings.abs().max() == 0
    assert model.xvit.pooler.cls_token.abs().max() == 0
    assert model.xvit.embeddings.position_embeddings.std().item() == pytest.approx(0.02, rel=0.05)
    for module, fan_in in (
        (model.xvit.pooler.dense, 768),
        (model.xvit.pooler.temporal_layers[0].mlp.fc2, 3072),
        (model.classifier, 768),
        (model.xvit.embeddings.patch_embeddings.projection, 768),
    ):
        bound = fan_in**-0.5
        assert module.weight.abs().max().item() == pytest.approx(bound, rel=0.01)
        assert module.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.05)
        assert 0 < module.bias.abs().max().item() <= bound
    mean = XViTForVideoClassification(XViTConfig(num_hidden_layers=1, pooling="mean", num_labels=100))
    assert mean.classifier.weight.std().item() == pytest.approx(0.001, rel=0.02)


@pytest.mark.parametrize("variant", VARIANTS)
def test_saving_keeps_every_bit(variant, tmp_path):
    model = tiny(**VARIANTS[variant])
    model.save_pretrained(tmp_path)
    loaded = XViTForVideoClassification.from_pretrained(tmp_path)
    batch = clips(model.config)
    with torch.no_grad():
        assert torch.equal(loaded(batch).logits, model(batch).logits)
    assert not [path.name for path in tmp_path.iterdir() if path.suffix in (".bin", ".pt", ".pth")]
    of_the_load = {"dtype": None, "_name_or_path": None}
    assert loaded.config.to_dict() | of_the_load == model.config.to_dict() | of_the_load
    base = XViTModel.from_pretrained(tmp_path)
    with torch.no_grad():
        assert torch.equal(base(batch).pooler_output, model.xvit(batch).pooler_output)


@pytest.mark.parametrize("problem_type", ["single_label_classification", "multi_label_classification", "regression"])
def test_accumulated_gradients_equal_one_large_batch(problem_type, tmp_path):
    """Trainer must divide the loss itself; it would not if it took our loss for one that counts the batch's items."""
    videos = clips(tiny_config(), batch=4)
    labels = torch.arange(4) if problem_type == "single_label_classification" else torch.rand(4, 5)
    start = tiny(problem_type=problem_type, classifier_dropout=0.0)
    trained = []
    for batch_size, steps in ((4, 1), (1, 4)):
        model = copy.deepcopy(start)
        arguments = TrainingArguments(
            tmp_path, per_device_train_batch_size=batch_size, gradient_accumulation_steps=steps, max_steps=1,
            optim="sgd", learning_rate=0.1, max_grad_norm=0.0, report_to="none", use_cpu=True, disable_tqdm=True,
        )  # fmt: skip
        samples = [
            {"pixel_values_videos": video, "labels": label} for video, label in zip(videos, labels, strict=True)
        ]
        Trainer(model, arguments, train_dataset=samples).train()
        trained.append(model)
    assert not torch.equal(trained[0].classifier.weight, start.classifier.weight)
    for (name, one), four in zip(trained[0].named_parameters(), trained[1].parameters(), strict=True):
        torch.testing.assert_close(one, four, rtol=1e-3, atol=1e-5, msg=name)
