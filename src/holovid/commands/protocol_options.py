"""Options of an evaluation: views, crops, averaging, ablations."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holovid.evaluation.protocol import Protocol, recipe_protocol
from holovid.recipes import get_recipe

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


@dataclass
class ProtocolOptions:
    views: Annotated[
        int | None, typer.Option(min=1, help="Views per clip: windows at different times. Default: 1.")
    ] = None
    crops: Annotated[int | None, typer.Option(help="Crops in space per view: 1 or 3. Default: 1.")] = None
    flips: Annotated[
        bool | None, typer.Option("--flips/--no-flips", help="Also evaluate each crop mirrored. Default: no.")
    ] = None
    ensemble: Annotated[
        str | None,
        typer.Option(help="Average logits or probabilities over views and crops. Default: as in the model's paper."),
    ] = None
    recipe: Annotated[
        str | None,
        typer.Option(help="Recipe of a paper, by name: use its views, crops, flips, averaging and sampling."),
    ] = None
    autocast: Annotated[
        str | None, typer.Option(help="Mixed precision: bfloat16 or float16. Default: the model's own precision.")
    ] = None
    shuffle_frames: Annotated[bool, typer.Option("--shuffle-frames", help="Ablation: frames in random order.")] = False
    static: Annotated[bool, typer.Option("--static", help="Ablation: repeat the middle frame.")] = False
    mute: Annotated[bool, typer.Option("--mute", help="Ablation: no audio.")] = False
    drop_expert: Annotated[
        list[str] | None,
        typer.Option(help="Ablation: blank the input of an expert (space, time or audio); can be repeated."),
    ] = None

    def given(self) -> dict[str, Any]:
        """The options that were given, which override the recipe and the defaults of `Protocol`."""
        switches = {"hold_still": self.static, "shuffle_frames": self.shuffle_frames, "mute": self.mute}
        interventions = [name for name, wanted in switches.items() if wanted]
        interventions += [f"without_{expert}" for expert in self.drop_expert or []]
        chosen = {name: getattr(self, name) for name in ("views", "crops", "flips", "ensemble", "autocast")}
        return {name: value for name, value in chosen.items() if value is not None} | {"interventions": interventions}

    def check(self) -> None:
        """Raise `ValueError` for options that are wrong for every model."""
        Protocol(**self.given())
        if self.recipe is not None:
            get_recipe(self.recipe)

    def read(self, config: "PreTrainedConfig") -> Protocol:
        """Raises `ValueError` for a recipe of another family of models."""
        own = Protocol() if self.recipe is None else recipe_protocol(get_recipe(self.recipe), config)
        return replace(own, **self.given())
