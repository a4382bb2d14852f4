"""Rendered events: the table says where and when clips show and sound what they are labelled with, and it is so."""

import shutil
import subprocess
from dataclasses import replace

import av
import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from holovid.data import ClipSet, load_clips, read_events, render_clips
from holovid.data.drawing import SHAPES, SOUNDS
from holovid.data.events import cut_out, draw_sounds, recording

TINY = ClipSet(train=6, val=2, events=True, size=64, frame_rate=8, sounds=("rise", "buzz"))
PHOTOGRAPHED = ("cat", "dog", "owl")
MUTE = {"giraffe", "iguana", "nandou", "wombat"}  # animals of tuxpaint-stamps-default whose calls are silence


def decode_clip(path):
    with av.open(str(path)) as container:
        frames = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    with av.open(str(path)) as container:
        sound = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    return frames.astype(float), sound


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    return render_clips(tmp_path_factory.mktemp("events") / "clips", TINY, progress=False)


def test_boxes_hold_what_comes_and_goes_at_the_times_of_the_table(rendered):
    events = read_events(rendered / "train")
    assert len(events) == 6
    for clip, path in enumerate(events.files):
        frames, _ = decode_clip(path)
        times = torch.arange(len(frames)) / TINY.frame_rate
        shown = events[clip].boxes_at(times[None])[0].isfinite().all(dim=-1).numpy()
        assert 0.25 <= shown.mean() <= 0.5
        x0, y0, x1, y1 = (events.boxes[clip] / 100 * TINY.size).round().int().tolist()
        assert 0 <= x0 < x1 <= TINY.size and 0 <= y0 < y1 <= TINY.size
        inside = frames[:, y0:y1, x0:x1]
        change = np.abs(inside - inside[~shown].mean(0)).mean((1, 2, 3))
        assert change[shown].min() > 4 * change[~shown].max()  # shown then, and nothing else ever comes there
        around = frames[:, max(0, y0 - 4) : y1 + 4, max(0, x0 - 4) : x1 + 4]
        rim = np.abs(around - around[~shown].mean(0)).max(-1)[shown].mean(0) > 60
        rows, columns = np.nonzero(rim)
        assert np.ptp(rows) <= y1 - y0 + 1 and np.ptp(columns) <= x1 - x0 + 1  # the box is not smaller than the thing


def test_sound_is_heard_at_the_time_of_the_table():
    for seed in range(20):
        track, sound, heard = draw_sounds(np.random.default_rng(seed), TINY, "disc")
        assert sound == "rise" and track.dtype == np.float32 and len(track) == 32_000
        assert 0.19 <= (heard.stop - heard.start) / len(track) <= 0.41
        loud = np.abs(track) > 0.1
        assert loud[heard].mean() > 0.5
        just_before, just_after = loud[: heard.start][-400:], loud[heard.stop :][:10]
        assert just_before.mean() < 0.7 and not just_after.any()  # one sound ends before another begins
        assert loud[: heard.start].sum() + loud[heard.stop :].sum() > 50  # that of no class


def test_what_is_seen_and_heard_belongs_to_the_class_and_times_are_independent(rendered):
    rows = load_clips(rendered)["train"]
    assert rows.features["label"].names == ["disc", "triangle"] and "start" not in rows.features
    assert [(row["picture"], row["sound"]) for row in rows] == [("disc", "rise"), ("triangle", "buzz")] * 3
    assert set(zip(rows["seen_from"], rows["heard_from"], strict=True)).__len__() == 6
    assert all(isinstance(rows[0][name], float) for name in ("x0", "y1", "seen_to", "heard_from"))


