"""Scores over time are those of the clips that windows are; the film is decoded once and little of it is kept."""

import json
import re
from pathlib import Path

import av
import numpy as np
import pytest
import tiny_ca2st
import torch
from sounding_clips import write_sounding_clip
from streams import tiny
from typer.testing import CliRunner

from holovid import HolovidProcessor, HolovidVideoProcessor
from holovid.cli import app
from holovid.inference import timeline
from holovid.inference.films import Film
from holovid.processing import video_processing_holovid
from holovid.processing.video_decoding import VideoFile, open_video

LABELS = {0: "left", 1: "right", 2: "up", 3: "down", 4: "still"}
SMALL = {"size": {"shortest_edge": 16}, "crop_size": 16, "num_frames": 6}


def clip_of(film: Path, start: float, window: float) -> dict:
    return {"path": str(film), "bytes": None, "start": start, "end": start + window}


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    """Ten seconds at 20 frames a second with noise, whose picture starts before its sound."""
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (1, 22_050 * 9)).astype(np.float32)
    path = tmp_path_factory.mktemp("films") / "film.mkv"
    return write_sounding_clip(path, 200, noise, rate=22_050, codec="pcm_s16le", sound_start=0.5, size=(32, 48))


@pytest.fixture(scope="module")
def hearing():
    torch.manual_seed(0)
    model = tiny_ca2st.tiny(experts=tiny_ca2st.CA2ST, id2label=LABELS)
    return model, HolovidProcessor.for_model(model.config, size={"shortest_edge": 28})


@pytest.mark.parametrize(
    "options",
    [
        {"sampling": "uniform"},
        {"sampling": "dense", "frame_stride": 3},
        {"sampling": "strided", "frame_stride": 2, "num_views": 2, "num_crops": 3},
        {"sampling": "last", "frame_stride": 4},
        {"sampling": "spread", "frame_stride": 2, "fps": 10},
        {"sampling": "segments"},
        {"do_sample_frames": False},
    ],
    ids=lambda options: options.get("sampling", "all"),
)
@pytest.mark.parametrize(("window", "stride"), [(2.0, 0.5), (1.3, 0.37), (1.0, 3.0)])
def test_a_window_is_what_the_processor_gives_for_the_clip(film, options, window, stride):
    processor = HolovidVideoProcessor(**SMALL | options)
    with Film(film, processor, window, stride) as opened:
        assert opened.starts[-1] + window <= opened.seconds + 0.025 < opened.starts[-1] + window + stride
        for start, part in zip(opened.starts, opened.windows(), strict=True):
            got = processor(part, return_tensors="pt")
            want = processor(clip_of(film, float(start), window), return_tensors="pt")
            assert torch.equal(got["pixel_values_videos"], want["pixel_values_videos"])


@pytest.mark.parametrize("audio_frames", [40, 150, 300])
def test_and_its_sound(film, hearing, audio_frames):
    """Shorter than the window, and longer; the sound of the first window starts within it."""
    _, processor = hearing
    config = processor.video_processor.audio_config | {"audio_frames": audio_frames}
    processor = HolovidVideoProcessor(**SMALL, audio_config=config)
    silent = []
    with Film(film, processor, 1.5, 0.4) as opened:
        for start, part in zip(opened.starts, opened.windows(), strict=True):
            got = processor(part, return_tensors="pt")
            want = processor(clip_of(film, float(start), 1.5), return_tensors="pt")
            assert got.keys() == want.keys() > {"input_values", "audio_span"}
            assert all(torch.equal(got[name], want[name]) for name in want)
            silent.append(not got["audio_mask"].item())
    assert not any(silent)


def test_frames_too_large_to_be_kept_are_resized_as_they_come(film, monkeypatch):
    monkeypatch.setattr(video_processing_holovid, "RESIZE_AT_ONCE", 1000)
    processor = HolovidVideoProcessor(**SMALL)
    with Film(film, processor) as opened:
        for start, part in zip(opened.starts, opened.windows(), strict=True):
            got = processor(part, return_tensors="pt")["pixel_values_videos"]
            want = processor(clip_of(film, float(start), 2.0), return_tensors="pt")["pixel_values_videos"]
            assert torch.equal(got, want)


