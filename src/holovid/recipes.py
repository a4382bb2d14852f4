"""Training recipes of the papers by name: optimizer, schedule, regularization, frames and views.

The recipes of a family are in its record (`families/`), with their sources; `small` and `finetune` are holovid's own.

    recipe = get_recipe("xvit-ssv2")
    recipe.scaled_learning_rate(256)                    # for a total batch of 256 clips
    dataclasses.replace(recipe, epochs=10, flip=True)   # recipes are frozen: this is a new one
"""

from dataclasses import dataclass, field, fields
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from holovid.configuration.suggestions import did_you_mean
from holovid.families.family import families

if TYPE_CHECKING:  # names of recipes are checked before torch is imported
    from transformers import PreTrainedConfig


@dataclass(frozen=True)
class Recipe:
    """
    Args:
        name: name for [`get_recipe`].
        summary: what it is for, in a line.
        family: `model_type` of the models it is for, or "any".
        optimizer: "sgd" (with Nesterov momentum), "adamw", or "adam", which adds the decay to the gradient.
        learning_rate: peak rate for a total batch of `reference_batch_size` clips. For another batch, all rates scale
            in proportion. CAST's code does so from 256; XViT's has one rate, for 64, and the scaling is ours.
        reference_batch_size: see `learning_rate`.
        momentum: for "sgd".
        betas, eps: for "adamw" and "adam".
        weight_decay: for all parameters except those of `no_decay`.
        no_decay: parameters without decay. "head_biases" (XViT): biases of the classification head.
            "vectors_and_positions" (CAST): biases, gains and position tables; see `optimization.py`. "nothing"
            (TimeSformer, AVT): none. "norms_and_tables" (Video Swin): parameters of norms, and position tables.
        backbone_rate: learning rate of everything below the classifier, relative to the classifier's.
        layer_decay: learning rate of a layer relative to the next one; `None` = the same rate for all.
        epochs: length of the schedule.
        batch_size: clips per step over all devices and accumulated steps, in the source's run.
        warmup_epochs: epochs of linear warm-up; scaled with the number of epochs.
        warmup_start_rate: rate at the start of warm-up, for `reference_batch_size`.
        final_rate: rate at the end of the cosine, for `reference_batch_size`.
        cosine_from: "start" (XViT): half a cosine over all epochs; warm-up replaces its beginning, so that the peak is
            never reached. "warmup" (CAST): half a cosine after warm-up. "never" (TimeSformer): the rate falls by
            `steps`.
        steps: (first epoch, rate relative to the peak), in order; scaled with the number of epochs.
        label_smoothing: share of the target that is spread evenly over all classes.
        mixup_alpha: mix clips with a share drawn from Beta(alpha, alpha); 0 = never.
        mixup_probability: probability of mixing a batch.
        cutmix_alpha: the same for pasting a box of one clip into another; 0 = never.
        sound_mixing: "mixup" or "cutmix" for the audio of mixed clips; see `mixing.py`.
        augmentation: augmentation of frames in `augmentation.py`.
        short_sides: range of the shorter side that augmentation scales frames to, relative to the model's frames.
        flip: mirror half of the clips; not for labels that distinguish left and right.
        spec_augment: arguments of `SpecAugment`, which masks parts of the spectrogram; `None` = no masks.
        model: fields of the model's configuration.
        num_frames: frames per clip.
        sampling, frame_stride, fps, channel_order, crop_order: options of the video processor; `None` keeps the
            processor's own. If `sampling` is `None`, all of them are kept.
        num_views, num_crops: views in time and crops in space for evaluation.
        evaluation_flips: also evaluate each crop mirrored.
        ensemble: what evaluation averages over views, crops and flips: "logits" (XViT adds them, which gives the same
            ranking) or "probabilities" (CAST).
        max_grad_norm: clip gradients to this norm; 0 = never.
        patience: stop if no evaluation was better for this share of the epochs, and keep the best checkpoint; 0 =
            never stop early.
        fits_clips: adapt the recipe to the number of clips and to the model, see `training/fitting.py`.
    """

    name: str
    summary: str
    family: str

    optimizer: Literal["sgd", "adamw", "adam"]
    learning_rate: float
    reference_batch_size: int
    weight_decay: float
    no_decay: Literal["head_biases", "vectors_and_positions", "nothing", "norms_and_tables"]
    epochs: float
    batch_size: int
    warmup_epochs: float
    cosine_from: Literal["start", "warmup", "never"]
    augmentation: Literal[
        "corner-crops",
        "short-side-crops",
        "scaled-crops",
        "inverse-scaled-crops",
        "resized-crops",
        "plain-resized-crops",
        "erased-resized-crops",
        "none",
    ]
    num_frames: int
    sampling: Literal["uniform", "segments", "dense", "strided", "spread", "last", None]
    ensemble: Literal["logits", "probabilities"]

    momentum: float = 0.9
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    layer_decay: float | None = None
    backbone_rate: float = 1.0
    warmup_start_rate: float = 0.0
    final_rate: float = 0.0
    steps: tuple[tuple[float, float], ...] = ()
    label_smoothing: float = 0.0
    mixup_alpha: float = 0.0
    mixup_probability: float = 1.0
    cutmix_alpha: float = 0.0
    sound_mixing: Literal["mixup", "cutmix"] = "mixup"
    short_sides: tuple[float, float] = (256 / 224, 320 / 224)
    flip: bool = False
    spec_augment: dict[str, int] | None = None
    model: dict[str, Any] = field(default_factory=dict)
    frame_stride: int = 1
    fps: float | None = None
    channel_order: Literal["rgb", "bgr", None] = None
    crop_order: Literal["along", "ends_first", None] = None
    num_views: int = 1
    num_crops: int = 1
    evaluation_flips: bool = False
    max_grad_norm: float = 0.0
    patience: float = 0.0
    fits_clips: bool = False

    def __post_init__(self) -> None:
        for option in fields(self):
            if get_origin(option.type) is Literal and getattr(self, option.name) not in get_args(option.type):
                choices = ", ".join(map(repr, get_args(option.type)))
                raise ValueError(f"{option.name} must be one of {choices}, got {getattr(self, option.name)!r}")
        if not 0 <= self.warmup_epochs <= self.epochs:
            raise ValueError(f"warmup_epochs must be from 0 to epochs={self.epochs}, got {self.warmup_epochs}")
        if bool(self.steps) != (self.cosine_from == "never"):
            raise ValueError(
                f"steps and a cosine exclude each other: got cosine_from={self.cosine_from!r} and steps={self.steps}"
            )
        if self.layer_decay is not None and self.backbone_rate != 1.0:
            raise ValueError("layer_decay and backbone_rate both lower the backbone's rate: give one of them")
        if list(self.steps) != sorted(self.steps) or not all(0 <= epoch <= self.epochs for epoch, _ in self.steps):
            raise ValueError(f"steps must be (epoch, share) in order, up to epochs={self.epochs}, got {self.steps}")

    def check_model(self, config: "PreTrainedConfig") -> None:
        """Raise `ValueError` if the recipe is for another family of models."""
        if self.family not in ("any", config.model_type):
            fitting = [recipe.name for recipe in recipes().values() if recipe.family in ("any", config.model_type)]
            raise ValueError(
                f"recipe {self.name!r} is for {self.family} models, but this is a {config.model_type} model; its "
                f"recipes are {', '.join(fitting)}"
            )

    def scaled_learning_rate(self, total_batch_size: int) -> float:
        """The peak rate for this many clips per step, over all devices and accumulated steps."""
        return self.learning_rate * total_batch_size / self.reference_batch_size

    def processor_options(self) -> dict[str, Any]:
        """Options of the video processor for the recipe."""
        return {"num_frames": self.num_frames} | self.picking_options()

    def picking_options(self) -> dict[str, Any]:
        """The same without `num_frames`, for a model that has its own."""
        if self.sampling is None:
            return {}
        names = ("sampling", "frame_stride", "fps", "channel_order", "crop_order")
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    def evaluation_options(self) -> dict[str, Any]:
        """Options of the video processor for the source's evaluation."""
        return {"num_views": self.num_views, "num_crops": self.num_crops}


