"""Frames that are large, or that are said to be: what is refused before there is memory for it, and what is kept."""

import struct
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import PIL.Image
import pytest
import torch

from holovid import HolovidVideoProcessor
from holovid.processing import media_containers
from holovid.processing import video_processing_holovid as processing
from holovid.processing.video_decoding import open_video

# The second processing of more frames must not take more than what comes out of them.
MEASURE = """
import resource, sys
from holovid import HolovidVideoProcessor

processor = HolovidVideoProcessor()
def peak(count):
    processor(sys.argv[1], num_frames=count, return_tensors="pt")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

print(peak(2), peak(16))
"""

# It has to end in a sentence with less memory than the frame would take.
REFUSE = """
import resource, sys
import torch
from holovid import HolovidVideoProcessor

processor = HolovidVideoProcessor()
now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + 2**29, now + 2**29))
try:
    processor(sys.argv[1], return_tensors="pt")
except ValueError as error:
    print(error)
"""


def write_noise(path: Path, width: int, height: int, count: int = 3, codec: str = "mjpeg") -> Path:
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for seed in range(count):
            blocks = np.random.default_rng(seed).integers(0, 256, (height // 32, width // 32, 3), dtype=np.uint8)
            picture = PIL.Image.fromarray(blocks).resize((width, height), PIL.Image.Resampling.NEAREST)
            file.mux(stream.encode(av.VideoFrame.from_image(picture)))
        file.mux(stream.encode())
    return path


def gif_of_size(width: int, height: int) -> bytes:
    """Some 50 bytes, of a picture that says it is so large."""
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    return head + b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x4c\x01\x00;"


@pytest.mark.parametrize(
    "options",
    [{}, {"num_crops": 3, "num_views": 2}, {"do_rescale": False, "do_normalize": False}, {"antialias": True}],
)
def test_large_frames_are_resized_to_the_same_pixels(tmp_path, monkeypatch, options):
    path = write_noise(tmp_path / "large.mkv", 1920, 1088)
    processor = HolovidVideoProcessor(num_frames=3, size={"shortest_edge": 64}, crop_size=64)
    one_by_one = processor(path, return_tensors="pt", **options)["pixel_values_videos"]
    with open_video(path) as video:
        frames, _ = video.frames()
    seen = []
    monkeypatch.setattr(processing, "RESIZE_AT_ONCE", 2**40)
    monkeypatch.setattr(
        processor, "_resized", lambda frames, *rest: seen.append(len(frames)) or resized(frames, *rest)
    )
    resized = HolovidVideoProcessor._resized.__get__(processor)
    together = processor(path, return_tensors="pt", **options)["pixel_values_videos"]
    assert torch.equal(one_by_one, together) and len(frames) == 3
    assert seen[0] == 3 * options.get("num_views", 1)


def test_frames_may_be_changed_as_they_come(tmp_path):
    path = write_noise(tmp_path / "clip.mkv", 128, 64)
    with open_video(path) as video:
        frames, times = video.frames([2, 0, 2])
        changed, same_times = video.frames([2, 0, 2], lambda frame: frame[..., ::4, ::4].to(torch.float64))
        assert changed.dtype == torch.float64 and np.array_equal(times, same_times)
        assert torch.equal(changed, frames[..., ::4, ::4].to(torch.float64))
        assert video.frames([], lambda frame: frame)[0].shape[0] == 0


@pytest.mark.slow
@pytest.mark.linux
def test_memory_is_that_of_the_result_and_one_frame(tmp_path):
    path = write_noise(tmp_path / "large.mkv", 4096, 4096, count=16)
    run = subprocess.run([sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, check=True)
    few, many = map(int, run.stdout.split())
    assert many - few < 2 * 3 * 4096 * 4096, run.stdout  # that of 14 more frames as they are is 14 * 3 * 4096 * 4096


@pytest.mark.slow
@pytest.mark.linux
def test_a_header_takes_no_memory(tmp_path):
    (tmp_path / "bomb.gif").write_bytes(gif_of_size(16000, 16000))
    run = subprocess.run(
        [sys.executable, "-c", REFUSE, str(tmp_path / "bomb.gif")], capture_output=True, text=True, check=True
    )
    assert "has no frame that can be decoded: its pictures have no size, or more than 67,108,864 pixels" in run.stdout


@pytest.mark.parametrize("size", [(16000, 16000), (65535, 65535), (65535, 1), (40000, 1000)])
def test_sizes_in_headers_are_not_believed(size):
    with pytest.raises(ValueError, match=r"more than 67,108,864 pixels|has pictures of \d+ x \d+; at most"):
        open_video(gif_of_size(*size))


def test_limits_are_set_in_one_place(tmp_path, monkeypatch):
    path = write_noise(tmp_path / "clip.mkv", 128, 64)
    monkeypatch.setattr(media_containers, "MOST_PIXELS", 128 * 64 - 1)
    with pytest.raises(ValueError, match=r"(at most|more than) 8,191 pixels"):
        open_video(path)
    monkeypatch.setattr(media_containers, "MOST_PIXELS", 128 * 64)
    with open_video(path) as video:
        assert len(video) == 3


@pytest.mark.parametrize(
    "shape", [(2, 3, 1, 100_000), (2, 3, 100_000, 1), (2, 3, 1, 2**20)], ids=["wide", "high", "very wide"]
)
def test_frames_that_resizing_would_make_huge(shape):
    processor = HolovidVideoProcessor(num_frames=2)
    with pytest.raises(ValueError, match=r"would be resized to .*at most 8,388,608 pixels are allowed"):
        processor(np.zeros(shape, dtype=np.uint8), input_data_format="channels_first", return_tensors="pt")
    with pytest.raises(ValueError, match="would be resized to 16384 x 16384"):
        processor(np.zeros((2, 3, 8, 8), dtype=np.uint8), size={"height": 16_384, "width": 16_384})


def test_long_frames_of_a_file_that_resizing_would_make_huge(tmp_path):
    PIL.Image.new("RGB", (30_000, 2)).save(tmp_path / "long.png")
    with pytest.raises(ValueError, match="frames of 30000 x 2 would be resized to 3360000 x 224"):
        HolovidVideoProcessor()(tmp_path / "long.png")
