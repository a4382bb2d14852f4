"""HolovidFeatureExtractor under transformers' common feature-extraction tests."""

import unittest

import numpy as np
from tests.test_sequence_feature_extraction_common import SequenceFeatureExtractionTestMixin

from holovid import HolovidFeatureExtractor


class HolovidFeatureExtractionTester:
    """Waveforms of growing length; upstream reads the attributes."""

    batch_size = 7
    min_seq_length = 400
    max_seq_length = 2000
    seq_length_diff = (2000 - 400) // (7 - 1)
    feature_size = 1

    def prepare_feat_extract_dict(self) -> dict:
        return {"sampling_rate": 16_000, "num_mel_bins": 40, "audio_frames": 30, "mean": -4.0, "std": 3.0}

    def prepare_inputs_for_common(self, equal_length: bool = False, numpify: bool = False) -> list:
        random = np.random.default_rng(0)
        lengths = range(self.min_seq_length, self.max_seq_length, self.seq_length_diff)
        waveforms = [random.random(self.max_seq_length if equal_length else length) for length in lengths]
        return waveforms if numpify else [waveform.tolist() for waveform in waveforms]


class HolovidFeatureExtractionTest(SequenceFeatureExtractionTestMixin, unittest.TestCase):
    feature_extraction_class = HolovidFeatureExtractor

    def setUp(self):
        self.feat_extract_tester = HolovidFeatureExtractionTester()
