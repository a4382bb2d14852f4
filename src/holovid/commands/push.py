"""`holovid push`: a model on the Hub."""

from dataclasses import asdict
from typing import Annotated

import typer

from holovid.cheap_checks import check_folder
from holovid.commands.options import AsJson, LicenceOptions, SavedModel, named_values
from holovid.commands.quiet import be_quiet
from holovid.commands.tables import file_table, say, show


def push(
    folder: SavedModel,
    repo_id: Annotated[str, typer.Argument(help="user/name on the Hub; made if it is not there.")],
    licence: LicenceOptions,
    private: Annotated[
        bool | None, typer.Option("--private/--public", help="Default: a new repository is private, others stay.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Put together and check, upload nothing.")] = False,
    message: Annotated[str | None, typer.Option(help="Of the commit.")] = None,
    max_shard_size: Annotated[str, typer.Option(help="Of one file of weights.")] = "5GB",
    adapters_only: Annotated[
        bool | None,
        typer.Option("--adapters-only/--all-weights", help="With or without the experts. Default: as saved."),
    ] = None,
    expert: Annotated[
        list[str] | None, typer.Option(help="Where an expert is that the weights lack, such as space=FOLDER.")
    ] = None,
    include: Annotated[list[str] | None, typer.Option(help="Further files of the folder, such as *.png.")] = None,
    as_json: AsJson = False,
) -> None:
    """Publish a model: weights, processor, source, card and results, checked first, then uploaded in one commit.

    holovid push my-model user/my-model --licence apache-2.0 --dry-run
    """
    check_folder(folder)
    given = licence.read()
    experts = named_values("--expert", expert or [])
    be_quiet()

    from holovid.publishing.push import publish

    publication = publish(
        folder,
        repo_id,
        licence=given,
        private=private,
        dry_run=dry_run,
        message=message,
        max_shard_size=max_shard_size,
        adapters_only=adapters_only,
        experts=experts,
        include=include or (),
    )
    show(asdict(publication), file_table(publication.files), as_json)
    if not as_json:
        say(*publication.lines())
