"""CAST, CAVA and CA²ST under transformers' common model, configuration and training tests.

Upstream compiles only text models and tries flex attention only on a GPU: for those see
tests/modeling/test_modeling_ca2st.py.
"""

import unittest
from typing import ClassVar

import torch
from common_parts import FramesTester, LabelledTests, OurModelTests, OverfittingTests, make_known
from tests.test_modeling_common import floats_tensor
from transformers.testing_utils import torch_device

from holovid import CA2STConfig, CA2STForActionRecognition, CA2STForVideoClassification, CA2STModel

make_known(CA2STModel, CA2STForVideoClassification)


class CA2STModelTester(FramesTester):
    batch_size = 7  # upstream enlarges smaller ones, with numbers that are no mask
    num_frames = 6
    image_size = 16
    patch_size = 8
    hidden_size = 64
    num_hidden_layers = 2
    num_attention_heads = 2  # 16 channels each in the bottleneck, the least that flex attention takes
    audio_frames = 26
    num_mel_bins = 20
    seq_length = 1 + 2 * 2  # of hidden_states, the space expert's (B, T, S, D)

    def __init__(self, parent: unittest.TestCase, dropout: float = 0.1, **fields):
        super().__init__(parent, dropout, **fields)
        self.num_hidden_states_types = 1 + len(fields["experts"])  # the standard one, and each expert's by name

    def get_config(self) -> CA2STConfig:
        return CA2STConfig(
            **self.sizes(),
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


class CASTModelTest(LabelledTests, OurModelTests, unittest.TestCase):
    maker = CA2STModelTester
    fields: ClassVar[dict] = {"experts": ["space", "time"], "drop_path_rate": 0.1}
    additional_model_inputs = ("input_values", "audio_mask")
    all_model_classes = (CA2STModel, CA2STForVideoClassification, CA2STForActionRecognition)
    config_options: ClassVar[dict] = {"hidden_size": 48}

    def _prepare_for_class(self, inputs_dict: dict, model_class: type, return_labels: bool = False) -> dict:
        inputs = super()._prepare_for_class(inputs_dict, model_class, return_labels)
        if return_labels and model_class is CA2STForActionRecognition:
            labels = torch.zeros(self.model_tester.batch_size, dtype=torch.long, device=torch_device)
            inputs |= {"verb_labels": labels, "noun_labels": labels}
        return inputs

    def patch_embeddings(self, model):
        return model.base_model.embeddings["space"].projection


class CAVAModelTest(CASTModelTest):
    fields: ClassVar[dict] = {"experts": ["space", "audio"]}


class CA2STModelTest(CASTModelTest):
    fields: ClassVar[dict] = {"experts": ["space", "time", "audio"]}


class CA2STTrainingTest(OverfittingTests, unittest.TestCase):
    maker = CA2STModelTester
    fields: ClassVar[dict] = {"experts": ["space", "time", "audio"]}
    all_model_classes = (CA2STForVideoClassification,)
