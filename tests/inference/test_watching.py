"""`holovid watch`: the labels are those of the model on the frames that its processor takes, however they come in."""

import functools
import http.server
import io
import json
import os
import signal
import subprocess
import sys
import threading
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
import tiny_avt
import tiny_ca2st
import torch
from clips import write_clip
from PIL import Image
from real_clips import real_clips  # noqa: F401 (a fixture)
from rich.console import Console
from sounding_clips import write_sounding_clip
from streams import offline, tiny
from typer.testing import CliRunner

from holovid import HolovidProcessor, HolovidVideoProcessor, VideoClassificationPipeline
from holovid.cli import app
from holovid.inference.annotated_video import annotated_video
from holovid.inference.timelines import timeline
from holovid.inference.watched_windows import WindowByWindow
from holovid.inference.watching import FramePicker, LabelLine, LiveSource, Moment, frame_step, watch
from holovid.processing.video_decoding import open_video

LABELS = {0: "left", 1: "right", 2: "up", 3: "down", 4: "still"}
ONCE = {"sampling": "strided", "frame_stride": 1}


def make_processor(**options) -> HolovidVideoProcessor:
    return HolovidVideoProcessor(size={"shortest_edge": 16}, crop_size=16, num_frames=6, **options)


def make_model(**overrides):
    torch.manual_seed(0)
    return tiny(**{"mix_direction": "past", "id2label": LABELS} | overrides)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("watching")
    make_model().save_pretrained(folder / "model")
    make_processor(sampling="strided", frame_stride=2).save_pretrained(folder / "model")
    write_clip(folder / "clip.mp4", frames=30)
    return folder


@pytest.fixture
def holovid():
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


