"""Rendered clips against their definition: reversal pairs bit for bit, independent factors, nothing half-written."""

import csv
from itertools import product

import av
import numpy as np
import pytest

from holovid.data.synthetic import MOTIONS, REVERSED, SHAPES, SOUNDS, ClipSet, draw_frames, draw_sound, render_clips

TINY = ClipSet(train=8, val=4, size=32, seconds=0.5, frame_rate=8)


def decode(path):
    with av.open(str(path)) as container:
        frames = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    with av.open(str(path)) as container:
        sound = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    return frames, sound


def rows(folder, split):
    with open(folder / split / "metadata.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    return render_clips(tmp_path_factory.mktemp("data") / "clips", TINY, progress=False)


@pytest.mark.parametrize(("backward", "forward"), REVERSED.items())
@pytest.mark.parametrize("shape", SHAPES)
def test_motions_are_exact_reversals(shape, backward, forward):
    one, other = (draw_frames(np.random.default_rng(5), TINY, shape, motion) for motion in (forward, backward))
    assert one.shape == (4, 32, 32, 3) and one.dtype == np.uint8
    np.testing.assert_array_equal(one, other[::-1])
    assert (one[0] != one[-1]).any()


def test_reversal_survives_the_codec(rendered):
    for split, folder_rows in ((split, rows(rendered, split)) for split in ("train", "val")):
        for right, left in zip(folder_rows[::2], folder_rows[1::2], strict=True):
            assert (right["motion"], left["motion"]) == ("right", "left")
            (frames, sound), (reversed_frames, same_sound) = (
                decode(rendered / split / row["file_name"]) for row in (right, left)
            )
            np.testing.assert_array_equal(frames, reversed_frames[::-1])
            np.testing.assert_array_equal(sound, same_sound)


@pytest.mark.parametrize(
    ("motion", "what_grows"),
    [
        ("right", lambda mask: np.nonzero(mask)[1].mean()),
        ("down", lambda mask: np.nonzero(mask)[0].mean()),
        ("grow", np.sum),
        ("appear", np.sum),
    ],
)
def test_motions_are_what_they_are_called(motion, what_grows):
    clips = ClipSet(size=64)
    frames = draw_frames(np.random.default_rng(1), clips, "disc", motion).astype(float)
    # the disc is the only thing that differs between frames by more than the noise (standard deviation 3)
    mask = np.abs(frames - np.median(frames, axis=0)).max(-1) > 25
    if motion in ("grow", "appear"):  # the median frame has part of the disc: count its pixels against the background
        mask = np.abs(frames - frames[0]).max(-1) > 25
    assert what_grows(mask[-1]) > what_grows(mask[1])


@pytest.mark.parametrize("sound", SOUNDS)
def test_sounds(sound):
    clips = ClipSet()
    wave = draw_sound(np.random.default_rng(2), clips, sound)
    assert wave.dtype == np.float32 and wave.shape == (32_000,) and 0.1 < np.abs(wave).max() <= 1
    first, last = (np.abs(np.fft.rfft(part)).argmax() for part in np.split(wave, 4)[::3])
    assert {"rise": last > 1.5 * first, "fall": first > 1.5 * last}.get(sound, True)
    if sound == "fall":
        np.testing.assert_array_equal(wave, draw_sound(np.random.default_rng(2), clips, "rise")[::-1])


def test_files_and_table(rendered):
    assert sorted(path.name for path in rendered.iterdir()) == ["clips.json", "train", "val"]
    train = rows(rendered, "train")
    combinations = [(row["shape"], row["motion"], row["sound"]) for row in train]
    assert sorted(combinations) == sorted(product(TINY.shapes, TINY.motions, TINY.sounds))
    assert [row["label"] for row in train] == ["-".join(factors) for factors in combinations]
    assert all((row["match"] == "same") == ((row["motion"] == "right") == (row["sound"] == "rise")) for row in train)
    for row in train:
        frames, sound = decode(rendered / "train" / row["file_name"])
        assert frames.shape == (4, 32, 32, 3)
        assert abs(len(sound) - 8000) < 3000  # aac codes whole blocks of 1024 samples, and one more to start


def test_same_seed_same_bytes(rendered, tmp_path):
    again = render_clips(tmp_path / "again", TINY, workers=1, progress=False)
    other = render_clips(tmp_path / "other", ClipSet(**(vars(TINY) | {"seed": 1})), progress=False)
    for path in rendered.glob("*/*/*.mp4"):
        name = path.relative_to(rendered)
        assert path.read_bytes() == (again / name).read_bytes() != (other / name).read_bytes()


def test_complete_set_is_reused_and_nothing_else(rendered, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in rendered.rglob("*")}
    assert render_clips(rendered, TINY, progress=False) == rendered
    assert before == {path: path.stat().st_mtime_ns for path in rendered.rglob("*")}
    with pytest.raises(ValueError, match="exists already; give a new or an empty folder"):
        render_clips(rendered, ClipSet(**(vars(TINY) | {"seed": 1})), progress=False)
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(ValueError, match="exists already"):
        render_clips(tmp_path, TINY, progress=False)
    with pytest.raises(ValueError, match="exists already"):
        render_clips(tmp_path / "precious.txt", TINY, progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]


def test_incomplete_set_is_refused(tmp_path):
    folder = render_clips(tmp_path / "clips", TINY, progress=False)
    next(folder.glob("val/*/*.mp4")).unlink()
    with pytest.raises(ValueError, match="exists already"):
        render_clips(folder, TINY, progress=False)


def test_failure_leaves_nothing(tmp_path, monkeypatch):
    def full_disk(*args):
        raise OSError("no space left on device")

    monkeypatch.setattr("holovid.data.synthetic.write_mp4", full_disk)
    with pytest.raises(OSError, match="no space"):
        render_clips(tmp_path / "clips", TINY, progress=False)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shapes": ("disc", "cube")}, "shapes must be different ones of disc, .*got disc, cube"),
        ({"motions": ()}, "motions must be different ones of .*got None"),
        ({"sounds": ("rise", "rise")}, "sounds must be different"),
        ({"train": 0, "val": 0}, "train=0, val=0"),
        ({"train": -1}, "train=-1"),
        ({"size": 63}, "even number of pixels"),
        ({"seconds": 0.1}, "two frames, got 0.1 s at 12"),
        ({"sampling_rate": 16_001}, "sampling_rate must be one of .*got 16001"),
        ({"seed": -1}, "seed must be 0 or more"),
    ],
)
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(ValueError, match=message):
        ClipSet(**settings)


def test_motions_come_in_pairs():
    assert set(MOTIONS) == {*REVERSED, *REVERSED.values()}
    assert all(MOTIONS.index(backward) == MOTIONS.index(forward) + 1 for backward, forward in REVERSED.items())
