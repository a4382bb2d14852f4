"""Video Swin's recipes: what decays, what learns at a tenth of the rate, and when, by hand."""

import dataclasses

import pytest
from tiny_video_swin import tiny

from holovid.recipes import get_recipe
from holovid.training.optimization import build_optimizer, build_schedule, learning_rate_at, parameter_groups

RECIPE = get_recipe("videoswin-k400-b")


def test_groups_by_hand():
    model = tiny(depths=(1, 1))
    groups = parameter_groups(model, RECIPE)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    found = {
        group["name"]: (group["weight_decay"], group["learning_rate_scale"], {names[id(p)] for p in group["params"]})
        for group in groups
    }
    assert found.keys() == {"backbone, decayed", "backbone, not decayed", "head, decayed"}
    assert found["head, decayed"] == (0.05, 1.0, {"classifier.weight", "classifier.bias"})
    layer = [f"video_swin.stages.{stage}.layers.0" for stage in (0, 1)]
    norms = ["video_swin.embeddings.norm", "video_swin.layernorm", "video_swin.stages.1.merging.norm"]
    norms += [f"{each}.layernorm_{place}" for each in layer for place in ("before", "after")]
    undecayed = {f"{norm}.{kind}" for norm in norms for kind in ("weight", "bias")}
    undecayed |= {f"{each}.attention.relative_position_bias_table" for each in layer}
    assert found["backbone, not decayed"] == (0.0, pytest.approx(0.1), undecayed)
    decay, scale, decayed = found["backbone, decayed"]
    assert (decay, scale) == (0.05, pytest.approx(0.1))
    assert decayed == set(names.values()) - undecayed - found["head, decayed"][2]


def test_rates_by_hand():
    """Half the batch of the source, so half the rate; 30 epochs of 4 steps, the first 10 of which warm up."""
    model = tiny()
    rate = RECIPE.scaled_learning_rate(256)
    assert rate == pytest.approx(5e-4)
    optimizer = build_optimizer(model, RECIPE, rate)
    schedule = build_schedule(optimizer, RECIPE, 120, rate)
    rates = []
    for _ in range(120):
        rates.append(sorted({group["lr"] for group in optimizer.param_groups}))
        optimizer.step()
        schedule.step()
    for step, expected in ((0, 0.0), (5, 2.5e-4), (10, 5e-4), (65, 2.5e-4)):
        assert rates[step] == pytest.approx(sorted({expected / 10, expected}), abs=1e-9)
    assert learning_rate_at(RECIPE, 120, 120, rate) == pytest.approx(0.0)


def test_what_cannot_be():
    with pytest.raises(ValueError, match="layer_decay and backbone_rate both lower the backbone's rate"):
        dataclasses.replace(RECIPE, layer_decay=0.75)
    with pytest.raises(ValueError, match="needs a model with a classifier; VideoSwinModel has none"):
        parameter_groups(tiny().video_swin, RECIPE)
