"""What upstream's common tests import and their archive leaves out, written for this project (a pytest plugin).

Text generation has nothing to do with our models. Export is real: `torch.export` through transformers' own exporter.
"""

import sys
from types import ModuleType

import torch
from transformers import set_seed
from transformers.exporters.exporter_dynamo import DynamoConfig, DynamoExporter
from transformers.testing_utils import torch_device


class GenerationTesterMixin:
    """Upstream only asks whether a tester inherits this; a model that cannot generate must not."""


class ExportTesterMixin:
    """A base class of upstream's `ModelTesterMixin`."""

    def resized_inputs(self, inputs: dict) -> list[dict]:
        """What a model exported with dynamic shapes must also take."""
        return [{name: value[:-1] for name, value in inputs.items()}]

    def check_export(self, dynamic: bool):
        """Export each model and compare the program with the model; when dynamic, also on inputs of other sizes."""
        if not self.test_torch_exportable:
            self.skipTest("test_torch_exportable is False")
        for model_class in self.all_model_classes:
            with self.subTest(model_class.__name__):
                config, inputs = self.model_tester.prepare_config_and_inputs_for_common()
                inputs = self._prepare_for_class(inputs, model_class)
                set_seed(0)
                model = model_class(config).to(torch_device).eval()
                exported = DynamoExporter().export(model, inputs, config=DynamoConfig(dynamic=dynamic))
                for batch in [inputs, *(self.resized_inputs(inputs) if dynamic else [])]:
                    with torch.no_grad():
                        expected = model(**batch)
                        actual = exported.program.module()(**batch)
                    self.assertEqual(list(actual), list(expected))
                    for name in expected:
                        torch.testing.assert_close(actual[name], expected[name], rtol=1e-4, atol=1e-5)

    def test_export(self):
        self.check_export(dynamic=False)

    def test_export_with_dynamic_shapes(self):
        self.check_export(dynamic=True)


def url_to_local_path(url: str) -> str:
    """Upstream keeps copies of its media; they are for chat templates, which our processors do not have."""
    return url


# fields every configuration accepts and keeps, none at its default
config_common_kwargs = {
    "architectures": ["AnyModel"],
    "chunk_size_feed_forward": 5,
    "dtype": "float16",
    "id2label": {0: "left", 1: "right", 2: "up"},
    "is_encoder_decoder": True,
    "label2id": {"left": 0, "right": 1, "up": 2},
    "name_or_path": "any/model",
    "output_attentions": True,
    "output_hidden_states": True,
    "problem_type": "regression",
    "return_dict": False,
}

for module, contents in {
    "fetch_hub_objects_for_ci": {"url_to_local_path": url_to_local_path},
    "tests.exporters.test_export": {"ExportTesterMixin": ExportTesterMixin},
    "tests.generation.test_utils": {"GenerationTesterMixin": GenerationTesterMixin},
    "tests.utils.test_configuration_utils": {"config_common_kwargs": config_common_kwargs},
}.items():
    sys.modules[module] = ModuleType(module)
    vars(sys.modules[module]).update(contents)
