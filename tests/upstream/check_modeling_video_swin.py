"""Video Swin under transformers' common model, configuration, backbone and training tests.

Upstream compiles only text models: for that see tests/modeling/test_modeling_video_swin.py.
"""

import unittest
from typing import ClassVar

import torch
from common_parts import (
    FramesTester,
    LabelledTests,
    OurModelTests,
    OverfittingTests,
    ProjectedPatchesTests,
    make_known,
)
from transformers.testing_utils import torch_device

from holovid import VideoSwinConfig, VideoSwinForVideoClassification, VideoSwinModel

make_known(VideoSwinModel, VideoSwinForVideoClassification)


class VideoSwinModelTester(FramesTester):
    num_frames = 6
    image_size = (24, 32)
    depths = (1, 2)
    window_size = (2, 3, 2)
    hidden_size = 32
    num_hidden_layers = 2  # upstream expects a hidden state of each, and the first

    def get_config(self) -> VideoSwinConfig:
        return VideoSwinConfig(
            image_size=self.image_size,
            num_frames=self.num_frames,
            num_channels=self.num_channels,
            embed_dim=16,
            depths=self.depths,
            num_heads=(2, 4),
            window_size=self.window_size,
            hidden_dropout_prob=self.dropout,
            attention_probs_dropout_prob=self.dropout,
            classifier_dropout=self.dropout,
            num_labels=self.num_labels,
            **self.fields,
        )


class VideoSwinModelTest(LabelledTests, ProjectedPatchesTests, OurModelTests, unittest.TestCase):
    maker = VideoSwinModelTester
    config_options: ClassVar[dict] = {
        "embed_dim": 36, "common_properties": ["image_size", "patch_size", "num_channels"]
    }  # fmt: skip
    all_model_classes = (VideoSwinModel, VideoSwinForVideoClassification)
    adapted = "video_swin.stages.0.layers.0.attention.q_proj"

    def test_attention_outputs(self):
        """Overridden, as Swin's own: windows have tokens of their own, and there are more layers than stages."""
        config, inputs = self.model_tester.prepare_config_and_inputs_for_common()
        config._attn_implementation = "eager"
        for model_class in self.all_model_classes:
            model = model_class(config).to(torch_device).eval()
            with torch.no_grad():
                asked = model(**self._prepare_for_class(inputs, model_class), output_attentions=True).attentions
                self.assertIsNone(model(**self._prepare_for_class(inputs, model_class)).attentions)
            shapes = [list(weights.shape[1:]) for weights in asked]
            self.assertEqual(shapes, [[2, 12, 12], [4, 12, 12], [4, 12, 12]])

    def test_hidden_states_output(self):
        """Overridden, as Swin's own: each stage has another size."""
        config, inputs = self.model_tester.prepare_config_and_inputs_for_common()
        for model_class in self.all_model_classes:
            model = model_class(config).to(torch_device).eval()
            with torch.no_grad():
                states = model(**self._prepare_for_class(inputs, model_class), output_hidden_states=True).hidden_states
            shapes = [list(state.shape[1:]) for state in states]
            self.assertEqual(shapes, [[3, 6, 8, 16], [3, 6, 8, 16], [3, 3, 4, 32]])

    def test_retain_grad_hidden_states_attentions(self):
        """Overridden: weights are sorted by clip for the output, which is a copy of what is multiplied."""
        config, inputs = self.model_tester.prepare_config_and_inputs_for_common()
        model = VideoSwinModel(config).to(torch_device)
        outputs = model(**self._prepare_for_class(inputs, VideoSwinModel), output_hidden_states=True)
        outputs.hidden_states[0].retain_grad()
        outputs.last_hidden_state.flatten()[0].backward()
        self.assertIsNotNone(outputs.hidden_states[0].grad)


class VideoSwinOtherModelTest(VideoSwinModelTest):
    """Everything the default leaves off: no norm of patches, no bias, a scale of its own."""

    fields: ClassVar[dict] = {"patch_norm": False, "qkv_bias": False, "qk_scale": 0.3, "drop_path_rate": 0.0}


class VideoSwinTrainingTest(OverfittingTests, unittest.TestCase):
    maker = VideoSwinModelTester
    fields: ClassVar[dict] = {"drop_path_rate": 0.0}
    all_model_classes = (VideoSwinForVideoClassification,)
