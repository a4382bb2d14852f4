"""Options of processors that cannot be: one sentence that names the option, when it is set or in the call."""

import json
import math

import numpy as np
import PIL.Image
import pytest
import torch
from transformers import AutoFeatureExtractor, AutoProcessor, AutoVideoProcessor

from holovid import HolovidFeatureExtractor, HolovidProcessor, HolovidVideoProcessor, XViTConfig

SMALL = {"size": {"shortest_edge": 20}, "crop_size": {"height": 16, "width": 16}, "num_frames": 4}
SOUND = {"audio_frames": 40, "num_mel_bins": 24}
VIDEO = np.random.default_rng(0).integers(0, 256, (6, 24, 30, 3), dtype=np.uint8)
WAVE = {"array": np.full(16_000, 0.1, dtype=np.float32), "sampling_rate": 16_000}

WRONG = {
    "num_frames": [0, -1, "8", 2.5, True, math.nan, [8], {}, 10**12],
    "num_views": [0, -1, "1", 1.5, True, 10**12],
    "frame_stride": [0, -1, "2", 0.5, True, 10**12],
    "fps": [0, -1, math.nan, math.inf, "25", True, [25]],
    "num_crops": [0, 2, "3", True, 3.5, [3]],
    "size": [0, -1, "224", 2.5, True, 10**9, {}, {"shortest_edge": 0}, {"height": 20},
             {"longest_edge": 9}, {"edge": 9}, {"height": 20, "width": "20"}, [20], [20, 20, 20], [20, 0],
             {"shortest_edge": None}],
    "crop_size": [0, -1, "224", 2.5, True, 10**9, {}, {"shortest_edge": 20}, {"height": 16}, [16], [0, 16],
                  {"height": -16, "width": 16}],
    "resample": ["x", "bilinear", 9, -1, 2.5, True, 4, 5, [2]],
    "rescale_factor": [0, math.nan, math.inf, "1/255", True, [1 / 255]],
    "image_mean": ["x", [0.5, 0.5], [0.5] * 5, [], [0.5, "x", 0.5], math.nan, [math.nan] * 3, {"r": 0.5}, True],
    "image_std": ["x", 0, [0.5, 0, 0.5], [0.5, 0.5], [-1.0] * 3, [math.inf] * 3, "0.5"],
    "audio_center": [2, -0.1, "x", math.nan, True, [0.5]],
    "input_data_format": ["x", 3, "NCHW"],
    "data_format": ["x", "channels_last"],
    "sampling": ["x", 3, ["uniform"], {}],
    "short_video": ["x", True],
    "decoder": ["x", 0],
    "device": ["x", 2.5, [0]],
    **{name: ["yes", 1, 0.0, []] for name in ("do_resize", "do_center_crop", "do_rescale", "do_normalize", "antialias",
                                              "do_convert_rgb", "do_sample_frames", "do_random_sampling",
                                              "load_audio_from_video", "return_metadata")},
}  # fmt: skip
CASES = [pytest.param(name, value, id=f"{name}={value!r}") for name, values in WRONG.items() for value in values]


@pytest.fixture(scope="module")
def hearing() -> HolovidProcessor:
    return HolovidProcessor(HolovidVideoProcessor(**SMALL, audio_config=SOUND))


@pytest.mark.parametrize(("name", "value"), CASES)
def test_wrong_options(hearing, name, value):
    with pytest.raises(ValueError, match=name):
        HolovidVideoProcessor(**SMALL | {name: value})
    with pytest.raises(ValueError, match=name):
        hearing.video_processor(VIDEO, audio=WAVE, **{name: value})
    with pytest.raises(ValueError, match=name):
        hearing(VIDEO, audio=WAVE, videos_kwargs={name: value})


@pytest.mark.parametrize(("name", "value"), [(name, values[0]) for name, values in WRONG.items()])
def test_wrong_types_in_files(tmp_path, name, value):
    if isinstance(value, float) and not math.isfinite(value):
        return
    HolovidProcessor(HolovidVideoProcessor(**SMALL)).save_pretrained(tmp_path)
    file = tmp_path / "processor_config.json"
    settings = json.loads(file.read_text())
    settings["video_processor"][name] = value
    file.write_text(json.dumps(settings))
    for auto in (AutoProcessor, AutoVideoProcessor):
        with pytest.raises(ValueError, match=name):
            auto.from_pretrained(tmp_path)


