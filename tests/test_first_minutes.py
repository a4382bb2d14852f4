"""The wheel in a fresh environment and an empty folder, without a network: README's first screen, and no extras."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from clips import write_clip
from PIL import Image
from places import ROOT
from toy_models import toy
from wheel_of_ours import environment_with_wheel

from holovid import HolovidProcessor
from holovid.families import variants

MOST_SECONDS = 2 * 180  # of the CPU: README says three minutes on two cores, and this machine may be busy


@pytest.fixture(scope="module")
def commands(tmp_path_factory):
    return environment_with_wheel(tmp_path_factory.mktemp("installed"), extras="train,quality")


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Without extras."""
    return environment_with_wheel(tmp_path_factory.mktemp("alone"))


def cpu_seconds() -> float:
    """Of all processes that this one started and that have ended."""
    used = psutil.Process().cpu_times()
    return used.children_user + used.children_system  # 0 on Windows


def without_network(folder: Path) -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return environment | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "home")}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_first_screen(commands, tmp_path):
    screen = re.search(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)[1]
    lines = [shlex.split(line) for line in screen.splitlines() if line.startswith("holovid ")]
    assert [line[1] for line in lines] == ["data", "train", "classify"]
    environment = without_network(tmp_path)
    before, printed = cpu_seconds(), []
    for program, *words in lines:
        done = subprocess.run(
            [commands / program, *words], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        printed.append(done.stdout)
    assert cpu_seconds() - before < MOST_SECONDS
    assert "starts from scratch, in a tiny size" in printed[1]
    *_, last = printed[1].splitlines()
    proposed = shlex.split(last.removeprefix("Now try: "))
    assert proposed == lines[2][: len(proposed)]  # README goes on as the command says
    assert json.loads((tmp_path / "run" / "all_results.json").read_text())["eval_top1"] > 0.8  # of eight classes
    with Image.open(tmp_path / "seen.png") as picture:
        assert picture.size[0] > 500


EVERY_DAY = """
data synth clips --train 64 --val 16 --size 64 --frame-rate 8 --seconds 2
data check clips --target motion --picture set.png
data split clips/train parts --target motion --by shape --validation 0.5
data shrink clips small --short-side 48
train small --model xvit --recipe small --target motion --output run --num_train_epochs 2
classify run clips/val --output answers.csv --batch-size 8
evaluate run clips --target motion --output run/evaluation
explain run {clip} --output why.png
info run
card run --licence apache-2.0 --clip {clip}
push run me/run --licence apache-2.0 --dry-run
timeline run {clip} --window 1 --stride 0.5 --output film.csv --output film.png --output film.srt --output film.mp4
watch run {clip} --window 1 --every 0.5 --output seen.mp4
embed run clips --output vectors.parquet --batch-size 8
embed run clips/val --window 1 --stride 0.5 --output windows.parquet
search vectors.parquet {clip} --top-k 3
search windows.parquet --row 0 --json
probe vectors.parquet clips --target shape
map vectors.parquet --labels clips --target shape --output map.png
"""


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_every_days_work(commands, tmp_path):
    """Data, training, labels, results, reasons, a card, films and vectors: each command, one after the other."""
    printed = {}
    for line in EVERY_DAY.split("\n")[1:-1]:
        words = shlex.split(line.format(clip="clips/val/disc-right-rise/00000.mp4"))
        done = subprocess.run(
            [commands / "holovid", *words], cwd=tmp_path, env=without_network(tmp_path), capture_output=True, text=True
        )
        assert done.returncode == 0, (line, done.stderr)
        assert "Traceback" not in done.stderr
        printed[" ".join(words[:2])] = done.stdout
    made = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert {
        "set.png", "answers.csv", "run/evaluation/results.json", "run/card.png", "run/README.md", "why.png",
        "film.csv", "film.png", "film.srt", "film.mp4", "seen.mp4", "vectors.parquet", "map.png",
    } <= made  # fmt: skip
    assert len((tmp_path / "answers.csv").read_text().splitlines()) == 1 + 16 * 2  # classes
    assert "Loads without holovid" in printed["push run"] and "run/card.png" in printed["card run"]
    assert len(json.loads(printed["search windows.parquet"])) > 1


@pytest.mark.slow
def test_a_label_loads_only_what_it_needs(tmp_path):
    """Tables, plots and metrics cost seconds to import."""
    model, _ = toy(variants()["xvit"])
    model.save_pretrained(tmp_path / "model")
    HolovidProcessor.for_model(model).save_pretrained(tmp_path / "model")
    write_clip(tmp_path / "clip.mp4", frames=8)
    words = ["holovid", "classify", "model", "clip.mp4", "--picture", "seen.png"]
    script = f"""
import sys
from holovid.cli import main
sys.argv = {words!r}
try:
    main()
finally:
    print(*sorted(sys.modules), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert (tmp_path / "seen.png").is_file(), done.stderr
    loaded = set(done.stderr.split())
    assert "torch" in loaded and not loaded & {"datasets", "pandas", "matplotlib", "sklearn", "evaluate", "timm"}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_labels_need_no_extra_and_what_does_names_it(alone, tmp_path):
    model, _ = toy(variants()["ca2st"])
    model.save_pretrained(tmp_path / "model")
    HolovidProcessor.for_model(model).save_pretrained(tmp_path / "model")

    def run(line: str) -> subprocess.CompletedProcess:
        command = [alone / "holovid", *shlex.split(line)]
        return subprocess.run(command, cwd=tmp_path, env=without_network(tmp_path), capture_output=True, text=True)

    assert run("data synth clips --train 1 --val 1").returncode == 0
    clip = str(min((tmp_path / "clips").rglob("*.mp4")))
    for line in (
        f"classify model {clip} --json --picture seen.png", f"watch model {clip} --window 0.5 --json",
        f"timeline model {clip} --window 0.5 --output film.csv", "embed model clips --output vectors.parquet",
        f"explain model {clip} --json", "info model",
    ):  # fmt: skip
        done = run(line)
        assert done.returncode == 0 and done.stdout, done.stderr
    for line, extra in (
        ("train clips", "train"), ("evaluate model clips", "train"), ("probe vectors.parquet clips", "quality"),
        (f"timeline model {clip} --output film.png", "pictures"), ("app model", "app"),
        (f"classify model {clip} --picture why.png --why", "pictures"),
        (f"explain model {clip} --output why.png", "pictures"),
    ):  # fmt: skip
        done = run(line)
        assert done.returncode == 2 and done.stderr.endswith(f'pip install "holovid[{extra}]"\n'), done.stderr
        assert done.stderr.count("\n") == 1 and done.stdout == ""