def test_same_seed_same_bytes_and_a_complete_set_is_kept(rendered, tmp_path):
    again = render_clips(tmp_path / "again", TINY, workers=1, progress=False)
    for path in rendered.glob("*/*/*.mp4"):
        assert path.read_bytes() == (again / path.relative_to(rendered)).read_bytes()
    before = (again / "clips.json").stat().st_mtime_ns
    assert render_clips(again, TINY, progress=False) == again and (again / "clips.json").stat().st_mtime_ns == before
    with pytest.raises(ValueError, match="exists already"):
        render_clips(again, replace(TINY, seed=1), progress=False)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sounds": ("rise",)}, "2 shapes need as many, got 1"),
        ({"motions": ("up", "down")}, "events do not move"),
        ({"shapes": tuple(SHAPES), "sounds": SOUNDS[:6]}, "one shape must be left as a distractor"),
        ({"pictures": "nowhere"}, "there is no folder nowhere"),
        ({"sounds": "nowhere"}, "there is no folder nowhere"),
        ({"shapes": ("disc", "cube")}, "shapes must be different ones of"),
        ({"events": False, "sounds": "nowhere"}, "need events=True"),
        ({"events": False, "pictures": "nowhere"}, "need events=True"),
    ],
)
def test_events_that_cannot_be(settings, message):
    with pytest.raises(ValueError, match=message):
        ClipSet(**{"events": True} | settings)


def test_folders_without_what_is_asked_for(tmp_path):
    photographs(tmp_path / "pictures")
    recordings(tmp_path / "sounds", ("cat",))
    with pytest.raises(ValueError, match="has no picture of cow; it has cat, dog, owl"):
        ClipSet(events=True, pictures=tmp_path / "pictures", shapes=("cat", "cow"))
    with pytest.raises(ValueError, match="has no recording of dog, owl"):
        ClipSet(events=True, pictures=tmp_path / "pictures", sounds=tmp_path / "sounds")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="has no files <class>"):
        ClipSet(events=True, pictures=tmp_path / "empty")


def test_files_that_show_or_sound_nothing(tmp_path):
    Image.new("RGBA", (8, 8)).save(tmp_path / "cat.png")
    with pytest.raises(ValueError, match="shows nothing: all of it is transparent"):
        cut_out(tmp_path / "cat.png")
    recordings(tmp_path / "sounds", ("cat",), loudness=0)
    with pytest.raises(ValueError, match="is silent; take it out"):
        recording(tmp_path / "sounds" / "cat.wav", 16_000)


def test_a_folder_that_has_no_truth(tmp_path):
    with pytest.raises(ValueError, match=r"there is no .*metadata.csv; pass the folder of one split"):
        read_events(tmp_path)
    (tmp_path / "metadata.csv").write_text("file_name,label\na.mp4,run\n")
    with pytest.raises(ValueError, match="has no column picture; render events with"):
        read_events(tmp_path)


