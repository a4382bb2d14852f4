"""Serve the page on this machine, without telemetry and with all files in a temporary folder."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from holovid.data.synthetic import ClipSet, render_clips
from holovid.inference.watching import until_stopped
from holovid.page import uploads
from holovid.page.answers import PageModel

HOST, PORT = "127.0.0.1", 7860
MOST_MODELS = 2
EXAMPLES = ClipSet(
    train=0, val=3, events=True, shapes=("ring", "bar", "disc"), sounds=("rise", "siren", "clicks"), size=224,
    seconds=3.0,
)  # fmt: skip
WAIT = 0.2  # seconds between checks for Ctrl-C


def check_page_models(models: Sequence[str]) -> None:
    if not 1 <= len(models) <= MOST_MODELS:
        raise ValueError(f"the page shows one or two models, got {len(models)}")


@contextmanager
def private_folder() -> Iterator[Path]:
    """A temporary folder for all files of the page, gradio and other libraries; deleted when the block ends."""
    with tempfile.TemporaryDirectory(prefix="holovid-app-", ignore_cleanup_errors=True) as place:
        folder = Path(place)
        places = {
            "GRADIO_TEMP_DIR": str(folder / "uploads"),
            "GRADIO_EXAMPLES_CACHE": str(folder / "examples-cache"),
            "GRADIO_ANALYTICS_ENABLED": "False",
            "TMPDIR": str(folder),
        }
        before = {name: os.environ.get(name) for name in places}, tempfile.tempdir
        os.environ.update(places)
        tempfile.tempdir = str(folder)
        try:
            yield folder
        finally:
            variables, tempfile.tempdir = before
            for variable, value in variables.items():
                if value is None:
                    del os.environ[variable]
                else:
                    os.environ[variable] = value


def serve_page(
    models: Sequence[str],
    host: str = HOST,
    port: int = PORT,
    ready: Callable[[str], None] = lambda address: None,
) -> None:
    """Serve the page until Ctrl-C is pressed or the process is terminated.

    Args:
        models: folders or Hub ids of one or two video classifiers.
        host: address to serve on; by default only this machine can reach it.
        port: port to serve on.
        ready: called with the URL of the page when it can be opened.

    Raises `ValueError` for another number of models, `ImportError` without gradio, `OSError` if the port is taken, and
    what loading raises.
    """
    check_page_models(models)
    with private_folder() as folder, until_stopped() as is_stopped:
        from holovid.page.layout import STYLE, build_page

        loaded = [PageModel(name) for name in models]
        examples = sorted(render_clips(folder / "examples", EXAMPLES, progress=False).glob("val/*/*.mp4"))
        page = build_page(loaded, examples, folder)
        try:
            _, address, _ = page.launch(
                server_name=host, server_port=port, share=False, quiet=True, show_error=False, css=STYLE,
                max_file_size=uploads.MOST_UPLOADED_BYTES, enable_monitoring=False, ssr_mode=False, pwa=False,
                mcp_server=False, run_history=False, footer_links=[], prevent_thread_lock=True, inbrowser=False,
            )  # fmt: skip
        except OSError as error:
            raise OSError(f"port {port} of {host} cannot be used; choose another one with --port") from error
        try:
            ready(address)
            while not is_stopped():
                time.sleep(WAIT)
        finally:
            page.close(verbose=False)
