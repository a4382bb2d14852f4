"""Recipes: the numbers of the sources, written down once more, and what the rest of the package makes of them."""

import dataclasses
import pickle

import pytest

from holovid import CA2STConfig, HolovidVideoProcessor, XViTConfig
from holovid.families import families
from holovid.recipes import get_recipe, recipes, recipes_table
from holovid.training.optimization import learning_rate_at

# (optimiser, rate, its batch, decay, layer decay, epochs, warm-up, its first rate, last rate, batch)
OPTIMISATION = {
    "starvqa": ("sgd", 0.005, 64, 1e-4, None, 25, 0, 0.0, 0.0, 64),
    "starvqa-52": ("sgd", 0.005, 64, 1e-4, None, 25, 0, 0.0, 0.0, 64),
    "timesformer-k400": ("sgd", 0.005, 64, 1e-4, None, 15, 0, 0.0, 0.0, 64),
    "timesformer-ssv2": ("sgd", 0.005, 64, 1e-4, None, 15, 0, 0.0, 0.0, 64),
    "timesformer-hr": ("sgd", 0.005, 64, 1e-4, None, 15, 0, 0.0, 0.0, 64),
    "timesformer-l": ("sgd", 0.005, 64, 1e-4, None, 15, 0, 0.0, 0.0, 64),
    "xvit-k400": ("sgd", 0.03, 64, 1e-5, None, 30, 5, 0.01, 0.0, 64),
    "xvit-ssv2": ("sgd", 0.03, 64, 1e-4, None, 35, 5, 0.003, 0.0, 64),
    "videoswin-k400-t": ("adamw", 1e-3, 256, 0.02, None, 30, 2.5, 0.0, 0.0, 256),
    "videoswin-k400-b": ("adamw", 1e-3, 512, 0.05, None, 30, 2.5, 0.0, 0.0, 512),
    "videoswin-k400-b-in22k": ("adamw", 3e-4, 512, 0.05, None, 30, 2.5, 0.0, 0.0, 512),
    "videoswin-ssv2": ("adamw", 3e-4, 512, 0.05, None, 60, 2.5, 0.0, 0.0, 512),
    "cast-ssv2": ("adamw", 1e-3, 256, 0.05, 0.75, 50, 5, 0.0, 1e-6, 384),
    "cast-k400": ("adamw", 1e-3, 256, 0.05, 0.75, 70, 5, 0.0, 1e-6, 576),
    "cast-ek100": ("adamw", 1e-3, 256, 0.05, 0.75, 50, 5, 0.0, 1e-6, 384),
    "cava": ("adamw", 5e-4, 256, 0.05, 0.8, 50, 5, 0.0, 1e-6, 12),
    "cava-vggsound": ("adamw", 5e-4, 256, 0.05, 0.8, 50, 5, 0.0, 1e-6, 12),
    "ca2st-ek100": ("adamw", 1e-3, 256, 0.05, 0.75, 50, 5, 0.0, 1e-6, 384),
    "avt-ek100": ("sgd", 1e-4, 3, 1e-6, None, 50, 20, 0.0, 0.0, 96),
    "avt-ek100-long": ("sgd", 1e-4, 3, 1e-6, None, 70, 20, 0.0, 0.0, 96),
    "avt-ek55": ("sgd", 1e-4, 3, 1e-4, None, 35, 5, 0.0, 5e-9, 96),
    "avt-egtea": ("sgd", 5e-4, 3, 1e-6, None, 10, 5, 0.0, 0.0, 96),
    "avt-50salads": ("adam", 5e-7, 2, 1e-4, None, 200, 0, 0.0, 0.0, 2),
    "small": ("adamw", 2e-3, 32, 0.05, None, 10, 1, 0.0, 0.0, 32),
    "finetune": ("adamw", 1e-3, 32, 0.05, 0.75, 40, 4, 0.0, 1e-6, 32),
}
# (label smoothing, mixup alpha, its probability, flip, drop path, frames, sampling, stride, views, crops, ensemble)
CLIPS = {
    "starvqa": (0.0, 0.0, 1.0, True, 0.1, 8, "uniform", 1, 1, 3, "logits"),
    "starvqa-52": (0.0, 0.0, 1.0, True, 0.1, 52, "dense", 16, 1, 3, "logits"),
    "timesformer-k400": (0.0, 0.0, 1.0, True, 0.1, 8, "dense", 32, 1, 3, "logits"),
    "timesformer-ssv2": (0.0, 0.0, 1.0, False, 0.1, 8, "segments", 1, 1, 3, "logits"),
    "timesformer-hr": (0.0, 0.0, 1.0, True, 0.1, 16, "dense", 16, 1, 3, "logits"),
    "timesformer-l": (0.0, 0.0, 1.0, True, 0.1, 96, "dense", 4, 1, 3, "logits"),
    "xvit-k400": (0.3, 0.4, 1.0, True, None, 16, "dense", 16, 1, 3, "logits"),
    "xvit-ssv2": (0.0, 0.0, 1.0, False, None, 16, "segments", 1, 2, 3, "logits"),
    "videoswin-k400-t": (0.0, 0.0, 1.0, True, 0.1, 32, "spread", 2, 4, 3, "probabilities"),
    "videoswin-k400-b": (0.0, 0.0, 1.0, True, 0.3, 32, "spread", 2, 4, 3, "probabilities"),
    "videoswin-k400-b-in22k": (0.0, 0.0, 1.0, True, 0.2, 32, "spread", 2, 4, 3, "probabilities"),
    "videoswin-ssv2": (0.1, 0.0, 1.0, False, 0.4, 32, "segments", 1, 1, 3, "probabilities"),
    "cast-ssv2": (0.1, 0.8, 0.9, False, 0.3, 16, "uniform", 1, 2, 3, "probabilities"),
    "cast-k400": (0.1, 0.8, 0.5, True, 0.2, 16, "strided", 4, 5, 3, "probabilities"),
    "cast-ek100": (0.1, 0.8, 0.9, True, 0.2, 16, "uniform", 1, 2, 3, "probabilities"),
    "cava": (0.1, 0.8, 0.9, True, 0.2, 16, "uniform", 1, 2, 3, "probabilities"),
    "cava-vggsound": (0.1, 0.8, 0.9, True, 0.2, 16, "strided", 4, 2, 3, "probabilities"),
    "ca2st-ek100": (0.1, 0.8, 0.9, True, 0.2, 16, "uniform", 1, 2, 3, "probabilities"),
    "avt-ek100": (0.0, 0.0, 1.0, True, None, 10, "last", 1, 1, 3, "logits"),
    "avt-ek100-long": (0.0, 0.0, 1.0, True, None, 15, "last", 1, 1, 3, "logits"),
    "avt-ek55": (0.0, 0.0, 1.0, True, None, 10, "last", 1, 1, 3, "logits"),
    "avt-egtea": (0.0, 0.0, 1.0, True, None, 10, "last", 1, 1, 3, "logits"),
    "avt-50salads": (0.0, 0.0, 1.0, True, None, 10, "last", 1, 1, 3, "logits"),
    "small": (0.0, 0.0, 1.0, False, None, 8, "uniform", 1, 1, 1, "logits"),
    "finetune": (0.1, 0.8, 0.5, True, None, 8, None, 1, 1, 1, "probabilities"),
}


