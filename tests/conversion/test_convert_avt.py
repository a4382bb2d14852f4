"""AVT checkpoints: the released numbers, and every released layout."""

import re

import pytest
import torch
from golden_numbers import AVT_MODELS, avt_inputs, avt_settings, avt_weights, golden

from holovid import AVTForActionAnticipation
from holovid.conversion.convert import from_reference
from holovid.conversion.from_avt import avt

TOLERANCE = {"rtol": 0, "atol": 2e-6}
KEYS = golden("avt/keys.json")
ROLLOUTS = [name for name in AVT_MODELS if "rollout" in name]
LABELS = {"action": ("labels", "past_labels"), "verb": ("verb_labels", "past_verb_labels"),
          "noun": ("noun_labels", "past_noun_labels")}  # fmt: skip
TOTALS = {
    "exp01_avt_b_ek100": 396_122_078, "exp02_tsn_ek100": 312_346_334, "exp04_ircsn_ek100": 421_154_526,
    "exp12_avt_b_egtea": 191_843_690, "exp08_tsn_ek55": 613_170_641,
}  # fmt: skip


def numbers(record: dict) -> torch.Tensor:
    return torch.tensor(record["values"])


def converted(name: str) -> tuple[AVTForActionAnticipation, dict[str, torch.Tensor], int, dict]:
    """A model, its input, crops of a clip, and the case."""
    case = golden(f"avt/{name}.json")
    model = from_reference(avt_weights(case), "avt", **avt_settings(case))
    return model, *avt_inputs(case), case


@pytest.mark.parametrize("name", [name for name in AVT_MODELS if name not in ROLLOUTS])
@torch.no_grad()
def test_outputs_equal_the_reference(name):
    """Of several crops, the mean of all outputs, as released."""
    model, inputs, crops, case = converted(name)
    assert model.num_parameters() == case["extra"]["parameters"]
    outputs = model(**inputs)
    found = {"action": outputs.logits, "verb": outputs.verb_logits, "noun": outputs.noun_logits}
    for task, expected in case["logits"].items():
        torch.testing.assert_close(found[task].unflatten(0, (-1, crops)).mean(1), numbers(expected), **TOLERANCE)
    for task, expected in case["extra"].get("past_logits", {}).items():
        if task == "action":
            past = outputs.past_logits.unflatten(0, (-1, crops)).mean(1)
            torch.testing.assert_close(past, numbers(expected), **TOLERANCE)
    following = outputs.predicted_features[:, -1].unflatten(0, (-1, crops)).mean(1)
    expected = case["extra"]["future (input of the classifier)"]
    torch.testing.assert_close(following, numbers(expected), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in AVT_MODELS if "targets" in golden(f"avt/{name}.json")["extra"]])
def test_losses_equal_the_reference(name):
    """Means over all, with or without a label; with `valid_only` over those that have one."""
    model, inputs, _, case = converted(name)
    targets = case["extra"]["targets"]
    frames = case["extra"]["target_subclips (B,clips,frames_per_clip; -1 = unlabelled)"] or {}
    weights = case["extra"]["loss_weights"] or {}
    labels = {LABELS[task][0]: torch.tensor(classes) for task, classes in targets.items()}
    for task, classes in frames.items():
        classes = torch.tensor(classes).flatten(1)
        labels[LABELS[task][1]] = torch.where(classes < 0, -100, classes)
    model.config.valid_only = False
    model.config.past_weight = weights.get("past_cls_action", 1.0)
    model.config.feature_weight = weights.get("feat", 1.0)
    outputs = model(**inputs, **labels)
    expected = case["extra"]["losses_mean"]
    found = {name: loss.item() for name, loss in outputs.losses.items()}
    assert found["feature"] == pytest.approx(expected["feat"], abs=2e-6)
    assert found["next"] == pytest.approx(sum(expected[f"cls_{task}"] for task in targets), abs=3e-6)
    if frames:
        assert found["past"] == pytest.approx(sum(expected[f"past_cls_{task}"] for task in frames), abs=3e-6)
    assert outputs.loss.item() == pytest.approx(case["extra"]["total_loss"], abs=5e-6)

    model.config.valid_only = True
    with_label = sum((labels[LABELS[task][1]] != -100).sum().item() for task in frames)
    if frames and with_label:
        share = with_label / sum(labels[LABELS[task][1]].numel() for task in frames)
        past = model(**inputs, **labels).losses["past"].item()
        if len(frames) == 1:
            assert past == pytest.approx(found["past"] / share, rel=1e-5)


