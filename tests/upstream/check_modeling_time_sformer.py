"""TimeSformer under transformers' common model, configuration and training tests.

Upstream compiles only text models and tries flex attention only on a GPU: for those see
tests/modeling/test_modeling_time_sformer.py.
"""

import unittest
from typing import ClassVar

from common_parts import (
    FramesAndClipTests,
    LabelledTests,
    LongerClipsTests,
    OurModelTests,
    OverfittingTests,
    PatchesTester,
    ProjectedPatchesTests,
    make_known,
)

from holovid import TimeSformerConfig, TimeSformerForVideoClassification, TimeSformerModel

make_known(TimeSformerModel, TimeSformerForVideoClassification)


class TimeSformerModelTester(PatchesTester):
    config_class = TimeSformerConfig

    def __init__(self, parent: unittest.TestCase, dropout: float = 0.1, **fields):
        super().__init__(parent, dropout, **fields)
        frame, clip = 1 + self.patches, 1 + self.num_frames * self.patches
        kind = fields.get("attention_type", "divided_space_time")
        self.seq_length = frame if kind == "space_only" else clip  # of hidden states
        self.encoder_seq_length = clip if kind == "joint_space_time" else frame  # of attentions
        self.key_length = self.encoder_seq_length


class TimeSformerModelTest(
    FramesAndClipTests, LongerClipsTests, LabelledTests, ProjectedPatchesTests, OurModelTests, unittest.TestCase
):
    maker = TimeSformerModelTester
    fields: ClassVar[dict] = {"drop_path_rate": 0.1}
    config_options: ClassVar[dict] = {"hidden_size": 36}
    all_model_classes = (TimeSformerModel, TimeSformerForVideoClassification)
    adapted = "time_sformer.layers.0.attention.q_proj"


class TimeSformerJointModelTest(TimeSformerModelTest):
    fields: ClassVar[dict] = {"attention_type": "joint_space_time", "qkv_bias": False}


class TimeSformerSpaceOnlyModelTest(TimeSformerModelTest):
    fields: ClassVar[dict] = {"attention_type": "space_only"}


class TimeSformerTrainingTest(OverfittingTests, unittest.TestCase):
    maker = TimeSformerModelTester
    all_model_classes = (TimeSformerForVideoClassification,)
