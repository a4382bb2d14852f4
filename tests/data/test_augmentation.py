"""Augmentation: one draw for all frames, timm's policies as timm applies them, sizes and places by the rules."""

import dataclasses
import pickle
import random
import runpy

import numpy as np
import pytest
import torch
from clips import write_clip
from places import ROOT
from timm.data.auto_augment import auto_augment_transform, rand_augment_transform
from torch.utils.data import DataLoader
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from holovid import HolovidVideoProcessor
from holovid.data.augmentation import (
    ClipPolicy,
    MultiScaleCornerCrop,
    RandomShortSide,
    SpecAugment,
    build_augmentation,
    keeping_bits,
)
from holovid.data.dataset import ClipDataset, load_clips
from holovid.data.mixing import ClipMixing
from holovid.recipes import get_recipe, recipes

AUGMENTATIONS = {recipe.augmentation: recipe for recipe in recipes().values()}


def processor(size: int = 32, **options) -> HolovidVideoProcessor:
    return HolovidVideoProcessor(size={"shortest_edge": size}, crop_size=size, num_frames=4, **options)


def clip(frames: int = 4, height: int = 40, width: int = 53) -> torch.Tensor:
    """Smooth pictures, so that resampling is not blind to a pixel."""
    coarse = torch.rand(frames, 3, 5, 6, generator=torch.Generator().manual_seed(0))
    return (255 * torch.nn.functional.interpolate(coarse, size=(height, width), mode="bicubic").clamp(0, 1)).to(
        torch.uint8
    )


@pytest.mark.parametrize("name", recipes())
def test_every_recipe_gives_what_the_model_takes(name):
    augmentation = build_augmentation(get_recipe(name), processor(image_mean=[0.4, 0.5, 0.6]))
    frames = augmentation(clip())
    assert frames.shape == (4, 3, 32, 32) and frames.dtype == torch.float32
    assert frames.min() >= -2 and frames.max() <= 2 and frames.std() > 0.1
    assert pickle.loads(pickle.dumps(augmentation))(clip()).shape == frames.shape, "workers get it pickled"


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_one_draw_for_all_frames(name):
    augmentation = build_augmentation(AUGMENTATIONS[name], processor(), flip=True)
    frames = clip()
    for seed in range(12):
        torch.manual_seed(seed)
        together = augmentation(frames)
        for index, frame in enumerate(frames):
            torch.manual_seed(seed)
            torch.testing.assert_close(augmentation(frame[None])[0], together[index], atol=1e-5, rtol=0)
    still = augmentation(frames[:1].expand(5, -1, -1, -1))
    assert torch.equal(still, still[:1].expand_as(still))


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_torchs_generator_decides_and_others_are_left_alone(name):
    augmentation = build_augmentation(AUGMENTATIONS[name], processor())
    results = []
    for seed in (1, 1, 2, 3):
        random.seed(len(results))
        np.random.seed(len(results))
        python, numpy = random.getstate(), np.random.get_state()
        torch.manual_seed(seed)
        results.append(augmentation(clip()))
        assert random.getstate() == python
        assert all(np.array_equal(a, b) for a, b in zip(np.random.get_state(), numpy, strict=True))
    assert torch.equal(results[0], results[1])
    if name != "none":
        assert not torch.equal(results[0], results[2]) or not torch.equal(results[0], results[3])


def test_generators_are_put_back_after_a_failure():
    def fail(picture):
        raise RuntimeError("on purpose")

    state = random.getstate()
    with pytest.raises(RuntimeError, match="on purpose"):
        ClipPolicy(fail)(clip())
    assert random.getstate() == state


def test_the_policy_is_timms():
    policy = keeping_bits(auto_augment_transform("v0", {"translate_const": 100, "img_mean": (128, 128, 128)}))
    frames, changed = clip(2), 0
    for number in range(20):
        torch.manual_seed(number)
        got = ClipPolicy(policy)(frames)
        torch.manual_seed(number)
        seed = int(torch.randint(2**32, ()))
        for frame, augmented in zip(frames, got, strict=True):
            random.seed(seed)
            np.random.seed(seed)
            assert torch.equal(augmented, F.pil_to_tensor(policy(F.to_pil_image(frame))))
        changed += not torch.equal(got, frames)
    assert changed > 5


