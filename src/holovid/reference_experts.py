"""Public import path of `holovid.conversion.from_experts`."""

from holovid.conversion.from_experts import load_expert as load_expert
