"""The papers: how to cite them, what they report of their released models, and how near our copies come to those.

Nothing here was measured with holovid, but for `PARITY`.
"""

from dataclasses import dataclass

from holovid.facts import ModelFacts


@dataclass(frozen=True)
class Paper:
    title: str
    address: str
    bibtex: str


XVIT = Paper(
    "Space-time Mixing Attention for Video Transformer",
    "https://arxiv.org/abs/2106.05968",
    """\
@inproceedings{bulat2021space,
  title={Space-time Mixing Attention for Video Transformer},
  author={Bulat, Adrian and Perez-Rua, Juan-Manuel and Sudhakaran, Swathikiran and Martinez, Brais and
          Tzimiropoulos, Georgios},
  booktitle={Advances in Neural Information Processing Systems},
  year={2021}
}""",
)
CAST = Paper(
    "CAST: Cross-Attention in Space and Time for Video Action Recognition",
    "https://arxiv.org/abs/2311.18825",
    """\
@inproceedings{lee2023cast,
  title={{CAST}: Cross-Attention in Space and Time for Video Action Recognition},
  author={Lee, Dongho and Lee, Jongseo and Choi, Jinwoo},
  booktitle={Advances in Neural Information Processing Systems},
  year={2023}
}""",
)
CA2ST = Paper(
    "CA²ST: Cross-Attention in Audio, Space, and Time for Holistic Video Recognition",
    "https://arxiv.org/abs/2503.23447",
    """\
@article{lee2025ca2st,
  title={{CA$^2$ST}: Cross-Attention in Audio, Space, and Time for Holistic Video Recognition},
  author={Lee, Jongseo and Chang, Joohyun and Lee, Dongho and Choi, Jinwoo},
  journal={arXiv preprint arXiv:2503.23447},
  year={2025}
}""",
)
PAPERS = {"XViT": (XVIT,), "CAST": (CAST, CA2ST), "CAVA": (CA2ST,), "CA²ST": (CA2ST,)}


@dataclass(frozen=True)
class Reported:
    """A figure of others: accuracies in percent of a model with so many classes and frames, seen in `views`."""

    dataset: str
    classes: dict[str, int]
    num_frames: int
    accuracy: str
    views: str
    source: str


KINETICS_400, KINETICS_600, SOMETHING = {"label": 400}, {"label": 600}, {"label": 174}
EPIC_KITCHENS = {"verb": 97, "noun": 300}
README = "README of the released code"
OF_XVIT, OF_CAST = XVIT.address, CAST.address
BOARD = "public leaderboards; not checked against the paper"

REPORTED = {
    "XViT": (
        Reported("Kinetics-400", KINETICS_400, 8, "top-1 78.5, top-5 93.7", "1 x 3", f"{OF_XVIT}, table 5"),
        Reported("Kinetics-400", KINETICS_400, 16, "top-1 80.2, top-5 94.7", "1 x 3", f"{OF_XVIT}, table 5"),
        Reported("Kinetics-600", KINETICS_600, 16, "top-1 84.51, top-5 96.26", "1 x 3", README),
        Reported("Kinetics-600", KINETICS_600, 16, "top-1 84.71, top-5 96.39", "2 x 3", README),
        Reported("Something-Something v2", SOMETHING, 8, "top-1 63.4, top-5 89.6", "1 x 3", f"{OF_XVIT}, table 6"),
        Reported("Something-Something v2", SOMETHING, 16, "top-1 65.2, top-5 90.6", "1 x 3", f"{OF_XVIT}, table 6"),
        Reported("Something-Something v2", SOMETHING, 16, "top-1 67.19, top-5 91.00", "2 x 3", README),
        Reported("Something-Something v2", SOMETHING, 32, "top-1 65.4, top-5 90.7", "1 x 3", f"{OF_XVIT}, table 6"),
    ),
    "CAST": (
        Reported("Something-Something v2", SOMETHING, 16, "top-1 71.6", "2 x 3", OF_CAST),
        Reported("Kinetics-400", KINETICS_400, 16, "top-1 85.3", "5 x 3", OF_CAST),
        Reported(
            "EPIC-KITCHENS-100", EPIC_KITCHENS, 16, "top-1 of verbs 72.5, nouns 60.9, actions 49.3", "2 x 3", OF_CAST
        ),
    ),
    "CAVA": (Reported("VGG-Sound", {"label": 309}, 16, "top-1 68.2", "not stated", BOARD),),
    "CA²ST": (
        Reported("VGG-Sound", {"label": 309}, 16, "top-1 68.3", "not stated", BOARD),
        Reported("UCF-101, 3 splits", {"label": 101}, 16, "top-1 97.2", "not stated", BOARD),
    ),
}

PARITY_COMMAND = "python examples/benchmark/parity.py"
# Tiny models of each kind whose logits the released code computed, and what none of ours differs by, as a share of the
# largest logit. `PARITY_COMMAND` prints the differences, and a test compares them with this.
PARITY = {"XViT": 8, "CAST": 6, "CAVA": 8, "CA²ST": 8}
PARITY_BOUND = "1e-5"


def reported(facts: ModelFacts, hidden_size: int, num_hidden_layers: int) -> list[Reported]:
    """What the papers report of models of this family, size, number of classes and frames: all are B/16."""
    if (hidden_size, num_hidden_layers) != (768, 12):
        return []
    return [
        figure
        for figure in REPORTED[facts.family]
        if (figure.classes, figure.num_frames) == (facts.classes, facts.inputs.num_frames)
    ]
