"""Pictures that are given as videos: still ones are videos of one frame, animated ones of many."""

import io
import struct
import zlib

import av
import numpy as np
import PIL.features
import PIL.Image
import pytest
import torch
from transformers.utils import logging

from holovid import HolovidVideoProcessor
from holovid.processing.video_decoding import VideoFile, open_video

SUFFIXES = ["png", "jpg", "bmp", "tiff", "webp", "jp2", "ppm"]


def colours(seed: int = 0, size: tuple[int, int] = (48, 64)) -> PIL.Image.Image:
    blocks = np.random.default_rng(seed).integers(0, 256, (size[0] // 8, size[1] // 8, 3), dtype=np.uint8)
    return PIL.Image.fromarray(np.kron(blocks, np.ones((8, 8, 1), dtype=np.uint8)))


def pixels(picture: PIL.Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1)


@pytest.fixture
def messages(caplog):
    """What is logged; the library says each message once."""
    logger = logging.get_logger("holovid.processing.picture_decoding")
    logger.addHandler(caplog.handler)
    yield lambda: [record.getMessage() for record in caplog.records]
    logger.removeHandler(caplog.handler)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_picture_is_a_video_of_one_frame(tmp_path, suffix, messages):
    path = tmp_path / f"picture%d.{suffix}"
    colours().save(path)
    expected = pixels(PIL.Image.open(path))
    misleading = io.BytesIO(path.read_bytes())
    misleading.name = "clip.mp4"
    for source in (path, path.read_bytes(), misleading, {"path": str(path), "bytes": None, "start": 3.0, "end": 4.0}):
        with open_video(source, with_sound=True) as video:
            frames, times = video.frames([0, 0])
            assert (
                len(video) == 1 and video.sound is None and (video.metadata.height, video.metadata.width) == (48, 64)
            )
        assert torch.equal(frames, torch.stack([expected, expected])) and times.tolist() == [0, 0]
    assert sum("is a picture: it is read as a video of one frame" in message for message in messages()) >= 1
    assert not misleading.closed


def test_the_processor_makes_of_it_what_it_makes_of_the_picture(tmp_path):
    path = tmp_path / "picture.png"
    colours(size=(64, 96)).save(path)
    for options in ({}, {"num_views": 2, "num_crops": 3}, {"fps": 2}, {"sampling": "strided", "frame_stride": 2}):
        processor = HolovidVideoProcessor(num_frames=4, crop_size=32, size={"shortest_edge": 32})
        seen = processor(path, return_tensors="pt", **options)["pixel_values_videos"]
        options.pop("fps", None)
        expected = processor([PIL.Image.open(path)], return_tensors="pt", **options)["pixel_values_videos"]
        assert torch.equal(seen.flatten(0, -4)[0], expected.flatten(0, -4)[0])


@pytest.mark.parametrize(("suffix", "options"), [("webp", {"lossless": True}), ("png", {})])
def test_an_animation_is_a_video(tmp_path, suffix, options, messages):
    drawn = [colours(seed) for seed in range(4)]
    path = tmp_path / f"animation.{suffix}"
    drawn[0].save(path, save_all=True, append_images=drawn[1:], duration=[100, 200, 50, 150], **options)
    with open_video(path) as video:
        frames, times = video.frames()
        assert torch.equal(frames, torch.stack([pixels(picture) for picture in drawn]))
        assert times.tolist() == [0, 0.1, 0.3, 0.35] and video.seconds == 0.5 and video.metadata.fps == 8
        assert torch.equal(video.frames([3, 0, 3])[0], frames[[3, 0, 3]])
    with open_video({"path": str(path), "bytes": None, "start": 0.2, "end": 0.35}) as video:
        assert torch.equal(video.frames()[0], frames[1:3])  # the one on the screen at the start, to the end
    with pytest.raises(ValueError, match=r"shows no frame from 0.5 s"):
        open_video({"path": str(path), "bytes": None, "start": 0.5})
    assert not messages()


def test_pictures_one_after_another_are_frames(tmp_path):
    """What cameras write as "motion JPEG"; and a JPEG file that says it has a second picture is one frame."""
    parts = []
    for seed in range(3):
        buffer = io.BytesIO()
        colours(seed).save(buffer, "JPEG")
        parts.append(buffer.getvalue())
    for between in (b"", b"\0\0\0"):
        with open_video(between.join(parts)) as video:
            assert isinstance(video, VideoFile) and len(video) == 3
    colours().save(tmp_path / "two.mpo", save_all=True, append_images=[colours(1)], format="MPO")
    with open_video(tmp_path / "two.mpo") as video:
        assert len(video) == 1
    with open_video(parts[0] + b"thumbnail and other words") as video:
        assert len(video) == 1


def test_gif_stays_a_video(tmp_path, messages):
    colours().save(tmp_path / "still.gif")
    with open_video(tmp_path / "still.gif") as video:
        assert isinstance(video, VideoFile) and len(video) == 1
    assert not messages()


def test_pages_are_said(tmp_path, messages):
    colours().save(tmp_path / "pages.tiff", save_all=True, append_images=[colours(1), colours(2)])
    with open_video(tmp_path / "pages.tiff") as video:
        assert torch.equal(video.frames()[0][0], pixels(colours()))
    assert "with 3 pages, of which only the first is used" in messages()[0]


def test_modes_of_pictures(tmp_path):
    grey = PIL.Image.fromarray(np.arange(0, 65536, 257, dtype=np.uint16).reshape(16, 16))
    grey.save(tmp_path / "deep.png")
    transparent = PIL.Image.new("RGBA", (8, 8), (10, 20, 30, 0))
    transparent.save(tmp_path / "transparent.png")
    for mode in ("L", "1", "P", "CMYK"):
        colours().convert(mode).save(tmp_path / f"{mode}.tiff")
        with open_video(tmp_path / f"{mode}.tiff") as video:
            assert torch.equal(video.frames()[0][0], pixels(PIL.Image.open(tmp_path / f"{mode}.tiff")))
    with open_video(tmp_path / "deep.png") as video:
        assert torch.equal(video.frames()[0][0, 0].flatten(), torch.arange(256, dtype=torch.uint8))
    with open_video(tmp_path / "transparent.png") as video:
        assert (video.frames()[0] == 255).all()
    PIL.Image.fromarray(np.ones((8, 8), dtype=np.float32)).save(tmp_path / "float.tiff")
    with pytest.raises(ValueError, match=r"float.tiff' cannot be read as a picture: its pixels are of mode 'F'"):
        open_video(tmp_path / "float.tiff")


def test_photographs_stand_upright(tmp_path):
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    colours().save(tmp_path / "photo.png", exif=exif)
    with open_video(tmp_path / "photo.png") as video:
        assert torch.equal(video.frames()[0][0], pixels(colours()).rot90(-1, (1, 2)))
        assert (video.metadata.height, video.metadata.width) == (64, 48)


def png_of_size(width: int, height: int) -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(9000, 9000), (10000, 10000), (20000, 20000), (2**31 - 1, 2**31 - 1), (40000, 1)])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_sizes_in_headers_are_not_believed(size):
    with pytest.raises(ValueError, match=r"has pictures of|cannot be read as a picture: it has more pixels"):
        open_video(png_of_size(*size))