@pytest.mark.parametrize("name", recipes())
def test_numbers(name):
    recipe = get_recipe(name)
    assert recipe.name == name
    assert OPTIMISATION[name] == (
        recipe.optimizer, recipe.learning_rate, recipe.reference_batch_size, recipe.weight_decay, recipe.layer_decay,
        recipe.epochs, recipe.warmup_epochs, recipe.warmup_start_rate, recipe.final_rate, recipe.batch_size,
    )  # fmt: skip
    assert CLIPS[name] == (
        recipe.label_smoothing, recipe.mixup_alpha, recipe.mixup_probability, recipe.flip,
        recipe.model.get("drop_path_rate"), recipe.num_frames, recipe.sampling, recipe.frame_stride,
        recipe.num_views, recipe.num_crops, recipe.ensemble,
    )  # fmt: skip
    assert (recipe.momentum, recipe.betas, recipe.eps, recipe.cutmix_alpha) == (0.9, (0.9, 0.999), 1e-8, 0)
    assert recipe.sound_mixing == ("cutmix" if name.startswith("cava") else "mixup")


def test_released_models():
    """What the recipes say of a model is what the released configurations are."""
    assert get_recipe("xvit-k400").model["mix_group"] == 8 and get_recipe("xvit-k400").model["mix_divisor"] == 8
    assert get_recipe("xvit-ssv2").model["mix_group"] == 16 and get_recipe("xvit-ssv2").model["mix_divisor"] == 4
    for recipe in recipes().values():
        config_class = XViTConfig if recipe.family == "any" else families()[recipe.family].config_class
        assert recipe.model.keys() <= {field.name for field in dataclasses.fields(config_class)}
        config = config_class(num_frames=recipe.num_frames, **recipe.model)
        recipe.check_model(config)


