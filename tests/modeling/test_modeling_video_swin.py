"""Video Swin as a model of transformers: learning, invariances, sizes, fast paths, losses, saving."""

import copy

import pytest
import torch
from tiny_video_swin import VARIANTS, clips, of_torchvision, tiny, tiny_config
from torch import nn

from holovid import VideoSwinConfig, VideoSwinForVideoClassification, VideoSwinModel
from holovid.conversion.from_video_swin import from_torchvision

WITHOUT_EFFECT = ".k_proj.bias"  # moves all scores of a query alike, which a softmax does not see


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_parameter_learns(variant, implementation):
    model = tiny(**VARIANTS[variant], attn_implementation=implementation).train()
    model(clips(model.config), labels=torch.tensor([1, 3])).loss.backward()
    silent = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not [name for name in silent if not name.endswith(WITHOUT_EFFECT)]


# (frames, height, width): multiples of patches and windows; none; smaller than a window along each axis, and all
SIZES = [(16, 48, 32), (9, 45, 37), (3, 44, 40), (8, 8, 52), (17, 33, 6), (1, 1, 1), (2, 27, 61)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "sizes",
    [
        {},
        {"window_size": [8, 7, 7]},
        {"window_size": [3, 3, 3], "patch_size": [1, 2, 2]},
        {"window_size": [2, 2, 5], "patch_size": [4, 4, 4], "depths": [1, 2, 1], "num_heads": [2, 4, 8]},
    ],
)
@torch.no_grad()
def test_logits_equal_torchvision(sizes, size):
    """An oracle of other hands, over every kind of padding, moving and clamping."""
    oracle = of_torchvision(**sizes)
    model = from_torchvision(oracle)
    batch = torch.randn(2, size[0], 3, *size[1:])
    expected = oracle(batch.transpose(1, 2))
    torch.testing.assert_close(model(batch).logits, expected, rtol=1e-5, atol=1e-5)
    model.set_attn_implementation("eager")
    torch.testing.assert_close(model(batch).logits, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
@pytest.mark.parametrize("size", [(16, 48, 32), (9, 45, 37), (3, 24, 50)])
def test_gradients_equal_torchvision(size, implementation):
    oracle = of_torchvision().train()
    model = from_torchvision(oracle, num_frames=9).train()
    model.set_attn_implementation(implementation)
    model.dropout.p = 0.0
    for layer in model.modules():
        if hasattr(layer, "drop_path"):
            layer.drop_path = nn.Identity()
    batch, labels = torch.randn(3, size[0], 3, *size[1:]), torch.tensor([4, 0, 2])
    model(batch, labels=labels).loss.backward()
    nn.functional.cross_entropy(oracle(batch.transpose(1, 2)), labels).backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    theirs = dict(oracle.named_parameters())
    for stage, feature in enumerate((0, 2)):
        for index in range(2):
            ours, other = f"video_swin.stages.{stage}.layers.{index}", f"features.{feature}.{index}"
            pairs = {
                "attention.relative_position_bias_table": "attn.relative_position_bias_table",
                "attention.o_proj.weight": "attn.proj.weight",
                "layernorm_before.weight": "norm1.weight",
                "mlp.fc1.weight": "mlp.0.weight",
            }
            for own, reference in pairs.items():
                expected = theirs[f"{other}.{reference}"].grad
                torch.testing.assert_close(gradients[f"{ours}.{own}"], expected, rtol=1e-3, atol=1e-6)
            fused = torch.cat([gradients[f"{ours}.attention.{part}_proj.weight"] for part in "qkv"])
            torch.testing.assert_close(fused, theirs[f"{other}.attn.qkv.weight"].grad, rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(
        gradients["video_swin.embeddings.patch_embeddings.projection.weight"],
        theirs["patch_embed.proj.weight"].grad,
        rtol=1e-3,
        atol=1e-6,
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_frugal_gradients_equal_eager(variant):
    """In double precision: how attention goes backward without its scores is the same mathematics."""
    model = tiny(**VARIANTS[variant]).double()
    eager = VideoSwinForVideoClassification(tiny_config(**VARIANTS[variant], attn_implementation="eager")).double()
    eager.load_state_dict(model.state_dict())
    batch = clips(model.config, batch=3).double()
    for each in (model, eager):
        each(batch, labels=torch.tensor([1, 0, 4])).loss.backward()
    for (name, ours), theirs in zip(model.named_parameters(), eager.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-3, atol=1e-5, msg=name)


@torch.no_grad()
def test_moved_windows_let_neighbours_see_one_another():
    """One layer keeps to its windows; the next one, whose windows are moved, reaches over their borders."""
    for depth, reached in ((1, [4, 5, 6, 7]), (2, [2, 3, 4, 5, 6, 7, 8, 9])):
        model = tiny(depths=(depth,), num_heads=(3,), patch_size=(1, 4, 4)).video_swin
        batch = clips(model.config, frames=16)
        before = model(batch).last_hidden_state
        batch[:, 6] += 1.0
        changed = (model(batch).last_hidden_state - before).abs().amax((0, 2, 3, 4)) > 1e-6
        assert changed.nonzero().flatten().tolist() == reached


@torch.no_grad()
def test_any_number_of_frames_of_any_size():
    model = tiny()
    for frames, height, width in ((1, 28, 28), (5, 3, 90), (31, 28, 1)):
        assert model(torch.randn(2, frames, 3, height, width)).logits.shape == (2, 5)
    with pytest.raises(ValueError, match=r"at least one frame and one pixel.*\(2, 0, 3, 28, 28\)"):
        model(torch.randn(2, 0, 3, 28, 28))
    with pytest.raises(ValueError, match=r"\(clips, frames, 3, height, width\), got \(2, 3, 9, 28, 28\)"):
        model(torch.randn(2, 3, 9, 28, 28))


@pytest.mark.parametrize("variant", VARIANTS)
@torch.no_grad()
def test_outputs_have_their_shapes(variant):
    model = tiny(**VARIANTS[variant], attn_implementation="eager")
    config = model.config
    outputs = model.video_swin(clips(config), output_attentions=True, output_hidden_states=True)
    assert len(outputs.hidden_states) == 1 + len(config.depths) and len(outputs.attentions) == sum(config.depths)
    (height, width), (time, rows, columns) = config.frame_size, config.patch_size
    size = [-(-9 // time), -(-height // rows), -(-width // columns)]
    assert list(outputs.hidden_states[0].shape) == [2, *size, 24]
    attentions = iter(outputs.attentions)
    for stage, states in enumerate(outputs.hidden_states[1:]):
        if stage:
            size = [size[0], -(-size[1] // 2), -(-size[2] // 2)]
        assert list(states.shape) == [2, *size, 24 * 2**stage]
        window = [min(side, most) for side, most in zip(size, config.window_size, strict=True)]
        counts = [-(-side // most) for side, most in zip(size, window, strict=True)]
        for _ in range(config.depths[stage]):
            weights = next(attentions)
            tokens = window[0] * window[1] * window[2]
            windows = counts[0] * counts[1] * counts[2]
            assert list(weights.shape) == [2 * windows, config.num_heads[stage], tokens, tokens]
            torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]))
    assert outputs.last_hidden_state.shape == outputs.hidden_states[-1].shape
    torch.testing.assert_close(outputs.pooler_output, outputs.last_hidden_state.mean((1, 2, 3)))
    last = model.video_swin(clips(config), output_hidden_states=-1).hidden_states
    assert [states is None for states in last] == [True] * len(config.depths) + [False]


@torch.no_grad()
def test_windows_of_attentions_stand_in_space_and_clip_by_clip():
    model = tiny(attn_implementation="eager")
    batch = clips(model.config)
    both = model(batch, output_attentions=True).attentions
    for clip in (0, 1):
        alone = model(batch[clip : clip + 1], output_attentions=True).attentions
        for together, single in zip(both, alone, strict=True):
            part = together.unflatten(0, (2, -1))[clip]
            torch.testing.assert_close(part, single, rtol=1e-4, atol=1e-5)
    # the last window along an axis that moved holds both ends of the clip: the only ones that are masked
    moved = both[1].unflatten(0, (2, 2, 3, 4))
    apart = (moved < 1e-30).any(-1).any(-1).any(-1).all(0)
    expected = torch.zeros(2, 3, 4, dtype=torch.bool)
    expected[-1] = expected[:, -1] = expected[:, :, -1] = True
    assert torch.equal(apart, expected)


@pytest.mark.slow
@pytest.mark.parametrize("training", [False, True])
def test_compiles_without_graph_breaks_or_recompilations(training):
    torch._dynamo.reset()  # what other tests compiled counts towards its limit
    # the first loss would write its kind into the configuration, on which the compiled model then depends
    model = tiny(drop_path_rate=0.1, problem_type="single_label_classification").train(training)
    compiled = torch.compile(copy.deepcopy(model), fullgraph=True, backend="aot_eager")
    with torch._dynamo.config.patch(error_on_recompile=True):
        for _ in range(3):
            batch = clips(model.config)
            if training:
                compiled(batch, labels=torch.tensor([0, 4])).loss.backward()
            else:
                with torch.no_grad():
                    torch.testing.assert_close(compiled(batch).logits, model(batch).logits, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_exports_with_dynamic_batch():
    model = tiny()
    example, other = clips(model.config, batch=2), clips(model.config, batch=5)
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(
        model, (), {"pixel_values_videos": example}, dynamic_shapes={"pixel_values_videos": {0: batch}}, strict=False
    )
    with torch.no_grad():
        exported = program.module()(pixel_values_videos=other).logits
        torch.testing.assert_close(exported, model(other).logits, rtol=1e-4, atol=1e-4)


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gpu_gives_the_same(dtype):
    model = tiny()
    batch, labels = clips(model.config), torch.tensor([1, 4])
    model(batch, labels=labels).loss.backward()
    on_gpu = copy.deepcopy(model).to("cuda", dtype)
    on_gpu.zero_grad()
    outputs = on_gpu(batch.to("cuda", dtype), labels=labels.cuda())
    outputs.loss.backward()
    loose = {"rtol": 0.1, "atol": 0.1} if dtype == torch.bfloat16 else {"rtol": 1e-2, "atol": 1e-3}
    torch.testing.assert_close(outputs.logits.cpu().float(), model(batch).logits, **loose)
    table = "video_swin.stages.1.layers.1.attention.relative_position_bias_table"
    expected = model.get_parameter(table).grad
    assert (on_gpu.get_parameter(table).grad.cpu().float() - expected).norm() < 0.1 * expected.norm()


def test_bfloat16_runs_and_learns():
    model = VideoSwinForVideoClassification(tiny_config()).eval()
    batch = clips(model.config)
    full = model(batch, labels=torch.tensor([0, 1]))
    half_model = copy.deepcopy(model).to(torch.bfloat16)
    half = half_model(batch, labels=torch.tensor([0, 1]))  # float frames are cast to the weights' type
    assert half.logits.dtype == torch.bfloat16
    torch.testing.assert_close(half.logits.float(), full.logits, rtol=0.05, atol=0.05)
    half.loss.backward()
    assert half_model.video_swin.stages[0].layers[1].attention.q_proj.weight.grad.isfinite().all()


def test_activation_checkpointing_gives_the_same_gradients():
    plain = tiny()
    checkpointed = copy.deepcopy(plain)
    checkpointed.activation_checkpointing_enable()
    batch, labels = clips(plain.config), torch.tensor([2, 0])
    for model in (plain, checkpointed.train()):
        model(batch, labels=labels).loss.backward()
    for (name, a), b in zip(plain.named_parameters(), checkpointed.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-5, msg=name)


def test_drop_path_drops_whole_clips_and_grows_over_all_stages():
    model = tiny(drop_path_rate=0.4).train()
    layers = [layer for stage in model.video_swin.stages for layer in stage.layers]
    assert [getattr(layer.drop_path, "p", 0.0) for layer in layers] == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])
    dropped = layers[4].drop_path(torch.ones(64, 3, 2, 2, 48)).flatten(1)
    assert sorted(set(dropped.amin(1).tolist())) == pytest.approx([0.0, 1 / 0.6])
    assert torch.equal(dropped.amin(1), dropped.amax(1))


def test_losses():
    batch = clips(tiny_config())
    for problem_type, labels, expected in (
        (None, torch.tensor([1, 4]), nn.functional.cross_entropy),
        ("single_label_classification", torch.rand(2, 5).softmax(-1), nn.functional.cross_entropy),
        ("multi_label_classification", torch.ones(2, 5), nn.functional.binary_cross_entropy_with_logits),
    ):
        outputs = tiny(problem_type=problem_type)(batch, labels=labels)
        torch.testing.assert_close(outputs.loss, expected(outputs.logits, labels))


def test_initial_values_are_the_reference_ones():
    model = VideoSwinForVideoClassification(VideoSwinConfig(depths=(1, 1), num_heads=(3, 6), num_labels=200))
    attention = model.video_swin.stages[1].layers[0].attention
    assert attention.relative_position_bias_table.std().item() == pytest.approx(0.02, rel=0.05)
    assert attention.q_proj.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert attention.q_proj.bias.abs().max() == 0
    assert model.video_swin.stages[1].merging.reduction.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert model.classifier.weight.std().item() == pytest.approx(0.01, rel=0.05)
    patches = model.video_swin.embeddings.patch_embeddings.projection
    assert patches.weight.abs().max().item() == pytest.approx(96**-0.5, rel=0.01)
    assert 0 < patches.bias.abs().max().item() <= 96**-0.5


@pytest.mark.parametrize("variant", VARIANTS)
def test_saving_keeps_every_bit(variant, tmp_path):
    model = tiny(**VARIANTS[variant])
    model.save_pretrained(tmp_path)
    loaded = VideoSwinForVideoClassification.from_pretrained(tmp_path)
    batch = clips(model.config)
    with torch.no_grad():
        assert torch.equal(loaded(batch).logits, model(batch).logits)
        base = VideoSwinModel.from_pretrained(tmp_path)
        assert torch.equal(base(batch).pooler_output, model.video_swin(batch).pooler_output)
    of_the_load = {"dtype": None, "_name_or_path": None}
    assert loaded.config.to_dict() | of_the_load == model.config.to_dict() | of_the_load
