"""How an evaluation sees clips: what one has to know to compare its results with others.

    Protocol(views=2, crops=3, flips=True, ensemble="probabilities")
    dataclasses.replace(recipe_protocol(get_recipe("xvit-ssv2"), model.config), interventions="shuffle_frames")

Torch is not imported here: options of a command line are checked before it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from holovid.families.family import families
from holovid.recipes import Recipe

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

ENSEMBLES = ("logits", "probabilities")
PRECISIONS = (None, "bfloat16", "float16")


@dataclass(frozen=True)
class Protocol:
    """
    Args:
        views: passes over a clip in time.
        crops: 1 or 3 of each.
        flips: whether each is also seen mirrored, left for right, and averaged with it; not for labels that tell them
            apart.
        ensemble: what is averaged over views, crops and flips: "logits" or "probabilities". Default: as the
            paper of the model does.
        autocast: "bfloat16" or "float16", precision of the matrix products.
        interventions: what is taken away, one or several names of `holovid.evaluation.interventions.INTERVENTIONS`.
        processor_options: of the video processor, where they differ from its own, such as `num_frames`.

    Raises `ValueError` for another ensemble or precision. The rest is checked with a model and its processor, when
    something is evaluated.
    """

    views: int = 1
    crops: int = 1
    ensemble: str | None = None
    autocast: str | None = None
    interventions: Sequence[str] = ()
    processor_options: Mapping[str, Any] = field(default_factory=dict)
    flips: bool = False

    def __post_init__(self) -> None:
        names = (self.interventions,) if isinstance(self.interventions, str) else tuple(self.interventions)
        object.__setattr__(self, "interventions", names)
        if self.ensemble is not None:
            check_one_of("ensemble", self.ensemble, ENSEMBLES)
        check_one_of("autocast", self.autocast, PRECISIONS)
        for name, ours in (("num_views", "views"), ("num_crops", "crops")):
            if name in self.processor_options:
                raise ValueError(f"{name} is no processor option of a protocol; give {ours}")

    def for_model(self, config: "PreTrainedConfig") -> "Protocol":
        """The same with an ensemble: where none was chosen, that of the paper of the model."""
        family = families().get(config.model_type)
        return replace(self, ensemble=self.ensemble or (family.ensemble if family else "logits"))

    @property
    def passes(self) -> int:
        """How often a clip goes through the model."""
        return self.views * self.crops * (1 + self.flips)

    def call_options(self) -> dict[str, Any]:
        """What the video processor is called with."""
        ours = {"num_views": self.views, "num_crops": self.crops, "do_random_sampling": False}
        return {**self.processor_options, **ours}

    def check_processor(self, video_processor: Any) -> None:
        """Raise `ValueError` for options that this processor does not have."""
        known = video_processor.valid_kwargs.__annotations__
        if unknown := sorted(self.call_options().keys() - known):
            raise ValueError(
                f"the video processor has no options {', '.join(unknown)}; it has {', '.join(sorted(known))}"
            )

    def describe(self, video_processor: Any) -> dict[str, Any]:
        """The protocol as results.json holds it, with what the processor adds: frames, sampling, resolution."""
        options = self.call_options()

        def option(name: str) -> Any:
            return options[name] if options.get(name) is not None else getattr(video_processor, name)

        size = dict(option("crop_size") if option("do_center_crop") else option("size"))
        return {
            "views": self.views,
            "crops": self.crops,
            "ensemble": self.ensemble,
            "frames": option("num_frames"),
            "sampling": option("sampling"),
            "frame_stride": option("frame_stride"),
            "fps": option("fps"),
            "resolution": {name: value for name, value in size.items() if value is not None},
            "autocast": self.autocast,
            "intervention": list(self.interventions),
        } | ({"flips": True} if self.flips else {})  # an evaluation that began before there were any goes on


def recipe_protocol(recipe: Recipe, config: "PreTrainedConfig") -> Protocol:
    """How the source of a recipe evaluated, with as many frames as the model has.

    Raises `ValueError` if the recipe is for another family of models.
    """
    recipe.check_model(config)
    options = recipe.picking_options()
    return Protocol(
        recipe.num_views, recipe.num_crops, recipe.ensemble, processor_options=options, flips=recipe.evaluation_flips
    )


def check_one_of(name: str, value: Any, choices: Sequence[Any]) -> None:
    """Raise `ValueError` for what is none of the choices."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(str, choices))}, got {value!r}")
