"""HolovidProcessor, with and without hearing, under transformers' common processor tests."""

import unittest

import numpy as np
from tests.test_processing_common import ProcessorTesterMixin

from holovid import HolovidProcessor, HolovidVideoProcessor


class HolovidProcessorTest(ProcessorTesterMixin, unittest.TestCase):
    processor_class = HolovidProcessor
    audio_config = {"audio_frames": 30, "num_mel_bins": 40}  # noqa: RUF012
    audio_input_name = "input_values"

    @classmethod
    def _setup_video_processor(cls) -> HolovidVideoProcessor:
        return HolovidVideoProcessor(
            size={"shortest_edge": 20},
            crop_size={"height": 18, "width": 18},
            num_frames=4,
            audio_config=cls.audio_config,
            load_audio_from_video=False,  # upstream gives frames, which carry no sound
        )

    @staticmethod
    def does_processor_return_mm_offsets(processor_class, method_name: str) -> bool:
        """Overridden: upstream takes a mixin that comes before `ProcessorMixin` for it. There is no text here."""
        return False

    def prepare_audio_inputs(self, batch_size: int | None = None):
        """Overridden: a waveform says its rate."""
        waveform = {"array": np.random.default_rng(0).random(4000), "sampling_rate": 16_000}
        return waveform if batch_size is None else [waveform] * batch_size


class HolovidProcessorWithoutHearingTest(HolovidProcessorTest):
    audio_config = None

    def prepare_audio_inputs(self, batch_size: int | None = None):
        return None
