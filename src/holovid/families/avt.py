"""AVT (Girdhar and Grauman 2021, arXiv:2106.02036): action anticipation with a causal decoder over frame features.

Recipes are from the released configurations, published results from the released README.
"""

from typing import Any

from holovid.families.family import Family, Paper, Reported, Variant
from holovid.recipes import Recipe

PAPER = Paper(
    "Anticipative Video Transformer",
    "https://arxiv.org/abs/2106.02036",
    2021,
    """\
@inproceedings{girdhar2021anticipative,
  title={Anticipative Video Transformer},
  author={Girdhar, Rohit and Grauman, Kristen},
  booktitle={IEEE/CVF International Conference on Computer Vision},
  year={2021}
}""",
)

README = "README of the released code"
EPIC_100, EPIC_55, EGTEA, SALADS = {"label": 3806}, {"label": 2513}, {"label": 106}, {"label": 17}
AVT_B = {"head_hidden_size": 2048, "feature_size": None}  # frames through a ViT
REPORTED = (
    Reported("EPIC-KITCHENS-100", EPIC_100, 10, "class-mean recall@5 14.9", "1 x 1", README, AVT_B),
    Reported("EPIC-KITCHENS-100", EPIC_100, 10, "class-mean recall@5 13.6 from TSN features", "1 x 1", README,
             {"feature_size": 1024}),
    Reported("EPIC-KITCHENS-100", EPIC_100, 10, "class-mean recall@5 8.7 from features of objects", "1 x 1", README,
             {"feature_size": 352}),
    Reported("EPIC-KITCHENS-100", EPIC_100, 10, "class-mean recall@5 12.8 from irCSN-152 features", "1 x 1", README,
             {"feature_size": 2048}),
    Reported("EPIC-KITCHENS-55", EPIC_55, 10, "top-1 12.5, top-5 30.1, class-mean recall@5 13.6", "1 x 1", README,
             AVT_B),
    Reported("EPIC-KITCHENS-55", EPIC_55, 10, "top-1 13.1, top-5 28.1, class-mean recall@5 13.5 from TSN features",
             "1 x 1", README, {"feature_size": 1024}),
    Reported("EPIC-KITCHENS-55", EPIC_55, 10,
             "top-1 14.4, top-5 31.7, class-mean recall@5 13.2 from irCSN-152 features", "1 x 1", README,
             {"feature_size": 2048}),
    Reported("EGTEA Gaze+", EGTEA, 10, "top-1 43.0, class-mean top-1 35.2", "1 x 1", README, AVT_B),
    Reported("EGTEA Gaze+", EGTEA, 10, "top-1 39.8, class-mean top-1 28.3 from TSN features", "1 x 1", README,
             {"feature_size": 1024}),
    Reported("50 Salads", SALADS, 10, "top-1 48.0, 5 folds", "1 x 1", README, AVT_B),
)  # fmt: skip

SHARED: dict[str, Any] = {
    "family": "avt",
    "no_decay": "nothing",
    "cosine_from": "warmup",
    "num_frames": 10,
    "sampling": "last",
    "fps": 1,
    "num_crops": 3,
    "evaluation_flips": True,
    "ensemble": "logits",
}
FRAMES: dict[str, Any] = {
    "augmentation": "scaled-crops",
    "short_sides": (248 / 224, 280 / 224),
    "flip": True,
}
SGD: dict[str, Any] = {"optimizer": "sgd", "reference_batch_size": 3, "batch_size": 96}

# Learning rates are for the batch of one GPU. The number of GPUs is known for EPIC-KITCHENS-100 only: 32, with 3 clips
# each.
RECIPES = (
    Recipe(
        name="avt-ek100",
        summary="AVT-b on EPIC-KITCHENS-100: 10 frames at 1 fps, up to a second before the action",
        learning_rate=1e-4,
        weight_decay=1e-6,
        epochs=50,
        warmup_epochs=20,
        model={"classifier_dropout": 0.2, "anticipation_seconds": 1.0, "observation_seconds": 10.0},
        **SGD,
        **FRAMES,
        **SHARED,
    ),
    Recipe(
        name="avt-ek100-long",
        summary="AVT-b on EPIC-KITCHENS-100, from 15 seconds of video",
        learning_rate=1e-4,
        weight_decay=1e-6,
        epochs=70,
        warmup_epochs=20,
        model={"classifier_dropout": 0.2, "anticipation_seconds": 1.0, "observation_seconds": 15.0},
        **SGD,
        **FRAMES,
        **SHARED | {"num_frames": 15},
    ),
    Recipe(
        name="avt-ek55",
        summary="AVT-b on EPIC-KITCHENS-55",
        learning_rate=1e-4,
        weight_decay=1e-4,
        epochs=35,
        warmup_epochs=5,
        final_rate=5e-9,
        model={"classifier_dropout": 0.8, "anticipation_seconds": 1.0, "observation_seconds": 20.0},
        **SGD,
        **FRAMES,
        **SHARED,
    ),
    Recipe(
        name="avt-egtea",
        summary="AVT-b on EGTEA Gaze+: up to half a second before the action, a small decoder",
        learning_rate=5e-4,
        weight_decay=1e-6,
        epochs=10,
        warmup_epochs=5,
        model={
            "anticipation_seconds": 0.5, "observation_seconds": 10.0, "past_weight": 0.1, "head_num_hidden_layers": 2,
        },
        **SGD,
        **FRAMES,
        **SHARED,
    ),
    Recipe(
        name="avt-50salads",
        summary="AVT-b on 50 Salads: one frame every two seconds",
        optimizer="adam",
        learning_rate=5e-7,
        reference_batch_size=2,
        batch_size=2,
        weight_decay=1e-4,
        epochs=200,
        warmup_epochs=0,
        model={
            "anticipation_seconds": 1.0, "observation_seconds": 20.0, "frame_rate": 0.5, "head_num_hidden_layers": 8,
            "head_num_attention_heads": 8,
        },
        **FRAMES,
        **SHARED | {"fps": 0.5},
    ),
)  # fmt: skip

# a small model that learns the synthetic clips in a minute
TOY = {
    "frame_rate": 8.0,
    "observation_seconds": 1.0,
    "feature_weight": 0.1,  # with 1 the features of an untrained image model collapse
    "linear_initializer_range": 0.12,
    "backbone_config": {
        "model_type": "vit",
        "image_size": 48,
        "patch_size": 16,
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 128,
        "initializer_range": 0.12,  # about 1 / sqrt(hidden_size); 0.02 is made for a width of 768
    },
    "head_hidden_size": 64,
    "head_num_hidden_layers": 2,
    "head_num_attention_heads": 2,
    "head_dropout": 0.0,
    "classifier_dropout": 0.0,
    "max_position_embeddings": 64,
    "initializer_range": 0.12,
}

FAMILY = Family(
    model_type="avt",
    variants=(
        Variant(
            name="avt",
            title="AVT",
            about="an image transformer that encodes each frame, and a causal decoder that predicts the feature of "
            "the next frame",
            papers=(PAPER,),
            converter="holovid.conversion.from_avt:avt",
            reported=REPORTED,
            licence="apache-2.0",
            parity=7,
        ),
    ),
    toy=TOY,
    recipes=RECIPES,
    starts_from={"vit": "from_image_model"},
    stream="holovid.modeling.streaming_avt:AVTStream",
    explanations={"relevance": "holovid.explanation.relevance_of_steps:CausalSteps"},
)
