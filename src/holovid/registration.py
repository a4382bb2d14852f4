"""Register our classes with transformers' Auto classes, without importing a class before it is used.

`AutoModel.register` takes classes, so calling it here would import all model code of transformers and ours with
holovid, which takes seconds, also for `holovid --help`. Therefore:

- A registry is filled when its module is imported, or at once if it is imported already. Each registry has its own
  import hook (`wrapt`), so that using one does not import the others.
- Configurations and models are registered by name, as transformers does for its own: a table maps `model_type` to the
  class name, and `_modules` says where the class is. transformers imports it at the first lookup. Classes cannot be
  registered here, since transformers imports `modeling_auto` from inside modules that our model code needs.
- Processors are looked up by class name, but only among transformers' own files and registered classes. So they are
  imported and registered with the public API. Their code imports none of the hooked modules, so that no import waits
  for itself, not even with several threads.

Beyond the public API, this uses `_model_mapping` or `_mapping` (the tables), `_modules` and `_reverse_config_mapping`
of the registries; tests/test_registration.py looks everything up in every order of imports.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

from wrapt import when_imported

# ending of a class name -> registry of transformers
REGISTRIES = {
    "Model": "MODEL_MAPPING",
    "ForVideoClassification": "MODEL_FOR_VIDEO_CLASSIFICATION_MAPPING",
    "Backbone": "MODEL_FOR_BACKBONE_MAPPING",
    # transformers has no registries for video quality and anticipation
    "ForVideoQuality": "MODEL_FOR_VIDEO_CLASSIFICATION_MAPPING",
    "ForActionAnticipation": "MODEL_FOR_VIDEO_CLASSIFICATION_MAPPING",
}


def known_families() -> list[Any]:
    from holovid.families.family import families

    return list(families().values())


def module_of(family: Any) -> ModuleType:
    """The package in which transformers finds the classes of a family."""
    return sys.modules.get(family.package) or import_module(family.package)


@when_imported("transformers.models.auto.configuration_auto")
def enter_configurations(_: ModuleType) -> None:
    # imported here and below instead of using the argument: an import waits for a thread that is importing the module
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    for family in known_families():
        CONFIG_MAPPING._mapping[family.model_type] = family.config_name
        CONFIG_MAPPING._modules[family.model_type] = module_of(family)


@when_imported("transformers.models.auto.modeling_auto")
def enter_models(_: ModuleType) -> None:
    from transformers.models.auto import modeling_auto

    for family in known_families():
        for ending, registry in REGISTRIES.items():
            names = [name for name in family.model_names if name.endswith(ending)]
            if names:
                mapping: Any = getattr(modeling_auto, registry)
                mapping._model_mapping[family.model_type] = names[0]
                mapping._modules[family.model_type] = module_of(family)
                mapping._reverse_config_mapping[family.config_name] = family.model_type


@when_imported("transformers.models.auto.video_processing_auto")
def register_video_processor(_: ModuleType) -> None:
    from transformers.models.auto.video_processing_auto import AutoVideoProcessor

    from holovid.processing.video_processing_holovid import HolovidVideoProcessor

    for family in known_families():
        AutoVideoProcessor.register(family.config_class, HolovidVideoProcessor, exist_ok=True)


@when_imported("transformers.models.auto.feature_extraction_auto")
def register_feature_extractor(_: ModuleType) -> None:
    from transformers.models.auto.feature_extraction_auto import AutoFeatureExtractor

    from holovid.processing.feature_extraction_holovid import HolovidFeatureExtractor

    for family in known_families():
        if family.hears:
            AutoFeatureExtractor.register(family.config_class, HolovidFeatureExtractor, exist_ok=True)


@when_imported("transformers.models.auto.processing_auto")
def register_processor(_: ModuleType) -> None:
    from transformers.models.auto.processing_auto import AutoProcessor

    from holovid.processing.processing_holovid import HolovidProcessor

    for family in known_families():
        if family.hears:
            AutoProcessor.register(family.config_class, HolovidProcessor, exist_ok=True)
