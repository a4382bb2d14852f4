from .measuring import compute_metrics as compute_metrics
from .optimization import build_optimizer as build_optimizer
from .optimization import build_schedule as build_schedule
from .preparation import prepare as prepare
from .trainer import VideoTrainer as VideoTrainer
from .trainer import check_batch as check_batch

__all__: list[str]
