"""One record per model family: names, papers, recipes, converters. Model code is in `modeling`."""

from holovid.families.family import Family as Family
from holovid.families.family import Paper as Paper
from holovid.families.family import Part as Part
from holovid.families.family import Reported as Reported
from holovid.families.family import Variant as Variant
from holovid.families.family import families as families
from holovid.families.family import family_of as family_of
from holovid.families.family import variant_of as variant_of
from holovid.families.family import variants as variants
