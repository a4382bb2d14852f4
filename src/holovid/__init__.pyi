# The public names of holovid and where they are: read by type checkers, and by `__init__.py` for its lazy imports.
from .configuration.configuration_avt import AVTConfig as AVTConfig
from .configuration.configuration_ca2st import CA2STConfig as CA2STConfig
from .configuration.configuration_starvqa import StarVQAConfig as StarVQAConfig
from .configuration.configuration_time_sformer import TimeSformerConfig as TimeSformerConfig
from .configuration.configuration_video_swin import VideoSwinConfig as VideoSwinConfig
from .configuration.configuration_where_when import WhereWhenConfig as WhereWhenConfig
from .configuration.configuration_xvit import XViTConfig as XViTConfig
from .inference.pipeline import VideoClassificationPipeline as VideoClassificationPipeline
from .loading import load as load
from .modeling.modeling_avt import AVTForActionAnticipation as AVTForActionAnticipation
from .modeling.modeling_avt import AVTModel as AVTModel
from .modeling.modeling_ca2st import CA2STForActionRecognition as CA2STForActionRecognition
from .modeling.modeling_ca2st import CA2STForVideoClassification as CA2STForVideoClassification
from .modeling.modeling_ca2st import CA2STModel as CA2STModel
from .modeling.modeling_starvqa import StarVQAForVideoQuality as StarVQAForVideoQuality
from .modeling.modeling_starvqa import StarVQAModel as StarVQAModel
from .modeling.modeling_time_sformer import TimeSformerForVideoClassification as TimeSformerForVideoClassification
from .modeling.modeling_time_sformer import TimeSformerModel as TimeSformerModel
from .modeling.modeling_video_swin import VideoSwinBackbone as VideoSwinBackbone
from .modeling.modeling_video_swin import VideoSwinForVideoClassification as VideoSwinForVideoClassification
from .modeling.modeling_video_swin import VideoSwinModel as VideoSwinModel
from .modeling.modeling_where_when import WhereWhenForVideoClassification as WhereWhenForVideoClassification
from .modeling.modeling_where_when import WhereWhenModel as WhereWhenModel
from .modeling.modeling_xvit import XViTForVideoClassification as XViTForVideoClassification
from .modeling.modeling_xvit import XViTModel as XViTModel
from .modeling.streaming_xvit import XViTStream as XViTStream
from .processing.feature_extraction_holovid import HolovidFeatureExtractor as HolovidFeatureExtractor
from .processing.processing_holovid import HolovidProcessor as HolovidProcessor
from .processing.video_processing_holovid import HolovidVideoProcessor as HolovidVideoProcessor

__all__: list[str]
__version__: str
