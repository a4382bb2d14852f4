"""A documented path of what is in `holovid.inference.export`."""

from holovid.inference.export import export as export
