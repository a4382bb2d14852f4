"""Published results of released models, and how closely holovid's models agree with the released code."""

from transformers import PreTrainedConfig

from holovid.facts import ModelFacts
from holovid.families.family import Reported, variant_of

PARITY_COMMAND = "python -m pytest tests/conversion/test_parity.py"
# the largest difference of a logit from the released code's, relative to the largest logit; `PARITY_COMMAND` checks it
PARITY_BOUND = "1e-5"


def reported(facts: ModelFacts, config: PreTrainedConfig) -> list[Reported]:
    """Published results of models with this variant, size, number of classes and number of frames."""
    return [
        figure
        for figure in variant_of(config).reported
        if figure.fits(config) and (figure.classes, figure.num_frames) == (facts.classes, facts.inputs.num_frames)
    ]