@pytest.mark.parametrize("name", recipes())
def test_the_processor_takes_its_options(name):
    recipe = get_recipe(name)
    processor = HolovidVideoProcessor(**recipe.processor_options(), **recipe.evaluation_options())
    assert (processor.num_frames, processor.num_views) == (recipe.num_frames, recipe.num_views)


def test_rates_that_fall_by_steps():
    recipe = get_recipe("timesformer-k400")
    rates = [learning_rate_at(recipe, epoch, 15, 0.005) for epoch in range(16)]
    assert rates == pytest.approx([0.005] * 11 + [0.0005] * 3 + [0.00005] * 2)
    rates = [learning_rate_at(get_recipe("starvqa"), epoch, 25, 0.005) for epoch in range(25)]
    assert rates == pytest.approx([0.005] * 11 + [0.0005] * 9 + [0.00005] * 5)
    # three epochs of ten steps: the places of 11 / 15 and 14 / 15 of the run
    rates = [learning_rate_at(recipe, step, 30, 0.005) for step in range(30)]
    assert rates == pytest.approx([0.005] * 22 + [0.0005] * 6 + [0.00005] * 2)
    assert learning_rate_at(recipe, 2, 15, 0.005, warmup_steps=4) == pytest.approx(0.0025)
    for change, message in (
        ({"steps": ()}, "steps and a cosine exclude each other"),
        ({"cosine_from": "start"}, "steps and a cosine exclude each other"),
        ({"steps": ((14, 0.1), (11, 0.01))}, "steps must be .* in order"),
        ({"epochs": 12}, "up to epochs=12"),
        ({"channel_order": "grb"}, "channel_order must be one of"),
    ):
        with pytest.raises(ValueError, match=message):
            dataclasses.replace(recipe, **change)


def test_another_name_or_family():
    with pytest.raises(ValueError, match="no recipe 'cast-svs2'; did you mean 'cast-ssv2'"):
        get_recipe("cast-svs2")
    with pytest.raises(ValueError, match="did you mean 'xvit-k400'"):
        get_recipe("kinetics-400")
    with pytest.raises(ValueError, match=r"'cast-ssv2' is for ca2st models.*xvit model.* xvit-k400, xvit-ssv2, small"):
        get_recipe("cast-ssv2").check_model(XViTConfig())
    with pytest.raises(ValueError, match="'xvit-k400' is for xvit models"):
        get_recipe("xvit-k400").check_model(CA2STConfig())
    get_recipe("small").check_model(CA2STConfig())


def test_a_recipe_can_be_changed():
    recipe = get_recipe("xvit-k400")
    assert recipe.scaled_learning_rate(256) == pytest.approx(0.12)
    assert get_recipe("cast-k400").scaled_learning_rate(576) == pytest.approx(2.25e-3)
    shorter = dataclasses.replace(recipe, epochs=10)
    assert (shorter.epochs, recipe.epochs) == (10, 30)
    assert pickle.loads(pickle.dumps(shorter)) == shorter
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.epochs = 1
    for change, message in (
        ({"optimizer": "lamb"}, "optimizer must be one of 'sgd', 'adamw', 'adam', got 'lamb'"),
        ({"augmentation": "trivial"}, "augmentation must be one of"),
        ({"warmup_epochs": 31}, "warmup_epochs must be from 0 to epochs=30"),
    ):
        with pytest.raises(ValueError, match=message):
            dataclasses.replace(recipe, **change)


def test_table():
    lines = recipes_table()
    assert len(lines) == 2 + len(recipes())
    assert len({line.count("|") for line in lines}) == 1
    assert any(line.startswith("| `xvit-k400` | SGD | 0.03 @ 64 | 30 (5 warm-up) |") for line in lines)
