"""`holovid app`: a web page that shows what models predict for a clip, and why."""

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
        str, typer.Option(help="Address to serve on. 127.0.0.1: this machine only; 0.0.0.0: the whole network.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to serve on.")] = 7860,
    space: Annotated[
        Path | None, typer.Option(help="Do not serve the page; write it as a Space for the Hub into this new folder.")
    ] = None,
) -> None:
    """Serve a web page where you upload or record a clip and see what models predict for it, and why.

    holovid app my-model other-model
    """
    for model in models:
        check_model_name(model)
    check_there("gradio", "the page")
    be_quiet()

    if space is not None:
        from holovid.page.space import write_space

        write_space(space, models)
        say(f"Space: {space}. To try it here: python {space / 'app.py'}")
        return

    from holovid.page.serving import serve_page

    serve_page(models, host, port, lambda address: say(f"Page: {address} (stop with Ctrl-C)"))
