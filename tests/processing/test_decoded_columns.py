"""Columns that `datasets` has decoded: torchcodec's VideoDecoder and AudioDecoder, as processors read them."""

import wave

import numpy as np
import pytest
import torch
from datasets import Audio, Dataset, Video
from sounding_clips import clicks, write_sounding_clip
from transformers.utils import is_torchcodec_usable

from holovid import HolovidFeatureExtractor, HolovidProcessor, HolovidVideoProcessor
from holovid.processing.decoders import DecoderVideo

pytestmark = pytest.mark.skipif(not is_torchcodec_usable(decode="video"), reason="needs torchcodec and FFmpeg")
SMALL = {"num_frames": 4, "size": 20, "crop_size": 16}
SOUND = {"audio_frames": 40, "num_mel_bins": 24}


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("columns") / "clicks.mp4"
    write_sounding_clip(path, sound=clicks(2, (0.4, 1.2)))
    return str(path)


def column(clip: str, feature):
    (value,) = Dataset.from_dict({"it": [clip]}).cast_column("it", feature)["it"]
    return value


def test_videos(clip):
    processor = HolovidVideoProcessor(**SMALL)
    expected = processor(clip, return_tensors="pt")["pixel_values_videos"]
    for order in ("NCHW", "NHWC"):
        decoder = column(clip, Video(dimension_order=order))
        for given in (decoder, [decoder]):
            assert torch.equal(processor(given, return_tensors="pt")["pixel_values_videos"], expected)
    both = processor([clip, decoder], return_metadata=True, return_tensors="pt")
    assert torch.equal(both["pixel_values_videos"], expected.expand(2, -1, -1, -1, -1))
    ours, theirs = both["video_metadata"]
    assert (ours.total_num_frames, ours.height, ours.width) == (theirs.total_num_frames, theirs.height, theirs.width)
    assert theirs.fps == pytest.approx(ours.fps)


@pytest.mark.parametrize("order", ["NCHW", "NHWC"])
def test_frames_one_by_one_are_those_at_once(clip, order):
    video = DecoderVideo(column(clip, Video(dimension_order=order)))
    pixels, times = video.frames([3, 0, 3, 7])
    halves, same_times = video.frames([3, 0, 3, 7], each=lambda frame: frame // 2)
    assert torch.equal(halves, pixels // 2)
    np.testing.assert_array_equal(same_times, times)


def test_sound_comes_with_the_video_of_datasets(clip):
    processor = HolovidProcessor(HolovidVideoProcessor(**SMALL, audio_config=SOUND))
    expected = processor(clip, return_tensors="pt")
    got = processor(column(clip, Video()), return_tensors="pt")
    assert expected.keys() == got.keys()
    for name, value in expected.items():
        torch.testing.assert_close(got[name], value)
    from torchcodec.decoders import VideoDecoder

    alone = VideoDecoder(clip)
    with pytest.raises(ValueError, match="a VideoDecoder carries none unless it comes from datasets: pass audio"):
        processor(alone)
    beside = processor(alone, audio=column(clip, Audio(sampling_rate=16_000)), return_tensors="pt")
    torch.testing.assert_close(beside["frame_times"], expected["frame_times"])
    assert beside["audio_mask"].all()


def test_sounds(tmp_path):
    samples = (clicks(2, (0.4, 1.2))[0] * 32767).astype(np.int16)
    with wave.open(str(tmp_path / "clicks.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", "not compressed"))
        file.writeframes(samples.tobytes())
    extractor = HolovidFeatureExtractor(**SOUND)
    expected = extractor(str(tmp_path / "clicks.wav"), return_tensors="pt")["input_values"]
    decoder = column(str(tmp_path / "clicks.wav"), Audio())
    for given in (decoder, [decoder], {"array": decoder["array"], "sampling_rate": decoder["sampling_rate"]}):
        torch.testing.assert_close(extractor(given, return_tensors="pt")["input_values"], expected)
