"""Public import path of `holovid.training.preparation`."""

from holovid.training.preparation import prepare as prepare
