"""What papers report of their released models, and how near our copies come to those.

Nothing here was measured with holovid, but for how near.
"""

from transformers import PreTrainedConfig

from holovid.facts import ModelFacts
from holovid.families.family import Reported, variant_of

PARITY_COMMAND = "python -m pytest tests/conversion/test_parity.py"
# What no logit of ours differs by from what the released code computed, in tiny models of each kind, as a share of the
# largest logit. `PARITY_COMMAND` compares them.
PARITY_BOUND = "1e-5"


def reported(facts: ModelFacts, config: PreTrainedConfig) -> list[Reported]:
    """What the papers report of models of this family, size, number of classes and frames."""
    return [
        figure
        for figure in variant_of(config).reported
        if figure.fits(config) and (figure.classes, figure.num_frames) == (facts.classes, facts.inputs.num_frames)
    ]
