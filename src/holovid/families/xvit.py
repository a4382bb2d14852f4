"""XViT (Bulat et al. 2021, arXiv:2106.05968): an image transformer with space-time mixing attention.

Recipes are from the released configurations and code. Where code and paper differ, a recipe follows the code, which
made the published weights, and a comment gives both values.
"""

from typing import Any

from holovid.families.family import KINETICS_400, KINETICS_600, SOMETHING, Family, Paper, Reported, Variant
from holovid.recipes import Recipe

PAPER = Paper(
    "Space-time Mixing Attention for Video Transformer",
    "https://arxiv.org/abs/2106.05968",
    2021,
    """\
@inproceedings{bulat2021space,
  title={Space-time Mixing Attention for Video Transformer},
  author={Bulat, Adrian and Perez-Rua, Juan-Manuel and Sudhakaran, Swathikiran and Martinez, Brais and
          Tzimiropoulos, Georgios},
  booktitle={Advances in Neural Information Processing Systems},
  year={2021}
}""",
)

README = "README of the released code"
TABLE_5, TABLE_6 = f"{PAPER.address}, table 5", f"{PAPER.address}, table 6"
REPORTED = (
    Reported("Kinetics-400", KINETICS_400, 8, "top-1 78.5, top-5 93.7", "1 x 3", TABLE_5),
    Reported("Kinetics-400", KINETICS_400, 16, "top-1 80.2, top-5 94.7", "1 x 3", TABLE_5),
    Reported("Kinetics-600", KINETICS_600, 16, "top-1 84.51, top-5 96.26", "1 x 3", README),
    Reported("Kinetics-600", KINETICS_600, 16, "top-1 84.71, top-5 96.39", "2 x 3", README),
    Reported("Something-Something v2", SOMETHING, 8, "top-1 63.4, top-5 89.6", "1 x 3", TABLE_6),
    Reported("Something-Something v2", SOMETHING, 16, "top-1 65.2, top-5 90.6", "1 x 3", TABLE_6),
    Reported("Something-Something v2", SOMETHING, 16, "top-1 67.19, top-5 91.00", "2 x 3", README),
    Reported("Something-Something v2", SOMETHING, 32, "top-1 65.4, top-5 90.7", "1 x 3", TABLE_6),
)

# The paper says: learning rate 0.05 at a batch of 128 (0.03 on Kinetics), label smoothing 0.3 on Something-Something
# and none on Kinetics, other scales of crops. The code has the values below. Its temporal embedding has 8 vectors for
# 16 frames.
SHARED: dict[str, Any] = {
    "family": "xvit",
    "optimizer": "sgd",
    "learning_rate": 0.03,
    "reference_batch_size": 64,
    "no_decay": "head_biases",
    "batch_size": 64,
    "warmup_epochs": 5,
    "cosine_from": "start",
    "num_frames": 16,
    "num_crops": 3,
    "ensemble": "logits",
}

RECIPES = (
    Recipe(
        name="xvit-k400",
        summary="XViT on Kinetics-400 or 600: dense clips of 16 frames, mixed in two groups of 8",
        weight_decay=1e-5,
        epochs=30,
        warmup_start_rate=0.01,
        label_smoothing=0.3,
        mixup_alpha=0.4,
        augmentation="corner-crops",  # departs where policy v0 blackens frames: `keeping_bits`
        flip=True,
        model={"mix_divisor": 8, "mix_group": 8, "temporal_embedding_length": 8, "classifier_dropout": 0.5},
        sampling="dense",
        frame_stride=16,
        **SHARED,
    ),
    Recipe(
        name="xvit-ssv2",
        summary="XViT on Something-Something v2: one frame from each of 16 segments, mixed over the whole clip",
        weight_decay=1e-4,
        epochs=35,
        warmup_start_rate=0.003,
        augmentation="short-side-crops",
        model={"mix_divisor": 4, "mix_group": 16, "temporal_embedding_length": 8, "classifier_dropout": 0.5},
        sampling="segments",
        num_views=2,
        **SHARED,
    ),
)

# small models that learn the synthetic clips in a minute, as in examples/demo.py
TOY = {
    "image_size": 48,
    "patch_size": 16,
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 128,
    "initializer_range": 0.12,  # about 1 / sqrt(hidden_size); 0.02 is made for a width of 768
    "mix_divisor": 4,
    "temporal_embedding_length": 1,
    "pooling": "mean",
    "classifier_dropout": 0.0,
}

FAMILY = Family(
    model_type="xvit",
    variants=(
        Variant(
            name="xvit",
            title="XViT",
            about="an image transformer with space-time mixing attention: the keys and values of a frame borrow "
            "channels from the frames before and after",
            papers=(PAPER,),
            converter="holovid.conversion.from_xvit:xvit",
            reported=REPORTED,
            parity=8,
        ),
    ),
    toy=TOY,
    recipes=RECIPES,
    starts_from={"vit": "from_image_model"},
    stream="holovid.modeling.streaming_xvit:XViTStream",
    explanations={"relevance": "holovid.explanation.relevance_of_mixing:MixedFrames"},
)