def photographs(folder):
    """Pictures with a transparent rim: noisy ellipses of a colour of their own, two of "owl"."""
    random = np.random.default_rng(3)
    folder.mkdir()
    (folder / "owl").mkdir()
    for name, colour in {
        "cat": (220, 120, 40),
        "dog": (60, 90, 220),
        "owl/1": (240, 240, 90),
        "owl/2": (0, 0, 0),
    }.items():
        mask = Image.new("L", (90, 60))
        ImageDraw.Draw(mask).ellipse([10, 5, 80, 55], fill=255)
        pixels = np.clip(random.normal(colour, 20, (60, 90, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(np.dstack([pixels, np.asarray(mask)]), "RGBA").save(folder / f"{name}.png")


def recordings(folder, names, loudness=20_000):
    """Tones with silence around them, as wav."""
    folder.mkdir()
    for number, name in enumerate(names):
        wave = np.concatenate([np.zeros(4000), np.sin(np.arange(6000) * (0.1 + 0.1 * number)), np.zeros(4000)])
        with av.open(str(folder / f"{name}.wav"), "w") as container:
            stream = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
            samples = (wave * loudness).astype(np.int16)[None]
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            frame.sample_rate = 16_000
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))


@pytest.mark.slow
def test_photographs_and_recordings_of_ones_own(tmp_path):
    photographs(tmp_path / "pictures")
    recordings(tmp_path / "sounds", ("cat", "dog", "hen", "owl"))
    clips = replace(TINY, pictures=tmp_path / "pictures", sounds=tmp_path / "sounds", shapes=("cat", "dog"), train=8)
    folder = render_clips(tmp_path / "clips", clips, progress=False)
    rows = load_clips(folder)["train"]
    assert rows.features["label"].names == ["cat", "dog"]
    assert all(row["picture"] == row["sound"] == ("cat", "dog")[row["label"]] for row in rows)
    events = read_events(folder / "train")
    for clip, path in enumerate(events.files):
        frames, _ = decode_clip(path)
        times = torch.arange(len(frames)) / TINY.frame_rate
        shown = events[clip].boxes_at(times[None])[0].isfinite().all(dim=-1).numpy()
        x0, y0, x1, y1 = (events.boxes[clip] / 100 * TINY.size).round().int().tolist()
        middle = frames[shown][:, (y0 + y1) // 2 - 2 : (y0 + y1) // 2 + 2, (x0 + x1) // 2 - 2 : (x0 + x1) // 2 + 2]
        red, _, blue = middle.mean((0, 1, 2))
        assert (red > blue) == (rows[clip]["label"] == 0)  # cats are orange, dogs are blue
        # a recording of 6000 samples ends when it ends, whatever time was meant for it
        assert events.heard[clip].diff().item() <= 6000 / 16_000 + 0.001
    everything = replace(clips, shapes=ClipSet.shapes)
    assert everything.shapes == PHOTOGRAPHED  # by default all are classes


@pytest.mark.slow
def test_real_photographs_with_real_calls(tmp_path):
    """Animals of Debian's tuxpaint-stamps-default, cut out and recorded: fetched, used and forgotten."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        pytest.skip("not run: pictures of animals come as a package of Debian, which this system does not use")
    fetched = subprocess.run(
        ["apt-get", "download", "tuxpaint-stamps-default"], cwd=tmp_path, capture_output=True, text=True
    )
    if fetched.returncode:
        pytest.skip(f"not run: tuxpaint-stamps-default cannot be fetched: {fetched.stderr.strip()[-200:]}")
    package = next(tmp_path.glob("*.deb"))
    subprocess.run(["dpkg-deb", "-x", package, tmp_path / "package"], check=True)
    for folder in ("pictures", "sounds"):
        (tmp_path / folder).mkdir()
    animals = tmp_path / "package" / "usr" / "share" / "tuxpaint" / "stamps" / "animals"
    for call in sorted(animals.rglob("*.ogg")):
        picture = call.with_suffix(".png")
        if "_desc" not in call.stem and call.stem not in MUTE and picture.is_file():
            shutil.copy(picture, tmp_path / "pictures")
            shutil.copy(call, tmp_path / "sounds")
    clips = ClipSet(train=8, val=0, events=True, pictures=tmp_path / "pictures", sounds=tmp_path / "sounds")
    assert len(clips.shapes) > 40
    clips = replace(clips, shapes=clips.shapes[::10][:4])
    folder = render_clips(tmp_path / "clips", clips, progress=False)
    rows, events = load_clips(folder)["train"], read_events(folder / "train")
    assert len(rows) == 8 and sorted(rows.features["label"].names) == sorted(clips.shapes)
    assert (events.boxes[:, 2:] - events.boxes[:, :2] > 5).all() and (events.heard.diff() > 0.05).all()


@pytest.mark.slow
def test_the_command_renders_events(forks, tmp_path):
    arguments = ["holovid", "data", "synth", "clips", "--events", "--train", "2", "--val", "0", "--size", "32"]
    done = forks.run([*arguments, "--sounds", "siren,trill"], tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(read_events(tmp_path / "clips" / "train")) == 2
    refused = forks.run(["holovid", "data", "synth", "other", "--pictures", "nowhere"], tmp_path)
    assert refused.returncode and "need events=True" in refused.stderr
