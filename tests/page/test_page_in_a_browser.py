"""The page as a person sees it, in a real browser: a clip is uploaded and answered, a wrong file gets a sentence."""

import sys

import pytest
from browsers import asked_hosts, browser, eventually, free_port, served, shows, text_of, upload
from page_models import render_page_clip, save_page_models

pytestmark = pytest.mark.slow


@pytest.fixture
def folders(tmp_path):
    return save_page_models(tmp_path)


def test_a_clip_is_answered_by_two_models_and_a_text_file_gets_a_sentence(tmp_path, folders):
    clip = render_page_clip(tmp_path)
    text = tmp_path / "text.mp4"
    text.write_text("this is no video")
    (tmp_path / "served").mkdir()
    command = [sys.executable, "-m", "holovid.cli", "app", *folders.values(), "--port", str(free_port())]
    with browser(tmp_path) as chrome, served(list(map(str, command)), tmp_path / "served") as address:
        chrome.get(address)
        upload(chrome, clip)
        for number, (name, heads) in enumerate(
            {"hearing": "as it is muted shuffled", "seeing": "as it is shuffled"}.items()
        ):
            assert text_of(chrome, f"#answer-{number} .answer").startswith(f"{name} <")
            assert text_of(chrome, f"#answer-{number} .scores").startswith(f"label {heads}")
            assert "because of seconds" in chrome.find_element("id", f"answer-{number}").text
            assert eventually(lambda: shows(chrome, f"#picture-{number} img"))  # noqa: B023
            assert eventually(lambda: shows(chrome, f"#video-{number} video"))  # noqa: B023
        assert not chrome.find_elements("css selector", ".problem")
        chrome.get(address)
        upload(chrome, text)
        problem = text_of(chrome, "#problem .problem")
        assert problem.startswith("'text.mp4' cannot be read as a video") and "\n" not in problem
        assert not chrome.find_elements("css selector", ".answer") and "Traceback" not in chrome.page_source
        examples = eventually(lambda: chrome.find_elements("css selector", ".gallery-item, .gallery button"))
        examples[0].click()
        assert text_of(chrome, "#answer-0 .answer").startswith("hearing <")
        assert asked_hosts(chrome) == {"127.0.0.1"}


def test_a_space_runs_from_its_own_source(tmp_path, folders):
    from holovid.page.space import write_space

    clip = render_page_clip(tmp_path)
    space = write_space(tmp_path / "space", [str(folders["seeing"])])
    source = (space / "app.py").read_text().replace('host="0.0.0.0"', f'host="127.0.0.1", port={free_port()}')
    (space / "app.py").write_text(source)
    (tmp_path / "served").mkdir()
    with (
        browser(tmp_path) as chrome,
        served([sys.executable, "-B", str(space / "app.py")], tmp_path / "served") as address,
    ):
        chrome.get(address)
        upload(chrome, clip)
        assert text_of(chrome, "#answer-0 .answer").startswith("seeing <")
