"""HolovidProcessor: frames and sound of one clip on one clock, in every kind of clip, alone and in batches.

The clips say what time it is: frame i, shown at second i / 20, has grey 5 i + 20, and there are clicks at known times.
"""

import json
from pathlib import Path

import av
import numpy as np
import pytest
import tiny_ca2st
import tiny_xvit
import torch
from real_clips import real_clips  # noqa: F401 (a fixture)
from sounding_clips import FPS, clicks, write_sounding_clip
from strangers import report_without_holovid
from transformers import (
    AutoFeatureExtractor,
    AutoModelForVideoClassification,
    AutoProcessor,
    AutoVideoProcessor,
    Trainer,
    TrainingArguments,
    pipeline,
)
from transformers.utils import is_torchcodec_usable

from holovid import HolovidFeatureExtractor, HolovidProcessor, HolovidVideoProcessor, VideoClassificationPipeline

RATE = 16_000
HEARING = ["pixel_values_videos", "frame_times", "input_values", "audio_mask", "audio_span"]
CLICKS = (0.25, 1.0, 1.75)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Clips of two seconds (`long.mp4`: five), with and without sound, and a saved model that hears, in "model"."""
    folder = tmp_path_factory.mktemp("processing")
    noise = np.random.default_rng(0).normal(0, 0.2, (1, 2 * RATE)).astype(np.float32)
    write_sounding_clip(folder / "clicks.mp4", sound=clicks(2, CLICKS))
    write_sounding_clip(folder / "noise.mp4", sound=noise)
    write_sounding_clip(folder / "silent.mp4")
    write_sounding_clip(folder / "zeros.mkv", sound=np.zeros((1, 2 * RATE), np.float32), codec="pcm_s16le")
    write_sounding_clip(folder / "empty.mkv", sound=np.zeros((1, 0), np.float32), codec="pcm_s16le")
    write_sounding_clip(folder / "short.mkv", sound=noise[:, : RATE // 2], codec="pcm_s16le")
    write_sounding_clip(folder / "longer.mkv", sound=np.tile(noise, 3), codec="pcm_s16le")
    write_sounding_clip(folder / "late.mkv", sound=noise, sound_start=1.0, codec="pcm_s16le")
    write_sounding_clip(folder / "too_late.mkv", sound=noise, sound_start=2.5, codec="pcm_s16le")
    write_sounding_clip(folder / "long.mp4", frames=100, sound=clicks(5, (0.5, 2.5, 4.5)))
    torch.manual_seed(0)
    model = tiny_ca2st.tiny(experts=["space", "time", "audio"])
    model.save_pretrained(folder / "model")
    HolovidProcessor.for_model(model.config).save_pretrained(folder / "model")
    return folder


def processor(audio_frames: int = 198, num_mel_bins: int = 64, **options) -> HolovidProcessor:
    audio_config = {"audio_frames": audio_frames, "num_mel_bins": num_mel_bins}
    options = {
        "size": 32,
        "crop_size": 32,
        "image_mean": [0] * 3,
        "image_std": [1] * 3,
        "audio_config": audio_config,
    } | options
    return HolovidProcessor(HolovidVideoProcessor(**options))


def greys(inputs) -> list[float]:
    """Which frames those are, (B, T)."""
    pixels = inputs.pixel_values_videos.mean(dim=(-3, -2, -1)) * 255
    return ((pixels - 20) / 5).round().int().tolist()


def click_rows(inputs, clip: int = 0) -> list[float]:
    """Seconds of the clip at which the spectrogram is loud."""
    loudness = inputs.input_values[clip].mean(dim=-1)
    loud = loudness > loudness.min() + 0.5 * (loudness.max() - loudness.min())
    return (inputs.audio_span[clip, 0] + 0.01 * loud.nonzero()[:, 0]).tolist()


def test_frames_and_sound_are_on_one_clock(folder):
    inputs = processor(num_frames=8)(str(folder / "clicks.mp4"), return_tensors="pt")
    assert list(inputs) == HEARING and set(inputs) == set(processor().model_input_names)
    assert greys(inputs) == [[0, 5, 10, 15, 20, 25, 30, 35]]
    torch.testing.assert_close(inputs.frame_times, torch.tensor([[0, 5, 10, 15, 20, 25, 30, 35]]) / FPS)
    assert inputs.input_values.shape == (1, 198, 64) and inputs.audio_mask.tolist() == [True]
    torch.testing.assert_close(inputs.audio_span, torch.tensor([[0.0, 1.98]]))
    # The rows that hold a click are those whose 25 ms do.
    rows = click_rows(inputs)
    for click in CLICKS:
        heard = [second for second in rows if second <= click < second + 0.025]
        assert len(heard) in (2, 3)
        rows = [second for second in rows if second not in heard]
    assert rows == []


@pytest.mark.parametrize(
    ("options", "frames", "start", "heard"),
    [
        ({}, [0, 25, 50, 75], 2.0, [2.5]),  # the middle
        ({"audio_center": 0.0}, [0, 25, 50, 75], 0.0, [0.5]),
        ({"audio_center": 1.0}, [0, 25, 50, 75], 3.98, [4.5]),
        ({"sampling": "segments"}, [12, 37, 62, 86], 2.0, [2.5]),
        ({"sampling": "dense", "frame_stride": 5}, [0, 6, 12, 19], 0.0, [0.5]),  # around these frames
        ({"video_metadata": [{"fps": 1, "total_num_frames": 3}]}, [0, 25, 50, 75], 2.0, [2.5]),  # files know better
    ],
)
def test_sound_is_cut_from_the_time_that_is_seen(folder, options, frames, start, heard):
    inputs = processor(audio_frames=100, num_frames=4)(str(folder / "long.mp4"), return_tensors="pt", **options)
    torch.testing.assert_close(inputs.frame_times, torch.tensor([frames]) / FPS)
    torch.testing.assert_close(inputs.audio_span, torch.tensor([[start, start + 1]]), atol=0.011, rtol=0)
    rows = click_rows(inputs)
    for click in heard:
        assert min(rows) == pytest.approx(click - 0.02, abs=0.011) and max(rows) <= click


def test_what_a_part_of_the_clip_sounds_like_does_not_depend_on_the_rest(folder):
    """Only the needed span is decoded, and that is the same as decoding everything and cutting."""
    path = str(folder / "noise.mp4")
    part = processor(audio_frames=50)(path, return_tensors="pt", audio_center=0.3)
    whole = processor(audio_frames=198)(path, return_tensors="pt")
    first = round(part.audio_span[0, 0].item() / 0.01)
    assert first > 40
    torch.testing.assert_close(part.input_values[0], whole.input_values[0, first : first + 50], rtol=0, atol=0.05)


ZERO_ROW = 4.2677393 / (2 * 4.5689974)
SILENT_ROW = (np.log(np.finfo(np.float32).eps) + 4.2677393) / (2 * 4.5689974)


def test_clips_that_sound_only_in_part(folder):
    hear = processor()
    for name, sounding in {
        "short.mkv": range(0, 48),
        "longer.mkv": range(0, 198),
        "late.mkv": range(100, 198),
    }.items():
        inputs = hear(str(folder / name), return_tensors="pt")
        assert inputs.audio_mask.tolist() == [True]
        torch.testing.assert_close(inputs.audio_span, torch.tensor([[0.0, 1.98]]))
        loudness = inputs.input_values[0].median(dim=-1).values
        expected = torch.zeros(198, dtype=torch.bool)
        expected[sounding] = True
        expected[98:100] |= name == "late.mkv"  # windows that begin before the sound
        heard = (loudness > SILENT_ROW + 0.1) & (loudness - ZERO_ROW).abs().gt(1e-5)
        assert heard.tolist() == expected.tolist(), name
        if name == "short.mkv":
            assert (inputs.input_values[0, 48:] == ZERO_ROW).all()


@pytest.mark.parametrize("name", ["silent.mp4", "zeros.mkv", "empty.mkv", "too_late.mkv"])
def test_silent_clips(folder, name):
    inputs = processor()(str(folder / name), return_tensors="pt")
    assert inputs.audio_mask.tolist() == [False]
    assert (inputs.input_values == 0).all() and inputs.input_values.shape == (1, 198, 64)
    torch.testing.assert_close(inputs.audio_span, torch.tensor([[0.0, 1.98]]))


def test_sound_can_be_muted_and_replaced(folder):
    hear, path = processor(), str(folder / "clicks.mp4")
    muted = hear(path, load_audio_from_video=False, return_tensors="pt")
    assert muted.audio_mask.tolist() == [False]
    assert hear(path, audio=np.zeros(0), sampling_rate=RATE, return_tensors="pt").audio_mask.tolist() == [False]
    wave = clicks(2, (0.7,))[0]
    for audio in (wave, np.stack([wave, wave]), [wave], {"array": wave, "sampling_rate": RATE}):
        inputs = hear(path, audio=audio, sampling_rate=RATE, return_tensors="pt")
        assert all(second <= 0.7 < second + 0.025 for second in click_rows(inputs))
    other = hear(str(folder / "silent.mp4"), audio=path, return_tensors="pt")  # the sound of another file
    torch.testing.assert_close(other.input_values, hear(path, return_tensors="pt").input_values)


def test_a_mixed_batch_is_its_clips(folder):
    hear = processor()
    names = ["clicks.mp4", "silent.mp4", "noise.mp4", "short.mkv"]
    together = hear([str(folder / name) for name in names], return_tensors="pt")
    assert together.audio_mask.tolist() == [True, False, True, True]
    for index, name in enumerate(names):
        for key, value in hear(str(folder / name), return_tensors="pt").items():
            torch.testing.assert_close(together[key][index : index + 1], value, rtol=0, atol=1e-5)
    chosen = hear([str(folder / "noise.mp4")] * 2, audio=[None, np.zeros(0)], sampling_rate=RATE, return_tensors="pt")
    assert chosen.audio_mask.tolist() == [True, False]


def test_kinds_of_video(folder):
    path = folder / "noise.mp4"
    expected = processor()(str(path), return_tensors="pt")
    with path.open("rb") as opened:
        for video in (path, path.read_bytes(), opened, {"path": str(path), "bytes": None}):
            for key, value in processor()(video, return_tensors="pt").items():
                torch.testing.assert_close(value, expected[key])


@pytest.mark.skipif(not is_torchcodec_usable(decode="video"), reason="needs torchcodec and FFmpeg")
def test_torchcodec_sees_what_pyav_hears(folder):
    path = folder / "clicks.mp4"
    expected = processor()(str(path), return_tensors="pt")
    with path.open("rb") as opened:
        for video in (str(path), path.read_bytes(), opened):
            for key, value in processor(decoder="torchcodec")(video, return_tensors="pt").items():
                torch.testing.assert_close(value, expected[key])


def test_options_when_loading(folder):
    loaded = AutoProcessor.from_pretrained(folder / "model", num_frames=2, audio_config={"audio_frames": 50})
    assert loaded.video_processor.num_frames == 2 and loaded.feature_extractor.audio_frames == 50


def test_frames_with_audio_beside_them():
    hear = processor(num_frames=4, audio_frames=100)
    frames = np.zeros((20, 32, 32, 3), dtype=np.uint8)
    wave = clicks(2, (1.0,))[0]
    # their rate is not known: they last as long as the sound
    inputs = hear(frames, audio=wave, sampling_rate=RATE, return_tensors="pt")
    torch.testing.assert_close(inputs.frame_times, torch.tensor([[0.0, 0.5, 1.0, 1.5]]))
    torch.testing.assert_close(inputs.audio_span, torch.tensor([[0.49, 1.49]]))
    # it is: what sounds after the last of them is not heard
    metadata = [{"fps": 20, "total_num_frames": 20}]
    inputs = hear(frames, audio=wave, sampling_rate=RATE, video_metadata=metadata, return_tensors="pt")
    torch.testing.assert_close(inputs.frame_times, torch.tensor([[0.0, 0.25, 0.5, 0.75]]))
    assert inputs.audio_mask.tolist() == [False]
    # chosen already, out of a longer video
    metadata = [{"fps": 10, "total_num_frames": 40, "frames_indices": [0, 10, 20, 30]}]
    options = {"video_metadata": metadata, "do_sample_frames": False, "return_tensors": "pt"}
    inputs = hear(frames[:4], audio=wave, sampling_rate=RATE, **options)
    torch.testing.assert_close(inputs.frame_times, torch.tensor([[0.0, 1.0, 2.0, 3.0]]))
    with pytest.raises(ValueError, match="frames_indices of video_metadata has 4 numbers, but the video has 3 frames"):
        hear(frames[:3], audio=wave, sampling_rate=RATE, **options)
    # silent: as the model assumes when it is told nothing
    inputs = hear(frames, load_audio_from_video=False, return_tensors="pt")
    torch.testing.assert_close(inputs.frame_times, torch.tensor([[0.0, 0.25, 0.5, 0.75]]))
    assert inputs.audio_mask.tolist() == [False]


def test_what_is_missing_is_said(folder):
    hear, see = processor(), processor(audio_config=None)
    frames, path, wave = np.zeros((8, 32, 32, 3), dtype=np.uint8), str(folder / "clicks.mp4"), np.zeros(RATE)
    with pytest.raises(ValueError, match="this model uses audio, and frames carry none: pass audio too"):
        hear(frames)
    with pytest.raises(ValueError, match="this model takes videos, with sound or with audio passed too"):
        hear(audio=wave, sampling_rate=RATE)
    with pytest.raises(ValueError, match="this model takes videos"):
        see()
    with pytest.raises(ValueError, match="this model does not use audio: pass videos without audio"):
        see(path, audio=wave, sampling_rate=RATE)
    with pytest.raises(ValueError, match="a waveform needs its rate: pass sampling_rate"):
        hear(path, audio=wave)
    with pytest.raises(ValueError, match="each video needs its own audio; got 2 videos and 1 of audio"):
        hear([path, path], audio=[wave], sampling_rate=RATE)
    with pytest.raises(ValueError, match=r"silent\.mp4' has no sound track"):
        hear(path, audio=str(folder / "silent.mp4"))
    with pytest.raises(ValueError, match=r"unknown options \['num_frame'\]"):
        hear(path, num_frame=3)


def test_views_see_and_hear_the_same_time(folder):
    inputs = processor(audio_frames=100, num_frames=4)(
        [str(folder / "long.mp4"), str(folder / "silent.mp4")], num_views=2, num_crops=3, return_tensors="pt"
    )
    assert inputs.pixel_values_videos.shape[:3] == (2, 6, 4)
    assert inputs.frame_times.shape == (2, 6, 4) and inputs.audio_span.shape == (2, 6, 2)
    assert inputs.input_values.shape == (2, 6, 100, 64) and inputs.audio_mask.shape == (2, 6)
    torch.testing.assert_close(inputs.frame_times[0, :3], torch.tensor([[0, 25, 50, 75]] * 3) / FPS)
    torch.testing.assert_close(inputs.frame_times[0, 3:], torch.tensor([[12, 37, 62, 87]] * 3) / FPS)
    rows, room = 498, 398
    expected = [rows - 100 - int(room * (1 - (3 + view) / 12)) for view in range(6)]  # as the reference spreads them
    torch.testing.assert_close(inputs.audio_span[0, :, 0], torch.tensor(expected) * 0.01)
    assert inputs.audio_mask[1].tolist() == [False] * 6


def test_randomness_comes_from_the_generator_and_goes_on(folder):
    hear, path = processor(audio_frames=50, num_frames=4, do_random_sampling=True), str(folder / "long.mp4")

    def draw(generator, **nested):
        options = {"videos_kwargs": {"generator": generator}} if nested else {"generator": generator}
        return hear(path, return_tensors="pt", **options)

    generator = torch.Generator().manual_seed(0)
    first, second = draw(generator), draw(generator, nested=True)
    assert (first.audio_span != second.audio_span).any() and (first.frame_times != second.frame_times).any()
    again = draw(torch.Generator().manual_seed(0))
    assert all(torch.equal(again[name], first[name]) for name in HEARING)


def test_nested_options(folder):
    path, wave = str(folder / "silent.mp4"), clicks(2, (1.0,), 44_100)[0]
    inputs = processor()(
        path, audio=wave, videos_kwargs={"num_frames": 3}, audio_kwargs={"sampling_rate": 44_100}, return_tensors="pt"
    )
    assert inputs.pixel_values_videos.shape[1] == 3
    assert click_rows(inputs)[0] == pytest.approx(0.98, abs=0.011)


def test_nested_options_may_be_numbers_of_numpy(folder):
    hear, path = processor(), str(folder / "silent.mp4")
    theirs = hear(path, videos_kwargs={"num_frames": np.int64(3), "image_mean": np.full(3, 0.25)}, return_tensors="pt")
    ours = hear(path, num_frames=3, image_mean=[0.25] * 3, return_tensors="pt")
    assert theirs.pixel_values_videos.shape[1] == 3
    assert torch.equal(theirs.pixel_values_videos, ours.pixel_values_videos)


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"num_frames": "three"}, "num_frames must be a whole number from 1 to .*, got 'three'"),
        ({"do_resize": "yes"}, "do_resize must be .*, got 'yes'"),
        ({"generator": 3}, "generator must be a torch.Generator, got int"),
    ],
)
def test_wrong_options_are_told_wherever_they_stand(folder, nested, wrong, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        processor()(str(folder / "silent.mp4"), **({"videos_kwargs": wrong} if nested else wrong))


@pytest.mark.parametrize(
    ("config", "names", "mean"),
    [
        (tiny_ca2st.tiny_config(experts=["space", "time", "audio"]), HEARING, 0.485),
        (tiny_ca2st.tiny_config(experts=["space", "audio"]), HEARING, 0.485),
        (tiny_ca2st.tiny_config(experts=["space", "time"]), HEARING[:1], 0.485),
        (tiny_xvit.tiny_config(image_size=(16, 24)), HEARING[:1], 0.5),
    ],
    ids=["CA2ST", "CAVA", "CAST", "XViT"],
)
def test_for_model(folder, config, names, mean, tmp_path):
    made = HolovidProcessor.for_model(config)
    assert made.model_input_names == names and made.video_processor.image_mean[0] == mean
    assert (made.feature_extractor is not None) == ("input_values" in names)
    model = AutoModelForVideoClassification.from_config(config)
    inputs = made([str(folder / "clicks.mp4"), str(folder / "silent.mp4")], return_tensors="pt")
    assert list(inputs) == names
    assert model(**inputs).logits.shape == (2, 5)
    config.save_pretrained(tmp_path)
    made.save_pretrained(tmp_path)
    loaded = AutoProcessor.from_pretrained(tmp_path)
    assert type(loaded) is HolovidProcessor and loaded.to_dict() == made.to_dict()
    saved = json.loads((tmp_path / "processor_config.json").read_text())
    if "input_values" not in names:
        assert "audio" not in (tmp_path / "processor_config.json").read_text() and "feature_extractor" not in saved
    adapted = HolovidProcessor.for_model(config, num_frames=16, audio_config={"sampling_rate": 24_000})
    assert adapted.video_processor.num_frames == 16


def test_each_part_is_found_in_the_saved_folder(folder):
    saved = folder / "model"
    whole, video = AutoProcessor.from_pretrained(saved), AutoVideoProcessor.from_pretrained(saved)
    assert type(whole) is HolovidProcessor and type(video) is HolovidVideoProcessor
    extractor = AutoFeatureExtractor.from_pretrained(saved)
    assert type(extractor) is HolovidFeatureExtractor and extractor.audio_frames == 40
    assert video.to_dict() == whole.video_processor.to_dict()
    clip = str(folder / "noise.mp4")
    for name, value in video(clip, return_tensors="pt").items():
        torch.testing.assert_close(whole(clip, return_tensors="pt")[name], value)


@pytest.mark.parametrize("ours", [False, True], ids=["stock pipeline", "our pipeline"])
def test_pipelines_hear(folder, ours):
    options = {"pipeline_class": VideoClassificationPipeline} if ours else {}
    classify = pipeline("video-classification", model=str(folder / "model"), top_k=5, **options)
    model = AutoModelForVideoClassification.from_pretrained(folder / "model")
    process = AutoProcessor.from_pretrained(folder / "model")

    def by_hand(video, **options):
        with torch.no_grad():
            scores = model(**process(video, return_tensors="pt", **options)).logits[0].softmax(-1)
        return {model.config.id2label[index]: score for index, score in enumerate(scores.tolist())}

    clip = str(folder / "noise.mp4")
    answer = {item["label"]: item["score"] for item in classify(clip)}
    assert answer == pytest.approx(by_hand(clip), abs=1e-5)
    assert answer != pytest.approx(by_hand(clip, load_audio_from_video=False), abs=1e-3)


def test_our_pipeline_takes_audio_and_batches(folder):
    classify = pipeline(
        "video-classification", model=str(folder / "model"), pipeline_class=VideoClassificationPipeline, top_k=5
    )
    sound, silent = str(folder / "noise.mp4"), str(folder / "silent.mp4")
    wave = np.random.default_rng(1).normal(0, 0.2, (2, 2 * RATE)).astype(np.float32)

    def scores(answer):
        return {item["label"]: pytest.approx(item["score"], abs=1e-5) for item in answer}

    assert scores(classify(silent, audio=sound)) == scores(classify({"video": silent, "audio": sound}))
    assert scores(classify(silent, audio=wave, sampling_rate=RATE)) != scores(classify(silent))
    videos, audio = [sound, silent, silent], [None, wave, None]
    one_by_one = [classify(video, audio=given, sampling_rate=RATE) for video, given in zip(videos, audio, strict=True)]
    batched = classify(videos, audio=audio, sampling_rate=RATE, batch_size=3)
    assert [scores(answer) for answer in batched] == [scores(answer) for answer in one_by_one]
    assert len(classify([sound, silent], num_views=2, num_crops=3, batch_size=2)) == 2
    with pytest.raises(ValueError, match="audio for 2 videos must be a list of as many, got 1 of them"):
        classify([sound, silent], audio=[wave])


def test_trainer_saves_it_with_each_checkpoint(folder, tmp_path):
    """Trainer looks for a tokenizer in every processor of several parts."""
    model = AutoModelForVideoClassification.from_pretrained(folder / "model")
    process = AutoProcessor.from_pretrained(folder / "model")
    clips = [process(str(folder / name), return_tensors="pt") for name in ("noise.mp4", "silent.mp4")]
    rows = [{name: value[0] for name, value in clip.items()} | {"labels": 0} for clip in clips]
    arguments = TrainingArguments(
        tmp_path, max_steps=1, save_steps=1, report_to="none", use_cpu=True, disable_tqdm=True
    )
    Trainer(model, arguments, train_dataset=rows, processing_class=process).train()
    loaded = AutoProcessor.from_pretrained(tmp_path / "checkpoint-1")
    assert loaded.to_dict() == process.to_dict()
    assert Path(tmp_path, "checkpoint-1", "processing_holovid.py").is_file()


@pytest.mark.slow
def test_saved_folders_hear_without_holovid(folder, tmp_path):
    """One process: a checkpoint that hears, and one that only sees, each with the processor of several parts."""
    see = tiny_xvit.tiny()
    see.save_pretrained(tmp_path / "sees")
    HolovidProcessor.for_model(see.config).save_pretrained(tmp_path / "sees")
    sources, clip = [str(folder / "model"), str(tmp_path / "sees")], str(folder / "noise.mp4")
    loads = [{"source": sources[0], "save_again": str(tmp_path / "again")}, {"source": sources[1]}]
    reports = report_without_holovid(tmp_path / "home", clip, loads)
    for source, report in zip(sources, reports, strict=True):
        assert report["classes"][-2:] == ["HolovidVideoProcessor", "HolovidProcessor"]
        assert all(module.startswith("transformers_modules.") for module in report["modules"])
        inputs = AutoProcessor.from_pretrained(source)(clip, return_tensors="pt")
        with torch.no_grad():
            logits = AutoModelForVideoClassification.from_pretrained(source)(**inputs).logits
        torch.testing.assert_close(torch.tensor(report["logits"]), logits)
        assert report["labels"] == pipeline("video-classification", model=source)(clip)
    again = AutoProcessor.from_pretrained(tmp_path / "again")  # of a model that hears, from its video processor alone
    assert type(again) is HolovidProcessor and again.model_input_names == HEARING


@pytest.mark.slow
def test_real_clip_with_six_channels(real_clips):  # noqa: F811
    """Big Buck Bunny, 5.3 seconds: what we hear of it is what PyAV decodes when it decodes everything."""
    path = real_clips["bigbuckbunny.mp4"]
    inputs = processor(audio_frames=400, num_mel_bins=128, num_frames=8)(str(path), return_tensors="pt")
    assert inputs.audio_mask.tolist() == [True]
    torch.testing.assert_close(inputs.frame_times[0], torch.arange(8) * 132 // 8 / 25.0, rtol=0, atol=1e-4)
    resampler, mono = av.AudioResampler(format="fltp", layout="5.1", rate=RATE), []
    with av.open(str(path)) as container:
        for frame in [*container.decode(audio=0), None]:
            mono += [piece.to_ndarray().mean(0) for piece in resampler.resample(frame)]
    wave = np.concatenate(mono)[: round(5.28 * RATE)]
    extractor = HolovidFeatureExtractor()
    expected = extractor(wave, sampling_rate=RATE, return_tensors="pt")
    torch.testing.assert_close(inputs.audio_span, expected.audio_span)
    loud = expected.input_values > 0
    torch.testing.assert_close(inputs.input_values[loud], expected.input_values[loud], rtol=0, atol=0.1)
    for name in ("bikes.mp4", "carphone_pristine.mp4"):
        assert processor()(str(real_clips[name]), return_tensors="pt").audio_mask.tolist() == [False]