def test_what_is_no_picture(tmp_path):
    whole = {}
    for suffix in SUFFIXES:
        path = tmp_path / f"whole.{suffix}"
        colours().save(path)
        whole[suffix] = path.read_bytes()
    for suffix, content in whole.items():
        for damaged in (content[:30], content[: len(content) // 2], content[:20] + bytes(range(255)) * 9):
            try:
                with open_video(damaged) as video:
                    video.frames()
            except ValueError as error:
                assert "cannot be read" in str(error) or "has pictures of" in str(error), suffix
    with pytest.raises(
        ValueError, match=r"bytes cannot be read as a picture: HEIC is not read; save it as JPEG or PNG$"
    ):
        open_video(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))


@pytest.mark.skipif(not PIL.features.check("avif"), reason="not run: Pillow reads no AVIF here")
def test_avif_that_says_so_in_its_other_brands(tmp_path):
    colours().save(tmp_path / "picture.avif")
    content = bytearray((tmp_path / "picture.avif").read_bytes())
    length = int.from_bytes(content[:4], "big")
    others = {bytes(content[at : at + 4]) for at in range(16, length, 4)}
    assert content[8:12] == b"avif" and b"avif" in others
    content[8:12] = b"mif1"
    with open_video(bytes(content)) as video:
        frames = video.frames()[0]
    assert torch.equal(frames[0], pixels(PIL.Image.open(tmp_path / "picture.avif")))


def test_files_of_video_that_begin_like_heic_are_videos(tmp_path):
    with av.open(str(tmp_path / "clip.mp4"), "w") as file:
        stream = file.add_stream("mpeg4", rate=5)
        stream.width, stream.height = 64, 48
        for seed in range(2):
            file.mux(stream.encode(av.VideoFrame.from_image(colours(seed))))
        file.mux(stream.encode())
    with open_video((tmp_path / "clip.mp4").read_bytes()) as video:
        assert isinstance(video, VideoFile)
