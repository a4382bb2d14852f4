"""Video Swin (Liu et al. 2021, arXiv:2106.13230): attention inside shifted windows of space and time.

Published results are from the authors' README unless a row names the paper.
"""

from typing import Any

from holovid.families.family import KINETICS_400, KINETICS_600, SOMETHING, Family, Paper, Reported, Variant
from holovid.recipes import Recipe

PAPER = Paper(
    "Video Swin Transformer",
    "https://arxiv.org/abs/2106.13230",
    2022,
    """\
@inproceedings{liu2022video,
  title={Video Swin Transformer},
  author={Liu, Ze and Ning, Jia and Cao, Yue and Wei, Yixuan and Zhang, Zheng and Lin, Stephen and Hu, Han},
  booktitle={Proceedings of the IEEE/CVF Conference on Computer Vision and Pattern Recognition},
  year={2022}
}""",
)

README = "README of the released code"
TINY, SMALL = ({"embed_dim": 96, "depths": depths} for depths in ([2, 2, 6, 2], [2, 2, 18, 2]))
BASE, LARGE = ({"embed_dim": width, "depths": [2, 2, 18, 2]} for width in (128, 192))
REPORTED = (
    Reported("Kinetics-400", KINETICS_400, 32, "top-1 78.8, top-5 93.6", "4 x 3", README, TINY),
    Reported("Kinetics-400", KINETICS_400, 32, "top-1 80.6, top-5 94.5", "4 x 3", README, SMALL),
    Reported("Kinetics-400", KINETICS_400, 32, "from ImageNet-1k: top-1 80.6, top-5 94.6", "4 x 3", README, BASE),
    Reported("Kinetics-400", KINETICS_400, 32, "from ImageNet-22k: top-1 82.7, top-5 95.5", "4 x 3", README, BASE),
    Reported("Kinetics-600", KINETICS_600, 32, "top-1 84.0, top-5 96.5", "4 x 3", README, BASE),
    Reported("Something-Something v2", SOMETHING, 32, "top-1 69.6, top-5 92.7", "1 x 3", README, BASE),
    Reported("Kinetics-400", KINETICS_400, 32, "top-1 83.1", "4 x 3", PAPER.address, LARGE | {"image_size": 224}),
    Reported("Kinetics-400", KINETICS_400, 32, "top-1 84.9", "10 x 5", PAPER.address, LARGE | {"image_size": 384}),
)

SHARED: dict[str, Any] = {
    "family": "video_swin",
    "optimizer": "adamw",
    "no_decay": "norms_and_tables",
    "backbone_rate": 0.1,
    "warmup_epochs": 2.5,
    "cosine_from": "warmup",
    "num_frames": 32,
    "num_crops": 3,
    "crop_order": "ends_first",
    "ensemble": "probabilities",
}
# Batches of the released configurations: 8 clips on each of 8 GPUs, with gradients accumulated over 4 steps (T) or 8.
# The paper says 64.
TINY_BATCH, BATCH = 8 * 8 * 4, 8 * 8 * 8
KINETICS: dict[str, Any] = SHARED | {
    "epochs": 30,
    "augmentation": "plain-resized-crops",
    "flip": True,
    "sampling": "spread",
    "frame_stride": 2,
    "num_views": 4,
}
BASE_SIZES: dict[str, Any] = {"embed_dim": 128, "depths": (2, 2, 18, 2), "num_heads": (4, 8, 16, 32)}

RECIPES = (
    Recipe(
        name="videoswin-k400-t",
        summary="Video Swin-T on Kinetics-400, from ImageNet-1k: every second of 64 frames",
        learning_rate=1e-3,
        reference_batch_size=TINY_BATCH,
        batch_size=TINY_BATCH,
        weight_decay=0.02,
        model={"drop_path_rate": 0.1},
        **KINETICS,
    ),
    Recipe(
        name="videoswin-k400-b",
        summary="Video Swin-B on Kinetics-400, from ImageNet-1k",
        learning_rate=1e-3,
        reference_batch_size=BATCH,
        batch_size=BATCH,
        weight_decay=0.05,
        model={"drop_path_rate": 0.3, **BASE_SIZES},
        **KINETICS,
    ),
    Recipe(
        name="videoswin-k400-b-in22k",
        summary="Video Swin-B on Kinetics-400 or 600, from ImageNet-22k",
        learning_rate=3e-4,
        reference_batch_size=BATCH,
        batch_size=BATCH,
        weight_decay=0.05,
        model={"drop_path_rate": 0.2, **BASE_SIZES},
        **KINETICS,
    ),
    Recipe(
        name="videoswin-ssv2",
        summary="Video Swin-B on Something-Something v2, from Kinetics-400: one frame from each of 32 segments",
        learning_rate=3e-4,
        reference_batch_size=BATCH,
        batch_size=BATCH,
        weight_decay=0.05,
        epochs=60,
        label_smoothing=0.1,
        augmentation="erased-resized-crops",
        sampling="segments",
        model={"drop_path_rate": 0.4, "window_size": (16, 7, 7), **BASE_SIZES},
        **SHARED,
    ),
)

# small models that learn the synthetic clips in a minute, as in examples/demo.py
TOY = {
    "image_size": 48,
    "patch_size": (2, 8, 8),
    "embed_dim": 32,
    "depths": (2, 2),
    "num_heads": (2, 4),
    "window_size": (4, 3, 3),
    "mlp_ratio": 2.0,
    "initializer_range": 0.12,  # about 1 / sqrt(hidden_size)
    "drop_path_rate": 0.0,
    "classifier_dropout": 0.0,
}

FAMILY = Family(
    model_type="video_swin",
    variants=(
        Variant(
            name="videoswin",
            title="Video Swin",
            about="a transformer with attention inside windows of space and time, which shift from layer to layer, at "
            "several resolutions",
            papers=(PAPER,),
            converter="holovid.conversion.from_video_swin:videoswin",
            reported=REPORTED,
            licence="apache-2.0",
            parity=6,
        ),
    ),
    toy=TOY,
    recipes=RECIPES,
    starts_from={"swin": "from_image_model"},
    ensemble="probabilities",
    explanations={"gradients": "holovid.explanation.feature_gradients:feature_gradients"},
)
