"""What stands behind the page: what a model says of a clip as it is, muted and shuffled, and what is refused."""

import os
import tempfile

import av
import pytest
import torch
from page_models import render_page_clip, save_page_models
from PIL import Image

from holovid import load
from holovid.interventions import mute, shuffle_frames
from holovid.page import uploads
from holovid.page.answers import AS_IT_IS, MUTED, SHUFFLED, PageModel
from holovid.page.serving import check_page_models, private_folder
from holovid.page.uploads import check_upload


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def clip(place):
    return render_page_clip(place)


@pytest.fixture(scope="module")
def models(place):
    return save_page_models(place)


def said(folder, clip, change) -> dict[str, float]:
    model, processor = load(folder)
    inputs = change(dict(processor(clip, return_tensors="pt")))
    with torch.no_grad():
        shares = model(**inputs).logits.softmax(dim=-1)[0]
    return {model.config.id2label[number]: share for number, share in enumerate(shares.tolist())}


@pytest.mark.slow
def test_a_model_that_hears_answers_in_three_ways(models, clip, tmp_path):
    answer = PageModel(str(models["hearing"])).answer(clip, tmp_path)
    generator = torch.Generator().manual_seed(0)
    changes = {AS_IT_IS: dict, MUTED: mute, SHUFFLED: lambda inputs: shuffle_frames(inputs, generator)}
    assert list(answer.scores) == list(changes)
    for way, change in changes.items():
        want = said(models["hearing"], str(clip), change)
        assert answer.scores[way] == pytest.approx({label: want[label] for label in answer.scores[way]}, abs=1e-5)
    best = answer.scores[AS_IT_IS]
    assert list(best.values()) == sorted(best.values(), reverse=True) and len(best) == 5
    assert answer.scores[MUTED] != pytest.approx(best, abs=1e-3)
    assert answer.sentence.startswith("because of seconds ") and answer.sentence.split()[-1] in (
        "video",
        "audio",
        "enough",
    )
    assert answer.label == next(iter(best))
    with av.open(str(answer.video)) as video, av.open(str(clip)) as given:
        assert video.streams.audio and len(list(video.decode(video=0))) == len(list(given.decode(video=0)))
    with Image.open(answer.picture) as picture:
        assert picture.format == "PNG" and picture.width >= 500


@pytest.mark.slow
def test_a_model_that_does_not_hear_is_not_muted(models, clip, tmp_path):
    answer = PageModel(str(models["seeing"])).answer(clip, tmp_path)
    assert list(answer.scores) == [AS_IT_IS, SHUFFLED]
    want = said(models["seeing"], str(clip), dict)
    assert answer.scores[AS_IT_IS] == pytest.approx(
        {label: want[label] for label in answer.scores[AS_IT_IS]}, abs=1e-5
    )
    table = answer.table()
    assert "<th>label</th><th>as it is</th><th>shuffled</th>" in table
    assert "seeing &lt;" in table and "seeing <" not in table


def test_what_is_no_video_is_refused(tmp_path):
    text = tmp_path / "text.mp4"
    text.write_text("this is no video")
    with pytest.raises(ValueError, match=r"text\.mp4.* cannot be read as a video"):
        check_upload(text)
    picture = tmp_path / "picture.png"
    Image.new("RGB", (32, 32)).save(picture)
    with pytest.raises(ValueError, match=r"picture\.png is a picture; this page takes videos"):
        check_upload(picture)


@pytest.mark.parametrize(
    ("bound", "value", "sentence"),
    [
        ("MOST_UPLOADED_BYTES", 10, r"has 0 MB; the limit of this page is 0 MB"),
        ("MOST_UPLOADED_SECONDS", 0.5, r"lasts 1 seconds; the limit of this page is 0 seconds"),
        ("MOST_UPLOADED_PIXELS", 1000, r"has 12 frames of 64 x 64 pixels"),
    ],
)
def test_clips_are_bounded(clip, monkeypatch, bound, value, sentence):
    check_upload(clip)
    monkeypatch.setattr(uploads, bound, value)
    with pytest.raises(ValueError, match=sentence):
        check_upload(clip)


@pytest.mark.parametrize("models", [[], ["one", "two", "three"]])
def test_one_or_two_models(models):
    with pytest.raises(ValueError, match=f"the page shows one or two models, got {len(models)}"):
        check_page_models(models)


def test_the_folder_goes_and_the_process_is_as_before():
    before = dict(os.environ), tempfile.gettempdir()
    with private_folder() as folder:
        assert tempfile.gettempdir() == str(folder) and os.environ["GRADIO_TEMP_DIR"].startswith(str(folder))
        assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
        (folder / "upload.mp4").write_bytes(b"")
    assert not folder.exists() and (dict(os.environ), tempfile.gettempdir()) == before
