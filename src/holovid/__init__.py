"""holovid: space-time video transformers as first-class Hugging Face models.

Importing it registers configurations, models and processors with transformers' Auto classes; nothing else happens.
"""

from transformers import AutoConfig, AutoModel, AutoModelForVideoClassification, AutoVideoProcessor

from holovid.configuration.configuration_xvit import XViTConfig
from holovid.modeling.modeling_xvit import XViTForVideoClassification, XViTModel
from holovid.pipelines import VideoClassificationPipeline
from holovid.processing.video_processing_holovid import HolovidVideoProcessor

AutoConfig.register("xvit", XViTConfig, exist_ok=True)
AutoModel.register(XViTConfig, XViTModel, exist_ok=True)
AutoModelForVideoClassification.register(XViTConfig, XViTForVideoClassification, exist_ok=True)
AutoVideoProcessor.register(XViTConfig, HolovidVideoProcessor, exist_ok=True)

__version__ = "0.1.0"

__all__ = [
    "HolovidVideoProcessor",
    "VideoClassificationPipeline",
    "XViTConfig",
    "XViTForVideoClassification",
    "XViTModel",
]
