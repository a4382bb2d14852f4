"""Public import path of `holovid.conversion.convert`."""

from holovid.conversion.convert import convert as convert
from holovid.conversion.convert import from_reference as from_reference
