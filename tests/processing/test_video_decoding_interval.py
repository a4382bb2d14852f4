"""A part of a video against that part of the whole: frames bit for bit, their times, and the sound of that time."""

import math

import numpy as np
import pytest
import torch
from sounding_clips import FPS, clicks, loudest, write_sounding_clip
from test_video_decoding import KINDS, CountingVideoFile, decode_everything, write_video
from transformers.utils import is_torchcodec_usable

from holovid import HolovidProcessor, HolovidVideoProcessor
from holovid.processing.video_decoding import open_video

RATE = 16_000
DECODERS = [
    "pyav",
    pytest.param(
        "torchcodec",
        marks=pytest.mark.skipif(not is_torchcodec_usable(decode="video"), reason="needs torchcodec and FFmpeg"),
    ),
]


def part(path, start=None, end=None):
    return {"path": str(path), "bytes": None, "start": start, "end": end}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("intervals")


@pytest.fixture(scope="module")
def sounding(folder):
    """Four seconds, a click at every half of one."""
    return write_sounding_clip(folder / "clicks.mkv", 80, clicks(4, np.arange(0.25, 4, 0.5)), codec="pcm_s16le")


@pytest.mark.parametrize("name", KINDS)
def test_frames_are_those_of_the_whole(folder, name):
    path = folder / name
    if not path.exists():
        write_video(path, **KINDS[name])
    everything = decode_everything(path)
    random = np.random.default_rng(0)
    with open_video(path) as file:
        times, whole = file.times - file.times[0], file.seconds
    for _ in range(4):
        start, end = sorted(random.uniform(0, whole, 2))
        inside = np.flatnonzero((np.append(times[1:], whole) > start) & (times < end))
        with open_video(part(path, start, end)) as file:
            assert len(file) == file.metadata.total_num_frames == len(inside)
            pixels, seconds = file.frames()
            assert torch.equal(pixels, everything[inside])
            np.testing.assert_allclose(seconds - file.start, np.maximum(times[inside] - start, 0), atol=1e-9)
            assert file.seconds == pytest.approx(end - start)
            assert torch.equal(file.frames([len(inside) - 1])[0], everything[inside[-1:]])
            with pytest.raises(ValueError, match=f"has frames 0 to {len(inside) - 1}"):
                file.frames([len(inside)])


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize(
    ("start", "end", "first", "stop", "seconds"),
    [
        (None, None, 0, 80, 4.0),
        (None, 1.0, 0, 20, 1.0),
        (3.0, None, 60, 80, 1.0),
        (1.0, 2.0, 20, 40, 1.0),  # start included, end not
        (1.05, 1.1, 21, 22, 0.05),
        (0.99, 1.02, 19, 21, 0.03),
        (1.01, 2.01, 20, 41, 1.0),  # from the frame on the screen on
        (1.01, 1.04, 20, 21, 0.03),
        (3.5, 9.0, 70, 80, 0.5),  # annotations may run past the end
    ],
)
def test_which_frames_are_shown(sounding, decoder, start, end, first, stop, seconds):
    with open_video(part(sounding, start, end), decoder, with_sound=True) as file:
        pixels, times = file.frames()
        assert [round((grey - 20) / 5) % 50 for grey in pixels.float().mean((1, 2, 3)).tolist()] == [
            index % 50 for index in range(first, stop)
        ]
        shown = np.maximum(np.arange(first, stop) / FPS, start or 0)
        np.testing.assert_allclose(times - file.start, shown - shown[0], atol=1e-9)
        assert file.seconds == pytest.approx(seconds, abs=2e-3)
        assert len(file) == stop - first and file.metadata.fps == pytest.approx(FPS)
        assert file.metadata.duration == file.seconds


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("name", ["aac.mp4", "late_sound.mkv", "late_picture.mp4"])
def test_sound_is_that_of_the_interval(folder, decoder, name):
    shift = {"late_sound.mkv": {"sound_start": 0.3}, "late_picture.mp4": {"picture_start": 0.3}}.get(name, {})
    path = write_sounding_clip(folder / name, 80, clicks(4, np.arange(0.25, 4, 0.5)), **shift)
    start, end = 1.5, 3.0
    with open_video(path, with_sound=True) as file:
        whole = file.sound.read(0, 4 * RATE, RATE)
    with open_video(part(path, start, end), decoder, with_sound=True) as file:
        assert file.sound.seconds == pytest.approx(end - start, abs=1e-4)
        heard = file.sound.read(0, RATE * 2, RATE)
        length = file.sound.num_samples
        torch.testing.assert_close(heard[:length], whole[round(start * RATE) :][:length], rtol=0, atol=1e-6)
        assert not heard[length:].any()
    for click in np.arange(0.25, 4, 0.5) + shift.get("sound_start", 0) - shift.get("picture_start", 0) - start:
        if 0.1 < click < end - start - 0.1:
            assert loudest(heard, RATE, click) == pytest.approx(click, abs=1e-4)


