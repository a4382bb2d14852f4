"""Training recipes of the papers by name: optimiser, schedule, regularisation, frames and views.

Sources: XViT's are the released configurations and code (Bulat et al. 2021, arXiv:2106.05968), CAST's the released
scripts and code (Lee et al. 2023, arXiv:2311.18825), CAVA's and CA²ST's their authors' development code and the names
of its runs (Lee et al. 2025, arXiv:2503.23447). Where code and paper differ, the code is right, because it made the
published weights; both are then named beside the recipe. `small` is ours.

    recipe = get_recipe("xvit-ssv2")
    recipe.scaled_learning_rate(256)                    # for a total batch of 256 clips
    dataclasses.replace(recipe, epochs=10, flip=True)   # recipes are frozen; a changed one is a new one
"""

import difflib
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

if TYPE_CHECKING:  # what a recipe is called is known before torch is imported
    from transformers import PreTrainedConfig


@dataclass(frozen=True)
class Recipe:
    """
    Args:
        name: what [`get_recipe`] finds it under.
        summary: one line about what it is for.
        family: `model_type` of the models it is for; "any" for all of them.
        optimizer: "sgd" (with Nesterov's momentum) or "adamw".
        learning_rate: peak rate at a total batch of `reference_batch_size` clips. For another batch all rates grow in
            proportion. CAST's code does so from 256 on; XViT's has one rate, at 64, and the proportion is ours.
        reference_batch_size: see `learning_rate`.
        momentum: of "sgd".
        betas, eps: of "adamw".
        weight_decay: of the parameters that are decayed.
        no_decay: which are not. "head_biases" (XViT): the biases of the classification head, of nothing else.
            "vectors_and_positions" (CAST): biases, gains, and tables of positions; see `optimization.py`.
        layer_decay: a layer's rate over that of the layer after it; `None` = all learn at one rate.
        epochs: of the whole schedule.
        batch_size: clips a step over all devices and accumulated steps, in the source's own run.
        warmup_epochs: epochs over which the rate grows linearly. With another number of epochs the share stays.
        warmup_start_rate: what it grows from, at `reference_batch_size`.
        final_rate: what the cosine ends in, at `reference_batch_size`.
        cosine_from: "start" (XViT): half a cosine over all epochs, of which warm-up hides the beginning, so that the
            peak itself is never reached; "warmup" (CAST): half a cosine from the end of warm-up on.
        label_smoothing: share of the target that is spread evenly over all classes.
        mixup_alpha: clips are mixed with a share drawn from Beta(alpha, alpha); 0 = never.
        mixup_probability: of mixing a batch.
        cutmix_alpha: the same for boxes of one clip in another; 0 = never.
        sound_mixing: "mixup" or "cutmix", what happens to the sound of clips that are mixed; see `mixing.py`.
        augmentation: name of the frames' augmentation in `augmentation.py`.
        flip: whether half of the clips are mirrored; not for labels that tell left from right.
        spec_augment: arguments of `SpecAugment`, stripes of the spectrogram that are blanked; `None` = none are.
        model: fields of the model's configuration.
        num_frames: of a clip.
        sampling, frame_stride: how they are picked, options of the video processor.
        num_views, num_crops: of a clip in evaluation, in time and in space.
        ensemble: what is averaged over views and crops: "logits" (XViT adds them up, which ranks alike) or
            "probabilities" (CAST).
    """

    name: str
    summary: str
    family: Literal["xvit", "ca2st", "any"]

    optimizer: Literal["sgd", "adamw"]
    learning_rate: float
    reference_batch_size: int
    weight_decay: float
    no_decay: Literal["head_biases", "vectors_and_positions"]
    epochs: float
    batch_size: int
    warmup_epochs: float
    cosine_from: Literal["start", "warmup"]
    augmentation: Literal["xvit-kinetics", "xvit-ssv2", "cast", "none"]
    num_frames: int
    sampling: Literal["uniform", "segments", "dense", "strided"]
    ensemble: Literal["logits", "probabilities"]

    momentum: float = 0.9
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    layer_decay: float | None = None
    warmup_start_rate: float = 0.0
    final_rate: float = 0.0
    label_smoothing: float = 0.0
    mixup_alpha: float = 0.0
    mixup_probability: float = 1.0
    cutmix_alpha: float = 0.0
    sound_mixing: Literal["mixup", "cutmix"] = "mixup"
    flip: bool = False
    spec_augment: dict[str, int] | None = None
    model: dict[str, Any] = field(default_factory=dict)
    frame_stride: int = 1
    num_views: int = 1
    num_crops: int = 1

    def __post_init__(self) -> None:
        for option in fields(self):
            if get_origin(option.type) is Literal and getattr(self, option.name) not in get_args(option.type):
                choices = ", ".join(map(repr, get_args(option.type)))
                raise ValueError(f"{option.name} must be one of {choices}, got {getattr(self, option.name)!r}")
        if not 0 <= self.warmup_epochs <= self.epochs:
            raise ValueError(f"warmup_epochs must be from 0 to epochs={self.epochs}, got {self.warmup_epochs}")

    def check_model(self, config: "PreTrainedConfig") -> None:
        """Raise `ValueError` if the recipe is for another family of models."""
        if self.family not in ("any", config.model_type):
            fitting = [recipe.name for recipe in RECIPES.values() if recipe.family in ("any", config.model_type)]
            raise ValueError(
                f"recipe {self.name!r} is for {self.family} models, and this is a {config.model_type} model; "
                f"for it there are {', '.join(fitting)}"
            )

    def scaled_learning_rate(self, total_batch_size: int) -> float:
        """The peak rate for this many clips a step, over all devices and accumulated steps."""
        return self.learning_rate * total_batch_size / self.reference_batch_size

    def processor_options(self) -> dict[str, Any]:
        """Options of the video processor that pick the frames."""
        return {"num_frames": self.num_frames, "sampling": self.sampling, "frame_stride": self.frame_stride}

    def evaluation_options(self) -> dict[str, Any]:
        """Options of the video processor for the source's evaluation."""
        return {"num_views": self.num_views, "num_crops": self.num_crops}


