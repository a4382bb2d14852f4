"""WhereWhen under transformers' common model, configuration and training tests.

Hidden states and attentions are those of the layers in which frames and steps of sound read one another.
"""

import unittest
from typing import ClassVar

import torch
from common_parts import FramesTester, LabelledTests, OurModelTests, OverfittingTests, make_known
from tests.test_modeling_common import floats_tensor
from transformers import ASTConfig, ViTConfig
from transformers.testing_utils import torch_device

from holovid import WhereWhenConfig, WhereWhenForVideoClassification, WhereWhenModel

make_known(WhereWhenModel, WhereWhenForVideoClassification)


class WhereWhenModelTester(FramesTester):
    batch_size = 7  # upstream enlarges smaller ones, with numbers that are no mask
    image_size = (16, 24)
    audio_frames = 26
    num_mel_bins = 20
    seq_length = encoder_seq_length = key_length = FramesTester.num_frames + 4  # and steps of sound
    hidden_size = 32
    num_hidden_layers = 2
    num_attention_heads = 2  # 16 channels each, the least that flex attention takes

    def get_config(self) -> WhereWhenConfig:
        sizes = {
            "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 37,
            "hidden_dropout_prob": self.dropout, "attention_probs_dropout_prob": self.dropout,
        }  # fmt: skip
        return WhereWhenConfig(
            visual_config=ViTConfig(image_size=self.image_size, patch_size=8, hidden_size=48, **sizes),
            audio_config=ASTConfig(
                max_length=self.audio_frames, num_mel_bins=self.num_mel_bins, patch_size=8, time_stride=6,
                frequency_stride=5, hidden_size=40, **sizes,
            ),
            num_frames=self.num_frames, hidden_size=self.hidden_size, classifier_dropout=self.dropout,
            modality_dropout=0.0, num_labels=self.num_labels, **sizes, **self.fields,
        )  # fmt: skip

    def prepare_config_and_inputs_for_common(self):
        config, inputs = super().prepare_config_and_inputs_for_common()
        inputs["input_values"] = floats_tensor([self.batch_size, self.audio_frames, self.num_mel_bins])
        inputs["audio_mask"] = torch.arange(self.batch_size, device=torch_device) != 2
        return config, inputs


class WhereWhenModelTest(OurModelTests, LabelledTests, unittest.TestCase):
    maker = WhereWhenModelTester
    additional_model_inputs = ("input_values", "audio_mask")
    config_options: ClassVar[dict] = {"hidden_size": 36}
    all_model_classes = (WhereWhenModel, WhereWhenForVideoClassification)

    @unittest.skip(
        "transformers renames an old ViT's tensors; the ViT inside of ours has its new names from the start"
    )
    def test_reverse_loading_mapping(self):
        pass

    def patch_embeddings(self, model):
        return model.base_model.visual_encoder.model.get_input_embeddings()


class WhereWhenTrainingTest(OverfittingTests, unittest.TestCase):
    maker = WhereWhenModelTester
    all_model_classes = (WhereWhenForVideoClassification,)