def test_what_is_right_stays_right(hearing):
    for options in (
        {"num_frames": np.int64(3)}, {"size": 20}, {"size": [20, 24]}, {"size": {"height": 20, "width": 20}},
        {"crop_size": 16}, {"crop_size": (16, 16)}, {"image_mean": 0.5}, {"image_mean": np.array([0.5] * 3)},
        {"image_std": (0.5, 0.5, 0.5)}, {"resample": PIL.Image.Resampling.BICUBIC}, {"resample": 0},
        {"audio_center": 1},
        {"device": "cpu"}, {"device": torch.device("cpu")}, {"input_data_format": "channels_last"}, {"num_views": 2},
        {"return_tensors": "np"}, {"rescale_factor": -1 / 255}, {"data_format": "channels_first"},
    ):  # fmt: skip
        features = hearing.video_processor(VIDEO, audio=WAVE, **options)
        assert "pixel_values_videos" in features, options


@pytest.mark.parametrize("make", [HolovidVideoProcessor, HolovidFeatureExtractor])
def test_unknown_names_name_the_nearest(make):
    near = {HolovidVideoProcessor: ("num_frame", "num_frames"), HolovidFeatureExtractor: ("mel_bins", "num_mel_bins")}
    wrong, right = near[make]
    with pytest.raises(ValueError, match=f"unknown options .'{wrong}'.*did you mean '{right}'"):
        make(**{wrong: 4})


def test_unknown_names_of_calls_and_audio_config(hearing):
    with pytest.raises(ValueError, match="did you mean 'num_frames'"):
        hearing.video_processor(VIDEO, audio=WAVE, num_frame=2)
    with pytest.raises(ValueError, match="did you mean 'audio_frames'"):
        HolovidVideoProcessor(audio_config={"audio_frame": 40})
    with pytest.raises(ValueError, match="did you mean 'crop_size'"):
        HolovidProcessor.for_model(XViTConfig(), cropsize=3)
    for wrong in (3, "x", ["audio_frames"]):
        with pytest.raises(ValueError, match="audio_config must be a dict"):
            HolovidVideoProcessor(audio_config=wrong)


def test_files_of_other_versions_load(tmp_path):
    HolovidProcessor(HolovidVideoProcessor(**SMALL, audio_config=SOUND)).save_pretrained(tmp_path)
    file = tmp_path / "processor_config.json"
    settings = json.loads(file.read_text())
    for part in ("video_processor", "feature_extractor"):
        settings[part]["num_frame_of_tomorrow"] = 5
    file.write_text(json.dumps(settings))
    assert AutoProcessor.from_pretrained(tmp_path).video_processor.num_frame_of_tomorrow == 5
    assert AutoFeatureExtractor.from_pretrained(tmp_path).num_frame_of_tomorrow == 5
    for auto in (AutoProcessor, AutoVideoProcessor):
        with pytest.raises(ValueError, match=r"unknown options \['num_frame'\] .* did you mean 'num_frames'\?"):
            auto.from_pretrained(tmp_path, num_frame=2)
    with pytest.raises(ValueError, match="did you mean 'num_mel_bins'"):
        AutoFeatureExtractor.from_pretrained(tmp_path, num_mel_bin=64)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("sampling_rate", value) for value in ("16000", 0, -1, 10, 10**9, 16000.5, True, None, math.nan)),
        *(
            (name, value)
            for name in ("num_mel_bins", "audio_frames")
            for value in ("8", 0, -1, 10**9, 2.5, True, None)
        ),
        *(("mean", value) for value in ("x", math.nan, math.inf, None, True)),
        *(("std", value) for value in ("x", math.nan, 0, -1.0, None, True)),
    ],
)
def test_wrong_feature_extractors(name, value):
    with pytest.raises(ValueError, match=f"{name} must be"):
        HolovidFeatureExtractor(**{name: value})
    with pytest.raises(ValueError, match=f"{name} must be"):
        HolovidVideoProcessor(audio_config={name: value})
    if value is not None:
        with pytest.raises(ValueError, match=f"{name} must be"):
            HolovidFeatureExtractor.from_dict({name: value})


METADATA = {"total_num_frames": 6, "fps": 3.0}


@pytest.mark.parametrize(
    "wrong",
    [
        {"fps": 0}, {"fps": -3.0}, {"fps": math.nan}, {"fps": "3"}, {"fps": math.inf}, {"total_num_frames": "6"},
        {"total_num_frames": 0}, {"total_num_frames": -6}, {"total_num_frames": None},
        {"frames_indices": [0, math.nan]}, {"frames_indices": "x"},
    ],
    ids=str,
)  # fmt: skip
def test_wrong_metadata(hearing, wrong):
    """What is wrong there would be wrong in `frame_times`."""
    for options in ({}, {"do_sample_frames": False}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            hearing(VIDEO, audio=WAVE, video_metadata=METADATA | wrong, **options)
