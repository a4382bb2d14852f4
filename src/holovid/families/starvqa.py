"""StarVQA (Xing et al. 2021, arXiv:2108.09635): how good a video looks, by a TimeSformer.

The recipe is the released code. Its configuration has 52 frames, 16 apart, of which a video of 8 seconds does not have
as many: the last one is shown again. Ours are 8 spread over the whole video; `starvqa-52` has the released ones.
"""

from typing import Any

from holovid.families.family import Family, Paper, Reported, Variant
from holovid.families.time_sformer import SHARED as TIMESFORMER
from holovid.families.time_sformer import TOY
from holovid.recipes import Recipe

PAPER = Paper(
    "StarVQA: Space-Time Attention for Video Quality Assessment",
    "https://arxiv.org/abs/2108.09635",
    2021,
    """\
@inproceedings{xing2022starvqa,
  title={StarVQA: Space-Time Attention for Video Quality Assessment},
  author={Xing, Fengchuang and Wang, Yuan-Gen and Wang, Hanpin and Li, Leida and Zhu, Guopu},
  booktitle={IEEE International Conference on Image Processing},
  year={2022}
}""",
)
LISTED = "a list of results of others (wizwand); the paper's table could not be read"
QUALITY = {"quality": 1}
REPORTED = (
    Reported("KoNViD-1k", QUALITY, 52, "SROCC 0.812, in a later listing 0.842", "1 x 3", LISTED),
    Reported("LIVE-VQC", QUALITY, 52, "SROCC 0.732, in a later listing 0.753", "1 x 3", LISTED),
    Reported("LSVQ", QUALITY, 52, "PLCC 0.857", "1 x 3", LISTED),
)

AHEAD = (
    "Others are ahead of StarVQA: on KoNViD-1k, LIVE-VQC and LSVQ's test set DOVER has a PLCC of 0.883, 0.854 and "
    "0.889, FAST-VQA of 0.855, 0.844 and 0.877 (README of VQAssessment/DOVER, VQAssessment/FAST-VQA-and-FasterVQA), "
    "where an SROCC of 0.812 and 0.732 and a PLCC of 0.857 are known of StarVQA."
)

# as TimeSformer, longer
SHARED: dict[str, Any] = TIMESFORMER | {
    "family": "starvqa",
    "epochs": 25,
    "steps": ((11, 0.1), (20, 0.01)),
    "augmentation": "scaled-crops",
    "flip": True,
    "model": {"drop_path_rate": 0.1},
}
RECIPES = (
    Recipe(
        name="starvqa",
        summary="StarVQA on rated videos: 8 frames spread over the whole video",
        num_frames=8,
        sampling="uniform",
        **SHARED,
    ),
    Recipe(
        name="starvqa-52",
        summary="StarVQA as its code is configured: 52 frames out of 28 seconds, the last one again at the end",
        num_frames=52,
        sampling="dense",
        frame_stride=16,
        fps=30,
        **SHARED,
    ),
)

FAMILY = Family(
    model_type="starvqa",
    variants=(
        Variant(
            name="starvqa",
            title="StarVQA",
            about="a TimeSformer whose class token becomes a vector that says how near the score is to each of a few "
            "anchors",
            papers=(PAPER,),
            converter="holovid.conversion.from_starvqa:starvqa",
            reported=REPORTED,
            licence="cc-by-nc-4.0",  # of TimeSformer's code, which it is made of; its own has no licence file
            caveat=AHEAD,
            parity=3,
        ),
    ),
    toy=TOY,
    recipes=RECIPES,
    starts_from={"vit": "from_image_model"},
    explanations={"relevance": "holovid.explanation.relevance_of_axes:DividedAxes"},
)
