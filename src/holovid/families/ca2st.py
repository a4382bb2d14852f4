"""CAST, CAVA and CA²ST: experts for space, time and audio, joined by bottleneck cross-attention.

Lee et al. 2023 (arXiv:2311.18825) and 2025 (arXiv:2503.23447). CAST's recipes are from the released scripts and
code; those of CAVA and CA²ST are from their authors' development code and the names of its runs. Where code and paper
differ, a recipe follows the code, which made the published weights, and a comment gives both values.
"""

from typing import Any

from holovid.families.family import KINETICS_400, SOMETHING, Family, Paper, Part, Reported, Variant
from holovid.recipes import Recipe

CAST_PAPER = Paper(
    "CAST: Cross-Attention in Space and Time for Video Action Recognition",
    "https://arxiv.org/abs/2311.18825",
    2023,
    """\
@inproceedings{lee2023cast,
  title={{CAST}: Cross-Attention in Space and Time for Video Action Recognition},
  author={Lee, Dongho and Lee, Jongseo and Choi, Jinwoo},
  booktitle={Advances in Neural Information Processing Systems},
  year={2023}
}""",
)
CA2ST_PAPER = Paper(
    "CA²ST: Cross-Attention in Audio, Space, and Time for Holistic Video Recognition",
    "https://arxiv.org/abs/2503.23447",
    2025,
    """\
@article{lee2025ca2st,
  title={{CA$^2$ST}: Cross-Attention in Audio, Space, and Time for Holistic Video Recognition},
  author={Lee, Jongseo and Chang, Joohyun and Lee, Dongho and Choi, Jinwoo},
  journal={arXiv preprint arXiv:2503.23447},
  year={2025}
}""",
)

VGG_SOUND = {"label": 309}
EPIC_KITCHENS = {"verb": 97, "noun": 300}
BOARD = "public leaderboards; not checked against the paper"

# Only mixup: the code also has CutMix, and the scripts set its probability to zero. RandAugment is
# rand-m7-n4-mstd0.5-inc1, as in the scripts; the paper's table says (9, 0.5). Sampling on Something-Something and
# EPIC-KITCHENS: evaluation takes evenly spaced frames, training a random frame of each of 16 equal parts.
OF_CAST: dict[str, Any] = {
    "family": "ca2st",
    "optimizer": "adamw",
    "learning_rate": 1e-3,
    "reference_batch_size": 256,
    "weight_decay": 0.05,
    "no_decay": "vectors_and_positions",
    "layer_decay": 0.75,
    "epochs": 50,
    "batch_size": 6 * 4 * 16,
    "warmup_epochs": 5,
    "final_rate": 1e-6,
    "cosine_from": "warmup",
    "label_smoothing": 0.1,
    "mixup_alpha": 0.8,
    "mixup_probability": 0.9,
    "augmentation": "resized-crops",
    "flip": True,
    "model": {"drop_path_rate": 0.2},
    "num_frames": 16,
    "sampling": "uniform",
    "num_views": 2,
    "num_crops": 3,
    "ensemble": "probabilities",
}

# CAVA on EPIC-SOUNDS: the clips per device (6) and accumulated steps (2) are known, the number of devices is not. The
# name of the run says "MixSpecCut": frames are mixed, and a box of the spectrogram is replaced.
OF_CAVA: dict[str, Any] = OF_CAST | {
    "learning_rate": 5e-4,
    "layer_decay": 0.8,
    "batch_size": 6 * 2,
    "sound_mixing": "cutmix",
}

