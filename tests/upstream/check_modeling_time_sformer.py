"""TimeSformer under transformers' common model, configuration and training tests.

Upstream compiles only text models and tries flex attention only on a GPU: for those see
tests/modeling/test_modeling_time_sformer.py.
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

from holovid import TimeSformerConfig, TimeSformerForVideoClassification, TimeSformerModel

# Upstream looks up here which class is a base model and which takes labels; `AutoModel.register` does not fill it in.
MODEL_MAPPING_NAMES["time_sformer"] = "TimeSformerModel"
MODEL_FOR_VIDEO_CLASSIFICATION_MAPPING_NAMES["time_sformer"] = "TimeSformerForVideoClassification"


class TimeSformerModelTester:
    """A tiny model and a batch; upstream reads the attributes. Sizes differ, so a swapped axis fails."""

    batch_size = 5
    num_frames = 4
    image_size = (16, 24)
    patch_size = 8
    num_channels = 3
    hidden_size = 32
    num_hidden_layers = 2
    num_attention_heads = 2  # 16 channels each, the least that flex attention takes
    num_labels = 9
    is_training = True

    def __init__(self, parent: unittest.TestCase, dropout: float = 0.1, **fields):
        self.parent, self.dropout, self.fields = parent, dropout, fields
        frame, clip = 1 + 2 * 3, 1 + 4 * 2 * 3
        kind = fields.get("attention_type", "divided_space_time")
        self.seq_length = frame if kind == "space_only" else clip  # of hidden states
        self.encoder_seq_length = clip if kind == "joint_space_time" else frame  # of attentions
        self.key_length = self.encoder_seq_length

    def get_config(self) -> TimeSformerConfig:
        return TimeSformerConfig(
            image_size=self.image_size,
            patch_size=self.patch_size,
            num_frames=self.num_frames,
            num_channels=self.num_channels,
            hidden_size=self.hidden_size,
            num_hidden_layers=self.num_hidden_layers,
            num_attention_heads=self.num_attention_heads,
            intermediate_size=37,
            hidden_dropout_prob=self.dropout,
            attention_probs_dropout_prob=self.dropout,
            num_labels=self.num_labels,
            **self.fields,
        )

    def prepare_config_and_inputs_for_common(self):
        shape = [self.batch_size, self.num_frames, self.num_channels, *self.image_size]
        return self.get_config(), {"pixel_values_videos": floats_tensor(shape)}


class TimeSformerModelTest(ModelTesterMixin, unittest.TestCase):
    fields: ClassVar[dict] = {"drop_path_rate": 0.1}
    all_model_classes = (TimeSformerModel, TimeSformerForVideoClassification)
    test_resize_embeddings = False  # no vocabulary
    test_can_init_all_missing_weights_before_2023 = True  # run it whatever year the file says

    def setUp(self):
        self.model_tester = TimeSformerModelTester(self, **self.fields)
        self.config_tester = ConfigTester(
            self, config_class=TimeSformerConfig, has_text_modality=False, hidden_size=36
        )

    def test_config(self):
        self.config_tester.run_common_tests()

    def resized_inputs(self, inputs: dict) -> list[dict]:
        longer = {name: value.repeat_interleave(2, dim=1) for name, value in inputs.items()}
        return [*super().resized_inputs(inputs), longer]

    def test_hidden_states_output(self):
        """Overridden: upstream takes hidden states to be as long as what attention reads."""
        with patch.object(self.model_tester, "encoder_seq_length", self.model_tester.seq_length):
            super().test_hidden_states_output()

    def test_model_get_set_embeddings(self):
        """Overridden, as in-tree vision models do: the input embedding is a patch projection, not a vocabulary."""
        for model_class in self.all_model_classes:
            model = model_class(self.model_tester.get_config())
            self.assertIs(model.get_input_embeddings(), model.base_model.embeddings.patch_embeddings)
            self.assertIsNone(model.get_output_embeddings())

    def test_enable_input_require_grads_with_gradient_checkpointing(self):
        """Overridden: upstream wants a weight on the input embedding, ours is one level down. Adapters need this."""
        config, inputs = self.model_tester.prepare_config_and_inputs_for_common()
        inputs = self._prepare_for_class(inputs, TimeSformerForVideoClassification, return_labels=True)
        model = TimeSformerForVideoClassification(config).to(torch_device).train().requires_grad_(False)
        adapted = model.time_sformer.layers[0].attention.q_proj.requires_grad_(True)
        model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": True})
        model.enable_input_require_grads()
        model(**inputs).loss.backward()
        self.assertGreater(adapted.weight.grad.abs().sum(), 0)

    @patch.dict(MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES, {"time_sformer": "TimeSformerForVideoClassification"})
    def test_problem_types(self):
        """Overridden: upstream tries regression and multi-label on image and text classifiers only."""
        super().test_problem_types()


class TimeSformerJointModelTest(TimeSformerModelTest):
    fields: ClassVar[dict] = {"attention_type": "joint_space_time", "qkv_bias": False}


class TimeSformerSpaceOnlyModelTest(TimeSformerModelTest):
    fields: ClassVar[dict] = {"attention_type": "space_only"}


class TimeSformerTrainingTest(TrainingTesterMixin, unittest.TestCase):
    """Upstream's overfitting loop; it calls every batch text, so ours goes in through the text hooks."""

    all_model_classes = (TimeSformerForVideoClassification,)
    model_tester = None

    def setUp(self):
        self.model_tester = TimeSformerModelTester(self, dropout=0.0, vocab_size=None)

    def _get_model_modality(self) -> str:
        return "text"

    def _create_text_training_batch(self, batch_size: int, **unused) -> dict[str, torch.Tensor]:
        _, inputs = self.model_tester.prepare_config_and_inputs_for_common()
        return {name: value[:batch_size].cpu() for name, value in inputs.items()} | {
            "labels": torch.arange(batch_size)
        }
