"""A folder loads as what was saved last, whole, or does not load: whoever is killed, writes too, or has no space."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from places import SUPPORT
from tiny_xvit import tiny
from transformers import TrainingArguments

from holovid import HolovidProcessor, HolovidVideoProcessor, XViTConfig, XViTForVideoClassification, XViTModel
from holovid.evaluation.prediction_log import PredictionLog
from holovid.files import UNFINISHED, new_file, new_folder
from holovid.training.trainer import VideoTrainer

SMALL = {"max_shard_size": "20kB"}


def marked(value: float, **options) -> XViTForVideoClassification:
    model = tiny(classifier_dropout=value, **options)
    torch.nn.init.constant_(model.classifier.bias, value)
    return model


def loads_as(folder: Path) -> float | None:
    try:
        model = XViTForVideoClassification.from_pretrained(folder)
    except OSError:
        return None
    assert {*model.classifier.bias.tolist()} == {model.config.classifier_dropout}, "a mixture"
    return model.config.classifier_dropout


@pytest.mark.parametrize("new", [{}, SMALL], ids=["file", "shards"])
@pytest.mark.parametrize("old", [{}, SMALL], ids=["file", "shards"])
def test_what_is_saved_last_is_loaded(tmp_path, old, new):
    marked(0.25).save_pretrained(tmp_path, **old)
    marked(0.75).save_pretrained(tmp_path, variant="half")
    (tmp_path / "notes.txt").write_text("of the user")
    marked(0.5).save_pretrained(tmp_path, **new)
    assert loads_as(tmp_path) == 0.5
    weights = {path.name for path in tmp_path.glob("model*") if "half" not in path.name}
    assert ("model.safetensors" in weights) == (not new) and ("model.safetensors.index.json" in weights) == bool(new)
    assert (tmp_path / "model.half.safetensors").is_file() and (tmp_path / "notes.txt").is_file()
    assert not (tmp_path / UNFINISHED).exists()


def test_without_a_configuration_nothing_loads(tmp_path):
    """transformers would take the default sizes, where a class is asked rather than an Auto class."""
    XViTModel(XViTConfig(hidden_size=64, num_hidden_layers=1, num_attention_heads=1)).save_pretrained(tmp_path)
    (tmp_path / "config.json").unlink()
    for named in (XViTModel, XViTConfig):
        with pytest.raises(OSError, match=r"has no config\.json"):
            named.from_pretrained(tmp_path)


@pytest.mark.parametrize("where", range(0, 20, 2))
def test_a_save_that_breaks_off_leaves_no_mixture(tmp_path, monkeypatch, where):
    marked(0.25).save_pretrained(tmp_path / "model")
    replace, count = os.replace, iter(range(1000))

    def breaks(source, target):
        if Path(target).parent == tmp_path / "model" and next(count) == where:
            raise OSError("the disk was pulled out")
        replace(source, target)

    monkeypatch.setattr(os, "replace", breaks)
    try:
        marked(0.5).save_pretrained(tmp_path / "model", **SMALL)
    except OSError as error:
        assert "pulled out" in str(error)
    monkeypatch.undo()
    assert loads_as(tmp_path / "model") in ((None,) if where == 0 else (None, 0.5))
    marked(0.5).save_pretrained(tmp_path / "model")
    assert loads_as(tmp_path / "model") == 0.5


@pytest.mark.slow
@pytest.mark.parametrize(
    "what",
    [
        "one file over one file",
        pytest.param("shards over one file", marks=pytest.mark.integration),
        "one file over shards",
        "pipeline",
    ],
)
@pytest.mark.linux
def test_a_save_that_is_killed_leaves_no_mixture(tmp_path, what):
    command = [sys.executable, SUPPORT / "kill_while_saving.py", tmp_path, what]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    old, new = [[value] * (3 if what == "pipeline" else 2) for value in (0.25, 0.5)]
    assert all(found in (old, new, None) for found in told["found"]), told
    assert told["found"][0] == old and None in told["found"] and told["found"][-1] == new == told["at last"]
    assert told["left"] == []


HOLDS = """
import sys, time
from pathlib import Path
from holovid import files

