"""Options of a command line that say how clips are seen."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holovid.evaluation.protocol import Protocol, recipe_protocol
from holovid.recipes import get_recipe

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


@dataclass
class ProtocolOptions:
    views: Annotated[int | None, typer.Option(min=1, help="Passes over a clip in time. Default: 1.")] = None
    crops: Annotated[int | None, typer.Option(help="1 or 3 of each. Default: 1.")] = None
    flips: Annotated[
        bool | None, typer.Option("--flips/--no-flips", help="Also each mirrored, left for right. Default: no.")
    ] = None
    ensemble: Annotated[
        str | None,
        typer.Option(help="What is averaged over them: logits or probabilities. Default: as the paper does."),
    ] = None
    recipe: Annotated[str | None, typer.Option(help="Views, crops, flips, average, sampling of a paper's recipe.")] = (
        None
    )
    autocast: Annotated[str | None, typer.Option(help="bfloat16 or float16.")] = None
    shuffle_frames: Annotated[bool, typer.Option("--shuffle-frames", help="Ablation: frames in random order.")] = False
    static: Annotated[bool, typer.Option("--static", help="Ablation: the middle frame all the time.")] = False
    mute: Annotated[bool, typer.Option("--mute", help="Ablation: no sound.")] = False
    drop_expert: Annotated[
        list[str] | None, typer.Option(help="Ablation: space, time or audio perceives nothing.")
    ] = None

    def given(self) -> dict[str, Any]:
        """What goes before a recipe's protocol and the defaults of `Protocol`."""
        switches = {"hold_still": self.static, "shuffle_frames": self.shuffle_frames, "mute": self.mute}
        interventions = [name for name, wanted in switches.items() if wanted]
        interventions += [f"without_{expert}" for expert in self.drop_expert or []]
        chosen = {name: getattr(self, name) for name in ("views", "crops", "flips", "ensemble", "autocast")}
        return {name: value for name, value in chosen.items() if value is not None} | {"interventions": interventions}

    def check(self) -> None:
        """Raise `ValueError` for what is wrong whatever the model."""
        Protocol(**self.given())
        if self.recipe is not None:
            get_recipe(self.recipe)

    def read(self, config: "PreTrainedConfig") -> Protocol:
        """Raises `ValueError` for a recipe that is for other models."""
        own = Protocol() if self.recipe is None else recipe_protocol(get_recipe(self.recipe), config)
        return replace(own, **self.given())
