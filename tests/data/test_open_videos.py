"""Workers keep videos open, and read of them what is read of a file that is opened anew."""

import os

import av
import numpy as np
import pytest
import torch
from clips import write_clip
from sounding_clips import clicks, write_sounding_clip
from torch.utils.data import DataLoader

from holovid import CA2STConfig, HolovidProcessor, XViTConfig
from holovid.data import ClipDataset, load_clips, open_videos
from holovid.data.dataset import BrokenClipError
from holovid.data.open_videos import OpenVideos, WorkersVideos, cost_of, reader_of
from holovid.families import families
from holovid.processing.video_decoding import open_video


def processor_of(hears: bool, **options) -> HolovidProcessor:
    if hears:
        config = CA2STConfig(**families()["ca2st"].toy, experts=["space", "time", "audio"])
    else:
        config = XViTConfig(**families()["xvit"].toy)
    processor = HolovidProcessor.for_model(config, num_frames=4, **options)
    assert (processor.feature_extractor is not None) is hears
    return processor


def assert_alike(one: dict, other: dict) -> None:
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("interval", [{}, {"start": 0.4}, {"start": 0.5, "end": 1.2}, {"end": 0.9}])
@pytest.mark.parametrize("hears", [False, True])
def test_an_open_video_is_the_file(tmp_path, hears, interval):
    path = write_sounding_clip(tmp_path / "clip.mp4", sound=clicks(2.0, (0.5, 1.1)))
    processor = processor_of(hears)
    videos, clip = OpenVideos(processor), {"path": str(path), "bytes": None, **interval}
    expected = processor(clip, return_tensors="pt")
    for _ in range(3):  # whatever was read of it before
        assert_alike(processor(videos.part(clip), return_tensors="pt"), expected)
    assert len(videos) == (0 if hears else 1)  # of AAC, noise would depend on what was read before


def test_a_file_that_changed_is_read_anew(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", frames=24)
    videos = OpenVideos(processor_of(False))
    clip = {"path": str(path), "bytes": None}
    assert len(videos.part(clip)) == 24
    os.replace(write_clip(tmp_path / "other.mp4", frames=12, seed=1), path)
    assert len(videos.part(clip)) == 12 and len(videos) == 1
    path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="cannot be read"):
        videos.part(clip)


def test_what_is_no_file_is_left_as_it_is(tmp_path):
    from PIL import Image

    videos = OpenVideos(processor_of(False))
    picture = tmp_path / "picture.png"
    Image.new("RGB", (32, 32)).save(picture)
    content = write_clip(tmp_path / "clip.mp4").read_bytes()
    for clip in (
        {"path": None, "bytes": content},
        {"path": str(picture), "bytes": None},
        {"path": "no", "bytes": None},
    ):
        assert videos.part(clip) is clip
    assert len(videos) == 0


def test_the_last_ones_stay(tmp_path, monkeypatch):
    paths = [write_clip(tmp_path / f"{number}.mp4", seed=number) for number in range(4)]
    clips = [{"path": str(path), "bytes": None} for path in paths]
    with open_video(str(paths[0])) as video:
        cost = cost_of(video)
    content = paths[0].stat().st_size
    assert 24 * 64 * 48 + 24 * 400 < cost < 24 * 64 * 48 + 24 * 700 + content  # packets are kept
    monkeypatch.setattr(open_videos, "ROOM", 3 * cost)
    videos = OpenVideos(processor_of(False))
    for number in (0, 1, 2, 0, 3):  # 1 has waited longest
        videos.part(clips[number])
    assert list(videos._videos) == [str(paths[number]) for number in (2, 0, 3)]
    monkeypatch.setattr(open_videos, "MOST_FILES", 1)
    videos.part(clips[1])
    assert list(videos._videos) == [str(paths[1])]
    videos.drop(clips[1])
    assert len(videos) == 0
    monkeypatch.setattr(open_videos, "ROOM", 0)
    assert videos.part(clips[0]).frames([0])[0].shape[0] == 1  # the one that is read stays open