SMALL = Recipe(
    name="small",
    summary="holovid's own: tiny models from scratch on the synthetic clips",
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
)
FINETUNE = Recipe(
    name="finetune",
    summary="holovid's own: a trained backbone on tens to thousands of clips",
    family="any",
    optimizer="adamw",
    learning_rate=1e-3,
    reference_batch_size=32,
    weight_decay=0.05,
    no_decay="vectors_and_positions",
    layer_decay=0.75,
    epochs=40,
    batch_size=32,
    warmup_epochs=4,
    cosine_from="warmup",
    final_rate=1e-6,
    label_smoothing=0.1,
    mixup_alpha=0.8,
    mixup_probability=0.5,
    augmentation="scaled-crops",
    short_sides=(1.0, 1.25),  # crops of larger frames would cut off what moves near the border
    flip=True,
    num_frames=8,
    sampling=None,
    ensemble="probabilities",
    max_grad_norm=1.0,
    patience=0.25,
    fits_clips=True,
)
OURS = (SMALL, FINETUNE)


@cache
def recipes() -> dict[str, Recipe]:
    """All recipes by name."""
    return {recipe.name: recipe for family in families().values() for recipe in family.recipes} | {
        recipe.name: recipe for recipe in OURS
    }


def get_recipe(name: str) -> Recipe:
    """The recipe of this name. Raises `ValueError`, which suggests the closest name, if there is none."""
    if name not in recipes():
        hint = did_you_mean(name, recipes(), alike=0)
        raise ValueError(f"there is no recipe {name!r}; {hint} Recipes are {', '.join(recipes())}")
    return recipes()[name]


def recipes_table() -> list[str]:
    columns = ("recipe", "optimiser", "rate @ batch", "epochs", "decay", "smoothing", "mixup", "frames", "views")
    rows = [columns, ("---",) * len(columns)]
    for recipe in recipes().values():
        mixup = f"{recipe.mixup_alpha:g}, p {recipe.mixup_probability:g}" if recipe.mixup_alpha else "none"
        stride = f" / {recipe.frame_stride}" if recipe.frame_stride > 1 else ""
        rows.append(
            (
                f"`{recipe.name}`",
                {"sgd": "SGD", "adamw": "AdamW", "adam": "Adam"}[recipe.optimizer],
                f"{recipe.learning_rate:g} @ {recipe.reference_batch_size}",
                "by the clips" if recipe.fits_clips else f"{recipe.epochs:g} ({recipe.warmup_epochs:g} warm-up)",
                f"{recipe.weight_decay:g}" + (f", layers {recipe.layer_decay:g}" if recipe.layer_decay else ""),
                f"{recipe.label_smoothing:g}",
                mixup,
                f"{recipe.num_frames} {recipe.sampling}{stride}" if recipe.sampling else "the model's",
                f"{recipe.num_views} x {recipe.num_crops}" + (" x 2" if recipe.evaluation_flips else ""),
            )
        )
    return [f"| {' | '.join(row)} |" for row in rows]
