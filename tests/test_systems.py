"""What differs between Linux, macOS and Windows, as far as Linux can try it: encodings, spawned workers, paths."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from clips import write_clip
from forked_commands import Commands
from toy_models import toy

from holovid import HolovidProcessor
from holovid.data import video_folders
from holovid.evaluation.tasks import Clips
from holovid.families import variants
from holovid.files import common_folder, ignores_case
from holovid.inference.shrunk_video import targets_of
from holovid.training.running import shell_line

# A pipe or a file of Windows has a code page, in which most letters of the world are missing. So it is here.
NO_LETTERS = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
LABELS = {0: "跑步", 1: "走る²", 2: "naïve"}


@pytest.fixture
def model(tmp_path):
    model, _ = toy(variants()["xvit"])
    model.config.id2label = LABELS
    model.save_pretrained(tmp_path / "model")
    HolovidProcessor.for_model(model).save_pretrained(tmp_path / "model")
    write_clip(tmp_path / "clip.mp4", frames=8)
    return tmp_path / "model"


@pytest.mark.slow
@pytest.mark.linux
def test_files_are_utf_8_and_output_is_escaped_where_letters_are_missing(model, tmp_path):
    environment = os.environ | NO_LETTERS
    for line in (
        "classify model clip.mp4",
        "classify model clip.mp4 --output answers.csv",
        "timeline model clip.mp4 --window 0.2 --stride 0.1 --threshold 0.1 --output film.srt --output film.csv",
        "explain model clip.mp4 --output why.html",
        "card model --licence apache-2.0",
        "data synth clips --train 2 --val 2",
        "data check clips",
    ):
        command = [sys.executable, "-m", "holovid.cli", *shlex.split(line)]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, (line, done.stderr)
        if line == "classify model clip.mp4":
            assert r"\u8dd1\u6b65" in done.stdout
    for name in ("answers.csv", "film.srt", "film.csv", "why.html", "model/README.md"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert LABELS[0] in text or LABELS[1] in text, name


SPAWNED = """
import sys, multiprocessing
if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    from holovid.cli import main
    main()
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_workers_may_be_spawned(tmp_path):
    """As on macOS and Windows, where what a worker is given must be picklable, and nothing is inherited."""
    (tmp_path / "spawned.py").write_text(SPAWNED)
    for line in (
        "data synth clips --train 8 --val 4 --size 48 --frame-rate 8 --seconds 1",
        "train clips --model ca2st --recipe small --target sound --output run --num_train_epochs 1 "
        "--dataloader_num_workers 1 --per_device_train_batch_size 4 --on_broken skip",
        "evaluate run clips --target sound --workers 1",
        "classify run clips/val --workers 1 --output answers.csv",
        "embed run clips --workers 1 --output vectors.parquet",
        "data shrink clips small --short-side 32",
    ):
        command = [sys.executable, "spawned.py", *shlex.split(line)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, (line, done.stderr)


def test_where_nothing_is_forked_commands_are_fresh_processes(tmp_path, monkeypatch):
    monkeypatch.setattr(Commands, "forking", False)
    with Commands(SAID="so") as commands:
        done = commands.run(["python", "-c", "import os; print(os.environ['SAID'], os.getcwd())"], tmp_path)
    assert (done.returncode, done.stdout) == (0, f"so {tmp_path}\n")


def test_the_next_command_is_what_the_shell_reads(monkeypatch):
    words = ["holovid", "classify", r"C:\my runs\one", "clips/val/left/0.mp4"]
    assert shlex.split(shell_line(words)) == words
    monkeypatch.setattr(sys, "platform", "win32")
    assert shell_line(words) == r'holovid classify "C:\my runs\one" clips/val/left/0.mp4'


def test_names_on_several_drives(monkeypatch, tmp_path):
    """Drives have no folder in common, which `os.path` says by an error; so it does of mixed paths here."""
    assert common_folder(["/a/b", "/a/c"]) == "/a" and common_folder(["/a/b", "c"]) is None and not common_folder([])
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).touch()
    videos = [{"path": str(tmp_path / name), "bytes": None} for name in ("a.mp4", "b.mp4")]
    paths = [video["path"] for video in videos]
    clips = Clips(paths, paths, [None] * 2, [None] * 2)
    assert video_folders.names_below("train", videos) == clips.public_names() == ["a.mp4", "b.mp4"]
    for module in ("holovid.data.video_folders", "holovid.evaluation.tasks"):
        monkeypatch.setattr(f"{module}.common_folder", lambda folders: None)
    assert video_folders.names_below("train", videos) == ["000000/a.mp4", "000001/b.mp4"]
    assert clips.public_names() == ["a.mp4", "b.mp4"]


def test_files_that_differ_by_case_alone(monkeypatch):
    clips = ["in/A.mp4", "in/a.mov"]
    assert not ignores_case() and len(targets_of(clips, Path("in"), Path("out"))) == 2
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(ValueError, match=r"A.mp4 and .*a.mov would both be"):
        targets_of(clips, Path("in"), Path("out"))
