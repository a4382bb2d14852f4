"""Training recipes of the papers by name: optimiser, schedule, regularisation, frames and views.

The recipes of a family are in its record (`families/`), with their sources; `small` and `finetune` are ours.

    recipe = get_recipe("xvit-ssv2")
    recipe.scaled_learning_rate(256)                    # for a total batch of 256 clips
    dataclasses.replace(recipe, epochs=10, flip=True)   # recipes are frozen; a changed one is a new one
"""

from dataclasses import dataclass, field, fields
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from holovid.configuration.suggestions import did_you_mean
from holovid.families.family import families

if TYPE_CHECKING:  # what a recipe is called is known before torch is imported
    from transformers import PreTrainedConfig


@dataclass(frozen=True)
class Recipe:
    """
    Args:
        name: what [`get_recipe`] finds it under.
        summary: one line about what it is for.
        family: `model_type` of the models it is for; "any" for all of them.
        optimizer: "sgd" (with Nesterov's momentum), "adamw", or "adam", whose decay is part of the gradient.
        learning_rate: peak rate at a total batch of `reference_batch_size` clips. For another batch all rates grow in
            proportion. CAST's code does so from 256 on; XViT's has one rate, at 64, and the proportion is ours.
        reference_batch_size: see `learning_rate`.
        momentum: of "sgd".
        betas, eps: of "adamw" and "adam".
        weight_decay: of the parameters that are decayed.
        no_decay: which are not. "head_biases" (XViT): the biases of the classification head, of nothing else.
            "vectors_and_positions" (CAST): biases, gains, and tables of positions; see `optimization.py`. "nothing"
            (TimeSformer, AVT): all are. "norms_and_tables" (Video Swin): what belongs to a norm, and tables of
            positions.
        backbone_rate: the rate of everything below the classifier over the classifier's own.
        layer_decay: a layer's rate over that of the layer after it; `None` = all learn at one rate.
        epochs: of the whole schedule.
        batch_size: clips a step over all devices and accumulated steps, in the source's own run.
        warmup_epochs: epochs over which the rate grows linearly. With another number of epochs the share stays.
        warmup_start_rate: what it grows from, at `reference_batch_size`.
        final_rate: what the cosine ends in, at `reference_batch_size`.
        cosine_from: "start" (XViT): half a cosine over all epochs, of which warm-up hides the beginning, so that the
            peak itself is never reached; "warmup" (CAST): half a cosine from the end of warm-up on; "never"
            (TimeSformer): the rate falls by `steps`.
        steps: (epoch from which on, share of the peak that the rate then is), in their order. With another number of
            epochs their place in the run stays.
        label_smoothing: share of the target that is spread evenly over all classes.
        mixup_alpha: clips are mixed with a share drawn from Beta(alpha, alpha); 0 = never.
        mixup_probability: of mixing a batch.
        cutmix_alpha: the same for boxes of one clip in another; 0 = never.
        sound_mixing: "mixup" or "cutmix", what happens to the sound of clips that are mixed; see `mixing.py`.
        augmentation: name of the frames' augmentation in `augmentation.py`.
        short_sides: the least and the greatest short side that frames are scaled to in augmentation, over that of the
            model's frames.
        flip: whether half of the clips are mirrored; not for labels that tell left from right.
        spec_augment: arguments of `SpecAugment`, stripes of the spectrogram that are blanked; `None` = none are.
        model: fields of the model's configuration.
        num_frames: of a clip.
        sampling, frame_stride, fps, channel_order, crop_order: how they are picked and what they are made of, options
            of the video processor; `None` is the processor's own. Without `sampling` all of them are.
        num_views, num_crops: of a clip in evaluation, in time and in space.
        evaluation_flips: whether evaluation also sees each crop mirrored.
        ensemble: what is averaged over views, crops and flips: "logits" (XViT adds them up, which ranks alike) or
            "probabilities" (CAST).
        max_grad_norm: to which gradients are clipped; 0 = they are not.
        patience: share of the epochs after which training stops if no evaluation was better; 0 = it never does. The
            best checkpoint is then the one that is kept.
        fits_clips: whether what is best for few clips and for many is chosen when these are known, and what depends on
            the model: `training/fitting.py`.
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
                f"a rate falls by steps or by a cosine: cosine_from={self.cosine_from!r} with steps={self.steps}"
            )
        if self.layer_decay is not None and self.backbone_rate != 1.0:
            raise ValueError("layer_decay and backbone_rate both slow the backbone down: give one of them")
        if list(self.steps) != sorted(self.steps) or not all(0 <= epoch <= self.epochs for epoch, _ in self.steps):
            raise ValueError(f"steps are (epoch, share) in order, from 0 to epochs={self.epochs}, got {self.steps}")

    def check_model(self, config: "PreTrainedConfig") -> None:
        """Raise `ValueError` if the recipe is for another family of models."""
        if self.family not in ("any", config.model_type):
            fitting = [recipe.name for recipe in recipes().values() if recipe.family in ("any", config.model_type)]
            raise ValueError(
                f"recipe {self.name!r} is for {self.family} models, and this is a {config.model_type} model; "
                f"for it there are {', '.join(fitting)}"
            )

    def scaled_learning_rate(self, total_batch_size: int) -> float:
        """The peak rate for this many clips a step, over all devices and accumulated steps."""
        return self.learning_rate * total_batch_size / self.reference_batch_size

    def processor_options(self) -> dict[str, Any]:
        """Options of the video processor that pick the frames and order their colours."""
        return {"num_frames": self.num_frames} | self.picking_options()

    def picking_options(self) -> dict[str, Any]:
        """The same for a model with a number of frames of its own."""
        if self.sampling is None:
            return {}
        names = ("sampling", "frame_stride", "fps", "channel_order", "crop_order")
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    def evaluation_options(self) -> dict[str, Any]:
        """Options of the video processor for the source's evaluation."""
        return {"num_views": self.num_views, "num_crops": self.num_crops}


SMALL = Recipe(
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
)
FINETUNE = Recipe(
    name="finetune",
    summary="ours, of no paper: a trained backbone on tens to thousands of clips",
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
    short_sides=(1.0, 1.25),  # from what evaluation sees on; crops of larger frames lose what moves to their border
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
    """All recipes by name: those of each family, and ours."""
    return {recipe.name: recipe for family in families().values() for recipe in family.recipes} | {
        recipe.name: recipe for recipe in OURS
    }


def get_recipe(name: str) -> Recipe:
    """The recipe of this name. Raises `ValueError` that names the nearest one and all there are."""
    if name not in recipes():
        hint = did_you_mean(name, recipes(), alike=0)
        raise ValueError(f"there is no recipe {name!r}; {hint} There are {', '.join(recipes())}")
    return recipes()[name]


def recipes_table() -> list[str]:
    """A table of all recipes in Markdown, line by line."""
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
