"""`holovid card`: a model's card out of facts."""

from pathlib import Path
from typing import Annotated

import typer

from holovid.cheap_checks import check_folder
from holovid.commands.options import LicenceOptions, SavedModel
from holovid.commands.quiet import be_quiet
from holovid.commands.tables import say


def card(
    folder: SavedModel,
    licence: LicenceOptions,
    output: Annotated[Path | None, typer.Option(help="File to write. Default: README.md in the folder.")] = None,
    repo_id: Annotated[str | None, typer.Option(help="user/name. Default: the name of the folder.")] = None,
) -> None:
    """Write the model card: how to use the model, what it takes, costs and can, whose weights and data it is made of.

    holovid card my-model --licence apache-2.0 --repo-id user/my-model
    """
    check_folder(folder)
    given = licence.read()
    be_quiet()

    from holovid.publishing.card import build_card, write_card
    from holovid.saving import CARD

    path = output or folder / CARD
    write_card(build_card(folder, licence=given, repo_id=repo_id), path)
    say(f"Model card: {path}")
