"""How the released TimeSformer prepared clips: which frames, which crops, which colours (golden/timesformer)."""

import numpy as np
import pytest
import torch
from golden_numbers import golden

from holovid import HolovidProcessor, HolovidVideoProcessor, TimeSformerConfig
from holovid.data.augmentation import RandomShortSide, build_augmentation
from holovid.processing.frame_sampling import sample_frame_indices
from holovid.recipes import get_recipe

TABLES = golden("timesformer/sampling.json")


@pytest.mark.parametrize("case", TABLES["cases"], ids=lambda case: f"{case['num_frames_video']}-{case['T']}")
def test_dense_frames(case):
    indices = sample_frame_indices(
        case["num_frames_video"], "dense", case["T"], fps=30, video_fps=case["fps"],
        frame_stride=case["sampling_rate"], num_views=case["num_clips"],
    )  # fmt: skip
    assert indices[case["clip_idx"]].tolist() == case["indices"]


@pytest.mark.parametrize("case", TABLES["ssv2_val"], ids=lambda case: f"{case['video_length']}-{case['T']}")
def test_frames_of_segments(case):
    assert sample_frame_indices(case["video_length"], "segments", case["T"])[0].tolist() == case["val_indices"]


@pytest.mark.parametrize("case", TABLES["spatial_three_crops (y,x) for crop index 0,1,2"], ids=str)
def test_three_crops(case):
    """A picture whose red says the row and whose green the column, cut as the table says."""
    height, width = case["H"], case["W"]
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    frames = torch.stack((rows, columns, rows * 0)).float()[None]
    processor = HolovidVideoProcessor(
        size={"shortest_edge": case["short_side"]}, crop_size={"height": case["crop"], "width": case["crop"]},
        num_crops=3, do_rescale=False, do_normalize=False, do_sample_frames=False,
    )  # fmt: skip
    crops = processor(frames, return_tensors="pt").pixel_values_videos[0, :, 0]
    tall, wide = case["resized"]
    resized = torch.nn.functional.interpolate(frames, size=(tall, wide), mode="bilinear", align_corners=False)[0]
    for crop, (top, left) in zip(crops, case["offsets"], strict=True):
        expected = resized[:, top : top + case["crop"], left : left + case["crop"]]
        torch.testing.assert_close(crop, expected, rtol=0, atol=1e-3)


def test_the_processor_of_a_model():
    processor = HolovidProcessor.for_model(TimeSformerConfig(num_frames=4, image_size=32)).video_processor
    assert list(processor.image_mean) == [0.45] * 3 and list(processor.image_std) == [0.225] * 3
    black = torch.zeros(4, 3, 32, 32, dtype=torch.uint8)
    pixels = processor(black, return_tensors="pt").pixel_values_videos
    torch.testing.assert_close(pixels, torch.full((1, 4, 3, 32, 32), -2.0))


def test_blue_before_red(tmp_path):
    colours = torch.tensor([10, 20, 30], dtype=torch.uint8)
    frames = colours.view(1, 3, 1, 1).expand(4, -1, 32, 32)
    config = TimeSformerConfig(num_frames=4, image_size=32)
    processor = HolovidProcessor.for_model(config, image_mean=[0.1, 0.2, 0.3], channel_order="bgr")
    processor.save_pretrained(tmp_path)
    expected = (colours / 255 - torch.tensor([0.1, 0.2, 0.3])) / 0.225
    for prepare in (processor, HolovidProcessor.from_pretrained(tmp_path)):
        pixels = prepare(frames, return_tensors="pt").pixel_values_videos
        torch.testing.assert_close(pixels[0, 0, :, 0, 0], expected.flip(0))
        pixels = prepare(frames, channel_order="rgb", return_tensors="pt").pixel_values_videos
        torch.testing.assert_close(pixels[0, 0, :, 0, 0], expected)
    bare = processor(frames, do_rescale=False, do_normalize=False, return_tensors="pt").pixel_values_videos
    assert bare[0, 0, :, 0, 0].tolist() == [30, 20, 10]
    for recipe in ("timesformer-ssv2", "timesformer-k400", "small"):  # a plain colour stays plain, wherever it is cut
        augment = build_augmentation(get_recipe(recipe), processor)
        torch.testing.assert_close(augment(frames)[0, :, 16, 16], expected.flip(0), rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="channel_order must be"):
        processor(frames, channel_order="gbr")


def test_short_sides_as_released():
    torch.manual_seed(0)
    frames = torch.zeros(1, 3, 30, 40)
    even, inverse = (RandomShortSide(256, 320, inverse=inverse) for inverse in (False, True))
    # the mean of 1 / u over u even from 1 / 320 to 1 / 256
    for draw, mean in ((even, 288.0), (inverse, np.log(320 / 256) / (1 / 256 - 1 / 320))):
        sizes = [tuple(draw(frames).shape[-2:]) for _ in range(400)]
        sides = [height for height, _ in sizes]
        assert 256 <= min(sides) < 260 and 316 < max(sides) <= 320
        assert abs(np.mean(sides) - mean) < 3
        assert all(width == int(height * 40 / 30) for height, width in sizes)
    for recipe, bounds in (("timesformer-k400", (256, 320)), ("timesformer-hr", (448, 512))):
        settings = get_recipe(recipe).model.get("image_size", 224)
        processor = HolovidProcessor.for_model(TimeSformerConfig(image_size=settings))
        (step,) = (
            step for step in build_augmentation(get_recipe(recipe), processor).frames.transforms
            if isinstance(step, RandomShortSide)
        )  # fmt: skip
        assert (step.smallest, step.largest) == pytest.approx(bounds) and not step.inverse