def write_frames(path: Path, times: list[int]) -> Path:
    """Pictures that are shown at `times`, in twelfths of a second."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mjpeg", rate=12)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for number, time in enumerate(times):
            pixels = np.random.default_rng(number).integers(0, 256, (6, 8, 3), dtype=np.uint8)
            picture = Image.fromarray(pixels).resize((64, 48))
            frame = av.VideoFrame.from_image(picture)
            frame.pts, frame.time_base = time, Fraction(1, 12)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def seen(model, path: Path, processor=None, **options) -> list[Moment]:
    with LiveSource(str(path)) as source:
        return list(watch(model, processor or make_processor(**ONCE), source, **options))


def scores(moment: Moment) -> list[float]:
    return [next(a["score"] for a in moment.answers if a["label"] == label) for label in LABELS.values()]


@pytest.mark.parametrize(
    ("options", "taken"),
    [
        ({}, slice(None)),
        ({"stride": 3}, slice(None, None, 3)),
        ({"every": 0.25}, slice(None, None, 3)),
        ({"every": 0.01}, slice(None)),  # more often than there are frames
    ],
)
def test_answers_are_those_of_the_model_on_the_frames_that_are_taken(folder, options, taken):
    model, processor = make_model(), make_processor(**ONCE)
    with open_video(folder / "clip.mp4") as video:
        pixels, times = video.frames()
    moments = seen(model, folder / "clip.mp4", processor, **options)
    assert [moment.seconds for moment in moments] == pytest.approx(times)
    assert not any(moment.interruption for moment in moments)
    told = [moment for moment in moments if moment.is_new]
    assert [moment.seconds for moment in told] == pytest.approx(times[taken])

    frames = processor(pixels[taken], do_sample_frames=False, return_tensors="pt")["pixel_values_videos"]
    for count, moment in enumerate(told, start=1):
        expected = offline(model, frames[:, :count]).softmax(-1)[0]
        torch.testing.assert_close(torch.tensor(scores(moment)), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("overrides", "told_at"),
    [
        (
            {"mix_direction": "both", "mix_group": 3, "temporal_embedding_length": 3},
            [5, 8, 11, 14, 17, 20, 23, 26, 29],
        ),
        ({"mix_direction": "both"}, [5, 11, 17, 23, 29]),
    ],
    ids=["groups", "whole clips"],
)
def test_models_that_see_later_frames_answer_when_these_have_come(folder, overrides, told_at):
    model, processor = make_model(**overrides), make_processor(**ONCE)
    moments = seen(model, folder / "clip.mp4", processor)
    assert [index for index, moment in enumerate(moments) if moment.is_new] == told_at
    assert all(not moment.answers for moment in moments[:5]) and all(moment.answers for moment in moments[5:])
    with open_video(folder / "clip.mp4") as video:
        pixels, _ = video.frames(range(18, 24))
    frames = processor(pixels, do_sample_frames=False, return_tensors="pt")["pixel_values_videos"]
    torch.testing.assert_close(torch.tensor(scores(moments[23])), model(frames).logits.softmax(-1)[0].detach())
    assert scores(moments[24]) == scores(moments[23])


def test_frames_are_as_far_apart_as_the_processor_takes_them():
    assert frame_step(make_processor(sampling="strided", frame_stride=4)) == (4, None)
    assert frame_step(make_processor(sampling="dense", frame_stride=4, fps=20)) == (None, 0.2)
    assert frame_step(make_processor(sampling="uniform", fps=5)) == (None, 0.2)
    for sampling in ("uniform", "segments"):
        with pytest.raises(ValueError, match=r"--stride .* or --every"):
            frame_step(make_processor(sampling=sampling))


def test_uneven_times_do_not_drift():
    picker = FramePicker(None, 0.2, 25.0)
    times = [0.04 * index for index in range(250)]
    assert sum(picker.takes(seconds) for seconds in times) == 50
    # behind by more than a step: the next frame, and on from there
    assert [seconds for seconds in (10.3, 10.34, 10.42, 10.5, 10.54) if picker.takes(seconds)] == [10.3, 10.5]


@pytest.mark.parametrize(
    ("times", "message", "at"),
    [
        ([0, 1, 2, 3, 4, 12, 13, 14], "there are no frames from 0.33 s to 1.00 s", 5),
        ([0, 1, 2, 5, 6, 8, 9, 10], None, None),
    ],
)
def test_a_gap_begins_the_stream_anew(tmp_path, times, message, at):
    model, path = make_model(), write_frames(tmp_path / "gap.mkv", times)
    moments = seen(model, path)
    assert [moment.interruption for moment in moments if moment.interruption] == ([message] if message else [])
    if message:
        assert moments[at].interruption == message
        processor = make_processor(**ONCE)
        with open_video(path) as video:
            pixels, _ = video.frames(range(at, len(times)))
        frames = processor(pixels, do_sample_frames=False, return_tensors="pt")["pixel_values_videos"]
        expected = offline(model, frames).softmax(-1)[0]
        torch.testing.assert_close(torch.tensor(scores(moments[-1])), expected, rtol=0, atol=1e-5)


class Pictures:
    """A source that is made up: (seconds, width, height) of its frames, which are grey."""

    frame_rate = 10.0

    def __init__(self, *frames: tuple[float, int, int]):
        self.all = frames

    def frames(self):
        for seconds, width, height in self.all:
            yield seconds, av.VideoFrame(width, height, "rgb24")

    def pixels(self, picture):
        return torch.full((3, picture.height, picture.width), 128, dtype=torch.uint8)


def test_time_that_goes_back_and_other_sizes_begin_the_stream_anew():
    source = Pictures((0.0, 32, 24), (0.1, 32, 24), (0.05, 32, 24), (0.15, 48, 32))
    moments = list(watch(make_model(), make_processor(**ONCE), source))
    assert [moment.interruption for moment in moments] == [
        None, None, "time goes back from 0.10 s to 0.05 s", "pictures change from 32x24 to 48x32",
    ]  # fmt: skip
    for begun in moments[2:]:
        assert scores(begun) == pytest.approx(scores(moments[0]))


@pytest.mark.parametrize("options", [{"stride": 0}, {"every": 0.0}, {"every": -1.0}, {"stride": 1, "every": 1.0}])
def test_impossible_steps_are_refused(folder, options):
    with pytest.raises(ValueError, match=r"stride.* every .*, got stride="):
        seen(make_model(), folder / "clip.mp4", **options)


def test_sources_that_are_none(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no video at 'nothing.mp4'"):
        LiveSource("nothing.mp4")
    (tmp_path / "text.mp4").write_text("no video")
    for source in (str(tmp_path / "text.mp4"), "/dev/video99", "http://127.0.0.1:9/clip.mp4"):
        with pytest.raises(ValueError, match="cannot be read as a video"):
            LiveSource(source)
    with av.open(str(tmp_path / "sound.wav"), "w") as file:
        stream = file.add_stream("pcm_s16le", rate=8000, layout="mono")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 800), dtype=np.int16), format="s16", layout="mono")
        silence.sample_rate = 8000
        file.mux(stream.encode(silence))
    with pytest.raises(ValueError, match="has no video stream"):
        LiveSource(str(tmp_path / "sound.wav"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_watched_while_it_is_written(tmp_path):
    written = write_sounding_clip(tmp_path / "clip.ts", 20).read_bytes()
    os.mkfifo(tmp_path / "pipe")
    threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(written,), daemon=True).start()
    assert len(seen(make_model(), tmp_path / "pipe")) == 20
    with pytest.raises(ValueError, match="is a folder; give a video file"):
        LiveSource(str(tmp_path))


def test_a_url_is_watched_while_it_is_read(folder):
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    handler.log_message = None
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        moments = seen(make_model(), f"http://127.0.0.1:{server.server_port}/clip.mp4")
        server.shutdown()
    assert len(moments) == 30 and all(moment.is_new for moment in moments)


def test_a_file_that_breaks_off_is_watched_up_to_there(folder, tmp_path):
    whole = write_frames(tmp_path / "whole.mkv", list(range(20)))
    (tmp_path / "broken.mkv").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert 5 < len(seen(make_model(), tmp_path / "broken.mkv")) < 20


@pytest.mark.slow
def test_frames_are_those_of_the_file(real_clips):  # noqa: F811
    for path in real_clips.values():
        with LiveSource(str(path)) as source, open_video(path) as video:
            assert source.frame_rate == pytest.approx(video.metadata.fps, rel=1e-3)
            count = 0
            for index, (seconds, picture) in enumerate(source.frames()):
                assert seconds == pytest.approx(video.times[index] - video.start, abs=1e-6)
                if index % 50 == 0:
                    assert torch.equal(source.pixels(picture), video.frames([index])[0][0])
                count += 1
            assert count == len(video)


def test_annotated_videos_show_frames_when_they_were_shown(tmp_path):
    times = [0.0, 0.1, 0.2, 0.7, 0.3, 0.4]  # a gap stays, going back does not
    answers = [{"label": "left", "score": 0.9}, {"label": "right", "score": 0.1}]
    path = tmp_path / "made" / "seen.mp4"
    with annotated_video(path, 10) as video:
        for seconds in times:
            side = 63 if seconds < 0.7 else 65
            video.write(torch.full((3, side, 95), 200, dtype=torch.uint8), seconds, answers if seconds else [])
        assert not path.exists()
    assert [file.name for file in path.parent.iterdir()] == ["seen.mp4"]
    with open_video(path) as video:
        pixels, seconds = video.frames()
    assert seconds - seconds[0] == pytest.approx([0.0, 0.1, 0.2, 0.7, 0.8, 0.9], abs=1e-3)
    assert pixels.shape[-2:] == (64, 96)
    assert pixels[0].float().mean() == pytest.approx(200, abs=5)  # as it was: nothing is known yet
    band = pixels[1, :, -24:].float()
    assert band.mean() < 150  # two lines of labels
    assert pixels[1, :, :36].float().mean() == pytest.approx(200, abs=5)


def test_annotated_videos_are_whole_or_not_there(tmp_path):
    with pytest.raises(ValueError, match=r"end in .mp4, got seen.avi"), annotated_video("seen.avi"):
        pass
    with pytest.raises(ValueError, match="no frame to write"), annotated_video(tmp_path / "seen.mp4"):
        pass
    with pytest.raises(KeyError), annotated_video(tmp_path / "seen.mp4") as video:
        video.write(torch.zeros(3, 16, 16, dtype=torch.uint8), 0.0, [])
        raise KeyError
    assert not list(tmp_path.iterdir())


def moment(seconds, label, **options):
    answers = [{"label": label, "score": 0.75}] if label else []
    return Moment(seconds, None, answers, **{"is_new": True, "interruption": None} | options)


MOMENTS = (
    moment(0.0, None, is_new=False), moment(1.0, "left"), moment(1.5, "left"), moment(2.0, "right"),
    moment(9.0, "right", interruption="there are no frames from 2.00 s to 9.00 s"),
)  # fmt: skip


def test_a_line_for_each_change_of_the_label():
    with LabelLine(Console(file=io.StringIO())) as line:
        for each in MOMENTS:
            line.show(each)
    assert line.console.file.getvalue().splitlines() == [
        "    1.00 s  left 0.750", "    2.00 s  right 0.750",
        "    9.00 s  starts anew: there are no frames from 2.00 s to 9.00 s", "    9.00 s  right 0.750",
    ]  # fmt: skip


def test_a_live_line_in_a_terminal():
    with LabelLine(Console(file=io.StringIO(), force_terminal=True, width=80)) as line:
        for each in MOMENTS[:3]:
            line.show(each)
    assert "1.50 s  left 0.750" in line.console.file.getvalue()


def test_names_of_classes_are_printed_as_they_are():
    named = Moment(1.0, None, [{"label": "put [it] :car:", "score": 0.75}], True, None)
    with LabelLine(Console(file=io.StringIO())) as line:
        line.show(named)
    assert line.console.file.getvalue() == "    1.00 s  put [it] :car: 0.750\n"


def test_watch_prints_json_and_writes_what_was_seen(holovid, folder, tmp_path):
    arguments = ("watch", folder / "model", folder / "clip.mp4", "--json", "--top-k", 2)
    result = holovid(*arguments, "--output", tmp_path / "seen.mp4")
    assert result.exit_code == 0, result.output
    told = [json.loads(line) for line in result.stdout.splitlines()]
    expected = seen(make_model(), folder / "clip.mp4", make_processor(sampling="strided", frame_stride=2), top_k=2)
    assert [line["seconds"] for line in told] == pytest.approx([m.seconds for m in expected if m.is_new], abs=1e-3)
    assert len(told) == 15 and told[-1]["answers"] == expected[-1].answers
    assert [file.name for file in tmp_path.iterdir()] == ["seen.mp4"]
    with open_video(tmp_path / "seen.mp4") as video, open_video(folder / "clip.mp4") as source:
        assert video.times == pytest.approx(source.times, abs=1e-3)
        assert (video.metadata.width, video.metadata.height) == (48, 64)


def test_watch_prints_a_line_for_each_change(holovid, folder):
    result = holovid("watch", folder / "model", folder / "clip.mp4")
    assert result.exit_code == 0, result.output
    first = [line.split()[2] for line in result.stdout.splitlines()]
    assert first and all(label != after for label, after in pairwise(first))


def test_watch_says_what_cannot_be_done(holovid, folder, tmp_path):
    def refusal(*arguments):
        result = holovid("watch", *arguments)
        assert result.exit_code == 2, result.output
        return result.stderr

    model, clip = folder / "model", folder / "clip.mp4"
    assert "every (in seconds), not both" in refusal(model, clip, "--stride", 2, "--every", 1)
    assert "there is no video at" in refusal(model, tmp_path / "nothing.mp4")
    assert "end in .mp4" in refusal(model, clip, "--output", tmp_path / "seen.gif")
    (tmp_path / "folder.mp4").mkdir()
    assert "is a folder; name a file" in refusal(model, clip, "--output", tmp_path / "folder.mp4")
    assert "is the video itself" in refusal(model, clip, "--output", folder / "model" / ".." / "clip.mp4")
    make_model(mix_direction="both").save_pretrained(tmp_path / "whole")
    make_processor(**ONCE).save_pretrained(tmp_path / "whole")
    write_clip(tmp_path / "short.mp4", frames=4)
    assert "ended before" in refusal(tmp_path / "whole", tmp_path / "short.mp4")
    assert "window must be" in refusal(model, clip, "--window", 0)
    assert "ended before" in refusal(model, clip, "--window", 9)
    assert not list(tmp_path.glob("**/*seen*"))


def test_a_model_without_a_stream_answers_in_windows(holovid, folder, tmp_path):
    model = tiny_ca2st.tiny(experts=["space", "time"], id2label=LABELS)
    model.save_pretrained(tmp_path / "cast")
    processor = HolovidProcessor.for_model(model.config).video_processor
    processor.save_pretrained(tmp_path / "cast")
    result = holovid("watch", tmp_path / "cast", folder / "clip.mp4", "--json", "--every", 0.25)
    assert result.exit_code == 0, result.output
    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["seconds"] for line in told] == pytest.approx([23 / 12, 26 / 12, 29 / 12], abs=1e-3)  # of 2.5 s
    scores = timeline(model.eval(), processor, folder / "clip.mp4", 2.0, 0.25, progress=False)
    best = [scores.best(second + 1.0, 1)[0] for second in (0.0, 0.25, 0.5)]
    assert [line["answers"][0]["label"] for line in told] == [answer["label"] for answer in best]
    assert [line["answers"][0]["score"] for line in told] == pytest.approx([answer["score"] for answer in best])


def test_windows_begin_anew_after_a_gap(tmp_path):
    """None has pictures from both sides of it; memory is that of the windows that are not over."""
    path = write_frames(tmp_path / "gap.mkv", [*range(18), *range(48, 66)])
    moments = seen(make_model(), path, window=1.0, every=0.25)
    assert [index for index, moment in enumerate(moments) if moment.is_new] == [11, 14, 17, 29, 32, 35]
    assert [moment.interruption for moment in moments if moment.interruption] == [
        "there are no frames from 1.25 s to 4.00 s"
    ]
    with LiveSource(str(path)) as source:
        pipeline = VideoClassificationPipeline(model=make_model(), video_processor=make_processor())
        seeing = WindowByWindow(pipeline, source, 1.0)
        for index, (seconds, picture) in enumerate(source.frames()):
            seeing.see(seconds, picture, index % 12 == 0)
            assert len(seeing._seen) <= 12 and len(seeing._read) <= 6


def test_sound_is_kept_for_windows_that_are_not_over(tmp_path):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (1, 16_000 * 6)).astype(np.float32)
    path = write_sounding_clip(tmp_path / "long.mp4", 120, noise)
    model = tiny_ca2st.tiny(experts=["space", "audio"])
    processor = HolovidProcessor.for_model(model.config).video_processor
    with LiveSource(str(path)) as source:
        for _ in watch(model.eval(), processor, source, window=0.5, every=0.25):
            assert len(source._heard) * 1024 / 16_000 < 0.5 + 1.0 + 2.5  # of the window, before it, and sent ahead
    with LiveSource(str(path)) as source, pytest.raises(ValueError, match="training mode"):
        next(watch(model.train(), processor, source))


def test_frames_with_sound_do_not_wait_for_a_clock_that_went_back(tmp_path):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (1, 16_000 * 4)).astype(np.float32)
    part = write_sounding_clip(tmp_path / "part.ts", 80, noise).read_bytes()
    (tmp_path / "joined.ts").write_bytes(part + part)
    with LiveSource(str(tmp_path / "joined.ts")) as source:
        source.listen()
        read, most = [], 0
        arriving = source._timed_pictures
        source._timed_pictures = lambda: (read.append(each) or each for each in arriving())
        times = []
        for seconds, _ in source.frames():
            times.append(seconds)
            most = max(most, len(read) - len(times))
    assert len(times) == len(read) > 150 and min(np.diff(times)) < -3
    assert most <= 21  # a second


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_finishes_the_video(folder, tmp_path, number):
    command = [sys.executable, "-m", "holovid.cli", "watch", str(folder / "model"), "testsrc=size=64x48:rate=25"]
    command += ["--format", "lavfi", "--json", "--output", str(tmp_path / "seen.mp4")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        for _ in range(30):  # a source without an end
            assert run.stdout.readline(), run.stderr.read()
        run.send_signal(number)
        _, errors = run.communicate(timeout=60)
    assert run.returncode == 0, errors
    assert [file.name for file in tmp_path.iterdir()] == ["seen.mp4"]
    with open_video(tmp_path / "seen.mp4") as video:
        assert len(video.frames()[0]) >= 59


@torch.no_grad()
def test_an_avt_says_what_comes_next(folder):
    """After every frame that it is shown, four a second, from as many as it sees at a time."""
    names = dict(enumerate(LABELS.values()))
    model = tiny_avt.tiny(num_labels=len(names), id2label=names, frame_rate=4.0)
    processor = HolovidProcessor.for_model(model).video_processor
    with LiveSource(str(folder / "clip.mp4")) as source:
        moments = [moment for moment in watch(model, processor, source, top_k=5) if moment.is_new]
    assert len(moments) == 10  # of 30 frames at 12 a second
    with open_video(folder / "clip.mp4") as video:
        frames, _ = video.frames(range(0, 30, 3))
    seen = processor(frames, do_sample_frames=False, return_tensors="pt")["pixel_values_videos"]
    for count, moment in enumerate(moments, start=1):
        scores = model(seen[:, max(0, count - 5) : count]).logits[0].softmax(-1)
        told = {answer["label"]: answer["score"] for answer in moment.answers}
        torch.testing.assert_close(torch.tensor([told[name] for name in names.values()]), scores, rtol=0, atol=1e-5)