@pytest.mark.parametrize(
    "policy",
    [
        auto_augment_transform("v0", {"translate_const": 100, "img_mean": (128, 128, 128)}),
        rand_augment_transform("rand-m7-n4-mstd0.5-inc1", {}),
    ],
    ids=["v0", "rand"],
)
def test_posterizing_keeps_a_bit(policy):
    """timm's blackens frames, and Pillow 13 refuses that."""
    operations = [each for group in getattr(policy, "policy", None) or [policy.ops] for each in group]
    posterizing = [each for each in operations if each.name.startswith("Posterize")]
    assert posterizing and keeping_bits(policy) is policy
    picture = F.to_pil_image(torch.full((3, 8, 8), 200, dtype=torch.uint8))
    for operation in posterizing:
        operation.prob, operation.magnitude_std = 1.0, 0
        for operation.magnitude in range(11):
            assert operation(picture).getpixel((0, 0))[0] in (128, 192, 200)


def test_none_is_what_the_processor_does():
    own = processor(image_mean=[0.1, 0.2, 0.3], audio_config={"audio_frames": 40, "num_mel_bins": 24})
    frames = clip(4, 50, 41)
    without_sound = processor(image_mean=[0.1, 0.2, 0.3])
    expected = without_sound(frames, do_sample_frames=False, return_tensors="pt")["pixel_values_videos"][0]
    assert torch.equal(build_augmentation(get_recipe("small"), own)(frames), expected)
    assert own.feature_extractor is not None


def test_sizes_and_places_of_corner_crops():
    crop = MultiScaleCornerCrop([224, 224])
    # int(256 * .875) is 224; 168 = int(256 * .66)
    assert crop.sizes(256, 340) == [
        (256, 256), (256, 224), (224, 256), (224, 224), (224, 192),
        (192, 224), (192, 192), (192, 168), (168, 192), (168, 168),
    ]  # fmt: skip
    assert MultiScaleCornerCrop([222, 225]).sizes(256, 340)[1:4] == [(256, 225), (222, 256), (222, 225)]
    assert MultiScaleCornerCrop([224, 224]).sizes(223, 300)[0] == (223, 224), "never larger than the frame"

    height, width = 64, 80
    where = torch.arange(height * width).view(1, 1, height, width)  # each pixel says where it is
    seen = set()
    for _ in range(3000):
        piece = MultiScaleCornerCrop([48, 48])(where)
        seen.add((*divmod(int(piece[0, 0, 0, 0]), width), *piece.shape[-2:]))
    # 0.66 of 64 is 42, 0.75 is 48, 0.875 is 56
    assert {(down, right) for _, _, down, right in seen} == {
        (a, b) for a in (64, 56, 48, 42) for b in (64, 56, 48, 42) if (a, b) not in ((64, 48), (48, 64))
        and (a, b) not in ((64, 42), (42, 64), (56, 42), (42, 56))
    }  # fmt: skip
    places = {(top, left) for top, left, down, right in seen if (down, right) == (48, 48)}
    assert places == {
        (0, 0), (0, 32), (16, 0), (16, 32), (8, 16), (0, 16), (8, 0), (8, 32), (16, 16),
        (4, 8), (4, 24), (12, 8), (12, 24),
    }  # fmt: skip


