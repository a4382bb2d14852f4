"""Public import path of `holovid.inference.watching`."""

from holovid.inference.watching import watch as watch
