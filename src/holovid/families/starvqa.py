"""StarVQA (Xing et al. 2021, arXiv:2108.09635): video quality assessment with a TimeSformer.

The recipes are from the released code. Its configuration takes 52 frames with a stride of 16, more than a video of 8
seconds has, so that the last frame is repeated. `starvqa` takes 8 frames spread over the whole video instead;
`starvqa-52` follows the released configuration.
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
LISTED = "a public list of results (wizwand); not checked against the paper's table"
QUALITY = {"quality": 1}
REPORTED = (
    Reported("KoNViD-1k", QUALITY, 52, "SROCC 0.812, in a later listing 0.842", "1 x 3", LISTED),
    Reported("LIVE-VQC", QUALITY, 52, "SROCC 0.732, in a later listing 0.753", "1 x 3", LISTED),
    Reported("LSVQ", QUALITY, 52, "PLCC 0.857", "1 x 3", LISTED),
)

AHEAD = (
    "Other models are ahead of StarVQA. On KoNViD-1k, LIVE-VQC and the test set of LSVQ, DOVER has a PLCC of 0.883, "
    "0.854 and 0.889, and FAST-VQA of 0.855, 0.844 and 0.877 (READMEs of VQAssessment/DOVER and "
    "VQAssessment/FAST-VQA-and-FasterVQA). Published for StarVQA are an SROCC of 0.812 and 0.732 on the first two, "
    "and a PLCC of 0.857 on LSVQ."
)

# TimeSformer's recipe, with more epochs
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
        summary="StarVQA as released: 52 frames from 28 seconds, the last frame repeated if the video is shorter",
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
            about="a TimeSformer that predicts how close the score is to each of a few anchor scores",
            papers=(PAPER,),
            converter="holovid.conversion.from_starvqa:starvqa",
            reported=REPORTED,
            licence="cc-by-nc-4.0",  # of TimeSformer's code, which StarVQA contains; StarVQA's has no licence file
            caveat=AHEAD,
            parity=3,
        ),
    ),
    toy=TOY,
    recipes=RECIPES,
    starts_from={"vit": "from_image_model"},
    explanations={"relevance": "holovid.explanation.relevance_of_axes:DividedAxes"},
)
