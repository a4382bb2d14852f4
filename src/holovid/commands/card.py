"""`holovid card`: write the model card."""

from pathlib import Path
from typing import Annotated

import typer

from holovid.cheap_checks import check_clip, check_folder, check_new_file
from holovid.commands.options import LicenceOptions, SavedModel
from holovid.commands.quiet import be_quiet
from holovid.commands.tables import say


def card(
    folder: SavedModel,
    licence: LicenceOptions,
    output: Annotated[Path | None, typer.Option(help="File to write. Default: README.md in the folder.")] = None,
    repo_id: Annotated[
        str | None, typer.Option(help="user/name that the card's code loads. Default: the name of the folder.")
    ] = None,
    clip: Annotated[
        str | None, typer.Option(help="Path or URL of a video to show on the card with the model's predictions.")
    ] = None,
    why: Annotated[
        bool, typer.Option("--why/--no-why", help="With --clip: show where in the clip the predictions come from.")
    ] = True,
) -> None:
    """Write the model card: how to use the model, its inputs, size, results, training, licence and limitations.

    holovid card my-model --licence apache-2.0 --repo-id user/my-model --clip clip.mp4
    """
    check_folder(folder)
    if output is not None:
        check_new_file(output)
    if clip is not None:
        check_clip(clip)
    given = licence.read()
    be_quiet()

    from holovid.files import write_whole
    from holovid.publishing.card import build_card, check_name, check_written, write_card
    from holovid.publishing.card_picture import PICTURE, draw_card_picture
    from holovid.saving import CARD

    path, picture = output or folder / CARD, folder / PICTURE
    check_written(path)
    check_name(repo_id)
    before = picture.read_bytes() if picture.is_file() else None
    if clip is not None:
        draw_card_picture(folder, clip, why=why)
    try:
        made = build_card(folder, licence=given, repo_id=repo_id)
    except Exception:
        if clip is not None:  # no picture without its card
            picture.unlink() if before is None else write_whole(picture, before)
        raise
    write_card(made, path)
    if clip is not None:
        say(f"Picture: {picture}")
    if picture.is_file() and path.parent.resolve() != folder.resolve():
        write_whole(path.parent / PICTURE, picture.read_bytes())  # the card shows the one beside it
    say(f"Model card: {path}")
