"""StarVQA: scores on the scale of the data, what is learned, and what is refused."""

import json
import math

import pytest
import torch
from golden_numbers import STARVQA_MODELS, golden, golden_input, golden_weights
from huggingface_hub.errors import StrictDataclassClassValidationError
from tiny_xvit import image_model, sharpen
from transformers import AutoConfig, AutoModel, AutoModelForVideoClassification

from holovid import HolovidProcessor, StarVQAConfig, StarVQAForVideoQuality, StarVQAModel
from holovid.conversion.convert import from_reference
from holovid.facts import model_facts
from holovid.modeling.label_codec import decode_by_support_vectors, decode_on_grid, encode
from holovid.training.score_regressor import fit_score_regressor

# sizes differ from one another, so that a swapped axis cannot go unnoticed
SIZES = {
    "image_size": (16, 24), "patch_size": 8, "num_frames": 5, "hidden_size": 36, "num_hidden_layers": 3,
    "num_attention_heads": 3, "intermediate_size": 44, "drop_path_rate": 0.0,
}  # fmt: skip


def tiny(**fields) -> StarVQAForVideoQuality:
    torch.manual_seed(0)
    return sharpen(StarVQAForVideoQuality(StarVQAConfig(**SIZES | fields))).eval()


def clips(count=2, frames=5):
    return torch.randn(count, frames, 3, 16, 24, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", STARVQA_MODELS)
@torch.no_grad()
def test_released_numbers(name):
    case = golden(f"starvqa/{name}.json")
    model = from_reference(golden_weights(case), "starvqa", num_attention_heads=case["config"]["num_heads"])
    outputs = model(golden_input(case).transpose(1, 2))
    torch.testing.assert_close(outputs.logits, torch.tensor(case["logits"]["values"]), rtol=0, atol=2e-6)
    want = torch.tensor(case["extra"]["probabilities"]["values"])
    torch.testing.assert_close(outputs.logits.softmax(-1), want, rtol=0, atol=1e-6)
    feature = model.time_sformer(golden_input(case).transpose(1, 2)).pooler_output
    torch.testing.assert_close(
        feature, torch.tensor(case["extra"]["cls_feature_after_final_norm"]["values"]), rtol=0, atol=1e-5
    )
    assert sum(map(torch.numel, model.parameters())) == case["extra"]["parameters"]
    if scores := case["extra"].get("mos_0_100"):
        outputs = model(golden_input(case).transpose(1, 2), labels=torch.tensor(scores))
        assert outputs.loss.item() == pytest.approx(case["extra"]["loss"], abs=1e-6)


def test_the_released_size():
    """Names and shapes of the whole checkpoint, as they are listed, without its 490 MB."""
    shapes = golden("starvqa/keys_starvqa_base_52f.json")
    shapes = {name: shape for name, shape in shapes.items() if isinstance(shape, list)}
    from holovid.conversion.from_starvqa import starvqa

    with torch.device("meta"):
        model_class, config, names, tensors = starvqa({name: torch.empty(shape) for name, shape in shapes.items()})
        model = model_class(config)
    assert (config.num_frames, config.num_attention_heads, config.anchors) == (52, 12, [0, 1, 2, 3, 4, 5])
    assert set(names.ours) == set(tensors)
    ours = {name for several in names.ours.values() for name in several}
    assert ours == set(model.state_dict())
    assert sum(map(torch.numel, model.parameters())) == 121_887_750


@torch.no_grad()
def test_scores_are_on_the_scale_of_the_data():
    model = tiny(score_range=(-1, 3))
    outputs = model(clips(3))
    assert outputs.logits.shape == (3, 6) and outputs.scores.shape == (3,)
    want = decode_on_grid(outputs.logits.softmax(-1), model.config.anchors)
    torch.testing.assert_close(outputs.scores, want * 4 / 5 - 1)
    assert (outputs.scores[0] - outputs.scores[1]).abs() > 0.01
    model.config.score_range = (0, 100)
    torch.testing.assert_close(model(clips(3)).scores, want * 20)
    model.config.score_regressor = fit_score_regressor([0.5, 1.0, 2.0, 4.5], model.config.anchors)
    want = decode_by_support_vectors(outputs.logits.softmax(-1), model.config.score_regressor)
    torch.testing.assert_close(model(clips(3)).scores, want * 20)


def test_loss_is_about_the_vectors_of_the_scores():
    model = tiny(score_range=(0, 1), anchors=(0, 2, 5))
    labels = torch.tensor([0.1, 0.8])
    outputs = model(clips(), labels=labels)
    cosines = torch.cosine_similarity(outputs.logits.softmax(-1), encode(labels * 5, (0, 2, 5)))
    torch.testing.assert_close(outputs.loss, (1 - cosines).mean())
    torch.testing.assert_close(model(clips(), labels=labels[:, None]).loss, outputs.loss)
    alone = model(clips()[:1], labels=labels[:1]).loss
    torch.testing.assert_close(model(clips(), labels=torch.tensor([0.1, math.nan])).loss, alone)
    with pytest.raises(ValueError, match=r"scores from 0 to 1 \(config.score_range\), got 20"):
        model(clips(), labels=torch.tensor([0.5, 20.0]))
    with pytest.raises(ValueError, match=r"one score per clip \(2,\), got \(3,\)"):
        model(clips(), labels=torch.ones(3))


@pytest.mark.parametrize("depth", [1, 3])
def test_every_parameter_learns(depth):
    model = tiny(num_hidden_layers=depth).train()
    model(clips(), labels=torch.tensor([20.0, 95.0])).loss.backward()
    assert not [name for name, tensor in model.named_parameters() if tensor.grad is None or not tensor.grad.any()]


@pytest.mark.slow
def test_learns_four_clips():
    torch.manual_seed(0)
    model = StarVQAForVideoQuality(StarVQAConfig(**SIZES | {"initializer_range": 0.1})).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    labels = torch.tensor([5.0, 35.0, 60.0, 90.0])
    for _ in range(150):
        loss = model(clips(4), labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (model.eval()(clips(4)).scores - labels).abs().max() < 3


@torch.no_grad()
def test_saved_with_scale_and_support_vectors(tmp_path):
    regressor = fit_score_regressor([0.5, 1.0, 2.0, 4.5], range(6))
    model = tiny(score_range=(1, 5), score_mean=2.75, score_regressor=regressor)
    model.save_pretrained(tmp_path)
    again = AutoModelForVideoClassification.from_pretrained(tmp_path)
    assert type(again) is StarVQAForVideoQuality and again.config.score_mean == 2.75
    for name in ("anchors", "score_range", "score_regressor", "problem_type"):
        assert getattr(again.config, name) == getattr(model.config, name)
    torch.testing.assert_close(again(clips()).scores, model(clips()).scores, rtol=0, atol=0)
    assert type(AutoModel.from_config(again.config)) is StarVQAModel
    told = json.loads((tmp_path / "config.json").read_text())
    assert told["auto_map"]["AutoModelForVideoClassification"] == "modeling_starvqa.StarVQAForVideoQuality"


@torch.no_grad()
def test_low_precision_scores_are_float32():
    model = tiny()
    half = model.to(torch.bfloat16)(clips().to(torch.bfloat16))
    assert half.logits.dtype == torch.bfloat16 and half.scores.dtype == torch.float32


def test_starts_from_an_image_model():
    image = image_model()
    model = StarVQAForVideoQuality.from_image_model(image, num_frames=4)
    layer = model.time_sformer.layers[0]
    assert torch.equal(layer.temporal_attention.q_proj.weight, layer.attention.q_proj.weight)
    released = StarVQAForVideoQuality.from_image_model(image, num_frames=4, copy_to_time=False)
    layer = released.time_sformer.layers[0]
    assert torch.equal(layer.attention.q_proj.weight, model.time_sformer.layers[0].attention.q_proj.weight)
    weight = layer.temporal_attention.q_proj.weight
    assert not torch.equal(weight, layer.attention.q_proj.weight) and 0.01 < weight.std() < 0.03
    assert layer.temporal_layernorm.weight.eq(1).all() and layer.temporal_dense.weight.eq(0).all()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"anchors": (1,)}, "2 to 1,000 rising numbers"),
        ({"anchors": (0, 2, 1)}, "rising numbers"),
        ({"score_range": (5, 1)}, r"the lowest and the highest score, as in \(0, 100\)"),
        ({"score_range": (0, 1, 2)}, "the lowest and the highest score"),
        ({"score_range": (0, math.inf)}, "the lowest and the highest score"),
        ({"score_mean": math.nan}, "score_mean must be a finite number"),
        ({"problem_type": "single_label_classification"}, "problem_type must be 'regression'"),
        (
            {"score_regressor": {"gamma": 1.0}},
            "score_regressor must have coefficients, gamma, intercept, support_vectors",
        ),
        (
            {"score_regressor": {"gamma": 1.0, "intercept": 0.0, "coefficients": [1.0], "support_vectors": [[1.0]]}},
            "6 numbers, one for each",
        ),
        (
            {"score_regressor": {"gamma": 0, "intercept": 0.0, "coefficients": [1.0], "support_vectors": [[1.0] * 6]}},
            "gamma above 0",
        ),
        (
            {"score_regressor": {"gamma": 1, "intercept": 0, "coefficients": ["1"], "support_vectors": [[1.0] * 6]}},
            "finite numbers",
        ),
    ],
)
def test_configurations_that_cannot_be(fields, message):
    with pytest.raises(StrictDataclassClassValidationError, match=message):
        StarVQAConfig(**SIZES | fields)


def test_what_it_is_asked():
    facts = model_facts(StarVQAConfig(**SIZES))
    assert [(task.name, task.kind, facts.classes[task.name]) for task in facts.tasks] == [("quality", "score", 1)]
    assert AutoConfig.for_model("starvqa").score_range == [0, 100]
    assert HolovidProcessor.for_model(StarVQAConfig()).video_processor.image_mean == (0.45, 0.45, 0.45)


def test_classes_are_the_scores_of_the_outputs():
    """So that transformers' own pipeline says what its shares are of."""
    config = StarVQAConfig(score_range=(1, 5), num_labels=9, id2label={0: "good"})
    assert config.id2label == {0: "1", 1: "1.8", 2: "2.6", 3: "3.4", 4: "4.2", 5: "5"} and config.num_labels == 6
    assert StarVQAConfig.from_dict(config.to_dict()).id2label == config.id2label
