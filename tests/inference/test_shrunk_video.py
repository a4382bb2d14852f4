"""Clips written anew for training show and sound as before, smaller."""

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import av
import numpy as np
import pytest
from clips import write_clip
from typer.testing import CliRunner

from holovid.cli import app
from holovid.data.clip_folders import find_clips
from holovid.data.synthetic import ClipSet, render_clips
from holovid.inference import shrunk_video
from holovid.inference.shrunk_video import Shrinking, outdated_tables, shrink_folder, shrink_video
from holovid.processing.video_decoding import open_video


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """Two clips with sound, 128 x 128, 2 s at 12 frames a second."""
    clips = ClipSet(train=2, val=0, size=128, seconds=2.0, frame_rate=12)
    return render_clips(tmp_path_factory.mktemp("films") / "clips", clips, workers=1)


def test_the_same_is_seen_and_heard(films, tmp_path):
    source, target = min(films.rglob("*.mp4")), tmp_path / "small.mp4"
    shrink_video(source, target, Shrinking(short_side=64))
    with open_video(str(source), with_sound=True) as before, open_video(str(target), with_sound=True) as after:
        assert (after.metadata.height, after.metadata.width) == (64, 64)
        assert len(after) == len(before)
        np.testing.assert_allclose(after.times - after.start, before.times - before.start, atol=1e-3)
        frames = [0, 11, 23]
        large, small = (video.frames(frames)[0].float() for video in (before, after))
        large = large.unfold(2, 2, 2).unfold(3, 2, 2).mean(dim=(-1, -2))
        assert (large - small).abs().mean() < 6
        sounds = [video.sound.read(0, 16_000, 16_000).numpy() for video in (before, after)]
        assert abs(after.sound.seconds - before.sound.seconds) < 0.1
    loudness = [np.sqrt(np.square(sound[:15_000].reshape(15, 1000)).mean(axis=1)) for sound in sounds]
    np.testing.assert_allclose(*loudness, atol=0.15 * max(loudness[0]))


def test_less_of_it(films, tmp_path):
    source, target = min(films.rglob("*.mp4")), tmp_path / "short.mp4"
    shrink_video(source, target, Shrinking(short_side=256, frame_rate=6, seconds=1.0))
    with open_video(str(target), with_sound=True) as video:
        assert (video.metadata.height, len(video)) == (128, 6)
        assert video.sound.seconds == pytest.approx(1.0, abs=0.1)
    with av.open(str(target)) as file:
        keys = [packet.is_keyframe for packet in file.demux(video=0) if packet.size]
    assert keys[0]


def test_odd_sizes_and_turned_films(tmp_path):
    write_clip(tmp_path / "odd.mp4", frames=4, size=(90, 162))
    shrink_video(tmp_path / "odd.mp4", tmp_path / "new.mp4", Shrinking(short_side=45))
    with open_video(str(tmp_path / "new.mp4")) as video:
        assert (video.metadata.height, video.metadata.width) == (44, 80)


@pytest.mark.slow  # processes of its own
def test_a_folder(films, tmp_path):
    source = tmp_path / "films"
    shutil.copytree(films, source)
    (source / "broken.mp4").write_bytes(b"no video")
    result = CliRunner().invoke(
        app, ["data", "shrink", str(source), str(tmp_path / "small"), "--short-side", "32", "--workers", "1"]
    )
    assert result.exit_code == 1 and "2 clips in" in result.output
    (told,) = [line for line in result.output.splitlines() if "broken.mp4" in line]
    assert (
        told.startswith(f"left out: {str(source / 'broken.mp4')!r} cannot be read") and told.count("broken.mp4") == 1
    )
    names = {path.relative_to(source) for path in source.rglob("*.mp4")} - {
        (source / "broken.mp4").relative_to(source)
    }
    assert {path.relative_to(tmp_path / "small") for path in (tmp_path / "small").rglob("*.mp4")} == names
    tables = [path.relative_to(source) for path in source.rglob("*.csv")]
    assert all((tmp_path / "small" / name).read_bytes() == (source / name).read_bytes() for name in tables)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "small").rglob("*.mp4")}
    told = []
    broken = shrink_folder(source, tmp_path / "small", Shrinking(32), 1, lambda: told.append(1))
    assert len(broken) == 1 and len(told) == 3
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    with pytest.raises(ValueError, match=r"has clips written with .*32.*name another folder"):
        shrink_folder(source, tmp_path / "small", Shrinking(64))
    assert json.loads((tmp_path / "small" / ".shrunk.json").read_text())["short_side"] == 32


def test_slips(films, tmp_path):
    with pytest.raises(ValueError, match="must not be inside"):
        shrink_folder(films, films / "small", Shrinking())
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="there are no clips in"):
        shrink_folder(tmp_path / "empty", tmp_path / "small", Shrinking())
    (tmp_path / "two").mkdir()
    for ending in ("mp4", "mkv"):
        (tmp_path / "two" / f"a.{ending}").write_bytes(b"")
    with pytest.raises(ValueError, match=r"would both become .*a\.mp4; rename one"):
        shrink_folder(tmp_path / "two", tmp_path / "small", Shrinking())
    with pytest.raises(ValueError, match="seconds must be above 0"):
        Shrinking(seconds=0)


def test_tables_that_name_other_suffixes(tmp_path, monkeypatch):
    source, target = tmp_path / "films", tmp_path / "small"
    (source / "more").mkdir(parents=True)
    for name in ("a.mp4", "metadata.csv", "more/test.parquet", "more/notes.md"):
        (source / name).write_text("path,label\nmore/b.webm,run\n")
    assert outdated_tables(find_clips(source), source, target) == []
    (source / "more" / "b.webm").touch()
    copies = [target / "metadata.csv", target / "more" / "test.parquet"]
    assert outdated_tables(find_clips(source), source, target) == copies
    monkeypatch.setattr(shrunk_video, "shrink_folder", lambda *_: {})
    result = CliRunner().invoke(app, ["data", "shrink", str(source), str(target)])
    assert result.exit_code == 0
    said = "was copied as it is: change the paths in it that do not end in .mp4"
    assert [line for line in result.stdout.splitlines() if "warning" in line] == [
        f"warning: {copy} {said}" for copy in copies
    ]


def test_ctrl_c_leaves_the_other_clips(tmp_path, monkeypatch):
    (tmp_path / "films").mkdir()
    for number in range(30):
        (tmp_path / f"films/{number}.mp4").touch()
    begun = []

    def shrink_slowly(source, target, how):
        begun.append(source)
        time.sleep(0.02)

    def stop():
        raise KeyboardInterrupt

    monkeypatch.setattr(shrunk_video, "shrink_alone", shrink_slowly)
    # threads see what is replaced here
    monkeypatch.setattr(shrunk_video, "ProcessPoolExecutor", lambda processes, **_: ThreadPoolExecutor(processes))
    with pytest.raises(KeyboardInterrupt):
        shrink_folder(tmp_path / "films", tmp_path / "small", Shrinking(), workers=1, advance=stop)
    assert 0 < len(begun) < 15
