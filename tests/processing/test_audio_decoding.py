"""Sound of real files, against the samples that were written: when it is on the clip's clock, and what is read."""

import av
import numpy as np
import pytest
import torch
from sounding_clips import clicks, loudest, write_sounding_clip

from holovid.processing import audio_decoding
from holovid.processing.audio_decoding import SoundFile, SoundTrack, Waveform, resample
from holovid.processing.video_decoding import open_video

CLICKS = (0.25, 1.0, 1.75)
RATE = 16_000
# name -> how to write it, and by how many seconds its container may misplace sound
FILES = {
    "mono.mp4": ({}, 0),
    "44100.mp4": ({"rate": 44_100}, 0),
    "stereo.mp4": ({"layout": "stereo"}, 0),
    "5.1.mp4": ({"layout": "5.1", "rate": 48_000}, 0),
    "late.mp4": ({"sound_start": 0.5}, 0),
    "late.mkv": ({"sound_start": 0.5}, 0),
    "late_picture.mp4": ({"picture_start": 0.5}, 0),
    "late_picture.mkv": ({"picture_start": 0.5}, 0),
    "pcm.mkv": ({"codec": "pcm_s16le"}, 0),
    "pcm.mov": ({"codec": "pcm_s16le", "layout": "stereo", "rate": 44_100}, 0),
    "flac.mkv": ({"codec": "flac"}, 0),
    "mp3.mp4": ({"codec": "libmp3lame", "rate": 44_100}, 0),
    "opus.mkv": ({"codec": "libopus", "rate": 48_000}, 0.001),  # whole milliseconds
    "mp3.avi": ({"codec": "libmp3lame", "rate": 44_100}, 0.03),  # does not say that the encoder delays
    "stream.ts": ({"rate": 48_000}, 0),
    "program.mpg": ({"codec": "mp2", "rate": 44_100}, 0),  # its pictures have no time stamps
}
CHANNELS = {"mono": 1, "stereo": 2, "5.1": 6}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("sounds")


@pytest.mark.parametrize("name", FILES)
def test_clicks_are_heard_when_they_were_made(folder, name):
    """To the sample, on a clock that starts with the first picture, whatever the file's own clock says."""
    options, tolerance = FILES[name]
    sound = clicks(2, CLICKS, options.get("rate", RATE), CHANNELS[options.get("layout", "mono")])
    path = write_sounding_clip(folder / name, sound=sound, **options)
    shift = options.get("sound_start", 0) - options.get("picture_start", 0)
    with open_video(path, with_sound=True) as video:
        heard = video.sound.read(0, 2 * RATE, RATE)
        assert heard.dtype == torch.float32 and heard.shape == (2 * RATE,)
        for click in (click + shift for click in CLICKS if 0 <= click + shift < 2):
            assert abs(loudest(heard, RATE, click) - click) <= tolerance + 1e-9
        assert video.sound.seconds == pytest.approx(2 + shift, abs=0.06)
        if shift > 0:  # silence, but for what the codec makes of the first click
            assert heard[: int(0.4 * RATE)].abs().max() == 0
        # The same comes out of any stretch; a codec that leans on what came before is given that.
        torch.testing.assert_close(video.sound.read(7000, 9000, RATE), heard[7000:16_000], rtol=0, atol=1e-6)


def test_frames_do_not_depend_on_listening(folder):
    path = write_sounding_clip(folder / "both.mp4", sound=clicks(2, CLICKS))
    with open_video(path) as seen, open_video(path, with_sound=True) as both:
        assert seen.sound is None
        before = both.sound.read(0, 100, RATE)
        for ours, theirs in zip(both.frames([3, 39, 7]), seen.frames([3, 39, 7]), strict=True):
            np.testing.assert_array_equal(ours, theirs)
        torch.testing.assert_close(both.sound.read(0, 100, RATE), before)


def test_channels_are_averaged(folder):
    sound = np.stack([clicks(1, (0.5,))[0], np.zeros(RATE, dtype=np.float32)])
    path = write_sounding_clip(folder / "left.mkv", sound=sound, layout="stereo", codec="pcm_s16le")
    with open_video(path, with_sound=True) as video:
        assert video.sound.read(0, RATE, RATE).max().item() == pytest.approx(0.45, abs=1e-4)


def test_no_track_and_an_empty_one(folder):
    with open_video(write_sounding_clip(folder / "none.mp4"), with_sound=True) as video:
        assert video.sound is None
    path = write_sounding_clip(folder / "empty.mkv", sound=np.zeros((1, 0), dtype=np.float32), codec="pcm_s16le")
    with open_video(path, with_sound=True) as video:
        assert video.sound.num_samples == 0 and video.sound.seconds == 0
        assert video.sound.read(0, 10, RATE).tolist() == [0] * 10


def test_only_the_stretch_is_decoded_in_one_pass(folder, monkeypatch):
    path = write_sounding_clip(folder / "long.mp4", frames=400, sound=clicks(20, CLICKS))
    passes, packets = [], []
    read_packets = audio_decoding.read_packets

    def read_packets_noted(container, streams):
        passes.append([stream.type for stream in streams])
        yield from read_packets(container, streams)

    monkeypatch.setattr("holovid.processing.picture_stream.read_packets", read_packets_noted)
    decode = SoundTrack._decode
    monkeypatch.setattr(SoundTrack, "_decode", lambda self, some: packets.extend(some) or decode(self, some))
    with open_video(path, with_sound=True) as video:
        video.sound.read(10 * RATE, RATE, RATE)
    assert passes[0] == ["video", "audio"]
    assert all(streams == ["video"] for streams in passes[1:])  # back to a key frame, for pictures
    seconds = [float(packet.pts * packet.time_base) for packet in packets]
    assert 9.3 < min(seconds) < max(seconds) < 11.1