RECIPES = (
    Recipe(
        name="cast-ssv2",
        summary="CAST on Something-Something v2; no flips, since labels distinguish left and right",
        **OF_CAST | {"flip": False, "model": {"drop_path_rate": 0.3}},
    ),
    Recipe(
        name="cast-k400",
        summary="CAST on Kinetics-400: windows of 64 frames",
        **OF_CAST
        | {
            "epochs": 70,
            "batch_size": 6 * 6 * 16,
            "mixup_probability": 0.5,
            "sampling": "strided",
            "frame_stride": 4,
            "num_views": 5,
        },
    ),
    Recipe(name="cast-ek100", summary="CAST on EPIC-KITCHENS-100: verbs and nouns", **OF_CAST),
    Recipe(name="cava", summary="CAVA on EPIC-SOUNDS: 44 classes of sounds, clips of 4 seconds", **OF_CAVA),
    Recipe(
        name="cava-vggsound",
        summary="CAVA on VGG-Sound: windows of 64 frames, 10 seconds of audio, SpecAugment",
        **OF_CAVA
        | {
            "spec_augment": {"time_masks": 2, "time_rows": 70, "frequency_masks": 2, "frequency_bins": 20},
            "model": {"drop_path_rate": 0.2, "audio_frames": 1024, "audio_positions": "learned"},
            "sampling": "strided",
            "frame_stride": 4,
        },
    ),
    Recipe(name="ca2st-ek100", summary="CA²ST on EPIC-KITCHENS-100: CAST's recipe, with audio", **OF_CAST),
)

# small models that learn the synthetic clips in a minute, as in examples/demo.py
TOY = {
    "image_size": 48,
    "patch_size": 12,
    "audio_frames": 96,  # about a second: a multiple of the patches
    "num_mel_bins": 64,
    "audio_stride": 16,
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 128,
    "initializer_range": 0.12,
    "audio_time_layout": "aligned",
    "feature_adapter_skip": True,  # else the adapters, which start at zero, are all that the classifier gets
}

NON_COMMERCIAL = "cc-by-nc-4.0"  # of the released code; no licence of the weights is known
EXCHANGE = "which exchange information through bottleneck cross-attention"
CAST = Variant(
    name="cast",
    title="CAST",
    about=f"a space expert (a CLIP image encoder) and a time expert (VideoMAE), {EXCHANGE}",
    settings={"experts": ["space", "time"]},
    papers=(CAST_PAPER, CA2ST_PAPER),
    converter="holovid.conversion.from_ca2st:cast",
    reported=(
        Reported("Something-Something v2", SOMETHING, 16, "top-1 71.6", "2 x 3", CAST_PAPER.address),
        Reported("Kinetics-400", KINETICS_400, 16, "top-1 85.3", "5 x 3", CAST_PAPER.address),
        Reported(
            "EPIC-KITCHENS-100",
            EPIC_KITCHENS,
            16,
            "top-1 of verbs 72.5, nouns 60.9, actions 49.3",
            "2 x 3",
            CAST_PAPER.address,
        ),
    ),
    licence=NON_COMMERCIAL,
    parity=6,
)
CAVA = Variant(
    name="cava",
    title="CAVA",
    about=f"a space expert (a CLIP image encoder) and an audio expert (AST), {EXCHANGE}",
    settings={"experts": ["space", "audio"]},
    papers=(CA2ST_PAPER,),
    converter="holovid.conversion.from_ca2st:cava",
    reported=(Reported("VGG-Sound", VGG_SOUND, 16, "top-1 68.2", "not stated", BOARD),),
    licence=NON_COMMERCIAL,
    parity=8,
)
CA2ST = Variant(
    name="ca2st",
    title="CA²ST",
    about=f"a space expert (a CLIP image encoder), a time expert (VideoMAE) and an audio expert (AST), {EXCHANGE}",
    settings={"experts": ["space", "time", "audio"]},
    papers=(CA2ST_PAPER,),
    converter="holovid.conversion.from_ca2st:ca2st",
    reported=(
        Reported("VGG-Sound", VGG_SOUND, 16, "top-1 68.3", "not stated", BOARD),
        Reported("UCF-101, 3 splits", {"label": 101}, 16, "top-1 97.2", "not stated", BOARD),
    ),
    licence=NON_COMMERCIAL,
    parity=8,
)

FAMILY = Family(
    model_type="ca2st",
    variants=(CAST, CAVA, CA2ST),
    toy=TOY,
    recipes=RECIPES,
    parts={
        "space": Part("CLIP image model", "mit"),
        "time": Part("VideoMAE", "cc-by-nc-4.0"),
        "audio": Part("AST", "bsd-3-clause"),
    },
    hears=True,
    ensemble="probabilities",
    explanations={"relevance": "holovid.explanation.relevance_of_experts:ReadingExperts"},
)
