"""Public import path of `holovid.training.optimization`."""

from holovid.training.optimization import build_optimizer as build_optimizer
from holovid.training.optimization import build_schedule as build_schedule