@pytest.mark.parametrize("name", ROLLOUTS)
def test_rollouts_equal_the_reference(name):
    model, inputs, _, case = converted(name)
    head = case["config"]["head"]
    logits = model.rollout(**inputs, steps=head["output_len_eval"])
    torch.testing.assert_close(
        logits[:, -head["avg_last_n"] :].mean(1), numbers(case["logits"]["action"]), **TOLERANCE
    )


def shapes_of(name: str) -> dict[str, list[int]]:
    layers, shapes = KEYS[name]["layers"], {}
    for key, shape in KEYS[name]["shapes"].items():
        repeated = re.search(r"\b(blocks|h)\.\*\.", key)
        for index in range(layers[repeated[1]] if repeated else 1):
            shapes[key.replace("*", str(index))] = shape
    return shapes


@pytest.mark.parametrize("name", KEYS)
def test_every_released_checkpoint_is_understood(name):
    """Names and shapes; of the tables of verbs and nouns, and of what a step may see, also numbers."""
    shapes = shapes_of(name)
    state_dict = {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}
    for key, shape in shapes.items():
        if key.startswith("cls_map"):
            state_dict[key] = torch.eye(shape[1]).repeat(-(-shape[0] // shape[1]), 1)[: shape[0]]
        elif key.endswith(".attn.bias"):
            state_dict[key] = torch.ones(shape[-2:], dtype=torch.uint8).tril().view(shape)
    model_class, config, names, _ = avt(state_dict)
    with torch.device("meta"):
        model = model_class(config)
    assert names.ours.keys() | names.unused >= shapes.keys() and not names.ours.keys() & names.unused
    for reference, ours in names.ours.items():
        parts = [model.get_parameter(name) for name in ours]
        assert sum(part.shape[0] for part in parts) == shapes[reference][0]
        assert all(list(part.shape[1:]) == shapes[reference][1:] for part in parts)
    assert {name for each in names.ours.values() for name in each} == set(dict(model.named_parameters()))
    assert (config.backbone_config is None) == ("backbone.model.cls_token" not in shapes)
    if name in TOTALS:
        assert model.num_parameters() == TOTALS[name]
    if "cls_map_verb_action" in shapes:
        assert len(config.verb_of_action) == config.num_labels and len(config.noun_of_action) == config.num_labels


@torch.no_grad()
def test_verbs_and_nouns_of_actions():
    """Of a model that only knows actions: probabilities times the 0/1 table."""
    case = golden("avt/tiny_avth_features.json")
    table = torch.zeros(9, 4)
    table[torch.arange(9), torch.tensor([0, 1, 2, 3, 0, 1, 2, 3, 0])] = 1
    weights = avt_weights(case) | {"cls_map_verb_action": table}
    model = from_reference(weights, "avt", **avt_settings(case))
    outputs = model(features=torch.randn(3, 6, 20))
    torch.testing.assert_close(outputs.verb_logits.exp(), outputs.logits.softmax(-1) @ table)
    assert outputs.noun_logits is None
    table[0, 1] = 1
    with pytest.raises(ValueError, match="cls_map_verb_action must have a single 1 in each row"):
        from_reference(weights, "avt", **avt_settings(case))


def test_what_is_refused():
    case = golden("avt/tiny_avth_features.json")
    weights, settings = avt_weights(case), avt_settings(case)
    mask = "future_predictor.gpt_model.h.1.attn.bias"
    with pytest.raises(ValueError, match=r"h\.1\.attn\.bias must be a causal mask"):
        from_reference(weights | {mask: torch.ones_like(weights[mask])}, "avt", **settings)
    for lost in ("future_predictor.encoder.weight", "classifiers.action.weight"):
        with pytest.raises(ValueError, match=re.escape(lost)):
            from_reference({name: tensor for name, tensor in weights.items() if name != lost}, "avt", **settings)
