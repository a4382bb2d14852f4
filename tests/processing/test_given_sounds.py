"""Sound in the forms in which people have it: right, or an error that says what it is and what to do."""

import math
import wave

import numpy as np
import pytest
import torch

from holovid import HolovidFeatureExtractor, HolovidProcessor, HolovidVideoProcessor

RATE = 16_000
TONE = (0.3 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)).astype(np.float32)
STEREO = np.stack((TONE, TONE))
FRAMES = np.random.default_rng(0).integers(0, 256, (4, 24, 24, 3), dtype=np.uint8)
SOUND = {"audio_frames": 40, "num_mel_bins": 24}


@pytest.fixture(scope="module")
def extractor() -> HolovidFeatureExtractor:
    return HolovidFeatureExtractor(**SOUND)


@pytest.fixture(scope="module")
def processor() -> HolovidProcessor:
    return HolovidProcessor(HolovidVideoProcessor(num_frames=4, size=20, crop_size=16, audio_config=SOUND))


def damaged(value: float) -> np.ndarray:
    samples = TONE.copy()
    samples[100] = value
    return samples


WRONG = {
    "(samples, channels)": (STEREO.T, r"looks like \(samples, channels\): transpose it"),
    "(samples, 1)": (TONE[:, None], r"looks like \(samples, channels\): transpose it"),
    "(samples, channels), tensor": (torch.from_numpy(STEREO.T), r"looks like \(samples, channels\)"),
    "(samples, channels), list": (STEREO.T[:2000].tolist(), r"looks like \(samples, channels\)"),
    "NaN": (damaged(math.nan), "NaN or infinite"),
    "infinite": (damaged(-math.inf), "NaN or infinite"),
    "16 bits as floats": (TONE * 32768, "divide 16-bit samples by 32768"),
    "64 bits": ((TONE * 32767).astype(np.int64), "a waveform of int64 is unknown"),
    "bool": (TONE > 0, "got bool"),
    "complex": (TONE.astype(np.complex64), "got complex64"),
    "object": (TONE.astype(object), "got object"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_no_waveform(extractor, processor, kind):
    given, message = WRONG[kind]
    # with the pictures of one clip, two axes are those of its own sound
    for audio in (given, [given], {"array": given, "sampling_rate": RATE}, [{"array": given, "sampling_rate": RATE}]):
        with pytest.raises(ValueError, match=message):
            extractor(audio, sampling_rate=RATE)
        with pytest.raises(ValueError, match=message):
            processor(FRAMES, audio=audio, sampling_rate=RATE)
    with pytest.raises(ValueError, match=message):
        processor([FRAMES, FRAMES], audio=[given, TONE], sampling_rate=RATE)
    if isinstance(given, np.ndarray):
        with pytest.raises(ValueError, match=message):
            extractor(np.stack((given, given)), sampling_rate=RATE)


@pytest.mark.parametrize("rate", ["44100", 0, -1, 10**9, math.nan, math.inf, 0.5, True, [16_000], {}, "x"])
def test_what_is_no_rate(extractor, processor, tmp_path, rate):
    with wave.open(str(tmp_path / "tone.wav"), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", "not compressed"))
        file.writeframes((TONE * 32767).astype(np.int16).tobytes())
    for audio in (TONE, str(tmp_path / "tone.wav")):
        with pytest.raises(ValueError, match="sampling_rate must be a whole number of Hz from 1 to"):
            extractor(audio, sampling_rate=rate)
        with pytest.raises(ValueError, match="sampling_rate must be a whole number of Hz from 1 to"):
            processor(FRAMES, audio=audio, sampling_rate=rate)
    with pytest.raises(ValueError, match="sampling_rate must be a whole number of Hz from 1 to"):
        extractor({"array": TONE, "sampling_rate": rate})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"array": TONE}, "a waveform needs its rate"),
        ({"array": TONE, "sampling_rate": None}, "a waveform needs its rate"),
        ({"array": TONE, "sampling_rate": RATE, "bytes": b"RIFF"}, "'array' or 'bytes', got both"),
        ({"path": None, "bytes": None}, "None for both"),
        ({"sampling_rate": RATE}, "'array' and 'sampling_rate', or 'path' and 'bytes'; got 'sampling_rate'"),
        ({}, "got an empty one"),
        (3, "audio must be a waveform"),
        (np.float32(0.5), "audio must be a waveform"),
        (np.zeros(()), r"audio must be a waveform.*of shape \(\)"),
    ],
)
def test_what_is_no_sound(extractor, given, message):
    with pytest.raises(ValueError, match=message):
        extractor(given)


def test_forms_that_are_the_same(extractor):
    expected = extractor(TONE, sampling_rate=RATE, return_tensors="pt")["input_values"]
    for audio in (
        {"array": TONE, "sampling_rate": RATE},
        {"array": torch.from_numpy(TONE), "sampling_rate": torch.tensor(RATE)},  # of datasets in torch's format
        {"path": "somewhere.wav", "array": TONE, "sampling_rate": float(RATE)},  # of datasets before version 4
        {"array": TONE},
        {"array": STEREO.astype(np.float64), "sampling_rate": np.int64(RATE)},
        torch.from_numpy(TONE)[None],
        STEREO[None],
    ):
        assert torch.equal(extractor(audio, sampling_rate=RATE, return_tensors="pt")["input_values"], expected)
    half = extractor(torch.from_numpy(TONE).bfloat16(), sampling_rate=RATE, return_tensors="pt")["input_values"]
    assert torch.isfinite(half).all()
    loud = extractor(TONE * 4, sampling_rate=RATE, return_tensors="pt")["input_values"]
    assert loud.mean() > expected.mean()
    for silent in ([], np.zeros((2, 0)), torch.zeros(0)):
        assert not extractor([silent], sampling_rate=RATE, return_tensors="pt")["audio_mask"].any()
