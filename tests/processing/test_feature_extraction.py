"""HolovidFeatureExtractor: the filter bank against Kaldi's numbers and transformers' own; cutting, padding by hand."""

import numpy as np
import pytest
import torch
from golden_numbers import golden
from transformers import ASTFeatureExtractor, AutoFeatureExtractor
from transformers.audio_utils import spectrogram, window_function

from holovid import HolovidFeatureExtractor
from holovid.processing.feature_extraction_holovid import log_mel, mel_filters_of

RATE = 16_000


def chirp(sampling_rate: int, num_samples: int) -> np.ndarray:
    time = np.arange(num_samples) / sampling_rate
    wave = 0.5 * np.sin(2 * np.pi * (200 * time + 1500 * time**2)) + 0.1 * np.sin(2 * np.pi * 5000 * time) + 0.02
    wave = wave.astype(np.float32)
    return wave - wave.mean()


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, round(seconds * RATE)).astype(np.float32)


def extract(waveform, **options):
    """Raw log-mel of a waveform, without normalisation."""
    extractor = HolovidFeatureExtractor(mean=0.0, std=0.5, **options)
    return extractor(waveform, sampling_rate=extractor.sampling_rate, return_tensors="pt")


@pytest.mark.parametrize("case", golden("audio_fbank.json")["cases"], ids=lambda case: f"{case['sampling_rate']} Hz")
def test_equals_kaldi(case):
    wave = torch.from_numpy(chirp(case["sampling_rate"], case["num_samples"]))
    window = case["sampling_rate"] // 40
    filters = mel_filters_of(case["num_mel_bins"], case["sampling_rate"], window)
    rows = log_mel(wave, filters, window, case["sampling_rate"] // 100)
    assert list(rows.shape) == case["shape"]
    for row, expected in ((rows[0], case["first_frame"]), (rows[len(rows) // 2], case["middle_frame"])):
        expected = torch.tensor(expected)
        audible = expected > -10
        torch.testing.assert_close(row[audible], expected[audible], rtol=0, atol=2e-3)
        assert (row - expected).abs().mean() < 1e-3
    count = rows.numel()
    assert rows.sum().item() == pytest.approx(case["sum"], abs=1e-4 * count)
    assert rows.abs().sum().item() == pytest.approx(case["abs_sum"], abs=1e-4 * count)


@pytest.mark.parametrize("num_mel_bins", [64, 128])
def test_equals_transformers(num_mel_bins):
    wave = noise(2)
    filters = mel_filters_of(num_mel_bins, RATE, 400)
    window = window_function(400, "hann", periodic=False)
    theirs = spectrogram(
        wave, window, frame_length=400, hop_length=160, fft_length=512, power=2.0, center=False, preemphasis=0.97,
        mel_filters=filters.numpy(), log_mel="log", mel_floor=1.192092955078125e-07, remove_dc_offset=True,
    ).T  # fmt: skip
    ours = log_mel(torch.from_numpy(wave), filters, 400, 160)
    torch.testing.assert_close(ours, torch.from_numpy(theirs).float(), rtol=0, atol=5e-4)


@pytest.mark.parametrize("seconds", [2.0, 4.015])
def test_is_what_ast_was_trained_on(seconds):
    wave = noise(seconds)
    with pytest.warns(UserWarning, match="mel filter"):
        theirs = ASTFeatureExtractor(max_length=400)(wave, sampling_rate=RATE, return_tensors="pt").input_values
    ours = HolovidFeatureExtractor()(wave, sampling_rate=RATE, return_tensors="pt").input_values
    assert ours.shape == (1, 400, 128) and ours.dtype == torch.float32
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("rows", "center", "first"),
    [
        (1000, 0.0, 0),
        (1000, 0.5, 300),
        (1000, 1.0, 600),
        (401, 0.5, 1),
        (403, 0.5, 2),
        (1000, 3 / 12, 150),
        (400, 0.5, 0),
    ],
)
def test_long_sound_is_cut_as_the_reference_cuts(rows, center, first):
    wave = noise((400 + 160 * (rows - 1)) / RATE)
    whole = log_mel(torch.from_numpy(wave), mel_filters_of(128, RATE, 400), 400, 160)
    assert len(whole) == rows
    features = HolovidFeatureExtractor(mean=0.0, std=0.5)(wave, sampling_rate=RATE, center=center, return_tensors="pt")
    torch.testing.assert_close(features.input_values[0], whole[first : first + 400], rtol=0, atol=1e-4)
    torch.testing.assert_close(features.audio_span, torch.tensor([[0.01 * first, 0.01 * first + 4]]))


def test_center_can_be_drawn():
    wave = noise(9)
    extractor = HolovidFeatureExtractor()

    def spans(seed):
        generator = torch.Generator().manual_seed(seed)
        return extractor([wave] * 8, sampling_rate=RATE, generator=generator, return_tensors="pt").audio_span

    assert len(spans(0)[:, 0].unique()) > 4
    assert (spans(0) == spans(0)).all() and (spans(0) != spans(1)).any()
    with pytest.raises(ValueError, match="pass center or generator"):
        extractor(wave, sampling_rate=RATE, center=0.5, generator=torch.Generator())
    with pytest.raises(ValueError, match=r"center must be between 0 and 1, got 1\.5"):
        extractor(wave, sampling_rate=RATE, center=1.5)


def test_after_short_sound_come_rows_of_zeros_normalised_like_the_others():
    features = HolovidFeatureExtractor(audio_frames=100)(noise(0.5), sampling_rate=RATE, return_tensors="pt")
    rows = 1 + (8000 - 400) // 160
    assert (features.input_values[0, rows:] == 4.2677393 / (2 * 4.5689974)).all()
    assert (features.input_values[0, :rows] != 4.2677393 / (2 * 4.5689974)).all()
    assert features.audio_mask.tolist() == [True]


@pytest.mark.parametrize(
    "silence",
    [None, np.zeros(0), np.zeros(RATE), np.ones(399), np.zeros((6, RATE))],
    ids=["none", "empty", "zeros", "shorter than a window", "zeros in six channels"],
)
def test_silence(silence):
    features = HolovidFeatureExtractor()([noise(1), silence], sampling_rate=RATE, return_tensors="pt")
    assert features.audio_mask.tolist() == [True, False]
    assert (features.input_values[1] == 0).all()
    torch.testing.assert_close(features.audio_span, torch.tensor([[0.0, 4.0], [0.0, 4.0]]))


def test_a_batch_is_its_clips():
    clips = [noise(1, 1), noise(6, 2), np.stack([noise(4.5, 3), noise(4.5, 4)]), np.zeros(0)]
    extractor = HolovidFeatureExtractor()
    together = extractor(clips, sampling_rate=RATE, return_tensors="pt")
    for index, clip in enumerate(clips):
        alone = extractor([clip], sampling_rate=RATE, return_tensors="pt")
        for name, value in alone.items():
            torch.testing.assert_close(together[name][index : index + 1], value, rtol=0, atol=1e-5)


def test_kinds_of_batches():
    wave = noise(0.3)
    expected = HolovidFeatureExtractor()(wave, sampling_rate=RATE, return_tensors="pt").input_values
    for audio in (
        torch.from_numpy(wave), wave.tolist(), [wave.tolist()], [wave], wave[None], np.stack([wave, wave])[None],
        {"array": wave, "sampling_rate": RATE}, [{"array": wave, "sampling_rate": RATE}],
    ):  # fmt: skip
        features = HolovidFeatureExtractor()(audio, sampling_rate=RATE, return_tensors="pt")
        torch.testing.assert_close(features.input_values, expected)
    assert isinstance(
        HolovidFeatureExtractor()(wave, sampling_rate=RATE, return_tensors="np").input_values, np.ndarray
    )


def test_other_rates_are_resampled():
    time = np.arange(44_100) / 44_100
    tone = (0.3 * np.sin(2 * np.pi * 1000 * time)).astype(np.float32)
    same = (0.3 * np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)).astype(np.float32)
    ours, expected = (
        HolovidFeatureExtractor()(wave, sampling_rate=rate, return_tensors="pt").input_values[0, 5:90]
        for wave, rate in ((tone, 44_100), (same, RATE))
    )
    loud = expected > expected.max() - 0.3
    torch.testing.assert_close(ours[loud], expected[loud], rtol=0, atol=1e-2)


def test_rate_of_the_reference():
    """24 kHz, at which it cut its sound; a row is 10 ms all the same."""
    features = extract(chirp(24_000, 24_000 * 5), sampling_rate=24_000)
    assert features.input_values.shape == (1, 400, 128)
    torch.testing.assert_close(features.audio_span, torch.tensor([[0.49, 4.49]]))


def test_what_it_cannot_take():
    extractor = HolovidFeatureExtractor()
    with pytest.raises(ValueError, match="a waveform needs its rate"):
        extractor(noise(1))
    with pytest.raises(ValueError, match=r"audio must be a waveform, a path, .* got ndarray of shape"):
        extractor(np.zeros((1, 1, 1, 1)), sampling_rate=RATE)
    with pytest.raises(ValueError, match="'array' and 'sampling_rate'"):
        extractor({"wave": 1})
    with pytest.raises(FileNotFoundError, match="there is no sound at"):
        extractor("absent.wav")
    for options in ({"audio_frames": 0}, {"num_mel_bins": -1}, {"sampling_rate": 10}, {"audio_frames": 2.5}):
        with pytest.raises(ValueError, match=f"{next(iter(options))} must be a whole number"):
            HolovidFeatureExtractor(**options)


def test_thresholds():
    """Where something begins to count: a window of sound, the next row, any sound at all, the smallest sizes."""
    extractor = HolovidFeatureExtractor(audio_frames=3)
    filled = torch.tensor(extractor.mean / (2 * extractor.std)).neg()  # what a row after the end of the sound holds
    for samples, rows in ((399, 0), (400, 1), (559, 1), (560, 2), (720, 3), (10_000, 3)):
        features = extractor(noise(samples / RATE), sampling_rate=RATE, return_tensors="pt")
        assert features.audio_mask.tolist() == [rows > 0], samples
        heard = (features.input_values[0] != filled).any(dim=1).sum() if rows else 0
        assert heard == rows, samples
    one_click = np.zeros(720, dtype=np.float32)
    one_click[200] = 1e-6
    assert extractor(one_click, sampling_rate=RATE, return_tensors="pt").audio_mask.tolist() == [True]
    silent_rows = log_mel(torch.zeros(560), mel_filters_of(8, RATE, 400), 400, 160)
    assert (silent_rows == np.log(np.finfo(np.float32).eps)).all() and silent_rows.shape == (2, 8)
    for window, spectrum in ((400, 512), (511, 512), (512, 512), (513, 1024)):  # the next power of two
        assert len(mel_filters_of(8, 40 * window, window)) == spectrum // 2 + 1
    smallest = {"sampling_rate": 1000, "num_mel_bins": 1, "audio_frames": 1}
    assert HolovidFeatureExtractor(**smallest).window_length == 25
    for name, value in smallest.items():
        with pytest.raises(ValueError, match=name):
            HolovidFeatureExtractor(**smallest | {name: value - 1})
    with pytest.raises(ValueError, match="center must be between 0 and 1"):
        extractor(noise(1), sampling_rate=RATE, center=-0.01)


def test_log_mel_can_be_exported():
    class LogMel(torch.nn.Module):
        def forward(self, waveform, filters):
            return log_mel(waveform, filters, 400, 160)

    inputs = (torch.randn(2, 4000), mel_filters_of(64, RATE, 400))
    program = torch.export.export(
        LogMel(), inputs, dynamic_shapes={"waveform": {1: torch.export.Dim.AUTO}, "filters": None}
    )
    longer = torch.randn(2, 7777), inputs[1]
    torch.testing.assert_close(program.module()(*longer), LogMel()(*longer))


@pytest.mark.gpu
def test_on_a_gpu():
    wave = noise(5)
    ours = HolovidFeatureExtractor()(wave, sampling_rate=RATE, device="cuda", return_tensors="pt")
    expected = HolovidFeatureExtractor()(wave, sampling_rate=RATE, return_tensors="pt")
    for name, value in expected.items():
        assert ours[name].is_cuda
        torch.testing.assert_close(ours[name].cpu(), value, rtol=0, atol=1e-3)


def test_saved_and_loaded(tmp_path):
    extractor = HolovidFeatureExtractor(audio_frames=77, num_mel_bins=40, mean=-1.0)
    extractor.save_pretrained(tmp_path)
    loaded = AutoFeatureExtractor.from_pretrained(tmp_path)
    assert type(loaded) is HolovidFeatureExtractor
    assert loaded.to_dict() == extractor.to_dict()
    assert (tmp_path / "feature_extraction_holovid.py").is_file()
    assert not {"window", "mel_filters"} & extractor.to_dict().keys()


def test_what_a_later_version_saved_is_kept_beside_the_unused_keywords():
    later = {"num_mel_bins": 40, "window_of_later": "hann"}
    extractor = HolovidFeatureExtractor.from_dict(later)
    assert (extractor.num_mel_bins, extractor.window_of_later) == (40, "hann")
    extractor, unused = HolovidFeatureExtractor.from_dict(later, return_unused_kwargs=True, revision="main")
    assert (extractor.num_mel_bins, extractor.window_of_later) == (40, "hann")
    assert unused == {"revision": "main"}