with getattr(files, sys.argv[1])(Path(sys.argv[2])) as unfinished:
    if unfinished is not None:
        (unfinished if sys.argv[1] == "new_file" else unfinished / "file").write_text("half")
    print("writing", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def writer():
    """Starts another process that writes somewhere and does not come to an end."""
    running = []

    def start(how: str, target: Path) -> subprocess.Popen:
        process = subprocess.Popen([sys.executable, "-c", HOLDS, how, target], stdout=subprocess.PIPE, text=True)
        running.append(process)
        assert process.stdout.readline() == "writing\n"
        return process

    yield start
    for process in running:
        process.kill()
        process.wait()
        process.stdout.close()


def test_one_writer_at_a_time(tmp_path, writer):
    marked(0.25).save_pretrained(tmp_path / "model")
    other = writer("added_files", tmp_path / "model")
    for saved in (marked(0.5), HolovidVideoProcessor(), marked(0.5).config):
        with pytest.raises(ValueError, match=r"another process is writing .*model; wait for it, or give another"):
            saved.save_pretrained(tmp_path / "model")
    assert loads_as(tmp_path / "model") == 0.25
    other.kill()
    other.wait()
    marked(0.5).save_pretrained(tmp_path / "model")
    assert loads_as(tmp_path / "model") == 0.5
    assert not (tmp_path / "model" / UNFINISHED).exists() and not (tmp_path / "model" / "file").exists()


def test_one_writer_of_a_new_folder(tmp_path, writer):
    other = writer("new_folder", tmp_path / "new")
    with (
        pytest.raises(ValueError, match=r"another process is writing .*new; wait for it"),
        new_folder(tmp_path / "new"),
    ):
        raise AssertionError("must not get here")
    other.kill()
    other.wait()
    assert [path.name for path in tmp_path.iterdir()] == [f".new{UNFINISHED}"]
    with new_folder(tmp_path / "new") as folder:
        assert not list(folder.iterdir())
        (folder / "whole").touch()
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == ["new", "new/whole"]


def test_somebody_else_was_quicker(tmp_path):
    sentence = "exists already; give a new or an empty folder"
    with pytest.raises(ValueError, match=sentence), new_folder(tmp_path / "new") as folder:
        (folder / "ours").touch()
        (tmp_path / "new").mkdir()
        (tmp_path / "new" / "theirs").touch()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["theirs"]
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_files_of_killed_processes_are_swept(tmp_path, writer):
    living, killed = writer("new_file", tmp_path / "a.json"), writer("new_file", tmp_path / "a.json")
    (tmp_path / ".1-elsewhere.a.json").touch()  # of another machine: nobody here knows whether it lives
    killed.kill()
    killed.wait()
    with new_file(tmp_path / "a.json") as unfinished:
        unfinished.write_text("{}")
    names = [path.name for path in tmp_path.iterdir()]
    assert len(names) == 3 and {"a.json", ".1-elsewhere.a.json"} < {*names}
    assert [name for name in names if name.startswith(f".{living.pid}-")]


def test_one_run_in_a_folder(tmp_path, writer):
    other = writer("only_writer", tmp_path)
    options = TrainingArguments(tmp_path, use_cpu=True, report_to="none", max_steps=1, per_device_train_batch_size=1)
    trainer = VideoTrainer(tiny(), options, recipe="small", train_dataset=[{}])
    with pytest.raises(ValueError, match="another process is writing"):
        trainer.train()
    other.kill()


def test_an_evaluation_goes_on_after_a_kill(tmp_path, writer):
    process = writer("new_file", tmp_path / "evaluation.json")
    process.kill()
    process.wait()
    log = PredictionLog(tmp_path)
    log.claim({"protocol": {}})
    log.release()
    assert (tmp_path / "evaluation.json").is_file()


def with_little_space() -> None:
    import resource  # which Windows lacks

    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))  # Python ignores the signal that comes with it


SAVES = """
import sys
sys.path.insert(0, {tests!r})
from tiny_xvit import tiny
from holovid.inference.export import export
try:
    tiny(hidden_size=144).save_pretrained(sys.argv[1])
except OSError as error:
    print("no space:", error)
"""


@pytest.mark.integration
@pytest.mark.slow
@pytest.mark.linux
def test_no_space_leaves_the_older_model(tmp_path):
    marked(0.25).save_pretrained(tmp_path / "model")
    command = [sys.executable, "-c", SAVES.format(tests=str(SUPPORT)), tmp_path / "model"]
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=with_little_space)
    assert done.returncode == 0, done.stderr
    assert "no space:" in done.stdout and "cannot be written and is unchanged" in done.stdout
    assert loads_as(tmp_path / "model") == 0.25 and not (tmp_path / "model" / UNFINISHED).exists()


@pytest.mark.slow
@pytest.mark.parametrize("format", ["torch", "onnx"])
@pytest.mark.linux
def test_no_space_for_an_exported_file(tmp_path, format):
    marked(0.25).save_pretrained(tmp_path / "model")
    HolovidProcessor.for_model(marked(0.25).config).save_pretrained(tmp_path / "model")
    command = [sys.executable, "-m", "holovid.cli", "export", tmp_path / "model", tmp_path / "new", "--format", format]
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=with_little_space)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("holovid: ") and "File too large" in done.stderr and done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
