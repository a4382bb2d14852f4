"""A picture stays on the screen until the next one, and the last one for as long as the file says."""

import subprocess

import av
import numpy as np
import pytest
from timed_clips import RATE, indices_of, tone, write_pictures
from transformers.utils import is_torchcodec_usable

from holovid import CA2STConfig, HolovidProcessor, HolovidVideoProcessor
from holovid.processing.packet_index import LONGEST_HELD
from holovid.processing.video_decoding import open_video

MOTION = [40] * 25
HELD = [*MOTION, 9000]  # a second of motion, then a still screen
DECODERS = [
    "pyav",
    pytest.param(
        "torchcodec",
        marks=pytest.mark.skipif(not is_torchcodec_usable(decode="video"), reason="needs torchcodec and FFmpeg"),
    ),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("held")


def part(path, start=None, end=None):
    return {"path": str(path), "bytes": None, "start": start, "end": end}


def written(path, *args, **options):
    return path if path.exists() else write_pictures(path, *args, **options)


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize(
    ("name", "shown_for", "say_durations", "seconds"),
    [
        ("even.mp4", [1000] * 4, True, 4),
        ("held.mp4", HELD, True, 10),
        ("held.mov", HELD, True, 10),
        ("held.mkv", HELD, True, 10),
        ("held.webm", HELD, True, 10),
        ("one.mp4", [10_000], True, 10),
        ("one.mkv", [10_000], True, 10),
        ("one.flv", [10_000], True, 10),  # by the header, which knows how long the sound is
        ("one.ts", [10_000], True, 10),  # by the last packet of sound
        ("two.mp4", [1000, 9000], True, 10),
        ("two.flv", [1000, 9000], True, 10),
        ("unsaid.mkv", [1000, 2000, 500], False, 10),  # by the header
    ],
)
def test_the_sound_under_the_last_picture_is_heard(folder, decoder, name, shown_for, say_durations, seconds):
    path = written(folder / name, shown_for, tone(10, 8, 9), say_durations=say_durations)
    if decoder == "torchcodec" and name in ("one.flv", "one.ts"):  # of which torchcodec gives no frame
        message = r"cannot be (read as a video|decoded) by torchcodec: .*; decoder='pyav' reads"
        with pytest.raises(ValueError, match=message), open_video(path, decoder) as video:
            video.frames()
        return
    with open_video(path, decoder, with_sound=True) as video:
        assert len(video) == len(shown_for)
        assert video.seconds == pytest.approx(seconds, abs=0.05)
        assert video.metadata.duration == video.seconds
        assert video.metadata.fps == pytest.approx(len(video) / video.seconds, rel=0.011)
        heard = video.sound.read(0, 10 * RATE, RATE).abs()
        assert heard[round(8.1 * RATE) : round(8.9 * RATE)].max() > 0.4
    config = CA2STConfig.cava_base(image_size=32, audio_frames=1000)
    inputs = HolovidProcessor.for_model(config, decoder=decoder)(str(path), return_tensors="pt")
    loud = int((inputs["input_values"][0].max(-1).values > 0.2).sum())
    assert inputs["audio_mask"].item() == (seconds > 8)
    assert 90 < loud < 110 if seconds > 8 else loud == 0


def test_how_long_is_counted_from_where_a_clock_starts(folder):
    with open_video(written(folder / "late.ts", [10_000], tone(10, 8, 9), start=100_000), with_sound=True) as video:
        assert video.start >= 100
        assert video.seconds == pytest.approx(10, abs=0.1)


@pytest.mark.parametrize(("name", "seconds"), [("mp4", 10), ("mkv", 10), ("flv", 10), ("ts", 1.04)])
def test_without_sound(folder, name, seconds):
    """A transport stream stores nowhere how long a picture is shown."""
    with open_video(written(folder / f"silent.{name}", HELD)) as video:
        assert len(video) == 26 and video.seconds == pytest.approx(seconds, abs=0.05)


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("name", ["slides.mp4", "slides.mkv", "slides.webm"])
@pytest.mark.parametrize(
    ("start", "end", "shown", "times", "seconds"),
    [
        (0, 3, [0], [0], 3),
        (1, 3, [0], [0], 2),
        (4, 6, [1], [0], 2),
        (5, 7, [1], [0], 2),
        (3.5, 8.5, [0, 1, 2], [0, 0.5, 4.5], 5),
        (4 - 1e-7, 8 + 1e-7, [1], [0], 4),  # times that were written down and read again
        (9, 11, [2], [0], 2),
        (9, None, [2], [0], 3),
        (9, 100, [2], [0], 3),
        (None, 0.001, [0], [0], 0.001),
    ],
)
def test_an_interval_starts_with_the_picture_on_the_screen(folder, decoder, name, start, end, shown, times, seconds):
    path = written(folder / name, [4000] * 3, tone(12, 5, 6))
    with open_video(part(path, start, end), decoder, with_sound=True) as video:
        pixels, seen_at = video.frames()
        assert indices_of(pixels) == shown
        np.testing.assert_allclose(seen_at - video.start, times, atol=1e-6)
        assert video.seconds == pytest.approx(seconds, abs=0.03)
        heard = video.sound.read(0, RATE * 12, RATE).abs().numpy()
        begin = 0 if start is None else start
        expected = [second for second in np.arange(5, 6, 0.1) if begin <= second < begin + seconds - 0.1]
        loud = [second for second in np.arange(begin, begin + seconds - 0.1, 0.1)
                if heard[round((second - begin) * RATE) :][: RATE // 20].max() > 0.3]  # fmt: skip
        assert abs(len(loud) - len(expected)) <= 2


@pytest.mark.parametrize("decoder", DECODERS)
def test_an_interval_after_the_end(folder, decoder):
    path = written(folder / "slides.mp4", [4000] * 3, tone(12, 5, 6))
    for start in (12, 12.5, 1e9):
        with pytest.raises(ValueError, match=r"slides.mp4' shows no frame from .* its last one is at 8 s"):
            open_video(part(path, start), decoder)


def test_frames_a_second_of_held_pictures(folder):
    """Two a second of a clip of ten, however its pictures are spread."""
    path = written(folder / "held.mp4", HELD, tone(10, 8, 9))
    frames = HolovidVideoProcessor(size=32, crop_size=32, fps=2)(str(path), return_tensors="pt")
    assert frames["pixel_values_videos"].shape[1] == 20


def test_an_animation_with_a_long_last_delay(folder):
    path = folder / "animation.gif"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("gif", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "rgb8"
        for index in range(3):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((48, 64, 3), 80 * index, np.uint8))))
        for packet in stream.encode():
            file.mux(packet)
    content = path.read_bytes()
    last = content.rindex(b"\x21\xf9\x04")  # the delay of the last picture, in hundredths of a second
    path.write_bytes(content[: last + 4] + (500).to_bytes(2, "little") + content[last + 6 :])
    with open_video(path) as video:
        assert len(video) == 3 and video.seconds == pytest.approx(5.2)
    with open_video(part(path, 4, 5)) as video:
        assert len(video) == 1 and video.seconds == pytest.approx(1)


def rewrite_durations(path, target, boxes: tuple[bytes, ...], seconds: int):
    """A copy of an mp4 file whose headers say that it lasts so long."""
    content = bytearray(path.read_bytes())
    for box in boxes:
        begin = content.index(box) + 4
        timescale, place = (begin + 12, begin + 16) if box != b"tkhd" else (None, begin + 20)
        unit = 1000 if timescale is None else int.from_bytes(content[timescale : timescale + 4], "big")
        assert content[begin] == 0  # the version with 32 bits
        content[place : place + 4] = (seconds * unit).to_bytes(4, "big")
    target.write_bytes(content)
    return target


def test_what_headers_say_is_no_more_believed_than_packets(folder):
    path = written(folder / "motion.mp4", MOTION)
    with open_video(path) as video:
        assert video.seconds == pytest.approx(1, abs=0.002)
    lying = rewrite_durations(path, folder / "ten_hours.mp4", (b"mvhd", b"tkhd", b"mdhd"), 36_000)
    with open_video(lying) as video:
        assert video.seconds == pytest.approx(1, abs=0.002) and video.metadata.fps == pytest.approx(25)


def test_a_picture_is_not_held_for_hours(folder):
    path = written(folder / "endless.mp4", [1000, 1000, 1000 * round(LONGEST_HELD) + 2000])
    with open_video(path) as video:
        assert video.seconds == pytest.approx(3)  # as long as the others


@pytest.mark.slow
def test_pictures_that_an_edit_leaves_out_at_the_end(folder):
    """Then the last one is shown until the first of these would be."""
    path = folder / "edited.mp4"
    command = [
        "ffmpeg",
        "-y",
        "-loglevel",
        "error",
        "-i",
        str(written(folder / "even.mp4", [1000] * 4, tone(4, 1, 2))),
    ]
    try:
        subprocess.run([*command, "-t", "2.5", "-c", "copy", str(path)], check=True)
    except FileNotFoundError:
        pytest.skip("needs the command ffmpeg")
    with open_video(path) as video:
        assert len(video) == 3 and video.seconds == pytest.approx(2.5, abs=0.6)


def test_no_picture_is_shown(folder):
    """An edit list that begins after the last picture."""
    path = written(folder / "even.mp4", [1000] * 4, tone(10, 8, 9))
    content = bytearray(path.read_bytes())
    begin = content.index(b"elst") + 4
    count = int.from_bytes(content[begin + 4 : begin + 8], "big")
    place = begin + 8 + 12 * (count - 1) + 4
    content[place : place + 4] = (10**6).to_bytes(4, "big")  # media time
    (folder / "nothing.mp4").write_bytes(content)
    with pytest.raises(ValueError, match=r"nothing.mp4' .*no frame is shown"):
        open_video(folder / "nothing.mp4")


def test_the_rate_is_that_of_the_pictures_where_the_header_errs(folder):
    with open_video(write_pictures(folder / "thirty.mkv", [33, 34, 33] * 10)) as video:  # the header says 25
        assert video.seconds == pytest.approx(1, abs=0.002)
        assert video.metadata.fps == pytest.approx(30, rel=0.002)
