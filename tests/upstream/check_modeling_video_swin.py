"""Video Swin under transformers' common model, configuration, backbone and training tests.

Upstream compiles only text models: for that see tests/modeling/test_modeling_video_swin.py.
"""

import unittest
from typing import ClassVar
from unittest.mock import patch

import torch
from tests.test_configuration_common import ConfigTester
from tests.test_modeling_common import ModelTesterMixin, floats_tensor
from tests.test_training_mixin import TrainingTesterMixin
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES,
    MODEL_FOR_VIDEO_CLASSIFICATION_MAPPING_NAMES,
    MODEL_MAPPING_NAMES,
)
from transformers.testing_utils import torch_device

from holovid import VideoSwinConfig, VideoSwinForVideoClassification, VideoSwinModel

# Upstream looks up here which class is a base model and which takes labels; `AutoModel.register` does not fill it in.
MODEL_MAPPING_NAMES["video_swin"] = "VideoSwinModel"
MODEL_FOR_VIDEO_CLASSIFICATION_MAPPING_NAMES["video_swin"] = "VideoSwinForVideoClassification"


class VideoSwinModelTester:
    """A tiny model and a batch; upstream reads the attributes. Sizes differ, so a swapped axis fails."""

    batch_size = 5
    num_frames = 6
    image_size = (24, 32)
    num_channels = 3
    depths = (1, 2)
    window_size = (2, 3, 2)
    num_labels = 9
    is_training = True
    hidden_size = 32
    num_hidden_layers = 2  # upstream expects a hidden state of each, and the first

    def __init__(self, parent: unittest.TestCase, dropout: float = 0.1, **fields):
        self.parent, self.dropout, self.fields = parent, dropout, fields

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

    def prepare_config_and_inputs_for_common(self):
        shape = [self.batch_size, self.num_frames, self.num_channels, *self.image_size]
        return self.get_config(), {"pixel_values_videos": floats_tensor(shape)}


class VideoSwinModelTest(ModelTesterMixin, unittest.TestCase):
    fields: ClassVar[dict] = {}
    all_model_classes = (VideoSwinModel, VideoSwinForVideoClassification)
    test_resize_embeddings = False  # no vocabulary
    test_can_init_all_missing_weights_before_2023 = True  # run it whatever year the file says

    def setUp(self):
        self.model_tester = VideoSwinModelTester(self, **self.fields)
        self.config_tester = ConfigTester(
            self,
            config_class=VideoSwinConfig,
            has_text_modality=False,
            embed_dim=36,
            common_properties=["image_size", "patch_size", "num_channels"],
        )

    def test_config(self):
        self.config_tester.run_common_tests()

    def test_model_get_set_embeddings(self):
        """Overridden, as in-tree vision models do: the input embedding is a patch projection, not a vocabulary."""
        for model_class in self.all_model_classes:
            model = model_class(self.model_tester.get_config())
            self.assertIs(model.get_input_embeddings(), model.base_model.embeddings.patch_embeddings)
            self.assertIsNone(model.get_output_embeddings())

    def test_enable_input_require_grads_with_gradient_checkpointing(self):
        """Overridden: upstream wants a weight on the input embedding, ours is one level down. Adapters need this."""
        config, inputs = self.model_tester.prepare_config_and_inputs_for_common()
        inputs = self._prepare_for_class(inputs, VideoSwinForVideoClassification, return_labels=True)
        model = VideoSwinForVideoClassification(config).to(torch_device).train().requires_grad_(False)
        adapted = model.video_swin.stages[0].layers[0].attention.q_proj.requires_grad_(True)
        model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": True})
        model.enable_input_require_grads()
        model(**inputs).loss.backward()
        self.assertGreater(adapted.weight.grad.abs().sum(), 0)

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

    @patch.dict(MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES, {"video_swin": "VideoSwinForVideoClassification"})
    def test_problem_types(self):
        """Overridden: upstream tries regression and multi-label on image and text classifiers only."""
        super().test_problem_types()


class VideoSwinOtherModelTest(VideoSwinModelTest):
    """Everything the default leaves off: no norm of patches, no bias, a scale of its own."""

    fields: ClassVar[dict] = {"patch_norm": False, "qkv_bias": False, "qk_scale": 0.3, "drop_path_rate": 0.0}


class VideoSwinTrainingTest(TrainingTesterMixin, unittest.TestCase):
    """Upstream's overfitting loop; it calls every batch text, so ours goes in through the text hooks."""

    all_model_classes = (VideoSwinForVideoClassification,)
    model_tester = None

    def setUp(self):
        self.model_tester = VideoSwinModelTester(self, dropout=0.0, drop_path_rate=0.0, vocab_size=None)

    def _get_model_modality(self) -> str:
        return "text"

    def _create_text_training_batch(self, batch_size: int, **unused) -> dict[str, torch.Tensor]:
        _, inputs = self.model_tester.prepare_config_and_inputs_for_common()
        return {name: value[:batch_size].cpu() for name, value in inputs.items()} | {
            "labels": torch.arange(batch_size)
        }
