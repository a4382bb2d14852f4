"""A documented path of what is in `holovid.training.optimization`."""

from holovid.training.optimization import build_optimizer as build_optimizer
from holovid.training.optimization import build_schedule as build_schedule
