"""AVT as a model of transformers: learning, what a step sees, rollouts, losses, label spaces, what is refused."""

import pytest
import torch
from huggingface_hub.errors import StrictDataclassClassValidationError
from tiny_avt import CLASSES, clips, tiny, tiny_config
from tiny_xvit import image_model
from torch.nn.functional import cross_entropy
from transformers import AutoConfig, AutoModel, ResNetConfig, ViTConfig

from holovid import AVTConfig, AVTForActionAnticipation, AVTModel

KINDS = {"frames": {}, "features": {"feature_size": 20}}


def given(model, batch: int = 2, steps: int = 5) -> dict[str, torch.Tensor]:
    """Frames or features, as the model takes them."""
    if model.config.feature_size:
        return {"features": torch.randn(batch, steps, model.config.feature_size)}
    return {"pixel_values_videos": clips(model.config, batch, steps)}


def first(inputs: dict[str, torch.Tensor], start: int, stop: int | None) -> dict[str, torch.Tensor]:
    return {name: values[:, start:stop] for name, values in inputs.items()}


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_learns(kind, depth):
    fields = {"head_num_hidden_layers": depth, "num_verbs": 3, "num_nouns": 4, "head_dropout": 0.0}
    model = tiny(**KINDS[kind], **fields, classifier_dropout=0.0).train()
    labels = {"labels": torch.tensor([1, 6]), "verb_labels": torch.tensor([0, 2]), "noun_labels": torch.tensor([3, 0])}
    past = torch.tensor([[0, 1, 2, -100, 3], [-100, 5, 6, 4, 4]])
    model(**given(model), **labels, past_labels=past).loss.backward()
    silent = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not silent


@torch.no_grad()
@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_a_step_sees_those_before_it(implementation):
    model = tiny()
    model.set_attn_implementation(implementation)
    inputs = given(model)
    before = model(**inputs)
    inputs["pixel_values_videos"][:, 3] += 1.0
    after = model(**inputs)
    moved = (after.predicted_features - before.predicted_features).abs().amax((0, 2)) > 1e-6
    assert moved.tolist() == [False, False, False, True, True]
    # what a frame shows is told from the frames before it, but for the first one
    moved = (after.past_logits - before.past_logits).abs().amax((0, 2)) > 1e-6
    assert moved.tolist() == [False, False, False, False, True]


