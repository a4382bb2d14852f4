"""VideoFile against decoding everything, on files of many kinds that are written here with PyAV; and on broken ones.

`decode_everything` is the reference: PyAV, one thread, from the first packet to the last. Pixels are compared bit for
bit.
"""

import gc
import io
import os
import subprocess
import sys
import threading
from fractions import Fraction
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from clips import write_clip
from transformers.utils import is_torchcodec_usable

from holovid.processing import picture_stream
from holovid.processing.media_source import is_media_source
from holovid.processing.video_decoding import VideoFile, open_video

FRAMES, HEIGHT, WIDTH, RATE = 50, 48, 64, 12
X264 = {"preset": "fast", "x264-params": "bframes=3:b-adapt=0:scenecut=0:keyint=20"}
OPEN_GOP = {"preset": "fast", "x264-params": "bframes=3:b-adapt=0:scenecut=0:keyint=12:open-gop=1"}
UNEVEN = np.cumsum(np.random.default_rng(0).integers(1, 200, FRAMES)).tolist()  # milliseconds

# name -> how to write it; together: key frames near and far, B-frames, no frame count in the header, times that are
# missing, guessed, uneven or do not start at 0, packets that are not frames
KINDS = {
    "b_frames.mp4": {"codec": "libx264", "options": X264},
    "b_frames.mkv": {"codec": "libx264", "options": X264},
    "b_frames.flv": {"codec": "libx264", "options": X264},
    "b_frames.ts": {"codec": "libx264", "options": X264},
    "b_frames.avi": {"codec": "libx264", "options": X264},
    "b_frames.h264": {"codec": "libx264", "options": X264},
    "open_gop.mp4": {"codec": "libx264", "options": OPEN_GOP},
    "open_gop.ts": {"codec": "libx264", "options": OPEN_GOP},
    "one_key_frame.mp4": {"codec": "libx264", "options": {"x264-params": "keyint=infinite"}},
    "no_key_frames.mp4": {"codec": "libx264", "options": {"x264-params": "intra-refresh=1:keyint=12"}},
    "interlaced.ts": {"codec": "libx264", "options": {"x264-params": "interlaced=1:keyint=12"}, "height": 64},
    "starts_late.mp4": {"codec": "libx264", "options": X264, "times": [2500 + 80 * i for i in range(FRAMES)]},
    "starts_late.mkv": {"codec": "libx264", "options": X264, "times": [2500 + 80 * i for i in range(FRAMES)]},
    "uneven.mp4": {"codec": "libx264", "options": X264, "times": UNEVEN},
    "uneven.mkv": {"codec": "libx264", "options": X264, "times": UNEVEN},
    "ten_bit.mp4": {"codec": "libx264", "options": X264, "pixels": "yuv420p10le"},
    "mpeg4.avi": {"codec": "mpeg4"},
    "mpeg4_b_frames.avi": {"codec": "mpeg4", "b_frames": 2},
    "motion_jpeg.avi": {"codec": "mjpeg", "pixels": "yuvj420p"},
    "mpeg1.mpg": {"codec": "mpeg1video", "b_frames": 2, "rate": 25},
    "mpeg2.mpg": {"codec": "mpeg2video", "b_frames": 2, "rate": 25},
    "mpeg2.ts": {"codec": "mpeg2video", "b_frames": 2, "rate": 25},
    "vp8.webm": {"codec": "libvpx", "options": {"cpu-used": "8"}, "key_frame_every": 20},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"cpu-used": "8"}, "key_frame_every": 20},
    "wmv2.wmv": {"codec": "wmv2"},
    "palette.gif": {"codec": "gif", "pixels": "rgb8"},
    "turned.mp4": {"codec": "libx264", "options": X264, "turn": (90, False, False)},
    "one_frame.mp4": {"codec": "libx264", "count": 1},
}


