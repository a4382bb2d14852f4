"""AVT under transformers' common model, configuration and training tests.

Hidden states and attentions are those of the decoder, a step for each frame. Labels are of one class: what comes next
is no regression, and has not several answers.
"""

import unittest
from typing import ClassVar

from common_parts import FramesTester, OurModelTests, OverfittingTests, make_known
from transformers import ViTConfig

from holovid import AVTConfig, AVTForActionAnticipation, AVTModel

make_known(AVTModel, AVTForActionAnticipation)


class AVTModelTester(FramesTester):
    image_size = (16, 24)
    seq_length = encoder_seq_length = key_length = FramesTester.num_frames
    hidden_size = 32  # of the decoder, as the next two
    num_hidden_layers = 2
    num_attention_heads = 2  # 16 channels each, the least that flex attention takes

    def get_config(self) -> AVTConfig:
        backbone = ViTConfig(
            image_size=self.image_size, patch_size=8, hidden_size=48, num_hidden_layers=2, num_attention_heads=3,
            intermediate_size=40, hidden_dropout_prob=self.dropout, attention_probs_dropout_prob=self.dropout,
        )  # fmt: skip
        return AVTConfig(
            backbone_config=backbone, num_frames=self.num_frames, head_hidden_size=self.hidden_size,
            head_num_hidden_layers=self.num_hidden_layers, head_num_attention_heads=self.num_attention_heads,
            head_intermediate_size=37, max_position_embeddings=16, head_dropout=self.dropout,
            classifier_dropout=self.dropout, num_labels=self.num_labels, **self.fields,
        )  # fmt: skip


class AVTModelTest(OurModelTests, unittest.TestCase):
    maker = AVTModelTester
    config_options: ClassVar[dict] = {"head_hidden_size": 36}
    all_model_classes = (AVTModel, AVTForActionAnticipation)

    @unittest.skip(
        "transformers renames an old ViT's tensors; the ViT inside of ours has its new names from the start"
    )
    def test_reverse_loading_mapping(self):
        pass

    def patch_embeddings(self, model):
        return model.base_model.frames.model.get_input_embeddings()


class AVTTrainingTest(OverfittingTests, unittest.TestCase):
    maker = AVTModelTester
    fields: ClassVar[dict] = {"feature_weight": 0.0}  # what follows is learned by heart, features of noise are not
    all_model_classes = (AVTForActionAnticipation,)
