"""StarVQA under transformers' common model, configuration and training tests.

Upstream compiles only text models and tries flex attention only on a GPU, see the tests of TimeSformer, of which it is
made. Upstream takes any class that Auto knows to label videos for one of classes: the labels here are scores.
"""

import tempfile
import unittest
from typing import ClassVar
from unittest.mock import patch

import torch
from common_parts import (
    FramesAndClipTests,
    OurModelTests,
    OverfittingTests,
    PatchesTester,
    ProjectedPatchesTests,
    make_known,
)
from tests.test_configuration_common import config_common_kwargs
from transformers.testing_utils import torch_device

from holovid import StarVQAConfig, StarVQAForVideoQuality, StarVQAModel

make_known(StarVQAModel)
# a model's classes are the scores that its outputs stand for, whatever these say
DERIVED = ("id2label", "label2id")


class StarVQAModelTester(PatchesTester):
    config_class = StarVQAConfig
    seq_length = 1 + PatchesTester.num_frames * PatchesTester.patches  # of hidden_states, (B, 1 + T * S, D)
    encoder_seq_length = key_length = 1 + PatchesTester.patches  # of attentions, (B * T, N, 1 + S, 1 + S)

    def own_fields(self) -> dict:
        return {}


class StarVQAModelTest(FramesAndClipTests, ProjectedPatchesTests, OurModelTests, unittest.TestCase):
    maker = StarVQAModelTester
    fields: ClassVar[dict] = {"drop_path_rate": 0.1}
    config_options: ClassVar[dict] = {"hidden_size": 36}
    all_model_classes = (StarVQAModel, StarVQAForVideoQuality)
    adapted = "time_sformer.layers.0.attention.q_proj"

    def test_config(self):
        settable = {name: value for name, value in config_common_kwargs.items() if name not in DERIVED}
        with (
            patch.object(self.config_tester, "create_and_test_config_with_num_labels"),
            patch.dict(config_common_kwargs, settable, clear=True),
        ):
            super().test_config()

    def _prepare_for_class(self, inputs_dict, model_class, return_labels=False):
        inputs = super()._prepare_for_class(inputs_dict, model_class, return_labels=False)
        if return_labels and model_class is StarVQAForVideoQuality:
            inputs["labels"] = torch.linspace(10, 90, len(inputs["pixel_values_videos"]), device=torch_device)
        return inputs

    def test_can_load_ignoring_mismatched_shapes(self):
        """Overridden: upstream has another number of classes; here it is of anchors."""
        model = StarVQAForVideoQuality(self.model_tester.get_config())
        with tempfile.TemporaryDirectory() as folder:
            model.save_pretrained(folder)
            other = {"anchors": (0, 1, 2)}
            with self.assertRaises(RuntimeError):
                StarVQAForVideoQuality.from_pretrained(folder, **other)
            loaded = StarVQAForVideoQuality.from_pretrained(folder, ignore_mismatched_sizes=True, **other)
        self.assertEqual(loaded.classifier.out_proj.out_features, 3)
        self.assertTrue(torch.equal(loaded.classifier.dense.weight, model.classifier.dense.weight))


class StarVQATrainingTest(OverfittingTests, unittest.TestCase):
    maker = StarVQAModelTester
    all_model_classes = (StarVQAForVideoQuality,)

    def labels(self, batch_size: int) -> torch.Tensor:
        return torch.linspace(10, 90, batch_size)
