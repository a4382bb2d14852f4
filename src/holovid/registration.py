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
from importlib import import_module
from types import ModuleType
from typing import Any

from wrapt import when_imported

# the registry of transformers for each kind of model, by how the class is called
REGISTRIES = {
    "Model": "MODEL_MAPPING",
    "ForVideoClassification": "MODEL_FOR_VIDEO_CLASSIFICATION_MAPPING",
    "Backbone": "MODEL_FOR_BACKBONE_MAPPING",
    # transformers has none for numbers of a video, and for what comes next
    "ForVideoQuality": "MODEL_FOR_VIDEO_CLASSIFICATION_MAPPING",
    "ForActionAnticipation": "MODEL_FOR_VIDEO_CLASSIFICATION_MAPPING",
}


def known_families() -> list[Any]:
    from holovid.families.family import families

    return list(families().values())


def module_of(family: Any) -> ModuleType:
    """Where transformers finds the classes of a family, see `__init__.pyi` there."""
    return sys.modules.get(family.package) or import_module(family.package)


@when_imported("transformers.models.auto.configuration_auto")
def enter_configurations(_: ModuleType) -> None:
    # Imported here and below, rather than taken from the argument, as that waits for a thread that is importing it.
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
