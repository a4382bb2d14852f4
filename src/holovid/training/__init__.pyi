from .optimization import build_optimizer as build_optimizer
from .optimization import build_schedule as build_schedule
from .preparation import prepare as prepare
from .trainer import VideoTrainer as VideoTrainer
from .trainer import check_batch as check_batch
from .trainer import measure as measure

__all__: list[str]
