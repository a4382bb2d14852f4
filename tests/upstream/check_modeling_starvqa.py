"""StarVQA under transformers' common model, configuration and training tests.

Upstream compiles only text models and tries flex attention only on a GPU, see the tests of TimeSformer, of which it is
made. Upstream takes any class that Auto knows to label videos for one of classes: the labels here are scores.
"""

import tempfile
import unittest
from typing import ClassVar
from unittest.mock import patch

import torch
from tests.test_configuration_common import ConfigTester
from tests.test_modeling_common import ModelTesterMixin, floats_tensor
from tests.test_training_mixin import TrainingTesterMixin
from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES
from transformers.testing_utils import torch_device

from holovid import StarVQAConfig, StarVQAForVideoQuality, StarVQAModel

# Upstream looks up here which class is a base model; `AutoModel.register` does not fill it in.
MODEL_MAPPING_NAMES["starvqa"] = "StarVQAModel"


class StarVQAModelTester:
    """A tiny model and a batch; upstream reads the attributes. Sizes differ, so a swapped axis fails."""

    batch_size = 5
    num_frames = 4
    image_size = (16, 24)
    patch_size = 8
    num_channels = 3
    hidden_size = 32
    num_hidden_layers = 2
    num_attention_heads = 2
    is_training = True

    def __init__(self, parent: unittest.TestCase, dropout: float = 0.1, **fields):
        self.parent, self.dropout, self.fields = parent, dropout, fields
        patches = 2 * 3
        self.seq_length = 1 + self.num_frames * patches  # of hidden_states, (B, 1 + T * S, D)
        self.encoder_seq_length, self.key_length = 1 + patches, 1 + patches  # of attentions, (B * T, N, 1 + S, 1 + S)

    def get_config(self) -> StarVQAConfig:
        return StarVQAConfig(
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
            **self.fields,
        )

    def prepare_config_and_inputs_for_common(self):
        shape = [self.batch_size, self.num_frames, self.num_channels, *self.image_size]
        return self.get_config(), {"pixel_values_videos": floats_tensor(shape)}


class StarVQAModelTest(ModelTesterMixin, unittest.TestCase):
    fields: ClassVar[dict] = {"drop_path_rate": 0.1}
    all_model_classes = (StarVQAModel, StarVQAForVideoQuality)
    test_resize_embeddings = False  # no vocabulary
    test_can_init_all_missing_weights_before_2023 = True  # run it whatever year the file says

    def setUp(self):
        self.model_tester = StarVQAModelTester(self, **self.fields)
        self.config_tester = ConfigTester(self, config_class=StarVQAConfig, has_text_modality=False, hidden_size=36)

    def test_config(self):
        # its classes are the scores that its outputs stand for, whatever num_labels and id2label say
        with (
            patch.object(self.config_tester, "create_and_test_config_with_num_labels"),
            patch.object(self.config_tester, "check_config_arguments_init"),
        ):
            self.config_tester.run_common_tests()

    def _prepare_for_class(self, inputs_dict, model_class, return_labels=False):
        inputs = super()._prepare_for_class(inputs_dict, model_class, return_labels=False)
        if return_labels and model_class is StarVQAForVideoQuality:
            inputs["labels"] = torch.linspace(10, 90, len(inputs["pixel_values_videos"]), device=torch_device)
        return inputs

    def test_hidden_states_output(self):
        """Overridden: upstream takes hidden states for as long as attentions."""
        self.model_tester.encoder_seq_length = self.model_tester.seq_length
        super().test_hidden_states_output()

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

    def test_model_get_set_embeddings(self):
        """Overridden, as in-tree vision models do: the input embedding is a patch projection, not a vocabulary."""
        for model_class in self.all_model_classes:
            model = model_class(self.model_tester.get_config())
            self.assertIs(model.get_input_embeddings(), model.base_model.embeddings.patch_embeddings)
            self.assertIsNone(model.get_output_embeddings())

    def test_enable_input_require_grads_with_gradient_checkpointing(self):
        """Overridden: upstream wants a weight on the input embedding, ours is one level down. Adapters need this."""
        config, inputs = self.model_tester.prepare_config_and_inputs_for_common()
        inputs = self._prepare_for_class(inputs, StarVQAForVideoQuality, return_labels=True)
        model = StarVQAForVideoQuality(config).to(torch_device).train().requires_grad_(False)
        adapted = model.time_sformer.layers[0].attention.q_proj.requires_grad_(True)
        model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": True})
        model.enable_input_require_grads()
        model(**inputs).loss.backward()
        self.assertGreater(adapted.weight.grad.abs().sum(), 0)


class StarVQATrainingTest(TrainingTesterMixin, unittest.TestCase):
    """Upstream's overfitting loop; it calls every batch text, so ours goes in through the text hooks."""

    all_model_classes = (StarVQAForVideoQuality,)
    model_tester = None

    def setUp(self):
        self.model_tester = StarVQAModelTester(self, dropout=0.0, vocab_size=None)

    def _get_model_modality(self) -> str:
        return "text"

    def _create_text_training_batch(self, batch_size: int, **unused) -> dict[str, torch.Tensor]:
        _, inputs = self.model_tester.prepare_config_and_inputs_for_common()
        return {name: value[:batch_size].cpu() for name, value in inputs.items()} | {
            "labels": torch.linspace(10, 90, batch_size)
        }
