"""WhereWhen: what its maps are, what counts and what does not, who reads what when, where it starts from."""

import pytest
import torch
from huggingface_hub.errors import StrictDataclassClassValidationError
from tiny_ca2st import tiny_config as tiny_ca2st_config
from tiny_time_sformer import tiny_config as tiny_time_sformer_config
from tiny_video_swin import tiny_config as tiny_video_swin_config
from tiny_where_when import FEATURES, GRID, clips, tiny, tiny_config
from tiny_xvit import tiny_config as tiny_xvit_config
from torch.testing import assert_close
from transformers import ASTModel, AutoModel, Dinov2Config, ResNetConfig, SwinConfig, ViTModel

from holovid import WhereWhenConfig, WhereWhenForVideoClassification, XViTModel
from holovid.modeling.layers_where_when import shares_of_sound

KINDS = {"encoders": {}, "features": FEATURES}


def maps_of(model, **inputs):
    with torch.no_grad():
        return model(**inputs, output_maps=True)


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_learns(kind, depth):
    model = tiny(**KINDS[kind], num_hidden_layers=depth).train()
    inputs = clips(model.config, 3)
    model(**inputs, audio_mask=torch.tensor([True, False, True]), labels=torch.tensor([1, 6, 0])).loss.backward()
    silent = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not silent


@pytest.mark.parametrize("kind", KINDS)
def test_maps_sum_to_one_and_evidence_to_the_logits(kind):
    model = tiny(**KINDS[kind])
    outputs = maps_of(model, **clips(model.config))
    assert outputs.where.shape == (2, 5, *GRID)
    assert_close(outputs.where.sum((2, 3)), torch.ones(2, 5))
    assert_close(outputs.when_visual.sum(1), torch.ones(2))
    assert_close(outputs.when_audio.sum(1), torch.ones(2))
    joint = outputs.where * outputs.when_visual[..., None, None]
    assert_close(joint.sum((1, 2, 3)), torch.ones(2))
    total = outputs.visual_evidence.sum(1) + outputs.audio_evidence.sum(1) + model.classifier.bias
    assert_close(total, outputs.logits, rtol=1e-5, atol=1e-5)
    assert outputs.where.std() > 0.01 and outputs.when_audio.std() > 0.003  # or these tests would see nothing


@torch.no_grad()
def test_by_hand():
    """All of it with loops, in features: attention to patches, one layer, attention to moments, the classifier."""
    model = tiny(**FEATURES | {"num_audio_steps": 10}, num_hidden_layers=1)
    inputs = clips(model.config, 1)
    base, patches, sound = model.where_when, inputs["visual_features"][0], inputs["audio_features"][0]
    steps = [base.audio_projection(step) for step in sound]
    asking, features, where = base.spatial_attention, [], []
    for moment in range(5):
        heard = (steps[2 * moment] + steps[2 * moment + 1]) / 2  # ten steps over five frames
        query = asking.q_proj(heard).view(3, 12)
        seen = asking.layernorm(patches[moment].reshape(6, 20))
        read, looked_at = [], torch.zeros(6)
        for head in range(3):
            weights = ((seen @ asking.key_weight[head].T) @ query[head] / 12**0.5).softmax(0)
            read.append(weights @ (seen @ asking.value_weight[head].T))
            looked_at += weights / 3
        features.append(asking.o_proj(torch.cat(read)))
        where.append(looked_at.view(2, 3))
    states = torch.stack(
        [feature + base.visual_positions.table[0, t] for t, feature in enumerate(features)]
        + [step + base.audio_positions.table[0, a] for a, step in enumerate(steps)]
    )
    layer = base.layers[0]
    normed, attention = layer.layernorm_before(states), layer.attention
    query, key, value = (p(normed).view(15, 3, 12) for p in (attention.q_proj, attention.k_proj, attention.v_proj))
    weights = (torch.einsum("qnd,knd->nqk", query, key) / 12**0.5).softmax(-1)
    states = states + attention.o_proj(torch.einsum("nqk,knd->qnd", weights, value).flatten(1))
    states = states + layer.mlp(layer.layernorm_after(states))
    pooled, when = [], []
    for pooling, part, values in (
        (base.visual_pooling, states[:5], torch.stack(features)),
        (base.audio_pooling, states[5:], torch.stack(steps)),
    ):
        when.append(pooling.score(pooling.state_layernorm(part))[:, 0].softmax(0))
        pooled.append(when[-1] @ pooling.value_layernorm(values))
    outputs = maps_of(model, **inputs)
    assert_close(outputs.where[0], torch.stack(where))
    assert_close(outputs.when_visual[0], when[0])
    assert_close(outputs.when_audio[0], when[1])
    assert_close(outputs.logits[0], model.classifier(torch.cat(pooled)), rtol=1e-4, atol=1e-5)