def test_flip_is_the_recipes_unless_told():
    def flips(name, **options):
        return sum(
            isinstance(step, v2.RandomHorizontalFlip)
            for step in build_augmentation(get_recipe(name), processor(), **options).frames.transforms
        )

    assert {name: flips(name) for name in recipes()} == {
        "starvqa": 1, "starvqa-52": 1,
        "finetune": 1, "timesformer-k400": 1, "timesformer-ssv2": 0, "timesformer-hr": 1, "timesformer-l": 1,
        "videoswin-k400-t": 1, "videoswin-k400-b": 1, "videoswin-k400-b-in22k": 1, "videoswin-ssv2": 0,
        "avt-ek100": 1, "avt-ek100-long": 1, "avt-ek55": 1, "avt-egtea": 1, "avt-50salads": 1,
        "xvit-k400": 1, "xvit-ssv2": 0, "cast-ssv2": 0, "cast-k400": 1, "cast-ek100": 1, "cava": 1,
        "cava-vggsound": 1, "ca2st-ek100": 1, "small": 0,
    }  # fmt: skip
    assert flips("cast-k400", flip=False) == 0 and flips("small", flip=True) == 1
    frames = clip()
    plain = build_augmentation(get_recipe("small"), processor())(frames)
    mirrored = build_augmentation(get_recipe("small"), processor(), flip=True)
    seen = [mirrored(frames) for _ in range(40)]
    assert all(torch.equal(frames, plain) or torch.equal(frames, plain.flip(-1)) for frames in seen)
    assert 10 < sum(torch.equal(frames, plain) for frames in seen) < 30


def test_erased_box():
    frames = torch.full((3, 3, 44, 52), 255, dtype=torch.uint8)
    augmentation = build_augmentation(get_recipe("xvit-ssv2"), processor(40))
    areas = []
    for _ in range(200):
        erased = augmentation(frames) == 0
        assert torch.equal(erased, erased[:1, :1].expand_as(erased))
        box = erased[0, 0]
        if box.any():
            down, right = int(box.any(1).sum()), int(box.any(0).sum())
            assert box.sum() == down * right
            areas.append(down * right / 1600)
    areas = [area for area in areas if area < 0.9]  # AutoAugment can make white frames grey, which is 0 as well
    assert 70 < len(areas) < 130
    assert min(areas) > 0.01 and 0.25 < max(areas) < 0.36


def test_short_sides_grow_with_the_crop():
    def short_side(crop):
        (step,) = (
            step
            for step in build_augmentation(get_recipe("xvit-ssv2"), processor(crop)).frames.transforms
            if isinstance(step, RandomShortSide)
        )
        return step

    full = short_side(224)
    assert (full.smallest, full.largest) == (256, 320), "as in the paper"
    step = short_side(56)
    assert (step.smallest, step.largest) == (64, 80)
    sides = {min(step(torch.zeros(1, 3, 20, 30)).shape[-2:]) for _ in range(400)}
    assert sides == set(range(64, 81))


def test_spec_augment():
    sound = torch.ones(100, 30)
    augment = SpecAugment(time_masks=2, time_rows=7, frequency_masks=1, frequency_bins=4)
    rows, bins = [], []
    for _ in range(300):
        masked = augment(sound)
        rows.append(int((masked == 0).all(1).sum()))
        bins.append(int((masked == 0).all(0).sum()))
        kept = masked.any(1)[:, None] & masked.any(0)[None]
        assert torch.equal(masked, kept.float())
    assert min(rows) == 0 and max(rows) in (13, 14) and set(bins) == {0, 1, 2, 3, 4}
    assert torch.equal(sound, torch.ones(100, 30))
    assert SpecAugment(2, 70, 2, 20)(torch.ones(3, 5)).shape == (3, 5), "shorter than a stripe"
    assert torch.equal(SpecAugment(0, 70, 0, 20)(sound), sound)


def test_spec_augment_is_the_recipes():
    sound = torch.ones(1024, 128)
    assert build_augmentation(get_recipe("cava"), processor()).spectrogram(sound) is sound
    augmentation = build_augmentation(get_recipe("cava-vggsound"), processor())
    blanked = torch.stack([augmentation.spectrogram(sound) == 0 for _ in range(30)])
    assert blanked.all(2).sum(1).max() <= 140 and blanked.all(1).sum(1).max() <= 40
    assert blanked.any()
    with_it = dataclasses.replace(get_recipe("cava"), spec_augment={"time_rows": 5})
    assert build_augmentation(with_it, processor()).sound.time_rows == 5