@pytest.mark.parametrize("decoder", DECODERS)
def test_the_processor_takes_parts(sounding, decoder):
    """A part is treated as a clip of its own that was cut out before."""
    audio_config = {"audio_frames": 98, "num_mel_bins": 32}
    processor = HolovidProcessor(
        HolovidVideoProcessor(size=32, crop_size=32, num_frames=5, audio_config=audio_config, decoder=decoder)
    )
    whole, clip = (processor(source, return_tensors="pt") for source in (sounding, part(sounding, 1.0, 2.0)))
    np.testing.assert_allclose(whole["frame_times"][0], np.arange(5) * 0.8, atol=1e-6)
    np.testing.assert_allclose(clip["frame_times"][0], np.arange(5) * 0.2, atol=1e-6)
    greys = (clip["pixel_values_videos"][0].mean((1, 2, 3)) * 0.5 + 0.5) * 255
    np.testing.assert_allclose(greys, [(20 + 4 * index) * 5 + 20 for index in range(5)], atol=2.5)
    loud = clip["input_values"][0].amax(-1)
    rows = [int(loud[:50].argmax()), 50 + int(loud[50:].argmax())]
    np.testing.assert_allclose(rows, [24, 74], atol=2)  # at 0.25 and 0.75 s, of windows that are 10 ms apart
    batch = processor([part(sounding, 1.0, 2.0), str(sounding)], return_tensors="pt")
    for name, value in clip.items():
        torch.testing.assert_close(batch[name][:1], value)
    as_bytes = {"path": None, "bytes": sounding.read_bytes(), "start": 1.0, "end": 2.0}
    torch.testing.assert_close(processor(as_bytes, return_tensors="pt").data, clip.data)


def test_only_the_interval_is_decoded(folder):
    path = write_video(folder / "long.mp4", count=400, options={"x264-params": "bframes=3:scenecut=0:keyint=10"})
    with CountingVideoFile(str(path), interval=(20.0, 21.0)) as file:
        opened = file.decoded
        file.frames()
        assert len(file) == 12 and opened <= 15 and file.decoded - opened <= 40


@pytest.mark.parametrize("decoder", DECODERS)
def test_intervals_that_cannot_be(sounding, decoder):
    for start, end, message in (
        (4.5, 5.0, "shows no frame from 4.5 s to 5 s; its last one is at 3.95 s"),
        (4.5, None, "shows no frame from 4.5 s to its end"),
        (4.0, 5.0, "shows no frame from 4 s to 5 s"),
        (2.0, 1.0, "must start at 0 s or later and end after its start, got 2.0 s to 1.0 s"),
        (1.0, 1.0, "end after its start"),
        (-1.0, 1.0, "start at 0 s"),
        (None, 0, "end after its start"),
        (math.nan, 1.0, "start at 0 s"),
    ):
        with pytest.raises(ValueError, match=message):
            open_video(part(sounding, start, end), decoder)
    with pytest.raises(ValueError, match=r"got also \['stop'\]"):
        open_video(part(sounding) | {"stop": 3}, decoder)


def test_a_video_of_uneven_times(folder):
    """The interval lasts until its end, or until the next frame is shown."""
    path = write_video(folder / "gap.mkv", count=4, times=[0, 100, 200, 3000])
    for end, seconds in ((0.25, 0.25), (2.0, 2.0), (3.0, 3.0)):
        with open_video(part(path, 0, end)) as file:
            assert len(file) == 3 and file.seconds == pytest.approx(seconds)