def test_patches_in_another_order():
    model = tiny(**FEATURES)
    inputs, order = clips(model.config), torch.randperm(6)
    before = maps_of(model, **inputs)
    patches = inputs["visual_features"].flatten(2, 3)[:, :, order].unflatten(2, GRID)
    after = maps_of(model, **inputs | {"visual_features": patches})
    assert_close(after.logits, before.logits, rtol=1e-4, atol=1e-5)
    assert_close(after.where.flatten(2), before.where.flatten(2)[..., order], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_clips_do_not_know_one_another(kind):
    model = tiny(**KINDS[kind])
    inputs = clips(model.config, 3)
    together, alone = maps_of(model, **inputs), maps_of(model, **{name: x[1:2] for name, x in inputs.items()})
    for name in ("logits", "where", "when_visual", "when_audio"):
        assert_close(together[name][1:2], alone[name], rtol=1e-4, atol=1e-5)


def test_masked_steps_count_for_nothing():
    model = tiny(**FEATURES)
    inputs = clips(model.config)
    masks = {"visual_mask": torch.rand(2, 5) > 0.4, "audio_mask": torch.rand(2, 6) > 0.4}
    masks["visual_mask"][:, 0] = masks["audio_mask"][:, 1] = True
    masks["visual_mask"][:, 2] = masks["audio_mask"][:, 3] = False
    before = maps_of(model, **inputs, **masks)
    assert not before.when_visual[~masks["visual_mask"]].any() and not before.when_audio[~masks["audio_mask"]].any()
    inputs["visual_features"][~masks["visual_mask"]] = float("nan")
    inputs["audio_features"][~masks["audio_mask"]] = float("nan")
    after = maps_of(model, **inputs, **masks)
    assert torch.equal(after.logits, before.logits)


def test_frames_that_do_not_count():
    model = tiny()
    inputs = clips(model.config)
    mask = torch.tensor([[True, True, False, True, True]]).expand(2, -1)
    before = maps_of(model, **inputs, visual_mask=mask)
    inputs["pixel_values_videos"][:, 2] = 100.0
    assert torch.equal(maps_of(model, **inputs, visual_mask=mask).logits, before.logits)


def test_silent_clips():
    model = tiny()
    inputs = clips(model.config, 3)
    mask = torch.tensor([True, False, True])
    before = maps_of(model, **inputs, audio_mask=mask)
    inputs["input_values"][1] = float("nan")
    after = maps_of(model, **inputs, audio_mask=mask)
    assert torch.equal(after.logits, before.logits)
    assert not after.when_audio[1].any() and not after.audio_evidence[1].any()
    without = maps_of(model, pixel_values_videos=inputs["pixel_values_videos"])
    assert without.when_audio.shape == (3, 0)
    assert_close(without.logits[1], after.logits[1], rtol=1e-4, atol=1e-5)
    # the question of a silent clip is its own
    model.where_when.spatial_attention.silent_query.data += 1.0
    moved = (maps_of(model, **inputs, audio_mask=mask).where - before.where).abs().amax((1, 2, 3)) > 1e-6
    assert moved.tolist() == [False, True, False]


def test_neither_seen_nor_heard():
    model = tiny()
    inputs = clips(model.config)
    nothing = {"audio_mask": torch.zeros(2, dtype=torch.bool), "visual_mask": torch.zeros(2, 5, dtype=torch.bool)}
    assert_close(maps_of(model, **inputs, **nothing).logits, model.classifier.bias.detach().expand(2, -1))


def test_shares_of_sound():
    everything = torch.ones(1, 8, dtype=torch.bool)
    shares, hears = shares_of_sound(torch.tensor([[0.5, 1.5]]), torch.arange(8)[None] * 0.25 + 0.125, everything)
    assert_close(shares[0], torch.tensor([[0.25] * 4 + [0.0] * 4, [0.0] * 4 + [0.25] * 4])) and hears.all()
    # more frames than steps: each hears the one around it; the one after the end of the sound hears nothing
    times = torch.tensor([[0.0, 0.5, 1.0, 1.5, 4.0]])
    shares, hears = shares_of_sound(times, torch.tensor([[0.5, 1.5]]), everything[:, :2])
    assert hears.tolist() == [[True] * 4 + [False]]
    assert shares[0, 0].tolist() == [1.0, 0.0] and shares[0, 3].tolist() == [0.0, 1.0]
    # a frame that is shown three times
    shares, hears = shares_of_sound(torch.ones(1, 3), torch.tensor([[0.5, 1.5]]), everything[:, :2])
    assert hears.all() and not shares.isnan().any()
    # steps that are not heard, a single frame, a single step, none
    mask = torch.tensor([[False, True]])
    shares, hears = shares_of_sound(torch.ones(1, 1), torch.tensor([[0.5, 1.5]]), mask)
    assert shares.tolist() == [[[0.0, 1.0]]] and hears.all()
    assert shares_of_sound(torch.ones(1, 1), torch.ones(1, 1), mask[:, 1:])[0].item() == 1.0
    assert not shares_of_sound(torch.ones(1, 3), torch.ones(1, 0), mask[:, :0])[1].any()


def test_clock():
    model = tiny()
    inputs = clips(model.config, 1)
    outputs = maps_of(model, **inputs)
    # ten columns of patches of 60 ms, 40 ms apart, in 420 ms
    assert_close(outputs.audio_times[0], 0.03 + 0.04 * torch.arange(10))
    assert_close(outputs.frame_times[0], 0.42 * (torch.arange(5) + 0.5) / 5)
    times, span = torch.tensor([[1.0, 2, 3, 4, 5]]), torch.tensor([[10.0, 10.42]])
    outputs = maps_of(model, **inputs, frame_times=times, audio_span=span)
    assert_close(outputs.audio_times[0], 10.03 + 0.04 * torch.arange(10))
    assert torch.equal(outputs.frame_times, times)
    # no frame is shown while there is sound: patches are asked as those of silent clips
    silent = maps_of(model, pixel_values_videos=inputs["pixel_values_videos"])
    assert_close(outputs.where, silent.where, rtol=1e-4, atol=1e-5)
    narrow = {name: x.half() for name, x in inputs.items()}
    assert maps_of(tiny().half(), **narrow, frame_times=times + 100.03).frame_times.dtype == torch.float32


def test_other_numbers_of_frames():
    model = tiny()
    inputs = clips(model.config)
    longer = inputs["pixel_values_videos"].repeat_interleave(2, dim=1)
    assert maps_of(model, **inputs | {"pixel_values_videos": longer}).when_visual.shape == (2, 10)
    assert maps_of(model, **inputs | {"pixel_values_videos": longer[:, :1]}).where.shape == (2, 1, *GRID)


def test_modality_dropout():
    model = tiny(modality_dropout=0.25).train()
    torch.manual_seed(0)
    heard = torch.tensor([True] * 600 + [False] * 200)
    visual, audio = model.where_when.drop(torch.ones(800, 5).bool(), heard[:, None].expand(-1, 4))
    assert visual[600:].all()  # of silent clips the frames stay
    assert (visual | audio.any(dim=1, keepdim=True)).any(dim=1).all()
    assert 100 < (~visual[:600, 0]).sum() < 200 and 100 < (~audio[:600, 0]).sum() < 200
    assert torch.equal(visual.any(1), visual.all(1)) and torch.equal(audio[:600].any(1), audio[:600].all(1))


@torch.no_grad()
@pytest.mark.parametrize("mask", [None, torch.tensor([True, False])])
def test_attention_implementations(mask):
    model = tiny()
    inputs = clips(model.config)
    found = {}
    for implementation in ("sdpa", "eager"):
        model.set_attn_implementation(implementation)
        found[implementation] = maps_of(model, **inputs, audio_mask=mask)
    for name in ("logits", "where", "when_visual", "when_audio"):
        assert_close(found["sdpa"][name], found["eager"][name], rtol=1e-5, atol=1e-5)
    attentions = model(**inputs, output_attentions=True).attentions
    assert [weights.shape for weights in attentions] == [(2, 3, 15, 15)] * 3


@torch.no_grad()
def test_bfloat16():
    """Of weights as new ones are: where they are large, 16 bits choose other patches."""
    torch.manual_seed(0)
    model = WhereWhenForVideoClassification(tiny_config()).eval()
    inputs = clips(model.config)
    expected = model(**inputs).logits
    found = model.bfloat16()(**{name: x.bfloat16() for name, x in inputs.items()}).logits
    assert (found.float() - expected).abs().max() < 0.02 * expected.abs().max()


@torch.no_grad()
@pytest.mark.slow
def test_compiled_whole():
    model = tiny()
    inputs = clips(model.config)
    expected = model(**inputs, audio_mask=torch.tensor([True, False]), output_maps=True)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    found = compiled(**inputs, audio_mask=torch.tensor([True, False]), output_maps=True)
    assert_close(found.logits, expected.logits, rtol=1e-5, atol=1e-5)
    assert_close(found.where, expected.where, rtol=1e-5, atol=1e-5)


VIDEO_MODELS = {
    "xvit": (lambda: tiny_xvit_config(num_frames=8), 8),
    "timesformer": (lambda: tiny_time_sformer_config(), None),
    "space only": (lambda: tiny_time_sformer_config(attention_type="space_only"), 1),
    "video swin": (lambda: tiny_video_swin_config(), None),
    "cast": (lambda: tiny_ca2st_config(experts=["space", "time"]), 4),
}


@torch.no_grad()
@pytest.mark.parametrize("name", VIDEO_MODELS)
def test_video_models_of_ours_see(name, tmp_path):
    make, moments = VIDEO_MODELS[name]
    visual = make()
    model = tiny(visual_config=visual, num_frames=visual.num_frames)
    inputs = clips(model.config)
    outputs = maps_of(model, **inputs)
    patches = AutoModel.from_config(visual).feature_map(inputs["pixel_values_videos"])
    assert outputs.where.shape == patches.shape[:4]
    assert moments in (None, outputs.where.shape[1])
    assert outputs.frame_times.shape == outputs.when_visual.shape == patches.shape[:2]
    assert torch.equal(outputs.frame_times.sort(dim=1).values, outputs.frame_times)
    model.save_pretrained(tmp_path)
    again = WhereWhenForVideoClassification.from_pretrained(tmp_path).eval()
    assert torch.equal(again(**inputs).logits, outputs.logits)


@pytest.mark.parametrize("name", ["xvit", "video swin"])
def test_every_parameter_of_a_video_model_learns(name):
    visual = VIDEO_MODELS[name][0]()
    model = tiny(visual_config=visual, num_frames=visual.num_frames).train()
    model(**clips(model.config, 3), labels=torch.tensor([1, 6, 0])).loss.backward()
    encoder = model.where_when.visual_encoder
    assert not [name for name, p in encoder.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]


@torch.no_grad()
def test_patches_of_a_video_model_are_in_their_places():
    """A patch of XViT without mixing and layers is told by its own pixels."""
    model = XViTModel(tiny_xvit_config(num_hidden_layers=1, mix_layers=[])).eval()
    model.layers = torch.nn.ModuleList()
    frames = torch.randn(1, 4, 3, *model.config.frame_size)
    before = model.feature_map(frames)
    side = model.config.patch_size
    frames[0, 2, :, side : 2 * side, :side] += 1.0
    moved = (model.feature_map(frames) - before).abs().amax(-1) > 1e-6
    assert moved.nonzero().tolist() == [[0, 2, 1, 0]]


@torch.no_grad()
def test_image_models_with_other_tokens():
    registers = Dinov2Config(
        image_size=24, patch_size=8, hidden_size=24, num_hidden_layers=1, num_attention_heads=2, mlp_ratio=2
    )
    model = tiny(visual_config=registers)
    assert maps_of(model, **clips(model.config)).where.shape == (2, 5, 3, 3)
    swin = SwinConfig(image_size=32, patch_size=4, embed_dim=8, depths=[1, 1], num_heads=[2, 2], window_size=4)
    with pytest.raises(ValueError, match=r"tokens of a swin are not patches of \(4, 4\) pixels"):
        maps_of(tiny(visual_config=swin), **clips(tiny_config(visual_config=swin)))


def test_from_experts(tmp_path):
    config = tiny_config()
    visual, audio = ViTModel(config.visual_config), ASTModel(config.audio_config)
    visual.save_pretrained(tmp_path / "vit")
    audio.save_pretrained(tmp_path / "ast")
    fields = {"hidden_size": 36, "num_attention_heads": 3, "num_labels": 4}
    model = WhereWhenForVideoClassification.from_experts(tmp_path / "vit", str(tmp_path / "ast"), **fields)
    of_objects = WhereWhenForVideoClassification.from_experts(visual, audio, **fields)
    for made in (model, of_objects):
        own = made.where_when.visual_encoder.model.state_dict()
        assert all(torch.equal(own[name], visual.state_dict()[name]) for name in own)
        own = made.where_when.audio_encoder.model.state_dict()
        assert all(torch.equal(own[name], audio.state_dict()[name]) for name in own)
    assert model.config.num_audio_steps == 10
    shorter = WhereWhenForVideoClassification.from_experts(visual, audio, audio_frames=30, **fields)
    assert shorter.config.num_audio_steps == 7 and shorter.config.audio_frames == 30
    model.freeze_encoders()
    assert not any(p.requires_grad for encoder in model.where_when.encoders() for p in encoder.parameters())
    assert model.where_when.audio_projection.weight.requires_grad
    with pytest.raises(ValueError, match="has no fields"):
        WhereWhenForVideoClassification.from_experts(visual, audio, hiden_size=36)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"hidden_size": 37}, "multiple of num_attention_heads"),
        ({"visual_config": ResNetConfig(), "visual_feature_size": 8}, "visual_config for frames or a visual_feature"),
        ({"audio_config": ResNetConfig()}, "audio_config must be of an audio-spectrogram-transformer, got a resnet"),
        ({"modality_dropout": 0.6}, "modality_dropout"),
        ({"num_frames": 0}, "num_frames"),
    ],
)
def test_refused_configurations(fields, message):
    with pytest.raises((StrictDataclassClassValidationError, ValueError), match=message):
        tiny_config(**fields)
    with pytest.raises(ValueError, match="needs the model_type"):
        WhereWhenConfig(visual_config={"hidden_size": 3})