@torch.no_grad()
def test_decoder_by_hand():
    """One layer, step by step, with what transformers' GPT-2 does written out."""
    model = tiny(head_num_hidden_layers=1, feature_size=20).avt
    decoder, features = model.decoder, torch.randn(1, 4, 20)
    layer, found = decoder.h[0], []
    states = [decoder.encoder(features[0, t]) + decoder.wpe.weight[t] for t in range(4)]
    heads = [layer.attn.c_attn(layer.ln_1(state)).view(3, 2, 12) for state in states]
    for t, state in enumerate(states):
        query, seen = heads[t][0], torch.stack(heads[: t + 1])
        read = []
        for head in range(2):
            weights = (seen[:, 1, head] @ query[head] / 12**0.5).softmax(0)
            read.append(weights @ seen[:, 2, head])
        state = state + layer.attn.c_proj(torch.cat(read)[None])[0]
        inner = layer.mlp.c_fc(layer.ln_2(state)[None])
        state = state + layer.mlp.c_proj(torch.nn.functional.gelu(inner, approximate="tanh"))[0]
        found.append(decoder.decoder(decoder.ln_f(state)))
    torch.testing.assert_close(
        model(features=features).predicted_features[0], torch.stack(found), rtol=1e-4, atol=1e-4
    )


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_frames_one_by_one(kind):
    """With what the decoder holds of the frames before, each frame is seen once."""
    model = tiny(**KINDS[kind])
    inputs = given(model, steps=6)
    whole, cache = model(**inputs), None
    for step in range(6):
        outputs = model(**first(inputs, step, step + 1), cache=cache, use_cache=True)
        cache = outputs.cache
        expected = whole.predicted_features[:, step : step + 1]
        torch.testing.assert_close(outputs.predicted_features, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(outputs.logits, whole.logits, rtol=1e-5, atol=1e-5)
    assert cache.get_seq_length() == 6 and whole.cache is None


@torch.no_grad()
def test_the_old_name_of_a_cache():
    """transformers called it past_key_values before 5.24; as there, the old name gives a warning and the same."""
    model = tiny()
    inputs = given(model, steps=3)
    cache = model(**first(inputs, 0, 2), use_cache=True).cache
    with pytest.warns(FutureWarning, match="`past_key_values` is deprecated"):
        outputs = model(**first(inputs, 2, 3), past_key_values=cache)
    torch.testing.assert_close(outputs.logits, model(**inputs).logits, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_rollout_equals_the_uncached_way():
    """The last hidden state is what the decoder reads next."""
    model = tiny().avt
    inputs = given(model)
    embedded = model.decoder.encoder(model.see(**inputs))
    expected = []
    for _ in range(4):
        hidden_states = model.decoder.decode(embedded)
        expected.append(model.decoder.predict(hidden_states[:, -1:]))
        embedded = torch.cat((embedded, hidden_states[:, -1:]), dim=1)
    found = model.rollout(**inputs, steps=4)
    torch.testing.assert_close(found, torch.cat(expected, dim=1), rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match="steps must be 1 or more, got 0"):
        model.rollout(**inputs, steps=0)


@torch.no_grad()
def test_rollout_of_a_head_starts_with_its_logits():
    model = tiny()
    inputs = given(model)
    logits = model.rollout(**inputs, steps=3)
    assert logits.shape == (2, 3, CLASSES)
    torch.testing.assert_close(logits[:, 0], model(**inputs).logits, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_losses_by_hand():
    model = tiny(feature_size=20, past_weight=0.5, feature_weight=2.0, next_weight=3.0)
    inputs = given(model)
    labels, past = torch.tensor([1, -100]), torch.tensor([[0, -100, 2, 3, 3], [-100, -100, -100, -100, 6]])
    outputs = model(**inputs, labels=labels, past_labels=past)
    expected = {
        "next": cross_entropy(outputs.logits[:1], labels[:1]),
        "past": cross_entropy(outputs.past_logits[past >= 0], past[past >= 0]),
        "feature": (outputs.predicted_features[:, :-1] - inputs["features"][:, 1:]).square().mean(),
    }
    assert outputs.losses.keys() == expected.keys()
    for name, loss in expected.items():
        torch.testing.assert_close(outputs.losses[name], loss)
    total = 3 * expected["next"] + 0.5 * expected["past"] + 2 * expected["feature"]
    torch.testing.assert_close(outputs.loss, total)
    model.config.valid_only = False
    released = model(**inputs, labels=labels, past_labels=past).losses
    torch.testing.assert_close(released["next"], expected["next"] / 2)
    torch.testing.assert_close(released["past"], expected["past"] * 5 / 10)
    without = model(**inputs)
    assert without.loss is None and without.losses is None
    nothing = model(**inputs, labels=torch.tensor([-100, -100]))
    assert nothing.losses["next"] == 0


@torch.no_grad()
def test_verbs_and_nouns():
    """By classifiers of their own, or as sums over the actions that have them."""
    own = tiny(num_verbs=3, num_nouns=4)
    outputs = own(**given(own))
    assert outputs.verb_logits.shape == (2, 3) and outputs.noun_logits.shape == (2, 4)
    derived = tiny(verb_of_action=[0, 1, 2, 0, 1, 2, 0])
    outputs = derived(**given(derived))
    probabilities = outputs.logits.softmax(-1)
    torch.testing.assert_close(outputs.verb_logits.exp()[:, 2], probabilities[:, [2, 5]].sum(-1))
    assert outputs.noun_logits is None
    with pytest.raises(ValueError, match="no classifier of nouns: num_nouns is 0"):
        derived(**given(derived), noun_labels=torch.tensor([0, 1]))


@torch.no_grad()
def test_of_any_image_model():
    """Its pooled output, and of one that has none its class token."""
    stages = ResNetConfig(embedding_size=8, hidden_sizes=[8, 12], depths=[1, 1])
    resnet = tiny(backbone_config=stages, attn_implementation=None)
    frames = torch.randn(2, 5, 3, 32, 24)
    outputs = resnet(frames)
    expected = resnet.avt.frames.model(frames[1]).pooler_output.flatten(1)
    torch.testing.assert_close(outputs.features[1], expected, rtol=1e-4, atol=1e-4)
    vit = tiny()
    frames = clips(vit.config)
    tokens = vit.avt.frames.model(frames[1]).last_hidden_state[:, 0]
    torch.testing.assert_close(vit(frames).features[1], tokens, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_from_image_model(tmp_path):
    vit = image_model()
    vit.save_pretrained(tmp_path)
    head = {"head_hidden_size": 24, "head_num_hidden_layers": 1, "head_num_attention_heads": 2}
    frames = torch.randn(2, 3, 3, 32, 32)
    for source in (vit, str(tmp_path)):
        model = AVTForActionAnticipation.from_image_model(source, num_labels=4, **head).eval()
        tokens = vit.vit(frames[1]).last_hidden_state[:, 0]
        torch.testing.assert_close(model(frames).features[1], tokens, rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match="head_hiden_size"):
        AVTForActionAnticipation.from_image_model(vit, head_hiden_size=24)


@torch.no_grad()
def test_saved_and_loaded(tmp_path):
    model = tiny(num_verbs=3, id2verb={0: "take", 1: "cut", 2: "wash"})
    model.save_pretrained(tmp_path)
    assert isinstance(AutoConfig.from_pretrained(tmp_path).backbone_config, ViTConfig)
    again = AVTForActionAnticipation.from_pretrained(tmp_path)
    inputs = given(model)
    assert torch.equal(again(**inputs).logits, model(**inputs).logits)
    assert isinstance(AutoModel.from_pretrained(tmp_path), AVTModel)


def test_the_released_size():
    with torch.device("meta"):
        config = AVTConfig(num_labels=3806)
        model = AVTForActionAnticipation(config)
    assert sum(p.numel() for p in model.parameters()) == 396_122_078
    assert sum(p.numel() for p in model.avt.frames.parameters()) == 85_798_656
    assert sum(p.numel() for p in model.avt.decoder.parameters()) == 307_396_608
    with torch.device("meta"):
        features = AVTForActionAnticipation(AVTConfig(feature_size=1024, num_labels=3806))
    assert sum(p.numel() for p in features.parameters()) == 312_346_334


def test_initial_values():
    torch.manual_seed(0)
    model = AVTForActionAnticipation(tiny_config(head_hidden_size=200, feature_size=300, num_labels=100))
    assert model.classifiers["action"].weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert model.avt.decoder.encoder.weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert model.avt.decoder.h[0].attn.c_attn.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert not model.avt.decoder.h[0].attn.c_attn.bias.any() and not model.classifiers["action"].bias.any()


def test_compiles_without_graph_breaks_or_recompilations():
    torch._dynamo.reset()
    model = tiny()
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    with torch.no_grad(), torch._dynamo.config.patch(error_on_recompile=True):
        for _ in range(3):
            inputs = given(model)
            torch.testing.assert_close(compiled(**inputs).logits, model(**inputs).logits, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"feature_size": 20, "backbone_config": ViTConfig()}, "not both"),
        ({"head_num_attention_heads": 5}, "multiple of head_num_attention_heads 5"),
        ({"verb_of_action": [0, 1]}, "verb_of_action must have a number for each of 7 actions, got 2"),
        ({"verb_of_action": [0, 1, 2, 0, 1, 2, 5], "num_verbs": 3}, "has class 5, but there are 3"),
        ({"noun_of_action": [0, 1, 2, 0, 1, 2, -1]}, "from 0, got -1"),
        ({"feature_size": 0}, "feature_size must be at least 1, got 0"),
        ({"num_verbs": -1}, "num_verbs must be 0 for none, or up to .*, got -1"),
        ({"num_frames": 33}, "num_frames 33 is more than the max_position_embeddings 32"),
        ({"anticipation_seconds": -1.0}, "anticipation_seconds"),
        ({"frame_rate": 0}, "frame_rate"),
        ({"head_hidden_act": "gelo"}, "gelo"),
    ],
)
def test_what_a_configuration_refuses(fields, message):
    with pytest.raises(StrictDataclassClassValidationError, match=message):
        tiny_config(**fields)


def test_a_backbone_has_to_be_known():
    with pytest.raises(
        (ValueError, StrictDataclassClassValidationError), match="model_type of a transformers or holovid model"
    ):
        tiny_config(backbone_config={"model_type": "vitt"})


def test_what_a_model_refuses():
    model, features = tiny(), tiny(feature_size=20)
    frames = clips(model.config)
    for wrong, inputs, message in (
        (model, {}, "pixel_values_videos or features, not both"),
        (model, {"pixel_values_videos": frames, "features": torch.randn(2, 5, 36)}, "not both"),
        (features, {"pixel_values_videos": frames}, r"no backbone: pass features \(B, T, 20\)"),
        (features, {"features": torch.randn(2, 5, 21)}, r"features must be \(B, T, 20\), got \(2, 5, 21\)"),
        (features, {"features": torch.randn(2, 33, 20)}, "has positions for 32 steps, got 33"),
        (features, {"features": torch.randn(2, 5, 20), "labels": torch.tensor([0, CLASSES])}, "from 0 to 6"),
        (features, {"features": torch.randn(2, 5, 20), "past_labels": torch.tensor([0, 1])}, r"\(2, 5\), got \(2,\)"),
    ):
        with pytest.raises(ValueError, match=message):
            wrong(**inputs)
    with pytest.raises(ValueError, match=r"takes features of width .*, not frames"):
        _ = features.config.frame_size