# The paper gives 0.05 at a batch of 128 (0.03 on Kinetics), label smoothing 0.3 on Something-Something and not on
# Kinetics, and other scales of crops; the code has the values below. Its temporal embedding has 8 vectors for 16
# frames.
XVIT: dict[str, Any] = {
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

# Mixup always, although the code could choose CutMix: the scripts give that a probability of zero. RandAugment as in
# the scripts, rand-m7-n4-mstd0.5-inc1; the paper's table says (9, 0.5). On the sampling of Something-Something and
# EPIC-KITCHENS: evaluation takes even steps, training any frame of each of 16 equal parts.
CAST: dict[str, Any] = {
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
    "augmentation": "cast",
    "flip": True,
    "model": {"drop_path_rate": 0.2},
    "num_frames": 16,
    "sampling": "uniform",
    "num_views": 2,
    "num_crops": 3,
    "ensemble": "probabilities",
}

# Of CAVA's runs on EPIC-SOUNDS the clips of a device (6) and accumulated steps (2) are known, not the devices. The
# name of the run says "MixSpecCut": clips are mixed, and a box is cut into their spectrograms.
CAVA: dict[str, Any] = CAST | {
    "learning_rate": 5e-4,
    "layer_decay": 0.8,
    "batch_size": 6 * 2,
    "sound_mixing": "cutmix",
}

_ALL = (
    Recipe(
        name="xvit-k400",
        summary="XViT on Kinetics-400 or 600: dense clips of 16 frames, mixed in two groups of 8",
        weight_decay=1e-5,
        epochs=30,
        warmup_start_rate=0.01,
        label_smoothing=0.3,
        mixup_alpha=0.4,
        augmentation="xvit-kinetics",
        flip=True,
        model={"mix_divisor": 8, "mix_group": 8, "temporal_embedding_length": 8, "classifier_dropout": 0.5},
        sampling="dense",
        frame_stride=16,
        **XVIT,
    ),
    Recipe(
        name="xvit-ssv2",
        summary="XViT on Something-Something v2: a frame of each of 16 segments, mixed over the whole clip",
        weight_decay=1e-4,
        epochs=35,
        warmup_start_rate=0.003,
        augmentation="xvit-ssv2",
        model={"mix_divisor": 4, "mix_group": 16, "temporal_embedding_length": 8, "classifier_dropout": 0.5},
        sampling="segments",
        num_views=2,
        **XVIT,
    ),
    Recipe(
        name="cast-ssv2",
        summary="CAST on Something-Something v2; no mirroring, since labels tell left from right",
        **CAST | {"flip": False, "model": {"drop_path_rate": 0.3}},
    ),
    Recipe(
        name="cast-k400",
        summary="CAST on Kinetics-400: windows of 64 frames",
        **CAST
        | {
            "epochs": 70,
            "batch_size": 6 * 6 * 16,
            "mixup_probability": 0.5,
            "sampling": "strided",
            "frame_stride": 4,
            "num_views": 5,
        },
    ),
    Recipe(name="cast-ek100", summary="CAST on EPIC-KITCHENS-100: verbs and nouns", **CAST),
    Recipe(name="cava", summary="CAVA on EPIC-SOUNDS: 44 classes of sounds, clips of 4 seconds", **CAVA),
    Recipe(
        name="cava-vggsound",
        summary="CAVA on VGG-Sound: windows of 64 frames, 10 seconds of sound, stripes of it blanked",
        **CAVA
        | {
            "spec_augment": {"time_masks": 2, "time_rows": 70, "frequency_masks": 2, "frequency_bins": 20},
            "model": {"drop_path_rate": 0.2, "audio_frames": 1024, "audio_positions": "learned"},
            "sampling": "strided",
            "frame_stride": 4,
        },
    ),
    Recipe(name="ca2st-ek100", summary="CA²ST on EPIC-KITCHENS-100: CAST's recipe there, with sound", **CAST),
    Recipe(
        name="small",
        summary="ours, of no paper: tiny models from scratch on the synthetic clips",
        family="any",
        optimizer="adamw",
        learning_rate=2e-3,
        reference_batch_size=32,
        weight_decay=0.05,
        no_decay="vectors_and_positions",
        epochs=10,
        batch_size=32,
        warmup_epochs=1,
        cosine_from="warmup",
        augmentation="none",
        num_frames=8,
        sampling="uniform",
        ensemble="logits",
    ),
)
RECIPES = {recipe.name: recipe for recipe in _ALL}


def get_recipe(name: str) -> Recipe:
    """The recipe of this name. Raises `ValueError` that names the nearest one and all there are."""
    if name not in RECIPES:
        nearest = difflib.get_close_matches(name, RECIPES, n=1, cutoff=0)
        raise ValueError(f"there is no recipe {name!r}; did you mean {nearest[0]!r}? There are {', '.join(RECIPES)}")
    return RECIPES[name]


def recipes_table() -> list[str]:
    """A table of all recipes in Markdown, line by line."""
    columns = ("recipe", "optimiser", "rate @ batch", "epochs", "decay", "smoothing", "mixup", "frames", "views")
    rows = [columns, ("---",) * len(columns)]
    for recipe in RECIPES.values():
        mixup = f"{recipe.mixup_alpha:g}, p {recipe.mixup_probability:g}" if recipe.mixup_alpha else "none"
        stride = f" / {recipe.frame_stride}" if recipe.frame_stride > 1 else ""
        rows.append(
            (
                f"`{recipe.name}`",
                {"sgd": "SGD", "adamw": "AdamW"}[recipe.optimizer],
                f"{recipe.learning_rate:g} @ {recipe.reference_batch_size}",
                f"{recipe.epochs:g} ({recipe.warmup_epochs:g} warm-up)",
                f"{recipe.weight_decay:g}" + (f", layers {recipe.layer_decay:g}" if recipe.layer_decay else ""),
                f"{recipe.label_smoothing:g}",
                mixup,
                f"{recipe.num_frames} {recipe.sampling}{stride}",
                f"{recipe.num_views} x {recipe.num_crops}",
            )
        )
    return [f"| {' | '.join(row)} |" for row in rows]
