"""Frames that come in order, and parts of an open video, are those of the file; also where it is damaged."""

import numpy as np
import pytest
import torch
from sounding_clips import write_sounding_clip
from test_damaged_frames import FAST, FRAMES, KINDS, damaged, whole  # noqa: F401 (a fixture)

from holovid.processing.video_decoding import VideoFile, open_video


def check_order(content: bytes, wanted: list[int]) -> None:
    try:
        with open_video(content) as video:
            wanted = [index for index in wanted if index < len(video)]
            want = video.frames(wanted)[0]
        with open_video(content) as video:
            found = list(video.in_order(wanted))
    except ValueError:  # damage has left no video
        return
    assert [index for index, _ in found] == wanted
    for (_, pixels), frame in zip(found, want, strict=True):
        assert torch.equal(pixels, frame)


@pytest.mark.parametrize("name", KINDS)
def test_frames_in_order(whole, name):  # noqa: F811
    check_order(whole(name), list(range(FRAMES)))
    check_order(whole(name), [0, 3, 9, 10, 22])


@pytest.mark.parametrize("name", KINDS)
def test_damaged_frames_in_order(whole, name):  # noqa: F811
    for seed in FAST:
        check_order(damaged(whole(name), seed), list(range(0, FRAMES, 2)))


def test_a_part_is_the_interval_of_the_file(tmp_path):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (1, 16_000 * 4)).astype(np.float32)
    path = write_sounding_clip(tmp_path / "clip.mkv", 80, noise, codec="pcm_s16le", sound_start=0.3, picture_start=0.5)
    with open_video(path, with_sound=True) as video:
        for start, end in ((0.0, 1.0), (0.73, 2.1), (2.0, 9.0), (3.98, 4.5)):
            part = video.part(start, end)
            clip = {"path": str(path), "bytes": None, "start": start, "end": end}
            with open_video(clip, with_sound=True) as interval:
                assert len(part) == len(interval) and part.start == interval.start
                assert part.seconds == pytest.approx(interval.seconds, abs=1e-9)
                assert part.metadata.fps == pytest.approx(interval.metadata.fps)
                assert part.metadata.total_num_frames == interval.metadata.total_num_frames
                for got, want in zip(part.frames(), interval.frames(), strict=True):
                    assert torch.equal(torch.as_tensor(got), torch.as_tensor(want))
                count = interval.sound.num_samples
                assert part.sound.num_samples == count
                assert torch.equal(part.sound.read(0, count, 16_000), interval.sound.read(0, count, 16_000))
        with pytest.raises(ValueError, match="shows no frame from 5 s to 6 s"):
            video.part(5.0, 6.0)


def test_each_frame_is_decoded_once(whole, monkeypatch):  # noqa: F811
    packets = []
    decode = VideoFile._decode_packet
    monkeypatch.setattr(VideoFile, "_decode_packet", lambda self, p: packets.append(p) or decode(self, p))
    with open_video(whole("h264.mp4")) as video:
        packets.clear()
        list(video.in_order(range(FRAMES)))
    assert len([packet for packet in packets if packet is not None]) == FRAMES
