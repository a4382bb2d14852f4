"""examples/quality.py in miniature, and that its clips are what they are said to be."""

import csv
import importlib

import numpy as np
import pytest
from PIL import Image
from places import EXAMPLES
from real_clips import real_clips  # noqa: F401


@pytest.fixture(scope="module")
def imported():
    """Imports scripts of the examples, which find one another as when they are run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLES)
        yield importlib.import_module


def test_dropped_frames_leave_the_pictures_as_they_are(imported):
    played = imported("quality_clips").played
    assert played(np.arange(4)).tolist() == [0, 1, 2, 3, 0, 1, 2, 3]
    assert played(np.arange(4), [0, 1, 2, 3]).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    for held in ([1], [3, 0], [2, 1, 3]):
        shown = played(np.arange(4), held)
        assert sorted(shown.tolist()) == [0, 0, 1, 1, 2, 2, 3, 3]
        assert all(shown[list(shown).index(number) + 1] == number for number in held)


@pytest.mark.parametrize("name", ["blur", "noise", "blocks"])
def test_more_strength_is_farther_from_the_picture(imported, name):
    clips = imported("quality_clips")
    pictures = np.random.default_rng(0).uniform(0, 255, (4, 48, 48, 3))
    far = [
        np.abs(clips.DISTORTIONS[name](pictures, strength, np.random.default_rng(1)) - clips.played(pictures)).mean()
        for strength in (0.0, 0.2, 0.5, 1.0)
    ]
    assert far[0] == 0 and far == sorted(set(far))


def test_a_clip_follows_from_its_number(imported):
    make = imported("quality_clips").make_clip
    video = np.random.default_rng(0).integers(0, 256, (20, 96, 128, 3), dtype=np.uint8)
    for number, source in ((0, "drawn"), (1, "filmed")):
        frames, quality, distortion, kind = make((0, 0, number), [video], ("disc",))
        again = make((0, 0, number), [video], ("disc",))
        assert np.array_equal(frames, again[0]) and (quality, distortion) == again[1:3]
        assert frames.shape == (8, 48, 48, 3) and 0 <= quality <= 100 and (distortion, kind) == ("blur", source)


@pytest.mark.slow
def test_miniature(imported, real_clips, tmp_path, capsys):  # noqa: F811
    quality, output = imported("quality"), tmp_path / "out"
    sizes = ["--train", "64", "--test", "32", "--epochs", "1", "--output", str(output)]
    videos = ["--real", str(real_clips["bigbuckbunny.mp4"]), "--held-out", str(real_clips["carphone_pristine.mp4"])]
    assert quality.main([*sizes, *videos, "--table", str(tmp_path / "table.md")]) == 1  # two steps do not get there
    assert {path.name for path in output.iterdir()} == {
        "best-and-worst.png", "model", "results.md", "scores.png", "test", "train",
    }  # fmt: skip
    with open(output / "test" / "scores.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 32 and {row["source"] for row in rows} == {"drawn", "filmed"}
    text = (tmp_path / "table.md").read_text()
    assert "| dropped frames | 8 |" in text and "| all clips | 32 |" in text and "SROCC, frames shuffled" in text
    with Image.open(output / "best-and-worst.png") as picture:
        picture.verify()
    assert "Missed: all clips: SROCC 0.9 or more" in " ".join(capsys.readouterr().out.split())


def test_goals(imported):
    quality = imported("quality")
    good = {
        "all clips": {"SROCC": 0.92}, "dropped frames": {"SROCC, frames shuffled": 0.1},
        "blur": {"SROCC": 0.9, "SROCC, frames shuffled": 0.85},
    }  # fmt: skip
    assert quality.missed(good) == []
    assert len(quality.missed(good | {"blur": {"SROCC": 0.9, "SROCC, frames shuffled": 0.7}})) == 1
    assert len(quality.missed(good | {"all clips": {"SROCC": None}})) == 1
