"""The protocol of an evaluation: what must be known to compare its results with others.

    Protocol(views=2, crops=3, flips=True, ensemble="probabilities")
    dataclasses.replace(recipe_protocol(get_recipe("xvit-ssv2"), model.config), interventions="shuffle_frames")

Torch is not imported here, so that command lines are checked quickly.
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
        flips: whether each is also mirrored, left for right, and averaged; not for labels that tell them apart.
        ensemble: averaged over views, crops and flips: "logits" or "probabilities". Default: as in the model's paper.
        autocast: "bfloat16" or "float16", precision of the matrix products.
        interventions: one or several names of `holovid.evaluation.interventions.INTERVENTIONS`.
        processor_options: of the video processor, if different from its own, such as `num_frames`.

    Raises `ValueError` for another ensemble or precision. The rest is checked with a model and its processor.
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
                raise ValueError(f"{name} is not a processor option of a protocol; pass {ours}")

    def for_model(self, config: "PreTrainedConfig") -> "Protocol":
        """The protocol with an ensemble: if none was chosen, that of the model's paper."""
        family = families().get(config.model_type)
        return replace(self, ensemble=self.ensemble or (family.ensemble if family else "logits"))

    @property
    def passes(self) -> int:
        """Forward passes for each clip."""
        return self.views * self.crops * (1 + self.flips)

    def call_options(self) -> dict[str, Any]:
        ours = {"num_views": self.views, "num_crops": self.crops, "do_random_sampling": False}
        return {**self.processor_options, **ours}

    def check_processor(self, video_processor: Any) -> None:
        known = video_processor.valid_kwargs.__annotations__
        if unknown := sorted(self.call_options().keys() - known):
            raise ValueError(
                f"the video processor has no options {', '.join(unknown)}; it has {', '.join(sorted(known))}"
            )

    def describe(self, video_processor: Any) -> dict[str, Any]:
        """The protocol for results.json, with the processor's frames, sampling and resolution."""
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
        } | ({"flips": True} if self.flips else {})  # evaluations of earlier versions can be resumed


def recipe_protocol(recipe: Recipe, config: "PreTrainedConfig") -> Protocol:
    """A recipe's evaluation protocol, with the model's number of frames. Raises `ValueError` for another family."""
    recipe.check_model(config)
    options = recipe.picking_options()
    return Protocol(
        recipe.num_views, recipe.num_crops, recipe.ensemble, processor_options=options, flips=recipe.evaluation_flips
    )


def check_one_of(name: str, value: Any, choices: Sequence[Any]) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(str, choices))}, got {value!r}")