def test_scores_are_those_of_the_model_on_each_clip(film, hearing):
    model, processor = hearing
    scores = timeline(model, processor, film, 1.5, 0.75, batch_size=5, progress=False)
    assert (scores.labels, scores.kind, scores.name) == (tuple(LABELS.values()), "class", str(film))
    assert scores.seconds == pytest.approx(10.0, abs=0.01)
    assert scores.starts.tolist() == [0.75 * number for number in range(12)]
    for start, row in zip(scores.starts, scores.scores, strict=True):
        inputs = processor(clip_of(film, float(start), 1.5), return_tensors="pt")
        with torch.no_grad():
            want = model(**inputs).logits.softmax(-1)[0]
        torch.testing.assert_close(torch.from_numpy(row), want, rtol=0, atol=1e-5)


def test_views_of_a_window_are_averaged(film):
    model, processor = tiny(id2label=LABELS), HolovidVideoProcessor(**SMALL, num_crops=3)
    scores = timeline(model, processor, film, 2.0, 4.0, progress=False)
    inputs = processor(clip_of(film, 4.0, 2.0), return_tensors="pt")["pixel_values_videos"]
    with torch.no_grad():
        want = model(inputs[0]).logits.mean(0).softmax(-1)
    torch.testing.assert_close(torch.from_numpy(scores.scores[1]), want, rtol=0, atol=1e-5)


def test_windows_of_other_numbers_of_frames_go_through_by_themselves(film):
    """At 7.6 frames a second, windows of 1.3 s have 9 or 10 of them."""
    model, processor = tiny(id2label=LABELS), HolovidVideoProcessor(**SMALL, fps=7.6)
    lengths = set()
    with Film(film, processor, 1.3, 0.37) as opened:
        for part in opened.windows():
            lengths.add(processor(part, return_tensors="pt")["pixel_values_videos"].shape[1])
        count = len(opened.starts)
    assert len(lengths) == 2
    assert len(timeline(model, processor, film, 1.3, 0.37, progress=False).scores) == count


def decoded_and_kept(film: Path, monkeypatch) -> tuple[int, int, int]:
    """How many frames are converted, how many different ones windows need, and how many are kept at most."""
    made, pixels = [], VideoFile._pixels
    monkeypatch.setattr(VideoFile, "_pixels", lambda self, *frame: made.append(frame[0]) or pixels(self, *frame))
    processor = HolovidVideoProcessor(**SMALL)
    with Film(film, processor, 2.0, 0.5) as opened:
        for part in opened.windows():
            processor(part)
        monkeypatch.setattr(VideoFile, "_pixels", pixels)
        return len(made), len(set(made)), opened.frames_kept


@pytest.mark.slow
def test_a_long_film_is_decoded_once_and_as_little_of_it_is_kept_as_of_a_short_one(tmp_path, monkeypatch):
    kept = []
    for minutes in (0.25, 10):
        path = write_sounding_clip(tmp_path / f"{minutes}.mp4", round(minutes * 60 * 20), size=(16, 16))
        converted, different, most = decoded_and_kept(path, monkeypatch)
        assert converted == different > minutes * 60 * 20 / 5
        kept.append(most)
    assert kept[0] == kept[1] <= 4 * SMALL["num_frames"]


def test_a_film_shorter_than_a_window_is_one(film):
    processor = HolovidVideoProcessor(**SMALL)
    scores = timeline(tiny(id2label=LABELS), processor, film, 60.0, 1.0, progress=False)
    assert scores.starts.tolist() == [0.0] and scores.edges == pytest.approx([0.0, 10.0], abs=0.01)
    assert scores.middles == pytest.approx([5.0], abs=0.01)


