"""The page in this process: what it shows of clips that are wrong."""

import asyncio
from pathlib import Path

import pytest
from page_models import save_page_models

from holovid.page.answers import PageModel

pytestmark = pytest.mark.slow  # gradio takes seconds to import


@pytest.fixture
def layout():
    return pytest.importorskip("holovid.page.layout", reason="not run: gradio is not installed")


def test_a_problem_does_not_say_where_the_clip_is(tmp_path, layout):
    text = tmp_path / "<b>text.mp4"
    text.write_text("this is no video")
    model = PageModel(str(save_page_models(tmp_path)["seeing"]))
    shown, video, picture = layout.shown_answer(model, text, tmp_path)
    assert shown.startswith("<p class='problem'>") and "&lt;b&gt;text.mp4" in shown and "cannot be read" in shown
    assert str(tmp_path) not in shown and "Traceback" not in shown and (video, picture) == (None, None)


def test_names_of_models_are_no_markdown(tmp_path, layout):
    assert layout.model_heading("me/a_model") == "me/a\\_model"
    assert layout.model_heading(str(tmp_path)) == layout.model_heading(tmp_path.name)


def test_addresses_are_not_fetched(layout):
    import gradio

    video = layout.page_video()
    with pytest.raises(gradio.Error, match="this page does not open URLs"):
        asyncio.run(video.async_move_resource_to_block_cache("http://127.0.0.1/clip.mp4"))


def test_gradio_writes_nothing_beside_the_source(layout):
    assert not list(Path(layout.__file__).parent.glob("*.pyi"))
