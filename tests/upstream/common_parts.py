"""What our testers under transformers' common tests have in common: mixins, in front of which stands no `TestCase`."""

import unittest
from typing import ClassVar
from unittest.mock import patch

import torch
from tests.test_configuration_common import ConfigTester
from tests.test_modeling_common import ModelTesterMixin, floats_tensor
from tests.test_training_mixin import TrainingTesterMixin
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES,
    MODEL_FOR_VIDEO_CLASSIFICATION_MAPPING_NAMES,
    MODEL_MAPPING_NAMES,
)
from transformers.testing_utils import torch_device


def make_known(model: type[PreTrainedModel], head: type[PreTrainedModel] | None = None) -> None:
    """Say which class is a base model, and which one takes labels of classes.

    Upstream looks that up in these tables, and `AutoModel.register` does not fill them in.
    """
    MODEL_MAPPING_NAMES[model.config_class.model_type] = model.__name__
    if head is not None:
        MODEL_FOR_VIDEO_CLASSIFICATION_MAPPING_NAMES[head.config_class.model_type] = head.__name__


class FramesTester:
    """A tiny model and a batch of frames; upstream reads the attributes. Sizes differ, so a swapped axis fails."""

    batch_size = 5
    num_frames = 4
    num_channels = 3
    num_labels = 9
    is_training = True

    def __init__(self, parent: unittest.TestCase, dropout: float = 0.1, **fields):
        self.parent, self.dropout, self.fields = parent, dropout, fields

    def get_config(self) -> PreTrainedConfig:
        raise NotImplementedError

    def sizes(self) -> dict:
        """Fields of the configuration that the attributes say."""
        names = (
            "image_size", "patch_size", "num_frames", "num_channels", "hidden_size", "num_hidden_layers",
            "num_attention_heads",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names} | {"intermediate_size": 37}

    def prepare_config_and_inputs_for_common(self):
        shape = [self.batch_size, self.num_frames, self.num_channels, *self.image_size]
        return self.get_config(), {"pixel_values_videos": floats_tensor(shape)}


class PatchesTester(FramesTester):
    """Of frames that are cut into 2 x 3 patches."""

    config_class: type[PreTrainedConfig]
    image_size = (16, 24)
    patch_size = 8
    patches = 2 * 3
    hidden_size = 32
    num_hidden_layers = 2
    num_attention_heads = 2  # 16 channels each, the least that flex attention takes

    def own_fields(self) -> dict:
        """Fields that this kind of model has beside those of all."""
        return {"num_labels": self.num_labels}

    def get_config(self) -> PreTrainedConfig:
        return self.config_class(
            **self.sizes(),
            hidden_dropout_prob=self.dropout,
            attention_probs_dropout_prob=self.dropout,
            **self.own_fields(),
            **self.fields,
        )


class OurModelTests(ModelTesterMixin):
    """Upstream's tests of models, as far as all of ours change them alike.

    `maker` makes what is tested, with `fields` of its configuration; `config_options` are for the tests of that.
    """

    maker: type[FramesTester]
    fields: ClassVar[dict] = {}
    config_options: ClassVar[dict] = {}
    test_resize_embeddings = False  # no vocabulary
    test_can_init_all_missing_weights_before_2023 = True  # run it whatever year the file says

    def setUp(self):
        self.model_tester = self.maker(self, **self.fields)
        config_class = self.all_model_classes[0].config_class
        self.config_tester = ConfigTester(
            self, config_class=config_class, has_text_modality=False, **self.config_options
        )

    def test_config(self):
        self.config_tester.run_common_tests()

    def patch_embeddings(self, model: PreTrainedModel):
        return model.base_model.embeddings.patch_embeddings

    def test_model_get_set_embeddings(self):
        """Overridden, as in-tree vision models do: the input embedding is a patch projection, not a vocabulary."""
        for model_class in self.all_model_classes:
            model = model_class(self.model_tester.get_config())
            self.assertIs(model.get_input_embeddings(), self.patch_embeddings(model))
            self.assertIsNone(model.get_output_embeddings())


class LabelledTests:
    """Of models whose head labels clips, the second of `all_model_classes`."""

    def test_problem_types(self):
        """Overridden: upstream tries regression and multi-label on image and text classifiers only."""
        head = self.all_model_classes[1]
        with patch.dict(MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES, {head.config_class.model_type: head.__name__}):
            super().test_problem_types()


class ProjectedPatchesTests:
    """Of models whose input embedding holds its weight one level down; `adapted` is a layer in a head that learns."""

    adapted: str

    def test_enable_input_require_grads_with_gradient_checkpointing(self):
        """Overridden: upstream wants a weight on the input embedding, ours is one level down. Adapters need this."""
        config, inputs = self.model_tester.prepare_config_and_inputs_for_common()
        head = self.all_model_classes[1]
        inputs = self._prepare_for_class(inputs, head, return_labels=True)
        model = head(config).to(torch_device).train().requires_grad_(False)
        adapted = model.get_submodule(self.adapted).requires_grad_(True)
        model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": True})
        model.enable_input_require_grads()
        model(**inputs).loss.backward()
        self.assertGreater(adapted.weight.grad.abs().sum(), 0)


class LongerClipsTests:
    """Of models that are exported for any number of frames."""

    def resized_inputs(self, inputs: dict) -> list[dict]:
        longer = {name: value.repeat_interleave(2, dim=1) for name, value in inputs.items()}
        return [*super().resized_inputs(inputs), longer]


class FramesAndClipTests:
    """Of models whose attention reads a frame and whose hidden states are those of a clip."""

    def test_hidden_states_output(self):
        """Overridden: upstream takes hidden states to be as long as what attention reads."""
        with patch.object(self.model_tester, "encoder_seq_length", self.model_tester.seq_length):
            super().test_hidden_states_output()


class OverfittingTests(TrainingTesterMixin):
    """Upstream's overfitting loop; it calls every batch text, so ours goes in through the text hooks."""

    maker: type[FramesTester]
    fields: ClassVar[dict] = {}
    model_tester = None

    def setUp(self):
        self.model_tester = self.maker(self, dropout=0.0, vocab_size=None, **self.fields)

    def labels(self, batch_size: int) -> torch.Tensor:
        return torch.arange(batch_size)

    def _get_model_modality(self) -> str:
        return "text"

    def _create_text_training_batch(self, batch_size: int, **unused) -> dict[str, torch.Tensor]:
        _, inputs = self.model_tester.prepare_config_and_inputs_for_common()
        return {name: value[:batch_size].cpu() for name, value in inputs.items()} | {"labels": self.labels(batch_size)}
