"""XViT under transformers' common model, configuration and training tests.

Upstream compiles only text models and tries flex attention only on a GPU: for those see
tests/modeling/test_modeling_xvit.py.
"""

import unittest
from typing import ClassVar

from common_parts import (
    LabelledTests,
    LongerClipsTests,
    OurModelTests,
    OverfittingTests,
    PatchesTester,
    ProjectedPatchesTests,
    make_known,
)

from holovid import XViTConfig, XViTForVideoClassification, XViTModel

make_known(XViTModel, XViTForVideoClassification)


class XViTModelTester(PatchesTester):
    config_class = XViTConfig
    seq_length = 1 + PatchesTester.patches  # of hidden_states, (B, T, S, D)

    def __init__(self, parent: unittest.TestCase, dropout: float = 0.1, **fields):
        super().__init__(parent, dropout, **fields)
        self.key_length = self.seq_length + self.num_frames * fields.get("num_summary_tokens", 0)

    def own_fields(self) -> dict:
        return super().own_fields() | {"classifier_dropout": self.dropout}


class XViTModelTest(LongerClipsTests, LabelledTests, ProjectedPatchesTests, OurModelTests, unittest.TestCase):
    maker = XViTModelTester
    fields: ClassVar[dict] = {
        "drop_path_rate": 0.1,
        "pooler_output_size": 128,  # so that torch's initial classifier bias stays below upstream's 0.1
    }
    config_options: ClassVar[dict] = {"hidden_size": 36}
    all_model_classes = (XViTModel, XViTForVideoClassification)
    adapted = "xvit.layers.0.attention.q_proj"


class XViTMeanPoolingModelTest(XViTModelTest):
    """Everything the default leaves off: mean pooling, summary tokens, slices per head, a wider window, groups."""

    fields: ClassVar[dict] = {
        "pooling": "mean",
        "num_summary_tokens": 1,
        "mix_per_head": True,
        "mix_divisor": 4,
        "mix_window": 2,
        "mix_group": 2,
        "mix_layers": [1],
    }


class XViTTrainingTest(OverfittingTests, unittest.TestCase):
    maker = XViTModelTester
    all_model_classes = (XViTForVideoClassification,)
