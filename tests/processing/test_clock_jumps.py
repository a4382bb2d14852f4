"""Recordings joined with `cat`: file order counts, and the sound of each part stays with its pictures."""

import av
import numpy as np
import pytest
import torch
from sounding_clips import clicks, loudest, write_sounding_clip

from holovid.processing.audio_decoding import SoundFile
from holovid.processing.video_decoding import open_video

RATE = 48_000
HOUR = 3600.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("joined")


def join(folder, name: str, starts: tuple[float, ...], sound: bool = True):
    """Parts of two seconds (40 frames) whose clocks start there; in part i a click at 0.5 + i / 4 seconds."""
    path = folder / name
    with path.open("wb") as joined:
        for number, start in enumerate(starts):
            heard = clicks(2, (0.5 + number / 4,), RATE) if sound else None
            part = folder / f"{number}_{name}"
            codec = "mp2" if name.endswith("mpg") else "aac"
            write_sounding_clip(part, sound=heard, rate=RATE, codec=codec, picture_start=start, sound_start=start)
            joined.write(part.read_bytes())
    return path


@pytest.mark.parametrize(
    "starts",
    [(0.0, 0.0), (0.0, 0.5), (10.0, 0.0, 30.0), (0.0, HOUR), (0.0, 5 * HOUR, 1.0), (26 * HOUR, 0.0), (100.0, 99.0)],
)
def test_parts_come_one_after_the_other(folder, starts):
    path = join(folder, f"{len(starts)}_{starts[-1]:g}.ts", starts)
    with av.open(str(path)) as file:
        expected = np.stack([frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)])
    with open_video(path, with_sound=True) as video, open_video(path) as silent:
        pixels, times = video.frames()
        assert torch.equal(pixels, torch.from_numpy(expected).permute(0, 3, 1, 2))
        np.testing.assert_array_equal(silent.times, times)
        assert len(times) >= 40 * len(starts) - len(starts)
        np.testing.assert_allclose(np.diff(times), 0.05, atol=0.06)
        assert video.seconds == pytest.approx(2 * len(starts), abs=0.2)
        heard = video.sound.read(0, round(2.2 * len(starts) * RATE), RATE)
        first = [0, *(np.flatnonzero(np.diff(video._index.shifts)) + 1)]
        for number, packet in enumerate(first):
            shown = video._index.packets[packet].pts * float(video._stream.time_base) + video._index.shifts[packet]
            click = shown - video.start + 0.5 + number / 4
            assert loudest(heard, RATE, click) == pytest.approx(click, abs=0.06)
        for index in (0, 41, len(times) - 1):
            assert torch.equal(silent.frames([index])[0][0], pixels[index])


@pytest.mark.parametrize("starts", [(0.0, 0.0), (0.0, HOUR), (10.0, 0.0, 30.0)])
def test_sound_alone(folder, starts):
    path = join(folder, f"alone_{starts[-1]:g}.ts", starts)
    with av.open(str(path)) as container:
        samples = sum(frame.samples for frame in container.decode(audio=0))
    with SoundFile(path) as file:
        assert file.sound.num_samples == samples, "no part lies over the end of another"
        assert file.sound.seconds == pytest.approx(2 * len(starts), abs=0.15)


def test_a_matroska_file_that_begins_anew(folder):
    path = join(folder, "joined.mkv", (0.0, 0.3))
    with open_video(path, with_sound=True) as video:
        greys = video.frames()[0].float().mean((1, 2, 3))
        expected = [(5 * index + 20) % 250 for index in range(40)]
        np.testing.assert_allclose(greys[:40], expected, atol=2.5)
        np.testing.assert_allclose(greys[40:], expected[: len(greys) - 40], atol=2.5)
        assert video.seconds == pytest.approx(4, abs=0.1) and video.sound.seconds == pytest.approx(4, abs=0.1)


def test_one_clock_is_left_alone(folder):
    path = write_sounding_clip(folder / "one.ts", sound=clicks(2, (1.0,), RATE), rate=RATE)
    with open_video(path) as video:
        assert video._index.jumps == [] and len(video) == 40


@pytest.mark.parametrize("sound", [False, True])
@pytest.mark.parametrize(("gap", "seconds"), [(9.5, 13.5), (10.5, 4.0)])
def test_a_clock_leaps_where_ten_seconds_are_empty(folder, sound, gap, seconds):
    path = join(folder, f"gap_{gap:g}_{sound}.ts", (0.0, 2.0 + gap), sound)
    with open_video(path, with_sound=sound) as video:
        assert video.seconds == pytest.approx(seconds, abs=0.15)
    if sound:
        with SoundFile(path) as file:
            assert file.sound.seconds == pytest.approx(seconds, abs=0.15)
