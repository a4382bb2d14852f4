"""Optimisers and schedules, against groups and rates computed by hand."""

import math

import pytest
import tiny_ca2st
import tiny_xvit
import torch
from accelerate import Accelerator
from torch import nn

from holovid import CA2STForVideoClassification, XViTForVideoClassification
from holovid.recipes import get_recipe, recipes
from holovid.training.optimization import build_optimizer, build_schedule, learning_rate_at, parameter_groups


def names_of(model: nn.Module, groups: list[dict]) -> dict[str, set[str]]:
    """Names of a group's parameters, by the group's name."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {group["name"]: {names[id(parameter)] for parameter in group["params"]} for group in groups}


def test_xvit_decays_all_but_the_biases_of_its_head():
    model = tiny_xvit.tiny()
    groups = parameter_groups(model, get_recipe("xvit-k400"))
    names = names_of(model, groups)
    # the reference's consensus.mlp_head.{0,1,4}.bias
    assert names["all, not decayed"] == {"classifier.bias", "xvit.pooler.layernorm.bias", "xvit.pooler.dense.bias"}
    assert names["all, decayed"] == {name for name, _ in model.named_parameters()} - names["all, not decayed"]
    assert {group["name"]: group["weight_decay"] for group in groups} == {
        "all, decayed": 1e-5,
        "all, not decayed": 0.0,
    }
    assert all(group["learning_rate_scale"] == 1 for group in groups)


def test_xvit_with_mean_pooling():
    model = tiny_xvit.tiny(pooling="mean")
    assert names_of(model, parameter_groups(model, get_recipe("xvit-ssv2")))["all, not decayed"] == {"classifier.bias"}


def place_by_name(name: str) -> int:
    """Of a model of three layers, by the reference's rule on names."""
    parts = name.removeprefix("ca2st.").split(".")
    if name.startswith("ca2st.") and parts[0] in ("embeddings", "layers"):
        return 0 if parts[0] == "embeddings" else int(parts[1]) + 1
    return 4


@pytest.mark.parametrize("variant", ["CAST", "CAVA", "CA2ST", "CA2ST, own projections, tables"])
def test_cast_groups(variant):
    model = tiny_ca2st.tiny(**tiny_ca2st.VARIANTS[variant])
    groups = parameter_groups(model, get_recipe("cast-ek100"))
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))
    shapes = {name: parameter.ndim for name, parameter in model.named_parameters()}
    for group, (label, names) in zip(groups, names_of(model, groups).items(), strict=True):
        decayed = label.endswith(", decayed")
        assert group["weight_decay"] == (0.05 if decayed else 0.0)
        for name in names:
            position = any(word in name for word in ("position", "token")) and not name.endswith(".weight")
            assert decayed == (shapes[name] > 1 and not position), name
            assert group["learning_rate_scale"] == pytest.approx(0.75 ** (4 - place_by_name(name))), name
    scales = {group["name"].split(",")[0]: group["learning_rate_scale"] for group in groups}
    expected = {"embeddings": 0.31640625, "layer 0": 0.421875, "layer 1": 0.5625, "layer 2": 0.75, "head": 1.0}
    assert scales == pytest.approx(expected)