@pytest.mark.parametrize("name", ["xvit-k400", "cast-ek100"])
def test_in_a_data_set(name, tmp_path):
    """A clip of an epoch is the same in this process and in a worker, and mixed as its batch is."""
    for index, label in enumerate(["left", "right"] * 2):
        (tmp_path / "train" / label).mkdir(parents=True, exist_ok=True)
        write_clip(tmp_path / "train" / label / f"{index}.mp4", frames=20, size=(40, 56), seed=index)
    recipe, own = get_recipe(name), processor()
    clips = ClipDataset(
        load_clips(tmp_path)["train"],
        own,
        augmentation=build_augmentation(recipe, own),
        mixing=ClipMixing.from_recipe(recipe, {"labels": 2}),
        sampling="dense",
        frame_stride=2,
    )
    batch = [(3, 0), (3, 1), (3, 2), (3, 3)]
    state = torch.get_rng_state()
    here = clips.__getitems__(batch)
    assert torch.equal(state, torch.get_rng_state())
    (there,) = DataLoader(clips, batch_sampler=[batch], num_workers=1, collate_fn=list)
    for one, other in zip(here, there, strict=True):
        assert one["pixel_values_videos"].shape == (4, 3, 32, 32) and one["labels"].shape == (2,)
        assert all(torch.equal(one[key], other[key]) for key in one)
    later = clips.__getitems__([(4, index) for _, index in batch])
    assert not torch.equal(here[0]["pixel_values_videos"], later[0]["pixel_values_videos"])


def test_picture(tmp_path):
    video = write_clip(tmp_path / "clip.mp4", frames=8, size=(40, 56))
    draw = runpy.run_path(str(ROOT / "docs" / "scripts" / "draw_augmentations.py"))["draw"]
    one, two = (draw(video, ["cast-ek100"], draws, num_frames=4, seed=0) for draws in (1, 2))
    assert one.width == two.width and two.height * 2 == one.height * 3, "a row of each draw, and one of none"


def test_bad_input():
    augmentation = build_augmentation(get_recipe("small"), processor())
    for frames in (clip().float(), clip()[0], clip()[:, :1], clip().permute(0, 2, 3, 1)):
        with pytest.raises(ValueError, match=r"must be uint8 \(T, 3, H, W\)"):
            augmentation(frames)
    with pytest.raises(ValueError, match="must be \\(rows, mel bins\\)"):
        SpecAugment()(torch.zeros(2, 10, 10))
    with pytest.raises(ValueError, match="time_rows must be 0 or more"):
        SpecAugment(time_rows=-1)
    with pytest.raises(ValueError, match="'height' and 'width'"):
        build_augmentation(get_recipe("small"), HolovidVideoProcessor(crop_size={"shortest_edge": 8}))


def test_video_swins_crops_with_and_without_a_policy():
    """On Kinetics crops alone; on Something-Something after a policy, and before boxes of zeros."""
    crops = build_augmentation(get_recipe("videoswin-k400-t"), processor()).frames.transforms
    kinetics = [type(step).__name__ for step in crops]
    assert kinetics == ["ToDtype", "RandomResizedCrop", "RandomHorizontalFlip", "Normalise"]
    steps = build_augmentation(get_recipe("videoswin-ssv2"), processor()).frames.transforms
    assert [type(step).__name__ for step in steps] == [
        "ClipPolicy", "ToDtype", "RandomResizedCrop", "Normalise", "RandomErasing",
    ]  # fmt: skip
    assert steps[-1].p == 0.25 and (steps[2].scale, steps[2].ratio) == ((0.08, 1.0), (3 / 4, 4 / 3))
    clips = [build_augmentation(get_recipe("videoswin-ssv2"), processor())(clip()) for _ in range(3)]
    assert len({tuple(frames.shape) for frames in clips}) == 1
