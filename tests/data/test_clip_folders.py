"""Folders of clips: every file that decodes is taken, once, and what is left out is named."""

import os
from pathlib import Path

import av
import numpy as np
import pytest
from clips import write_clip

from holovid.data.clip_folders import SUFFIXES_OF, VIDEO_SUFFIXES
from holovid.data.dataset import load_clips
from holovid.processing.media_containers import VIDEO_CONTAINERS
from holovid.processing.video_decoding import open_video

# file -> encoder and muxer, as cameras, discs and web sites write them
KINDS = {
    "cam.MTS": ("libx264", "mpegts"),
    "cam.m2ts": ("libx264", "mpegts"),
    "tape.m2t": ("mpeg2video", "mpegts"),
    "wiki.ogv": ("libvpx", "ogg"),
    "dvd.vob": ("mpeg2video", "vob"),
    "card.mod": ("mpeg2video", "vob"),
    "old.asf": ("wmv2", "asf"),
    "flash.f4v": ("libx264", "mp4"),
    "phone.3g2": ("libx264", "3g2"),
    "tv.m2v": ("mpeg2video", "mpeg2video"),
    "camera.mxf": ("mpeg2video", "mxf"),
    "apple.QT": ("libx264", "mov"),
    "web.mjpeg": ("mjpeg", "mjpeg"),
    "raw.h264": ("libx264", "h264"),
}


def write_as(path: Path, encoder: str, muxer: str) -> None:
    with av.open(str(path), "w", format=muxer) as file:
        stream = file.add_stream(encoder, rate=25)
        stream.width, stream.height = 64, 48
        stream.pix_fmt = "yuvj420p" if encoder == "mjpeg" else "yuv420p"
        picture = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
        for _ in range(10):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        file.mux(stream.encode())


def paths(clips) -> list[str]:
    return [video["path"] for video in clips["train"]["video"]]


def test_files_of_cameras_discs_and_the_web_are_clips(tmp_path, caplog):
    (tmp_path / "a").mkdir()
    for name, (encoder, muxer) in KINDS.items():
        write_as(tmp_path / "a" / name, encoder, muxer)
        with open_video(tmp_path / "a" / name) as video:
            assert len(video) == 10, name
    assert sorted(map(os.path.basename, paths(load_clips(tmp_path)))) == sorted(KINDS)
    assert "left out" not in caplog.text


def test_every_suffix_stands_once():
    assert len(VIDEO_SUFFIXES) == sum(len(suffixes.split()) for suffixes in SUFFIXES_OF.values())
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in VIDEO_SUFFIXES)
    assert set(SUFFIXES_OF) <= VIDEO_CONTAINERS  # or they would be refused when they are opened


@pytest.fixture
def folder(tmp_path):
    """Two classes of two clips each, which are files of their own."""
    clip = write_clip(tmp_path / "clip.mp4", frames=4).read_bytes()
    for path in ("a/1.mp4", "a/deep/2.mp4", "b/3.mp4", "b/4.mp4"):
        (tmp_path / "clips" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "clips" / path).write_bytes(clip)
    return tmp_path / "clips"


def test_what_is_left_out_is_counted_and_named_in_one_warning(folder, caplog):
    for name in ("a/1.jpg", "a/notes.txt", "b/3", "b/sound.wav", "index.html", "README.md", "a/.hidden.txt"):
        (folder / name).touch()
    load_clips(folder)
    assert [message for message in caplog.messages if "left out" in message] == [
        f"{folder}: left out 5 files (index.html, a/1.jpg, a/notes.txt, ...) without a video suffix: "
        ".html, .jpg, .txt, .wav, no suffix"
    ]


def test_a_class_without_a_clip_says_what_is_there(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "clip.xyz").touch()
    with pytest.raises(ValueError, match=r"there are only files without a video suffix \(\.xyz\)"):
        load_clips(tmp_path)


def test_folders_beside_the_splits_are_named(folder, caplog):
    folder.rename(folder.with_name("train"))
    (folder.parent / "val_old").mkdir()
    assert len(paths(load_clips(folder.parent))) == 4
    assert "left out 1 folder (val_old), which is not the name of a split" in caplog.text


def link(place: Path, target: str) -> None:
    place.symlink_to(target, target_is_directory=True)


@pytest.mark.parametrize(
    "links",
    [
        {"a/loop": ".."},
        {"a/loop": "."},
        {"a/deep/loop": "../.."},
        {"a/deep/loop": "../../.."},
        {"a/deep/back": ".."},
        {"a/again": "deep"},
        {"a/0.mp4": "1.mp4", "a/deep/0.mp4": "../1.mp4"},
        {"loop": "."},
        {"outer": ".."},
        {"a/one": "two", "a/two": "deep"},
    ],
    ids=lambda links: ",".join(links),
)
def test_links_do_not_repeat_clips(folder, caplog, links):
    for place, target in links.items():
        link(folder / place, target)
    clips = load_clips(folder)
    expected = [str(folder / path) for path in ("a/1.mp4", "a/deep/2.mp4", "b/3.mp4", "b/4.mp4")]
    assert paths(clips) == expected and clips["train"]["label"][:] == [0, 0, 1, 1]
    assert sum("to files found already" in message for message in caplog.messages) == 1


def test_links_to_other_places_are_followed(folder, caplog):
    """People link data that lies on another disk: clips, folders inside of a class, classes."""
    store = folder.parent / "store"
    folder.rename(store)
    for place, target in (("a/more", "a"), ("c/5.mp4", "b/3.mp4"), ("d", "b/..")):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        link(folder / place, str(store / target) if place != "d" else str(store / "b"))
    with pytest.raises(ValueError, match=r"links put one clip into the classes 'c' and 'd': .*d/3\.mp4"):
        load_clips(folder)
    (folder / "c/5.mp4").unlink()
    link(folder / "c/6.mp4", str(folder.parent / "clip.mp4"))
    link(folder / "a/more/up", "..")  # in the store, around what is linked: nothing of b becomes an a
    clips = load_clips(folder)
    names = ("a/more/1.mp4", "a/more/deep/2.mp4", "c/6.mp4", "d/3.mp4", "d/4.mp4")
    assert paths(clips) == [str(folder / name) for name in names]
    assert "1 link (a/more/up)" in caplog.text


def test_links_that_lead_nowhere_are_missing_clips(folder):
    link(folder / "a/gone.mp4", "nothing.mp4")
    link(folder / "a/itself.mp4", "itself.mp4")
    with pytest.raises(ValueError, match=r"missing: 2 clips \(.*gone\.mp4, .*itself\.mp4\) of 6"):
        load_clips(folder)
    assert len(paths(load_clips(folder, missing="skip"))) == 4
