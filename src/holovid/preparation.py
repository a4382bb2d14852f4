"""A documented path of what is in `holovid.training.preparation`."""

from holovid.training.preparation import prepare as prepare
