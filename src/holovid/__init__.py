"""holovid: space-time video transformers as first-class Hugging Face models.

Importing it registers configurations, models and processors with transformers' Auto classes; nothing else happens.
"""

from transformers import AutoConfig, AutoModel, AutoModelForVideoClassification

from holovid.configuration.configuration_xvit import XViTConfig
from holovid.modeling.modeling_xvit import XViTForVideoClassification, XViTModel

AutoConfig.register("xvit", XViTConfig, exist_ok=True)
AutoModel.register(XViTConfig, XViTModel, exist_ok=True)
AutoModelForVideoClassification.register(XViTConfig, XViTForVideoClassification, exist_ok=True)

__version__ = "0.1.0"

__all__ = ["XViTConfig", "XViTForVideoClassification", "XViTModel"]