def test_frozen_parameters_are_in_no_group():
    model = tiny_ca2st.tiny(experts=tiny_ca2st.CA2ST)
    model.freeze_experts()
    groups = parameter_groups(model, get_recipe("ca2st-ek100"))
    names = set().union(*names_of(model, groups).values())
    assert names == {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert not any(group["name"].startswith("embeddings") for group in groups)
    for name in ("ca2st.timestamps.frames.layers.0.weight", "ca2st.features.time.layernorm.weight"):
        (group,) = (label for label, members in names_of(model, groups).items() if name in members)
        assert group.startswith("head")  # a function of seconds has "layers" of its own, which are none of the model's
    model.requires_grad_(False)
    with pytest.raises(ValueError, match="no parameter"):
        parameter_groups(model, get_recipe("ca2st-ek100"))


def test_groups_of_wrapped_models():
    class Wrapper(nn.Module):
        def __init__(self, module):
            super().__init__()
            self.module = module

    for model, recipe in (
        (tiny_xvit.tiny(), get_recipe("xvit-k400")),
        (tiny_ca2st.tiny(), get_recipe("cast-ssv2")),
    ):
        plain, wrapped = parameter_groups(model, recipe), parameter_groups(Wrapper(model), recipe)
        assert [group["name"] for group in plain] == [group["name"] for group in wrapped]
        for one, other in zip(plain, wrapped, strict=True):
            assert list(map(id, one["params"])) == list(map(id, other["params"]))
    with pytest.raises(ValueError, match="embeddings and layers; Linear has none"):
        parameter_groups(nn.Linear(2, 2), get_recipe("cast-ssv2"))


def test_optimizers():
    sgd = build_optimizer(tiny_xvit.tiny(), get_recipe("xvit-k400"), learning_rate=0.06, weight_decay=0.5)
    assert type(sgd) is torch.optim.SGD
    assert all(
        group["lr"] == 0.06 and group["momentum"] == 0.9 and group["nesterov"] and group["dampening"] == 0
        for group in sgd.param_groups
    )
    assert {group["weight_decay"] for group in sgd.param_groups} == {0.5, 0.0}
    adamw = build_optimizer(tiny_ca2st.tiny(), get_recipe("cast-k400"), learning_rate=0.002)
    assert type(adamw) is torch.optim.AdamW
    for group in adamw.param_groups:
        assert group["lr"] == 0.002 * group["learning_rate_scale"]
        assert (group["betas"], group["eps"]) == ((0.9, 0.999), 1e-8)
    small = build_optimizer(tiny_xvit.tiny(), get_recipe("small"), learning_rate=0.002)
    assert {group["lr"] for group in small.param_groups} == {0.002}


@pytest.mark.parametrize(
    ("name", "epoch", "rate"),
    [
        # peak 0.03 (1 + cos(pi e / 30)) / 2 = 0.03 * 0.933013 at 5; before, linear from 0.01 to that
        ("xvit-k400", 0, 0.01),
        ("xvit-k400", 2.5, (0.01 + 0.0279904) / 2),
        ("xvit-k400", 5, 0.0279904),
        ("xvit-k400", 15, 0.015),
        ("xvit-k400", 30, 0.0),
        # cos(pi / 7) = 0.9009689
        ("xvit-ssv2", 0, 0.003),
        ("xvit-ssv2", 5, 0.0285145),
        ("xvit-ssv2", 17.5, 0.015),
        # linear from 0 to 0.001, then a cosine over 45 epochs to 1e-6
        ("cast-ssv2", 0, 0.0),
        ("cast-ssv2", 2, 0.0004),
        ("cast-ssv2", 5, 0.001),
        ("cast-ssv2", 20, 1e-6 + 0.000999 * 0.75),
        ("cast-ssv2", 27.5, 0.0005005),
        ("cast-ssv2", 50, 1e-6),
        ("cast-k400", 37.5, 0.0005005),
        ("small", 0.5, 0.001),
        ("small", 5.5, 0.001),
        ("small", 10, 0.0),
    ],
)
def test_rates(name, epoch, rate):
    recipe = get_recipe(name)
    steps = round(10 * recipe.epochs)
    for batch_scale in (1, 4):  # first, peak and last rate grow together
        peak = recipe.scaled_learning_rate(batch_scale * recipe.reference_batch_size)
        got = learning_rate_at(recipe, round(10 * epoch), steps, peak)
        assert got == pytest.approx(batch_scale * rate, rel=2e-5, abs=1e-12)


@pytest.mark.parametrize("name", recipes())
@pytest.mark.parametrize("steps", [1, 2, 7, 100])
def test_every_group_follows_the_schedule(name, steps):
    recipe = get_recipe(name)
    model = tiny_ca2st.tiny() if recipe.family == "ca2st" else tiny_xvit.tiny()
    peak = recipe.scaled_learning_rate(48)
    optimizer = build_optimizer(model, recipe, peak)
    schedule = build_schedule(optimizer, recipe, steps, peak)
    for step in range(steps + 2):
        rate = learning_rate_at(recipe, step, steps, peak)
        assert 0 <= rate <= peak
        for group in optimizer.param_groups:
            assert group["lr"] == pytest.approx(rate * group["learning_rate_scale"], rel=1e-9, abs=1e-15)
        optimizer.step()
        schedule.step()
    last = recipe.steps[-1][1] * peak if recipe.steps else recipe.final_rate * peak / recipe.learning_rate
    assert rate == pytest.approx(last)


def test_warmup_in_steps():
    recipe = get_recipe("cast-ssv2")
    assert learning_rate_at(recipe, 3, 100, 0.001, warmup_steps=4) == pytest.approx(0.00075)
    assert learning_rate_at(recipe, 0, 100, 0.001, warmup_steps=0) == pytest.approx(0.001)
    assert learning_rate_at(recipe, 100, 100, 0.001, warmup_steps=100) == pytest.approx(0.001)
    xvit = learning_rate_at(get_recipe("xvit-k400"), 50, 100, 0.03, warmup_steps=50)
    assert xvit == pytest.approx(0.015 * (1 + math.cos(math.pi / 2)))
    with pytest.raises(ValueError, match="num_steps=0"):
        learning_rate_at(recipe, 0, 0, 0.001)
    with pytest.raises(ValueError, match="warmup_steps must be from 0 to num_steps=10, got 11"):
        learning_rate_at(recipe, 0, 10, 0.001, warmup_steps=11)


def test_a_learning_rate_of_zero():
    recipe = get_recipe("small")
    schedule = build_schedule(build_optimizer(tiny_ca2st.tiny(), recipe, 0.0), recipe, 10, 0.0)
    assert set(schedule.get_last_lr()) == {0.0}


def test_a_schedule_can_be_resumed():
    recipe = get_recipe("cast-ssv2")
    model = tiny_ca2st.tiny()
    runs = []
    for interrupted in (False, True):
        optimizer = build_optimizer(model, recipe, 0.001)
        schedule = build_schedule(optimizer, recipe, 20, 0.001)
        for step in range(15):
            if interrupted and step == 6:
                saved = optimizer.state_dict(), schedule.state_dict()
                optimizer = build_optimizer(model, recipe, 0.001)
                schedule = build_schedule(optimizer, recipe, 20, 0.001)
                optimizer.load_state_dict(saved[0])
                schedule.load_state_dict(saved[1])
            optimizer.step()
            schedule.step()
        runs.append([group["lr"] for group in optimizer.param_groups])
    assert runs[0] == runs[1]


@pytest.mark.parametrize("name", ["xvit-k400", "cast-ssv2"])
def test_after_accelerate(name):
    recipe = get_recipe(name)
    tiny = tiny_ca2st if recipe.family == "ca2st" else tiny_xvit
    accelerator = Accelerator(cpu=True)
    model = accelerator.prepare(tiny.tiny().train())
    optimizer = build_optimizer(model, recipe, 0.01)
    schedule = build_schedule(optimizer, recipe, 4, 0.01)
    optimizer = accelerator.prepare(optimizer)
    inputs = tiny.clips(model.config)
    inputs = inputs if isinstance(inputs, dict) else {"pixel_values_videos": inputs}
    before = model.classifier.weight.detach().clone()
    for _ in range(2):
        accelerator.backward(model(**inputs, labels=torch.tensor([1, 2])).loss)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    assert not torch.equal(before, model.classifier.weight)
    assert optimizer.param_groups[-1]["lr"] == pytest.approx(learning_rate_at(recipe, 2, 4, 0.01))
    assert isinstance(model, XViTForVideoClassification | CA2STForVideoClassification)