def test_decoded_pictures_that_are_kept_count(tmp_path):
    path = tmp_path / "clip.h264"  # without times, so frames are counted by decoding
    with av.open(str(path), "w", format="h264") as file:
        stream = file.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(10):
            file.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        file.mux(stream.encode())
    with open_video(str(path)) as video:
        assert cost_of(video) >= 24 * 64 * 48 + 10 * 400 + 10 * 64 * 48 * 3 // 2
    assert video.bytes_kept == 0


def test_datasets_of_a_worker_share_its_videos(tmp_path, monkeypatch):
    monkeypatch.setattr(open_videos, "get_worker_info", lambda: 1)
    monkeypatch.setattr(open_videos, "IN_THIS_WORKER", {})
    monkeypatch.setattr(open_videos, "MOST_FILES", 2)
    kept = [WorkersVideos(processor_of(False)) for _ in range(3)]
    for number, videos in enumerate(kept):
        videos.part({"path": str(write_clip(tmp_path / f"{number}.mp4")), "bytes": None})
    assert len({id(videos._videos) for videos in kept}) == 1 and len(kept[0]._videos) == 2


def test_only_workers_keep_videos(tmp_path):
    """A fork would share their place in the file, and wait for threads that it does not have."""
    clip = {"path": str(write_clip(tmp_path / "clip.mp4")), "bytes": None}
    assert WorkersVideos(processor_of(False)).part(clip) is clip


@pytest.mark.parametrize(
    ("hears", "own", "options"),
    [
        (False, {}, {}),
        (True, {}, {}),
        (True, {"load_audio_from_video": False}, {"load_audio_from_video": True}),
        (True, {}, {"load_audio_from_video": False}),
    ],
)
def test_workers_read_what_is_read_without_them(tmp_path, hears, own, options):
    for label in ("left", "right"):
        (tmp_path / "train" / label).mkdir(parents=True)
        for number in range(2):
            sound = np.random.default_rng(number).normal(0, 0.1, (1, 32_000)).astype(np.float32)
            write_sounding_clip(tmp_path / "train" / label / f"{number}.mp4", frames=30 + number, sound=sound)
    rows = load_clips(str(tmp_path))["train"]
    dataset = ClipDataset(rows, processor_of(hears, do_random_sampling=True, **own), **options)
    keys = [(epoch, index) for epoch in range(3) for index in range(4)]
    loader = DataLoader(dataset, batch_size=None, sampler=keys, num_workers=1)
    for key, row in zip(keys, loader, strict=True):
        assert_alike(row, dataset[key])
        if hears:
            assert row["audio_mask"].item() is options.get("load_audio_from_video", True)


def test_a_clip_that_breaks_is_named_by_a_worker(tmp_path):
    for label in ("left", "right"):
        (tmp_path / "train" / label).mkdir(parents=True)
        write_clip(tmp_path / "train" / label / "0.mp4")
    (tmp_path / "train" / "right" / "0.mp4").write_bytes(b"nothing")
    dataset = ClipDataset(load_clips(str(tmp_path))["train"], processor_of(False))
    with pytest.raises(BrokenClipError, match=r"right/0\.mp4"):
        list(DataLoader(dataset, batch_size=None, num_workers=1))


def test_options_are_checked_once_and_mean_the_same(tmp_path):
    path = write_clip(tmp_path / "clip.mp4")
    processor = processor_of(False)
    one, batch = (
        reader_of(processor, num_views=2, num_crops=3)(path),
        processor(path, return_tensors="pt", num_views=2, num_crops=3),
    )
    assert_alike({name: value[0] for name, value in one.items()}, {name: value[0] for name, value in batch.items()})
    with pytest.raises(ValueError, match="num_crops must be one of"):
        reader_of(processor, num_crops=2)

    class Own(HolovidProcessor):
        def __call__(self, videos=None, audio=None, **kwargs):
            return {"pixel_values_videos": [videos, kwargs]}

    assert reader_of(Own(processor.video_processor), num_views=3)("clip")["pixel_values_videos"] == [
        "clip", {"return_tensors": "pt", "num_views": 3}
    ]  # fmt: skip
