"""`holovid app`: a page where one drops a clip and sees what models say of it, and why."""

from pathlib import Path
from typing import Annotated

import typer

from holovid.cheap_checks import check_model_name
from holovid.commands.quiet import be_quiet
from holovid.commands.tables import say
from holovid.extras import check_there


def app(
    models: Annotated[
        list[str], typer.Argument(help="Folder or Hub id of a video classifier; one, or two to compare.")
    ],
    host: Annotated[
        str, typer.Option(help="Address to serve; 0.0.0.0 is for all who reach this machine.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to serve.")] = 7860,
    space: Annotated[
        Path | None, typer.Option(help="Serve nothing: write a Space for the Hub into this new folder.")
    ] = None,
) -> None:
    """Show a page where one drops or records a clip and sees what models say of it, and why.

    holovid app my-model other-model
    """
    for model in models:
        check_model_name(model)
    check_there("gradio", "the page")
    be_quiet()

    if space is not None:
        from holovid.page.space import write_space

        write_space(space, models)
        say(f"Space: {space}; holovid and what it needs are in it, and `python {space / 'app.py'}` tries it here")
        return

    from holovid.page.serving import serve_page

    serve_page(models, host, port, lambda address: say(f"Page: {address} (Ctrl-C ends it)"))
