"""CAST, CAVA and CA²ST under transformers' common model, configuration and training tests.

Upstream compiles only text models and tries flex attention only on a GPU: for those see
tests/modeling/test_modeling_ca2st.py.
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

from holovid import CA2STConfig, CA2STForActionRecognition, CA2STForVideoClassification, CA2STModel

# Upstream looks up here which class is a base model and which takes labels; `AutoModel.register` does not fill it in.
MODEL_MAPPING_NAMES["ca2st"] = "CA2STModel"
MODEL_FOR_VIDEO_CLASSIFICATION_MAPPING_NAMES["ca2st"] = "CA2STForVideoClassification"


class CA2STModelTester:
    """A tiny model and a batch; upstream reads the attributes. Sizes differ, so a swapped axis fails."""

    batch_size = 7  # upstream enlarges smaller ones, with numbers that are no mask
    num_frames = 6
    image_size = 16
    patch_size = 8
    num_channels = 3
    hidden_size = 64
    num_hidden_layers = 2
    num_attention_heads = 2  # 16 channels each in the bottleneck, the least that flex attention takes
    num_labels = 9
    audio_frames = 26
    num_mel_bins = 20
    is_training = True
    seq_length = 1 + 2 * 2  # of hidden_states, the space expert's (B, T, S, D)

    def __init__(self, parent: unittest.TestCase, dropout: float = 0.1, **fields):
        self.parent, self.dropout, self.fields = parent, dropout, fields
        self.num_hidden_states_types = 1 + len(fields["experts"])  # the standard one, and each expert's by name

    def get_config(self) -> CA2STConfig:
        return CA2STConfig(
            image_size=self.image_size,
            patch_size=self.patch_size,
            num_frames=self.num_frames,
            num_channels=self.num_channels,
            hidden_size=self.hidden_size,
            num_hidden_layers=self.num_hidden_layers,
            num_attention_heads=self.num_attention_heads,
            intermediate_size=37,
            audio_frames=self.audio_frames,
            num_mel_bins=self.num_mel_bins,
            audio_patch_size=8,
            audio_stride=6,
            attention_probs_dropout_prob=self.dropout,
            classifier_dropout=self.dropout,
            num_labels=self.num_labels,
            num_verbs=4,
            num_nouns=6,
            **self.fields,
        )

    def prepare_config_and_inputs_for_common(self):
        config = self.get_config()
        frames = [self.batch_size, self.num_frames, self.num_channels, self.image_size, self.image_size]
        inputs = {"pixel_values_videos": floats_tensor(frames)}
        if "audio" in config.experts:
            inputs["input_values"] = floats_tensor([self.batch_size, self.audio_frames, self.num_mel_bins])
            inputs["audio_mask"] = torch.arange(self.batch_size, device=torch_device) != 2
        return config, inputs


class CASTModelTest(ModelTesterMixin, unittest.TestCase):
    fields: ClassVar[dict] = {"experts": ["space", "time"], "drop_path_rate": 0.1}
    additional_model_inputs = ("input_values", "audio_mask")
    all_model_classes = (CA2STModel, CA2STForVideoClassification, CA2STForActionRecognition)
    test_resize_embeddings = False  # no vocabulary
    test_can_init_all_missing_weights_before_2023 = True  # run it whatever year the file says

    def setUp(self):
        self.model_tester = CA2STModelTester(self, **self.fields)
        self.config_tester = ConfigTester(self, config_class=CA2STConfig, has_text_modality=False, hidden_size=48)

    def test_config(self):
        self.config_tester.run_common_tests()

    def _prepare_for_class(self, inputs_dict: dict, model_class: type, return_labels: bool = False) -> dict:
        inputs = super()._prepare_for_class(inputs_dict, model_class, return_labels)
        if return_labels and model_class is CA2STForActionRecognition:
            labels = torch.zeros(self.model_tester.batch_size, dtype=torch.long, device=torch_device)
            inputs |= {"verb_labels": labels, "noun_labels": labels}
        return inputs

    def test_model_get_set_embeddings(self):
        """Overridden, as in-tree vision models do: the input embedding is a patch projection, not a vocabulary."""
        for model_class in self.all_model_classes:
            model = model_class(self.model_tester.get_config())
            self.assertIs(model.get_input_embeddings(), model.base_model.embeddings["space"].projection)
            self.assertIsNone(model.get_output_embeddings())

    @patch.dict(MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES, {"ca2st": "CA2STForVideoClassification"})
    def test_problem_types(self):
        """Overridden: upstream tries regression and multi-label on image and text classifiers only."""
        super().test_problem_types()


class CAVAModelTest(CASTModelTest):
    fields: ClassVar[dict] = {"experts": ["space", "audio"]}


class CA2STModelTest(CASTModelTest):
    fields: ClassVar[dict] = {"experts": ["space", "time", "audio"]}


class CA2STTrainingTest(TrainingTesterMixin, unittest.TestCase):
    """Upstream's overfitting loop; it calls every batch text, so ours goes in through the text hooks."""

    all_model_classes = (CA2STForVideoClassification,)
    model_tester = None

    def setUp(self):
        self.model_tester = CA2STModelTester(self, dropout=0.0, vocab_size=None, experts=["space", "time", "audio"])

    def _get_model_modality(self) -> str:
        return "text"

    def _create_text_training_batch(self, batch_size: int, **unused) -> dict[str, torch.Tensor]:
        _, inputs = self.model_tester.prepare_config_and_inputs_for_common()
        return {name: value[:batch_size].cpu() for name, value in inputs.items()} | {
            "labels": torch.arange(batch_size)
        }
