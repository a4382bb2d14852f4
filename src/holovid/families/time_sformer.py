"""TimeSformer (Bertasius et al. 2021, arXiv:2102.05095): divided attention over time and over space.

Recipes are from the released configurations and code, published results from the released README.
"""

from typing import Any

from holovid.families.family import KINETICS_400, KINETICS_600, SOMETHING, Family, Paper, Reported, Variant
from holovid.recipes import Recipe

PAPER = Paper(
    "Is Space-Time Attention All You Need for Video Understanding?",
    "https://arxiv.org/abs/2102.05095",
    2021,
    """\
@inproceedings{bertasius2021space,
  title={Is Space-Time Attention All You Need for Video Understanding?},
  author={Bertasius, Gedas and Wang, Heng and Torresani, Lorenzo},
  booktitle={Proceedings of the International Conference on Machine Learning},
  year={2021}
}""",
)

README = "README of the released code"
REPORTED = (
    Reported("Kinetics-400", KINETICS_400, 8, "top-1 77.9, top-5 93.2", "1 x 3", README),
    Reported("Kinetics-400", KINETICS_400, 16, "top-1 79.6, top-5 94.0 at 448 pixels", "1 x 3", README),
    Reported("Kinetics-400", KINETICS_400, 96, "top-1 80.6, top-5 94.7", "1 x 3", README),
    Reported("Kinetics-600", KINETICS_600, 8, "top-1 79.1, top-5 94.4", "1 x 3", README),
    Reported("Kinetics-600", KINETICS_600, 16, "top-1 81.8, top-5 95.8 at 448 pixels", "1 x 3", README),
    Reported("Kinetics-600", KINETICS_600, 96, "top-1 82.2, top-5 95.6", "1 x 3", README),
    Reported("Something-Something v2", SOMETHING, 8, "top-1 59.1, top-5 85.6", "1 x 3", README),
    Reported("Something-Something v2", SOMETHING, 16, "top-1 61.8, top-5 86.9 at 448 pixels", "1 x 3", README),
    Reported("Something-Something v2", SOMETHING, 64, "top-1 62.0, top-5 87.5", "1 x 3", README),
)

SHARED: dict[str, Any] = {
    "family": "time_sformer",
    "optimizer": "sgd",
    "learning_rate": 0.005,
    "reference_batch_size": 64,
    "batch_size": 64,
    "weight_decay": 1e-4,
    "no_decay": "nothing",
    "epochs": 15,
    "warmup_epochs": 0,
    "cosine_from": "never",
    "steps": ((11, 0.1), (14, 0.01)),
    "num_crops": 3,
    "ensemble": "logits",
}
DENSE: dict[str, Any] = {"augmentation": "scaled-crops", "flip": True, "sampling": "dense", "fps": 30}

# The batch is for 8 GPUs; the released README used 32. The Something-Something weights expect BGR frames, as OpenCV
# reads them.
RECIPES = (
    Recipe(
        name="timesformer-k400",
        summary="TimeSformer on Kinetics-400 or 600: 8 frames from 8.5 seconds",
        num_frames=8,
        frame_stride=32,
        model={"drop_path_rate": 0.1},
        **DENSE,
        **SHARED,
    ),
    Recipe(
        name="timesformer-ssv2",
        summary="TimeSformer on Something-Something v2: one frame from each of 8 segments, BGR",
        num_frames=8,
        sampling="segments",
        augmentation="inverse-scaled-crops",
        channel_order="bgr",
        model={"drop_path_rate": 0.1},
        **SHARED,
    ),
    Recipe(
        name="timesformer-hr",
        summary="TimeSformer-HR on Kinetics: 16 frames of 448 x 448",
        num_frames=16,
        frame_stride=16,
        short_sides=(448 / 448, 512 / 448),
        model={"drop_path_rate": 0.1, "image_size": 448},
        **DENSE,
        **SHARED,
    ),
    Recipe(
        name="timesformer-l",
        summary="TimeSformer-L on Kinetics: 96 frames from 12.8 seconds",
        num_frames=96,
        frame_stride=4,
        model={"drop_path_rate": 0.1},
        **DENSE,
        **SHARED,
    ),
)

# a small model that learns the synthetic clips in a minute, as in examples/demo.py
TOY = {
    "image_size": 48,
    "patch_size": 16,
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 128,
    "initializer_range": 0.12,  # about 1 / sqrt(hidden_size); 0.02 is made for a width of 768
    "drop_path_rate": 0.0,
}

FAMILY = Family(
    model_type="time_sformer",
    variants=(
        Variant(
            name="timesformer",
            title="TimeSformer",
            about="an image transformer with divided attention: each patch attends to its own position over "
            "time, and then to its frame",
            papers=(PAPER,),
            converter="holovid.conversion.from_timesformer:timesformer",
            reported=REPORTED,
            licence="cc-by-nc-4.0",
            parity=8,
        ),
    ),
    toy=TOY,
    recipes=RECIPES,
    starts_from={"vit": "from_image_model", "timesformer": "from_transformers"},
    explanations={"relevance": "holovid.explanation.relevance_of_axes:DividedAxes"},
)