def test_damage_is_silence(folder):
    path = write_sounding_clip(folder / "whole.mkv", sound=np.full((1, 2 * RATE), 0.5, dtype=np.float32))
    with open_video(path, with_sound=True) as video:
        whole = video.sound.read(0, 2 * RATE, RATE)
        del video.sound._packets[10:14]
        video.sound._starts, video.sound._ends = (
            np.delete(stamps, range(10, 14)) for stamps in (video.sound._starts, video.sound._ends)
        )
        torn = video.sound.read(0, 2 * RATE, RATE)
    gap = slice(10 * 1024 + 1024, 13 * 1024 - 1024)
    assert torn[gap].abs().max() == 0 and whole[gap].abs().min() > 0.3
    torch.testing.assert_close(torn[: 8 * 1024], whole[: 8 * 1024], rtol=0, atol=0.02)  # AAC makes up some noise


@pytest.mark.parametrize("rate", [8000, 11_025, 22_050, 44_100, 48_000, 15_999])
def test_any_stretch_of_a_resampled_waveform_is_the_same(rate):
    samples = np.random.default_rng(0).normal(size=3 * rate).astype(np.float32)
    sound = Waveform(samples, rate)
    whole = sound.read(0, 3 * RATE, RATE)
    assert whole.shape == (3 * RATE,)
    for first, count in ((0, 5000), (777, 5000), (20_000, 9000), (47_000, 1000)):
        torch.testing.assert_close(sound.read(first, count, RATE), whole[first : first + count], rtol=0, atol=2e-6)
    assert sound.read(3 * RATE + 100, 10, RATE).abs().max() < 1e-3  # past the end


@pytest.mark.parametrize("rate", [8000, 44_100])
def test_resampling_keeps_tones_and_their_time(rate):
    tone = np.sin(2 * np.pi * 1000 * np.arange(2 * rate) / rate).astype(np.float32)
    expected = np.sin(2 * np.pi * 1000 * np.arange(2 * RATE) / RATE)
    ours = Waveform(tone, rate).read(0, 2 * RATE, RATE).numpy()
    np.testing.assert_allclose(ours[500:-500], expected[500:-500], atol=2e-3)


def test_integers_and_channels():
    for values in (np.array([[0, 16384], [0, 16384]], np.int16), np.array([128, 192], np.uint8), [0.0, 0.5]):
        assert Waveform(values, RATE).read(0, 3, RATE).tolist() == [0, 0.5, 0]
    assert Waveform(torch.tensor([[0.0, 1.0], [0.0, 0.0]]), RATE).read(0, 2, RATE).tolist() == [0, 0.5]


@pytest.mark.parametrize("samples", [np.zeros((1000, 2)), np.zeros((1, 2, 3)), ["a"], 1.0, np.zeros(3, complex)])
def test_what_is_not_a_waveform(samples):
    with pytest.raises(ValueError, match=r"a waveform must be .*\(samples,\) or \(channels, samples\)"):
        Waveform(samples, RATE)


@pytest.mark.parametrize("rate", [0, -1, 0.5, float("nan")])
def test_what_is_not_a_rate(rate):
    with pytest.raises(ValueError, match="sampling_rate must be a whole number of Hz"):
        Waveform([0.0], rate)


@pytest.mark.parametrize("full_scale", [1.0, 32768.0])
def test_floats_of_a_file_stay_as_they_are(folder, full_scale):
    """Some files hold 16-bit numbers as floats; NaN is damage."""
    samples = (0.5 * np.sin(np.arange(RATE) / 5) * full_scale).astype(np.float32)
    samples[1000] = np.nan
    path = str(folder / f"floats_{full_scale:g}.wav")
    with av.open(path, "w") as container:
        stream = container.add_stream("pcm_f32le", rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
        frame.sample_rate = RATE
        container.mux([*stream.encode(frame), *stream.encode(None)])
    samples[1000] = 0
    with SoundFile(path) as file:
        assert np.array_equal(file.sound.read(0, RATE, RATE).numpy(), samples)


def test_file_of_sound_alone(folder):
    path = folder / "alone.wav"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("pcm_s16le", rate=RATE, layout="mono")
        samples = (clicks(1, (0.5,)) * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = RATE
        file.mux(stream.encode(frame))
        file.mux(stream.encode())
    with path.open("rb") as opened:
        for source in (path, path.read_bytes(), opened):
            with SoundFile(source) as file:
                assert file.sound.seconds == 1
                assert loudest(file.sound.read(0, RATE, RATE), RATE, 0.5) == 0.5
    with pytest.raises(FileNotFoundError, match="there is no sound at"):
        SoundFile(folder / "absent.wav")
    with pytest.raises(ValueError, match="the sound of 4 bytes cannot be read as sound"):
        SoundFile(b"text")


def test_resampling_nothing():
    assert resample(np.zeros(0, np.float32), 8000, RATE).shape == (0,)


def test_without_pyav_it_says_so(monkeypatch):
    monkeypatch.setattr(audio_decoding, "av", None)
    with pytest.raises(ImportError, match="PyAV is needed to resample sound from 8000 to 16000 Hz"):
        Waveform(np.ones(100), 8000).read(0, 10, RATE)
    assert Waveform(np.ones(100), RATE).read(0, 10, RATE).sum() == 10
