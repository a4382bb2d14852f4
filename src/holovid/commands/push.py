"""`holovid push`: publish a model on the Hub."""

from dataclasses import asdict
from typing import Annotated

import typer

from holovid.cheap_checks import check_folder
from holovid.commands.options import AsJson, LicenceOptions, SavedModel, named_values
from holovid.commands.quiet import be_quiet
from holovid.commands.tables import file_table, say, show


def push(
    folder: SavedModel,
    repo_id: Annotated[str, typer.Argument(help="Repository on the Hub, user/name; created if it does not exist.")],
    licence: LicenceOptions,
    private: Annotated[
        bool | None,
        typer.Option(
            "--private/--public", help="Visibility. Default: private if the repository is new, else unchanged."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Collect and check the files, but upload nothing.")
    ] = False,
    message: Annotated[str | None, typer.Option(help="Commit message. Default: Publish user/name.")] = None,
    max_shard_size: Annotated[str, typer.Option(help="Largest size of a file of weights.")] = "5GB",
    adapters_only: Annotated[
        bool | None,
        typer.Option(
            "--adapters-only/--all-weights",
            help="Leave the experts' weights out, or include them. Default: as the model was saved.",
        ),
    ] = None,
    expert: Annotated[
        list[str] | None,
        typer.Option(
            help="Where to find an expert of a model saved without them, such as space=FOLDER; can be repeated."
        ),
    ] = None,
    include: Annotated[
        list[str] | None,
        typer.Option(help="Also publish files of the folder that match a pattern, such as *.png; can be repeated."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Publish a model on the Hub: collect weights, processor, source, card and results, check them, and upload them.

    All files go into one commit.

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
