"""holovid: space-time video transformers as first-class Hugging Face models.

Importing it registers configurations, models and processors with transformers' Auto classes; nothing else happens.
"""

from transformers import (
    AutoConfig,
    AutoFeatureExtractor,
    AutoModel,
    AutoModelForVideoClassification,
    AutoProcessor,
    AutoVideoProcessor,
)

from holovid.configuration.configuration_ca2st import CA2STConfig
from holovid.configuration.configuration_xvit import XViTConfig
from holovid.modeling.modeling_ca2st import CA2STForActionRecognition, CA2STForVideoClassification, CA2STModel
from holovid.modeling.modeling_xvit import XViTForVideoClassification, XViTModel
from holovid.modeling.streaming_xvit import XViTStream, XViTStreamOutput
from holovid.pipelines import VideoClassificationPipeline
from holovid.processing.feature_extraction_holovid import HolovidFeatureExtractor
from holovid.processing.processing_holovid import HolovidProcessor
from holovid.processing.video_processing_holovid import HolovidVideoProcessor

for config, model, classifier in (
    (XViTConfig, XViTModel, XViTForVideoClassification),
    (CA2STConfig, CA2STModel, CA2STForVideoClassification),
):
    AutoConfig.register(config.model_type, config, exist_ok=True)
    AutoModel.register(config, model, exist_ok=True)
    AutoModelForVideoClassification.register(config, classifier, exist_ok=True)
    AutoVideoProcessor.register(config, HolovidVideoProcessor, exist_ok=True)
# For one family is enough: where a saved processor names its class, that is found whatever the family.
AutoFeatureExtractor.register(CA2STConfig, HolovidFeatureExtractor, exist_ok=True)
AutoProcessor.register(CA2STConfig, HolovidProcessor, exist_ok=True)

__version__ = "0.1.0"

__all__ = [
    "CA2STConfig",
    "CA2STForActionRecognition",
    "CA2STForVideoClassification",
    "CA2STModel",
    "HolovidFeatureExtractor",
    "HolovidProcessor",
    "HolovidVideoProcessor",
    "VideoClassificationPipeline",
    "XViTConfig",
    "XViTForVideoClassification",
    "XViTModel",
    "XViTStream",
    "XViTStreamOutput",
]