def write_video(
    path: Path,
    codec: str = "libx264",
    count: int = FRAMES,
    height: int = HEIGHT,
    rate: int = RATE,
    pixels: str = "yuv420p",
    options: dict[str, str] | None = None,
    times: list[int] | None = None,
    b_frames: int | None = None,
    key_frame_every: int | None = None,
    turn: tuple[int, bool, bool] | None = None,
    title: str | None = None,
    header: dict[str, str] | None = None,
) -> Path:
    """Blocks of colour that drift, with a corner that brightens: no two frames are equal, nor one turned and unturned.

    `times` in milliseconds; `turn` = (degrees counter-clockwise, flip horizontally, flip vertically) for the display.
    """
    blocks = np.random.default_rng(count).integers(0, 256, (height // 8, WIDTH // 8, 3), dtype=np.uint8)
    picture = np.kron(blocks, np.ones((8, 8, 1), dtype=np.uint8))
    clock = Fraction(1, rate) if times is None else Fraction(1, 1000)
    with av.open(str(path), "w", options=header or {}) as file:
        if title:
            file.metadata["title"] = title
        stream = file.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height, stream.pix_fmt = WIDTH, height, pixels
        if times is not None:
            stream.time_base = stream.codec_context.time_base = clock
        if b_frames is not None:
            stream.codec_context.max_b_frames = b_frames
        if key_frame_every is not None:
            stream.codec_context.gop_size = key_frame_every
        if turn is not None:
            stream.set_display_rotation(*turn)
        for index in range(count):
            drifted = np.roll(picture, 3 * index, axis=1)
            drifted[:16, :16] = index * 255 // count
            frame = av.VideoFrame.from_ndarray(drifted)
            frame.pts, frame.time_base = index if times is None else times[index], clock
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def write_sound(path: Path, cover: bool = False) -> Path:
    with av.open(str(path), "w") as file:
        stream = file.add_stream("aac", rate=16000, layout="mono")
        if cover:
            picture = file.add_stream("mjpeg")
            picture.width, picture.height, picture.pix_fmt = WIDTH, HEIGHT, "yuvj420p"
            picture.disposition = av.stream.Disposition.attached_pic
            file.mux(picture.encode(av.VideoFrame(WIDTH, HEIGHT, "yuvj420p")))
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), dtype=np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def decode_everything(path: Path) -> torch.Tensor:
    """All frames, (T, C, H, W)."""
    with av.open(str(path), metadata_errors="replace") as file:
        stream = file.streams.video[0]
        stream.codec_context.thread_count = 1
        frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(stream)]
    everything = torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2)
    return everything.rot90(dims=(2, 3)) if path.name == "turned.mp4" else everything


class CountingVideoFile(VideoFile):
    """Counts the pictures that come out of the decoder."""

    decoded = 0

    def _decode_packet(self, packet):
        pictures = super()._decode_packet(packet)
        self.decoded += len(pictures)
        return pictures


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("videos")