def test_refused_inputs():
    model = tiny()
    inputs = clips(model.config)
    for wrong, message in (
        ({"input_values": torch.zeros(2, 41, 20)}, r"input_values must be log-mel of shape \(2, 42, 20\)"),
        ({"audio_mask": torch.zeros(3, dtype=torch.bool)}, r"audio_mask must be of shape \(2,\) or \(2, 10\)"),
        ({"audio_mask": torch.zeros(2)}, "must be a bool tensor"),
        ({"visual_mask": torch.zeros(2, 4, dtype=torch.bool)}, r"visual_mask must be of shape \(2,\) or \(2, 5\)"),
        ({"frame_times": torch.zeros(2, 4)}, r"frame_times must be seconds of shape \(2, 5\)"),
        ({"visual_features": torch.zeros(2, 5, 2, 3, 20)}, "pixel_values_videos or visual_features, not both"),
        ({"audio_features": torch.zeros(2, 6, 14)}, "input_values or audio_features, not both"),
    ):
        with pytest.raises(ValueError, match=message):
            model(**inputs | wrong)
    features = tiny(**FEATURES)
    with pytest.raises(ValueError, match="takes visual_features"):
        features(pixel_values_videos=inputs["pixel_values_videos"])
    with pytest.raises(ValueError, match="takes audio_features"):
        features(input_values=inputs["input_values"], visual_features=torch.zeros(2, 5, 2, 3, 20))
    with pytest.raises(ValueError, match="that also uses audio"):
        tiny(visual_config=tiny_ca2st_config(experts=["space", "audio"]))


@pytest.mark.slow
@torch.no_grad()
def test_weights_on_a_disk_and_no_sound(tmp_path):
    model = tiny()
    model.save_pretrained(tmp_path / "model")
    options = {"device_map": {"where_when": "disk", "classifier": "disk"}, "offload_folder": tmp_path / "offloaded"}
    offloaded = WhereWhenForVideoClassification.from_pretrained(tmp_path / "model", **options)
    frames = clips(model.config)["pixel_values_videos"]
    torch.testing.assert_close(offloaded(frames).logits, model(frames).logits)
