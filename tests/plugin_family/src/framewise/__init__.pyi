from .configuration_framewise import FramewiseConfig as FramewiseConfig
from .modeling_framewise import FramewiseForVideoClassification as FramewiseForVideoClassification
from .modeling_framewise import FramewiseModel as FramewiseModel

__all__: list[str]
