"""A documented path of what is in `holovid.inference.watching`."""

from holovid.inference.watching import watch as watch
