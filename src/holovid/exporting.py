"""Public import path of `holovid.inference.export`."""

from holovid.inference.export import export as export
