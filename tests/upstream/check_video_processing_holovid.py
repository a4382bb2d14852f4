"""HolovidVideoProcessor under transformers' common video-processing tests."""

import unittest

from tests.test_video_processing_common import VideoProcessingTestMixin, prepare_video_inputs

from holovid import HolovidVideoProcessor


class HolovidVideoProcessingTester:
    """Random videos and what they must become; upstream sets `num_frames` and `num_channels` of the videos."""

    batch_size = 5
    num_frames = 9
    num_channels = 3

    def prepare_video_inputs(self, equal_resolution: bool = False, return_tensors: str = "pil") -> list:
        return prepare_video_inputs(
            self.batch_size,
            self.num_frames,
            self.num_channels,
            min_resolution=30,
            max_resolution=80,
            equal_resolution=equal_resolution,
            return_tensors=return_tensors,
        )

    def expected_output_video_shape(self, videos: list) -> list[int]:
        return [4, self.num_channels, 18, 18]


class HolovidVideoProcessingTest(VideoProcessingTestMixin, unittest.TestCase):
    fast_video_processing_class = HolovidVideoProcessor
    test_cast_dtype = True
    video_processor_dict = {  # noqa: RUF012
        "size": {"shortest_edge": 20},
        "crop_size": {"height": 18, "width": 18},
        "num_frames": 4,
        "short_video": "error",  # upstream demands an error for more frames than the video has; our default repeats
    }

    def setUp(self):
        super().setUp()
        self.video_processor_tester = HolovidVideoProcessingTester()