@pytest.fixture(scope="module")
def video(folder):
    """name -> path of the video of that kind."""

    def written(name: str) -> Path:
        path = folder / name
        return path if path.exists() else write_video(path, **KINDS[name])

    return written


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", KINDS)
def test_chosen_frames_equal_those_of_decoding_everything(video, name, threads, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    path = video(name)
    everything = decode_everything(path)
    random = np.random.default_rng(0)
    with open_video(path) as file:
        count = len(file)
        assert count == file.metadata.total_num_frames == len(everything) == KINDS[name].get("count", FRAMES)
        assert torch.equal(file.frames()[0], everything)
        for length in (1, 1, 1, 2, 3, 8, 16):
            indices = random.integers(0, count, length)
            pixels, seconds = file.frames(indices)
            assert torch.equal(pixels, everything[indices])
            np.testing.assert_array_equal(seconds, file.times[indices])


def test_indices_may_repeat_and_run_backwards(video):
    everything = decode_everything(video("b_frames.mp4"))
    with open_video(video("b_frames.mp4")) as file:
        for indices in ([7, 7, 7], [49, 0, 25, 0], list(range(49, -1, -1)), np.array([3, 2], dtype=np.int32), []):
            assert torch.equal(file.frames(indices)[0], everything[np.asarray(indices, dtype=int)])
        for indices in ([-1], [0, 50]):
            with pytest.raises(ValueError, match=r"b_frames.mp4' has frames 0 to 49, but .* asked for"):
                file.frames(indices)


def test_only_what_is_needed_is_decoded(folder):
    """A key frame every 10 frames and no B-frames: each frame takes at most 10 pictures."""
    path = write_video(
        folder / "groups_of_10.mp4", options={"x264-params": "keyint=10:scenecut=0:bframes=0"}, count=200
    )
    with CountingVideoFile(path) as file:
        assert file.decoded == 1, "opening decodes the first frame, for its orientation"
        for indices, pictures in (
            ([0], 1),
            ([9], 10),
            ([10], 1),
            ([199], 10),
            ([0, 100, 190], 3),
            ([5, 5, 3, 17], 14),
        ):
            file.decoded = 0
            file.frames(indices)
            assert file.decoded == pictures, indices


@pytest.mark.parametrize(("room", "once"), [(picture_stream.KEPT, True), (1000, False)])
def test_what_was_decoded_to_count_frames_is_not_decoded_again(video, room, once, monkeypatch):
    """Unless it takes too much memory; the frames are the same."""
    monkeypatch.setattr(picture_stream, "KEPT", room)
    path = video("b_frames.avi")
    everything = decode_everything(path)
    with CountingVideoFile(path) as file:
        pixels, _ = file.frames([49, 3, 20])
        assert torch.equal(pixels, everything[[49, 3, 20]])
        assert (file.decoded == FRAMES) == once


def test_pictures_that_no_wanted_frame_leans_on_are_skipped(folder):
    path = write_video(folder / "many_b_frames.mp4", options={"x264-params": "bframes=3:b-adapt=0:keyint=infinite"})
    with CountingVideoFile(path) as file:
        file.decoded = 0
        file.frames([0, 48])
        assert file.decoded < 30  # of 49


@pytest.mark.parametrize(
    ("name", "fps", "start"),
    [
        ("b_frames.mp4", 12, 0),
        ("b_frames.mkv", 12, 0),
        ("b_frames.avi", 12, 0),
        ("mpeg2.mpg", 25, 0.54),
        ("vp9.webm", 12, 0),
        ("starts_late.mp4", 12.5, 2.5),
    ],
)
def test_metadata(video, name, fps, start):
    with open_video(video(name)) as file:
        facts = file.metadata
        assert (facts.total_num_frames, facts.height, facts.width, facts.video_backend) == (50, 48, 64, "pyav")
        assert facts.fps == pytest.approx(fps, rel=1e-3)
        assert facts.duration == pytest.approx(50 / fps, rel=1e-3)
        np.testing.assert_allclose(file.times, start + np.arange(50) / fps, atol=1e-3)


@pytest.mark.parametrize("name", ["uneven.mp4", "uneven.mkv"])
def test_times_of_uneven_frames(video, name):
    with open_video(video(name)) as file:
        np.testing.assert_allclose(file.times, np.array(UNEVEN) / 1000, atol=1e-3)
        assert UNEVEN[-1] / 1000 < file.start + file.seconds < UNEVEN[-1] / 1000 + 0.2  # the last one is shown, too
        assert file.metadata.fps == pytest.approx(50 / file.seconds)


@pytest.mark.parametrize("flips", [(False, False), (True, False), (False, True)])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_videos_come_out_upright(folder, degrees, flips):
    path = write_video(folder / f"turned_{degrees}_{flips}.mp4", options=X264, turn=(degrees, *flips))
    as_stored = decode_everything(path)
    expected = torch.rot90(as_stored, degrees // 90, dims=(2, 3)).flip([3] * flips[0] + [2] * flips[1])
    with open_video(path) as file:
        assert (file.metadata.height, file.metadata.width) == expected.shape[-2:]
        assert torch.equal(file.frames()[0], expected)


def test_sources(video, monkeypatch):
    path = video("b_frames.mp4")
    expected = decode_everything(path)[[3, 40]]
    content = path.read_bytes()

    class Pipe(io.BytesIO):
        def seekable(self):
            return False

    monkeypatch.chdir(path.parent)
    for source in (path, str(path), path.name, path.as_uri(), content, bytearray(content), Pipe(content)):
        assert is_media_source(source)
        with open_video(source) as file:
            assert torch.equal(file.frames([3, 40])[0], expected)
    with path.open("rb") as opened:
        opened.seek(100)
        with open_video(opened) as file:
            assert torch.equal(file.frames([3, 40])[0], expected)
        assert not opened.closed
    assert not is_media_source([path]) and not is_media_source(np.zeros(3))


def test_file_names_with_a_meaning_to_ffmpeg(video, folder, monkeypatch):
    monkeypatch.chdir(folder)
    for name in ("cache:clip.mp4", "clip %03d.mp4", "http:nothing.mp4", "künstlich 測試.mp4"):
        Path(name).write_bytes(video("b_frames.mp4").read_bytes())
        with open_video(name) as file:
            assert len(file) == FRAMES


@pytest.fixture(scope="module")
def server(folder):
    """Address of an HTTP server over the folder."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


def test_url(video, server):
    path = video("b_frames.mp4")
    with open_video(f"{server}/{path.name}") as file:
        assert torch.equal(file.frames([3, 40])[0], decode_everything(path)[[3, 40]])
    with pytest.raises(ValueError, match=r"missing.mp4 cannot be downloaded: .*404"):
        open_video(f"{server}/missing.mp4")
    with pytest.raises(ValueError, match="cannot be downloaded"):
        open_video("http://127.0.0.1:9/clip.mp4")


def test_not_a_video(folder, video):
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("This is not a video.\n" * 50)
    (folder / "text.txt").write_text("This is not a video.\n" * 50)
    (folder / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(5000))
    write_sound(folder / "sound.m4a")
    for name in ("empty.mp4", "text.mp4", "text.txt", "noise.mp4"):
        with pytest.raises(ValueError, match=f"{name}' cannot be read as a video"):
            open_video(folder / name)
    with pytest.raises(ValueError, match=r"empty.mp4' cannot be read as a video: the file is empty$"):
        open_video(folder / "empty.mp4")
    with pytest.raises(ValueError, match=r"sound.m4a' has no video stream that can be decoded.*audio"):
        open_video(folder / "sound.m4a")
    write_sound(folder / "cover.mp4", cover=True)
    with pytest.raises(ValueError, match=r"cover.mp4' has no video stream that can be decoded"):
        open_video(folder / "cover.mp4")
    with pytest.raises(ValueError, match="the video of 0 bytes cannot be read as a video: the file is empty"):
        open_video(b"")
    with pytest.raises(FileNotFoundError, match=r"no video at 'missing\.mp4'"):
        open_video("missing.mp4")
    with pytest.raises(ValueError, match="is not a file"):
        open_video(folder)
    with pytest.raises(ValueError, match="open it with mode 'rb'"), open(folder / "text.txt") as text:
        open_video(text)
    with pytest.raises(ValueError, match="a video must be a path, a URL, bytes or a binary file object, got int"):
        open_video(3)
    with pytest.raises(ValueError, match="decoder must be 'pyav' or 'torchcodec', got 'opencv'"):
        open_video(video("b_frames.mp4"), decoder="opencv")


def test_tags_need_not_be_text(folder):
    path = write_video(folder / "tagged.mp4", count=3, title="HOLOHOLOHOLO")
    path.write_bytes(path.read_bytes().replace(b"HOLOHOLOHOLO", b"\xff\xfe\xfdHOLOHOLO\xff"))
    with pytest.raises(UnicodeDecodeError):
        av.open(str(path))
    with open_video(path) as file:
        assert len(file) == 3


def test_nothing_stays_open(video, folder):
    (folder / "text.mp4").write_text("This is not a video.\n" * 50)
    descriptors = Path("/proc/self/fd")
    if not descriptors.exists():
        pytest.skip("needs /proc")
    gc.collect()  # what earlier tests left open
    before = len(os.listdir(descriptors))
    with open_video(video("b_frames.mp4")) as file:
        file.frames([3])
        assert len(os.listdir(descriptors)) > before
    with pytest.raises(ValueError):
        open_video(folder / "text.mp4")
    assert len(os.listdir(descriptors)) == before


class TestDamage:
    """Frames before the damage are exact; what cannot be decoded is replaced by the frame before; nothing raises."""

    @pytest.fixture
    def whole(self, folder):
        """An mp4 whose index stands at its beginning."""
        path = folder / "whole.mp4"
        return path if path.exists() else write_video(path, options=X264, header={"movflags": "faststart"})

    def test_file_that_breaks_off(self, whole, folder):
        path, content, everything = folder / "broken_off.mp4", whole.read_bytes(), decode_everything(whole)
        path.write_bytes(content[: int(0.7 * len(content))])
        with open_video(path) as file:
            assert 10 < len(file) < FRAMES  # what is there, not what the header says
            pixels, _ = file.frames()
            exact = [torch.equal(ours, reference) for ours, reference in zip(pixels, everything, strict=False)]
            assert exact.index(False) > len(file) - 8  # the last few lean on the one that is cut
            assert torch.equal(file.frames([len(file) - 1, 2])[0], pixels[[-1, 2]])

    def test_file_without_its_index(self, video, folder):
        path = folder / "no_index.mp4"
        content = video("b_frames.mp4").read_bytes()
        path.write_bytes(content[: content.index(b"moov") - 4])
        with pytest.raises(
            ValueError, match=r"no_index.mp4' cannot be read as a video|no_index.mp4' has no video stream"
        ):
            open_video(path)

    @pytest.mark.parametrize(
        "name", ["whole.mp4", "b_frames.mkv", "mpeg4.avi", "mpeg2.mpg", "b_frames.ts", "vp9.webm"]
    )
    def test_damaged_middle(self, whole, video, folder, name):
        source = whole if name == "whole.mp4" else video(name)
        content, everything = bytearray(source.read_bytes()), decode_everything(source)
        with av.open(str(source)) as file:
            # not every packet of an MPEG stream has a position
            start = next(packet.pos for packet in list(file.demux(video=0))[25:] if packet.pos is not None)
        end = (start + len(content)) // 2
        random = np.random.default_rng(1)
        for position in random.integers(start, end, (end - start) // 10):
            content[position] = random.integers(0, 256)
        path = folder / f"damaged_{name}"
        path.write_bytes(content)
        with open_video(path) as file:
            pixels, seconds = file.frames()
            assert len(pixels) == len(seconds) == len(file) > 15
            assert torch.equal(pixels[:10], everything[:10])
            file.frames([len(file) - 1, 0, len(file) // 2])

    def test_picture_that_cannot_be_decoded_is_replaced_by_the_one_before(self, folder):
        """Each picture by itself, so exactly the overwritten ones are lost."""
        source = write_video(folder / "separate.avi", codec="mjpeg", pixels="yuvj420p")
        content, everything = bytearray(source.read_bytes()), decode_everything(source)
        with av.open(str(source)) as file:
            packets = [bytes(packet) for packet in file.demux(video=0) if packet.size]
        for lost in (0, 7, 8, 49):
            start = bytes(content).index(packets[lost])
            content[start : start + len(packets[lost])] = b"\x00" * len(packets[lost])
        path = folder / "separate_damaged.avi"
        path.write_bytes(content)
        expected = np.arange(FRAMES)
        expected[[0, 7, 8, 49]] = 1, 6, 6, 48
        with open_video(path) as file:
            for indices in (range(FRAMES), [8, 0, 8, 30], [49], [7]):
                assert torch.equal(file.frames(indices)[0], everything[expected[indices]])

    def test_recording_that_was_cut(self, video, folder):
        """It starts amid a group of pictures, which lean on others that are gone."""
        path = folder / "cut.ts"
        path.write_bytes(video("b_frames.ts").read_bytes()[188 * 30 :])
        everything = decode_everything(path)
        assert 0 < len(everything) < FRAMES
        with open_video(path) as file:
            assert torch.equal(file.frames()[0], everything)

    def test_nothing_left_to_decode(self, whole, folder):
        content = whole.read_bytes()
        start = content.index(b"mdat") + 4
        for name, rest in (("blank.mp4", b"\x00" * (len(content) - start)), ("header.mp4", b"")):
            (folder / name).write_bytes(content[:start] + rest)
            with pytest.raises(ValueError, match=f"{name}' has no frame that can be decoded"):
                open_video(folder / name)


@pytest.mark.skipif(is_torchcodec_usable(decode="video"), reason="torchcodec works here")
def test_torchcodec_says_when_it_does_not_work(video):
    with pytest.raises(ValueError, match="decoder='torchcodec' does not work here"):
        open_video(video("b_frames.mp4"), decoder="torchcodec")


@pytest.mark.skipif(not is_torchcodec_usable(decode="video"), reason="needs torchcodec and FFmpeg")
@pytest.mark.parametrize("name", ["b_frames.mp4", "b_frames.mkv", "turned.mp4", "uneven.mp4", "vp9.webm"])
def test_torchcodec_gives_the_same(video, name):
    path = video(name)
    with path.open("rb") as opened:
        for source in (path, path.read_bytes(), opened):
            with open_video(path) as ours, open_video(source, decoder="torchcodec") as theirs:
                assert theirs.metadata.video_backend == "torchcodec"
                assert (theirs.metadata.height, theirs.metadata.width) == (ours.metadata.height, ours.metadata.width)
                assert len(theirs) == len(ours)
                assert theirs.metadata.fps == pytest.approx(ours.metadata.fps, rel=1e-2)
                for our, their in zip(ours.frames([7, 3, 3, 49]), theirs.frames([7, 3, 3, 49]), strict=True):
                    np.testing.assert_allclose(our, their, atol=1e-6)
    with pytest.raises(ValueError, match="the video of 4 bytes cannot be read as a video"):
        open_video(b"text", decoder="torchcodec")


@pytest.mark.slow
def test_a_program_may_end_with_an_open_video(tmp_path):
    path = write_clip(tmp_path / "clip.mp4")
    program = (
        "from holovid.processing import picture_stream\n"
        "picture_stream.KEPT_PACKETS = 0\n"
        "from holovid.processing.video_decoding import open_video\n"
        f"video = open_video({str(path)!r})\n"
        "print(video.frames([3, 9])[0].shape[0])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("2", "")


@pytest.mark.parametrize("container", ["mp4", "mov", "mkv", "flv"])
def test_files_whose_packets_are_not_kept(tmp_path, monkeypatch, container):
    """Each stretch is then searched in the file; with pictures that are read in another order than they are shown."""
    path = tmp_path / f"clip.{container}"
    generator = np.random.default_rng(0)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=10, options={"g": "12", "bf": "3", "sc_threshold": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(60):
            pixels = generator.integers(0, 255, (6, 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(pixels)))
        file.mux(stream.encode())
    wanted = [59, 1, 37, 38, 12, 50, 13, 12]
    with open_video(path) as video:
        kept, times = video.frames(wanted)
        assert video.bytes_kept > 60 * picture_stream.PACKET
    monkeypatch.setattr(picture_stream, "KEPT_PACKETS", 60 * picture_stream.PACKET)  # not their content
    searched = []
    number_packets = picture_stream.number_packets

    def noted(packets, index, first=0):
        searched.append(first)
        return number_packets(packets, index, first)

    monkeypatch.setattr(picture_stream, "number_packets", noted)
    with open_video(path) as video:
        assert video.bytes_kept == 0
        for again in (wanted, wanted[::-1]):
            searched.clear()
            order = [again.index(frame) for frame in wanted]
            pixels, seconds = video.frames(again)
            assert torch.equal(pixels[order], kept) and np.array_equal(seconds[order], times)
            starts = {int(video._index.first_packet_of_frame[frame]) for frame in wanted}
            assert {*searched} <= starts  # at the key frames themselves, not before them
