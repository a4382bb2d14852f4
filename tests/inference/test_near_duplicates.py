"""The same clip, encoded anew, is found by what a tiny model makes of it; no byte of the two files need be equal."""

import json
import shutil
from itertools import combinations

import numpy as np
import pytest
import torch
from clips import write_clip
from tiny_xvit import tiny
from typer.testing import CliRunner

from holovid import HolovidVideoProcessor
from holovid.cli import app
from holovid.data import load_clips
from holovid.data.checking import ClipFacts, ClipReport, inspect_clips
from holovid.data.named_clips import NamedClip, named_clips
from holovid.inference import embed_clips, read_vectors
from holovid.inference.near_duplicates import add_near_duplicates
from holovid.inference.shrunk_video import Shrinking, shrink_video
from holovid.inference.vectors import Vectors


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Eight clips to train on, two to validate on: a new one, and one of the others at half the size and bit rate."""
    place = tmp_path_factory.mktemp("near")
    for split in ("train", "val"):
        (place / "clips" / split / "run").mkdir(parents=True)
    for number in range(9):
        split = "train" if number < 8 else "val"
        write_clip(place / "clips" / split / "run" / f"{number}.mp4", frames=10, size=(128, 160), seed=number)
    shrink_video(place / "clips/train/run/3.mp4", place / "clips/val/run/again.mp4", Shrinking(short_side=64))
    embed(place / "clips", place / "vectors.parquet")
    return place


def embed(clips, vectors):
    torch.manual_seed(1)
    processor = HolovidVideoProcessor(size={"shortest_edge": 32}, crop_size=32, num_frames=6)
    embed_clips(tiny(image_size=32).eval(), processor, named_clips([clips]), vectors)


def test_a_clip_that_was_encoded_anew_is_found(place):
    clips = place / "clips"
    plain = CliRunner().invoke(app, ["data", "check", str(clips)])
    assert plain.exit_code == 0 and "near-duplicates" not in plain.output
    arguments = ["data", "check", str(clips), "--vectors", str(place / "vectors.parquet"), "--near", "0.1"]
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    (fault,) = [fault for fault in told["faults"] if fault["kind"].startswith("near")]
    assert fault["kind"] == "near in two splits" and fault["severe"] and len(fault["items"]) == 1
    one, other = clips / "train/run/3.mp4", clips / "val/run/again.mp4"
    assert fault["items"][0].startswith(f"{one} ~ {other} (0.0")
    nearest = {clip["path"]: (clip["nearest"], clip["distance"]) for clip in told["clips"]}
    assert nearest[str(one)][0] == str(other) and nearest[str(one)][1] == nearest[str(other)][1] < 0.1
    assert all(distance > 0.1 for path, (_, distance) in nearest.items() if path not in (str(one), str(other)))
    assert [told["splits"][split]["near"] for split in ("train", "validation")] == [1, 1]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1 and "near in two splits: 1 clip " in result.output
    assert "near-duplicates" in result.output
    assert CliRunner().invoke(app, [*arguments, "--near", "0"]).exit_code == 0


def facts(*clips):
    return [ClipFacts(split, path, label, *span, digest=path) for split, path, label, *span in clips]


def test_windows_parts_and_other_sets():
    """Parts of one file are not compared; of a film in windows the nearest ones count; others are another set."""
    report = ClipReport(facts(
        ("train", "/a.mp4", "run"), ("train", "/b.mp4", "walk"), ("train", "/part.mp4", "run", 0.0, 1.0),
        ("train", "/part.mp4", "run", 1.0, 2.0), ("validation", "/c.mp4", "run"), ("validation", "/d.mp4", "run"),
    ))  # fmt: skip
    angles = {
        NamedClip("/a.mp4", 0.0, 1.0): 0, NamedClip("/a.mp4", 1.0, 2.0): 30, NamedClip("/b.mp4"): 31,
        NamedClip("/part.mp4", 0.0, 1.0): 90, NamedClip("/part.mp4", 1.0, 2.0): 90, NamedClip("/c.mp4"): 2,
        NamedClip("/other.mp4"): 91, NamedClip("/another.mp4"): 91,
    }  # fmt: skip
    radians = np.radians([*angles.values()])
    values = np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)
    vectors = Vectors([*angles], values, np.arange(len(angles)), "model")
    usual = np.mean([1 - np.cos(one - other) for one, other in combinations(radians, 2)])
    one, two = (f"{(1 - np.cos(np.radians(degrees))) / usual:.2g}" for degrees in (1, 2))
    found = add_near_duplicates(report, vectors, 0.01)
    assert {fault.kind: fault.items for fault in found.faults} == {
        "near in two splits": (f"/a.mp4 ~ /c.mp4 ({two})",),
        "near": (f"/a.mp4 ~ /b.mp4 ({one}, run and walk)",),
        "near another set": (
            f"/part.mp4, 0 to 1 s ~ /other.mp4 ({one})", f"/part.mp4, 1 to 2 s ~ /other.mp4 ({one})",
        ),
        "no vector": ("/d.mp4",),
    }  # fmt: skip
    assert [clip.nearest for clip in found.clips] == [
        "/b.mp4", "/a.mp4", "/other.mp4", "/other.mp4", "/a.mp4", None,
    ]  # fmt: skip
    assert not add_near_duplicates(report, vectors, 0.0).is_severe and found.is_severe
    with pytest.raises(ValueError, match="near must be between 0 and 1"):
        add_near_duplicates(report, vectors, 1.5)
    with pytest.raises(ValueError, match="no clip of the set has a vector"):
        add_near_duplicates(ClipReport(facts(("train", "/e.mp4", "run"))), vectors)


def test_copies_are_told_once(tmp_path):
    """Those that the content of files tells are not near duplicates as well."""
    folder = tmp_path / "train" / "run"
    folder.mkdir(parents=True)
    # two encodings need not have the same bytes: threads of the encoder share its work out by who is first
    shutil.copy(write_clip(folder / "a.mp4", frames=10, size=(64, 80), seed=1), folder / "b.mp4")
    embed(tmp_path, tmp_path / "v.parquet")
    report = add_near_duplicates(inspect_clips(load_clips(tmp_path)), read_vectors(tmp_path / "v.parquet"))
    assert [fault.kind for fault in report.faults if "near" in fault.kind or fault.kind == "repeated"] == ["repeated"]
