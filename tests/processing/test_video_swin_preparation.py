"""Frames and crops as the released Video Swin takes them: its tables, by hand, and its preset."""

import numpy as np
import pytest
import torch
from golden_numbers import golden
from tiny_video_swin import tiny_config

from holovid import HolovidProcessor, HolovidVideoProcessor, VideoSwinConfig
from holovid.evaluation import recipe_protocol
from holovid.processing.frame_sampling import sample_frame_indices
from holovid.recipes import get_recipe

SAMPLING = golden("videoswin/sampling.json")


@pytest.mark.parametrize("case", SAMPLING["clips"], ids=str)
def test_kinetics_as_released(case):
    indices = sample_frame_indices(
        case["total_frames"],
        "spread",
        case["clip_len"],
        frame_stride=case["frame_interval"],
        num_views=case["num_clips"],
    )
    assert indices.tolist() == case["indices"]


@pytest.mark.parametrize("case", SAMPLING["uniform"], ids=str)
def test_something_something_as_released(case):
    indices = sample_frame_indices(case["total_frames"], "segments", case["clip_len"])
    assert indices.tolist() == [case["indices"]]


def test_spread_at_random():
    generator = torch.Generator().manual_seed(0)
    starts = [
        sample_frame_indices(100, "spread", 32, frame_stride=2, do_random_sampling=True, generator=generator)[0]
        for _ in range(2000)
    ]
    assert all(np.diff(indices).tolist() == [2] * 31 for indices in starts)
    first = [int(indices[0]) for indices in starts]
    assert (min(first), max(first)) == (0, 100 - 63 - 1)
    short = sample_frame_indices(50, "spread", 32, frame_stride=2, do_random_sampling=True)
    assert short[0].tolist() == [2 * index % 50 for index in range(32)]
    at_rate = sample_frame_indices(300, "spread", 8, fps=15, video_fps=30, frame_stride=2)
    assert np.diff(at_rate[0]).tolist() == [4] * 7
    with pytest.raises(ValueError, match="has 62 frames and the sampling spans 63"):
        sample_frame_indices(62, "spread", 32, frame_stride=2, short_video="error")


def test_crops_stand_in_the_released_order():
    """Frames of 8 x 13 pixels whose values are their columns: margins of 5, so steps of 2."""
    video = torch.arange(13, dtype=torch.uint8).expand(4, 3, 8, 13)
    processor = HolovidVideoProcessor(
        size={"shortest_edge": 8}, crop_size=8, num_frames=4, crop_order="ends_first", do_normalize=False,
        rescale_factor=1.0,
    )  # fmt: skip
    three = processor(video, num_crops=3, return_tensors="pt")["pixel_values_videos"][0]
    assert three[:, 0, 0, 0, 0].tolist() == [0, 4, 2]
    assert processor(video, return_tensors="pt")["pixel_values_videos"][0, 0, 0, 0, 0] == 2
    tall = processor(video.transpose(2, 3), num_crops=3, return_tensors="pt")["pixel_values_videos"][0]
    assert tall[:, 0, 0, 0, 0].tolist() == [0, 4, 2]
    along = processor(video, num_crops=3, crop_order="along", return_tensors="pt")["pixel_values_videos"][0]
    assert along[:, 0, 0, 0, 0].tolist() == [0, 3, 5]
    with pytest.raises(ValueError, match=r"crop_order must be one of .*'along', 'ends_first'"):
        HolovidVideoProcessor(crop_order="inside out")


def test_preset():
    processor = HolovidProcessor.for_model(VideoSwinConfig()).video_processor
    told = (processor.num_frames, processor.sampling, processor.frame_stride, processor.crop_order)
    assert told == (32, "spread", 2, "ends_first")
    assert np.allclose(np.array(processor.image_mean) * 255, (123.675, 116.28, 103.53))
    assert np.allclose(np.array(processor.image_std) * 255, (58.395, 57.12, 57.375))
    assert HolovidProcessor.for_model(VideoSwinConfig(), sampling="segments").video_processor.sampling == "segments"
    protocol = recipe_protocol(get_recipe("videoswin-k400-t"), VideoSwinConfig())
    assert (protocol.views, protocol.crops, protocol.ensemble) == (4, 3, "probabilities")


def test_views_go_through_a_model():
    processor = HolovidProcessor.for_model(tiny_config()).video_processor
    video = torch.randint(0, 256, (40, 3, 32, 50), dtype=torch.uint8)
    batch = processor(video, num_views=4, num_crops=3, return_tensors="pt")["pixel_values_videos"]
    assert batch.shape == (1, 12, 9, 3, 28, 28)