def test_bad_input_is_refused_in_a_sentence(film, hearing, tmp_path):
    model, processor = tiny(id2label=LABELS), HolovidVideoProcessor(**SMALL)
    for wrong, message in (
        ({"window": 0}, "window must be"),
        ({"stride": float("nan")}, "stride must be"),
        ({"batch_size": 0}, "batch_size must be"),
    ):
        with pytest.raises(ValueError, match=message):
            timeline(model, processor, film, **wrong)
    with pytest.raises(ValueError, match="a film must be a path"):
        timeline(model, processor, clip_of(film, 0.0, 1.0))
    with pytest.raises(ValueError, match="in training mode"):
        timeline(tiny(id2label=LABELS).train(), processor, film)
    with pytest.raises(ValueError, match="a stream does not compute whole windows"):
        timeline(model, processor, film, stream=True, why=True)
    with pytest.raises(ValueError, match="HolovidVideoProcessor, got a int"):
        timeline(model, 3, film)
    frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8)).to_image()
    frame.save(tmp_path / "still.png")
    with pytest.raises(ValueError, match=r"still\.png' is a picture; a film must be a video"):
        timeline(model, processor, tmp_path / "still.png")
    with pytest.raises(FileNotFoundError):
        timeline(model, processor, tmp_path / "none.mp4")


def test_the_command_writes_all_kinds_of_files(film, hearing, tmp_path):
    model, processor = hearing
    model.save_pretrained(tmp_path / "model")
    processor.save_pretrained(tmp_path / "model")
    names = ("film.csv", "film.json", "film.vtt", "film.srt", "film.png", "film.mp4")
    outputs = [word for name in names for word in ("--output", str(tmp_path / name))]
    arguments = [str(tmp_path / "model"), str(film), "--window", "1.5", "--stride", "0.75", "--threshold", "0.2"]
    result = CliRunner().invoke(app, ["timeline", *arguments, *outputs])
    assert result.exit_code == 0, result.output
    assert all(str(tmp_path / name) in result.stdout.replace("\n", "") for name in names)
    record = json.loads((tmp_path / "film.json").read_text())
    want = timeline(model, processor, film, 1.5, 0.75, progress=False)
    assert np.array([window["scores"] for window in record["windows"]]) == pytest.approx(want.scores, abs=1e-5)
    assert record["segments"] and record["film"] == str(film)
    with open_video(tmp_path / "film.mp4", with_sound=True) as written, open_video(film) as read:
        assert len(written) == len(read) == 200
        assert written.sound is not None and written.seconds == pytest.approx(10.0, abs=0.1)

    result = CliRunner().invoke(app, ["timeline", *arguments, "--json"])
    assert json.loads(result.stdout) == record
    assert not result.stderr
    result = CliRunner().invoke(app, ["timeline", *arguments, "--threshold", "1"])
    highest = want.labels[want.scores.max(axis=0).argmax()]
    assert result.exit_code == 0
    said = rf"holovid: no score reaches --threshold 1; the highest is (0\.\d+) \({highest}\)\n"
    told = re.fullmatch(said, result.stderr)
    assert told and float(told[1]) == pytest.approx(want.scores.max(), abs=1e-3)
    result = CliRunner().invoke(app, ["timeline", *arguments, "--background", "nothing"])
    assert result.exit_code == 2 and "background 'nothing' is not a class" in result.output


def test_the_labelled_film_says_what_the_nearest_window_says(film, tmp_path):
    """The bar of the best answer is as long as its score: with a score of 1, a third of the width."""
    from holovid.inference import Timeline, write_timeline

    rows = np.array([[1.0, 0.0], [0.0, 0.0]], dtype=np.float32)
    scores = Timeline(str(film), ("run", "sit"), "class", np.array([0.0, 8.0]), 2.0, 10.0, rows)
    write_timeline(scores, [], tmp_path / "film.mp4", film, top_k=1)
    with open_video(tmp_path / "film.mp4") as video:
        pixels, _ = video.frames([20, 180])
    blue = pixels[:, 2].int() - pixels[:, 0].int() > 80
    assert blue[0].any() and not blue[1].any()
