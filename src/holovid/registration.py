"""Our classes in the registries of transformers' Auto classes, without importing one before it is used.

`AutoModel.register` takes classes, so calling it here would import all of transformers' model code and ours whenever
holovid is imported: seconds, also for `holovid --help`. Therefore:

- Nothing is registered before the module that holds a registry is imported; if it is there already, at once. Each
  registry has a hook of its own (`wrapt`), so that nobody pays for the others.
- Configurations and models are entered by name, as transformers enters its own: a table says which class belongs to a
  `model_type`, and `_modules` where that class is. transformers imports it at the first lookup. Classes could not be
  entered here: transformers imports `modeling_auto` from the middle of modules that our model code needs whole.
- Processors are found by the name of their class, for which transformers looks only among its own files and the
  classes that were registered. So these are imported and registered, with the public API. Their code imports none of
  the modules waited for, so that no import waits for itself, in several threads either.

What this takes of transformers beyond its public API are `_model_mapping` or `_mapping` (the tables), `_modules` and
`_reverse_config_mapping` of its registries; tests/test_registration.py looks everything up in every order of imports.
"""

import sys
from types import ModuleType
from typing import Any

from wrapt import when_imported

CONFIGURATIONS = {"ca2st": "CA2STConfig", "xvit": "XViTConfig"}
MODELS = {
    "MODEL_MAPPING": {"ca2st": "CA2STModel", "xvit": "XViTModel"},
    "MODEL_FOR_VIDEO_CLASSIFICATION_MAPPING": {
        "ca2st": "CA2STForVideoClassification",
        "xvit": "XViTForVideoClassification",
    },
}
HOLOVID = sys.modules["holovid"]  # where transformers finds the classes, see `__init__.pyi`


@when_imported("transformers.models.auto.configuration_auto")
def enter_configurations(_: ModuleType) -> None:
    # Imported here and below, rather than taken from the argument, as that waits for a thread that is importing it.
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    CONFIG_MAPPING._mapping.update(CONFIGURATIONS)
    CONFIG_MAPPING._modules.update(dict.fromkeys(CONFIGURATIONS, HOLOVID))


@when_imported("transformers.models.auto.modeling_auto")
def enter_models(_: ModuleType) -> None:
    from transformers.models.auto import modeling_auto

    for registry, names in MODELS.items():
        mapping: Any = getattr(modeling_auto, registry)
        mapping._model_mapping.update(names)
        mapping._modules.update(dict.fromkeys(names, HOLOVID))
        mapping._reverse_config_mapping.update({CONFIGURATIONS[family]: family for family in names})


@when_imported("transformers.models.auto.video_processing_auto")
def register_video_processor(_: ModuleType) -> None:
    from transformers.models.auto.video_processing_auto import AutoVideoProcessor

    from holovid.configuration.configuration_ca2st import CA2STConfig
    from holovid.configuration.configuration_xvit import XViTConfig
    from holovid.processing.video_processing_holovid import HolovidVideoProcessor

    for config in (CA2STConfig, XViTConfig):
        AutoVideoProcessor.register(config, HolovidVideoProcessor, exist_ok=True)


# For one family is enough below: where a saved processor names its class, that is found whatever the family.
@when_imported("transformers.models.auto.feature_extraction_auto")
def register_feature_extractor(_: ModuleType) -> None:
    from transformers.models.auto.feature_extraction_auto import AutoFeatureExtractor

    from holovid.configuration.configuration_ca2st import CA2STConfig
    from holovid.processing.feature_extraction_holovid import HolovidFeatureExtractor

    AutoFeatureExtractor.register(CA2STConfig, HolovidFeatureExtractor, exist_ok=True)


@when_imported("transformers.models.auto.processing_auto")
def register_processor(_: ModuleType) -> None:
    from transformers.models.auto.processing_auto import AutoProcessor

    from holovid.configuration.configuration_ca2st import CA2STConfig
    from holovid.processing.processing_holovid import HolovidProcessor

    AutoProcessor.register(CA2STConfig, HolovidProcessor, exist_ok=True)
