"""The wheel in a fresh environment and an empty folder, without a network: README's first screen, and no extras."""

import json
import os
import re
import resource
import shlex
import subprocess
from pathlib import Path

import pytest
from PIL import Image
from places import ROOT
from toy_models import toy
from wheel_of_ours import environment_with_wheel

from holovid import HolovidProcessor
from holovid.families import variants

MOST_SECONDS = 2 * 180  # of the CPU: README says three minutes on two cores, and this machine may be busy


@pytest.fixture(scope="module")
def commands(tmp_path_factory):
    return environment_with_wheel(tmp_path_factory.mktemp("installed"), extras="train")


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Without extras."""
    return environment_with_wheel(tmp_path_factory.mktemp("alone"))


def cpu_seconds() -> float:
    """Of all processes that this one started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


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
