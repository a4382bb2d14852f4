"""Frames, crops and sizes that AVT sees: those of its released loaders."""

import numpy as np
import pytest
from golden_numbers import golden

from holovid.processing.frame_sampling import sample_frame_indices

SAMPLING = golden("avt/sampling.json")
LAST = [case for case in SAMPLING["cases"] if case["strategy"] == "last_clip"]


@pytest.mark.parametrize("case", LAST, ids=lambda case: f"{case['window_end']} s at {case['fps']} fps")
def test_frames_counted_back_from_the_end(case):
    """Of the video up to the end of the window, its last frame included."""
    total = int(case["window_end"] * case["fps"]) + 1
    found = sample_frame_indices(
        total, "last", case["num_frames"], fps=case["frame_rate"], video_fps=case["fps"], frame_stride=1
    )
    np.testing.assert_array_equal(found, [case["frame_numbers"]])


def test_nothing_is_drawn_and_there_is_one_view():
    drawn = sample_frame_indices(100, "last", 4, frame_stride=10, do_random_sampling=True)
    np.testing.assert_array_equal(drawn, [[69, 79, 89, 99]])
    with pytest.raises(ValueError, match="one view, got num_views=2"):
        sample_frame_indices(100, "last", 4, num_views=2)
    with pytest.raises(ValueError, match="has 30 frames and the sampling spans 31"):
        sample_frame_indices(30, "last", 4, frame_stride=10, short_video="error")
