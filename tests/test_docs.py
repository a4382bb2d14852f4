"""What the documentation shows is run: snippets and commands of README and docs/, and the examples in docstrings."""

import ast
import csv
import doctest
import importlib
import json
import pkgutil
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

import pyarrow.parquet
import pytest
import torch
from forked_commands import Commands
from golden_numbers import golden, golden_weights
from hub_server import HubServer, Repository
from places import ROOT
from toy_models import toy
from transformers import (
    ASTConfig,
    ASTModel,
    CLIPVisionConfig,
    CLIPVisionModel,
    VideoMAEConfig,
    VideoMAEModel,
    ViTConfig,
    ViTModel,
)

import holovid
from holovid import HolovidProcessor
from holovid.data.synthetic import ClipSet, render_clips
from holovid.families import variants
from holovid.recipes import recipes_table

README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def image_video_and_audio_models() -> dict:
    """Tiny models under the names that the snippets load."""
    sizes = {"hidden_size": 36, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 44}
    frames = {"image_size": 32, "patch_size": 8}
    return {
        "google/vit-base-patch16-224-in21k": ViTModel(ViTConfig(**sizes, **frames)),
        "openai/clip-vit-base-patch16": CLIPVisionModel(CLIPVisionConfig(**sizes, **frames)),
        "MCG-NJU/videomae-base": VideoMAEModel(VideoMAEConfig(**sizes, **frames)),
        "MIT/ast-finetuned-audioset-10-10-0.4593": ASTModel(ASTConfig(**sizes)),
    }


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with what snippets expect on the Hub, and a checkpoint of a released code."""
    place = tmp_path_factory.mktemp("docs")
    torch.save({"model_state": golden_weights(golden("xvit/tiny_div8_ta.json"))}, place / "checkpoint.pyth")
    for repo_id, model in image_video_and_audio_models().items():
        model.save_pretrained(place / "hub" / repo_id)
    return place


@contextmanager
def hub_with(models: Path) -> Iterator[dict[str, str]]:
    """A Hub that has the models of a folder, user/name; yields the environment in which it is found."""
    with HubServer() as server:
        for folder in models.glob("*/*"):
            repository = server.repositories[f"{folder.parent.name}/{folder.name}"] = Repository()
            repository.commit({path.name: path.read_bytes() for path in folder.iterdir()})
        yield {"HF_ENDPOINT": server.url, "HF_HUB_OFFLINE": "0", "HF_HOME": str(models.parent / "cache")}


@pytest.mark.integration
@pytest.mark.slow
def test_snippet_of_readme_runs(tmp_path):
    """Its commands run in test_first_minutes.py; here a small model stands for the one that they train."""
    model, _ = toy(variants()["ca2st"])
    model.save_pretrained(tmp_path / "run")
    HolovidProcessor.for_model(model).save_pretrained(tmp_path / "run")
    clips = render_clips(tmp_path / "clips", ClipSet(train=8, val=8), progress=False)
    assert (clips / "val" / "disc-right-rise" / "00000.mp4").is_file()
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(blocks("python"))], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in model.config.id2label.values()


def test_first_screen_is_short():
    assert len(README.splitlines()) <= 110


def run_commands(commands: Iterable[list[str]], place: Path, forks: Commands) -> list[str]:
    """Run commands in a folder beside our examples; returns what each printed."""
    if not (place / "examples").exists():
        (place / "examples").symlink_to(ROOT / "examples")
    printed = []
    for command in commands:
        done = forks.run(command, cwd=place)
        assert done.returncode == 0, (command, done.stderr)
        printed.append(done.stdout)
    return printed


def walk_through(page: str, place: Path, forks: Commands) -> list[str]:
    """Run all commands and snippets of a page of docs/ in their order, in one folder; returns what each printed."""
    text = (ROOT / "docs" / page).read_text()
    blocks = re.findall(r"^```(sh|python)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    commands = []
    for language, some in groupby(blocks, key=lambda block: block[0]):  # snippets in a row go on from one another
        code = "".join(block for _, block in some)
        commands += [["python", "-c", code]] if language == "python" else map(shlex.split, code.splitlines())
    return run_commands(commands, place, forks)


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [
        "anticipation",
        "convert",
        "data",
        "embeddings",
        "evaluate",
        "explanations",
        "export",
        "films",
        "install",
        "label",
        "sound",
        "speed",
        "streaming",
    ],
)
def test_page_runs(page, tmp_path, forks):
    printed = walk_through(f"{page}.md", tmp_path, forks)
    if page == "anticipation":  # which says what is printed in comments
        text = (ROOT / "docs" / "anticipation.md").read_text()
        assert printed[0].splitlines() == re.findall(r"^# (.* .*[\]0-9])$", text, re.MULTILINE)
    if page == "label":
        assert "{'score': " in printed[-1] and (tmp_path / "sheet.png").is_file()
        assert len(list(csv.DictReader((tmp_path / "answers.csv").read_text().splitlines()))) == 16 * 2
    if page == "evaluate":
        assert printed[-1] == "{'top1': 0.5, 'top2': 1.0, 'clips': 2, 'left_out': 0}\n"
        assert all((tmp_path / "results" / made).is_file() for made in ("results.json", "confusion.png"))
    if page == "sound":
        assert printed[1] == (
            "{'pixel_values_videos': (1, 16, 3, 64, 64), 'frame_times': (1, 16), 'input_values': (1, 200, 128), "
            "'audio_mask': (1,), 'audio_span': (1, 2)}\ntensor(True)\n"
        )
    if page == "streaming":
        assert "[20, 20] [range(12, 20), range(12, 20)]" in printed[0]
        assert len(printed[-2].splitlines()) == 8  # answers of 4 seconds, two a second
        assert " s  " in printed[-1]  # by windows, a line whenever the first label changes
        assert (tmp_path / "seen.mp4").is_file()
    if page == "films":
        record = json.loads(printed[-2])
        assert len(record["windows"]) == 13 and record["seconds"] == pytest.approx(8.0)
        assert all((tmp_path / f"film.{suffix}").is_file() for suffix in ("png", "srt", "csv", "vtt"))
    if page == "data":
        rows = list(csv.DictReader((tmp_path / "answers.csv").read_text().splitlines()))
        assert len(rows) == 16 * 2 and {row["label"] for row in rows} == {"left", "right"}
        assert len(list((tmp_path / "small").rglob("*.mp4"))) == 80 and (tmp_path / "set.png").is_file()
        assert "No problems found." in "".join(printed)
        assert "ClassLabel(names=['left', 'right'])" in printed[-2]
    if page == "explanations":
        assert printed[0].startswith("relevance (2, 8, 4, 4) (2, 8) None") and (tmp_path / "why.png").is_file()
    if page == "embeddings":
        width = pyarrow.parquet.read_schema(tmp_path / "vectors.parquet").field("vector").type.list_size
        assert f"torch.Size([1, {width}])" in "".join(printed)
        assert "8 ['path', 'start', 'end', 'vector', 'error']" in "".join(printed)
        assert "[('clips/val/disc-right-rise/00000.mp4', 1.0), " in printed[-4]  # a clip finds itself first
        assert len(json.loads(printed[-5])) == 3
        assert "40 vectors of 2 classes" in printed[-2] and "logistic regression" in printed[-2]
        assert (tmp_path / "map.png").is_file()
    if page == "convert":
        assert "it lacks base_model.cls_token" in printed[0]


@pytest.mark.slow
def test_models_page_runs(place, tmp_path):
    with hub_with(place / "hub") as online, Commands(**online) as forks:
        walk_through("models.md", tmp_path, forks)
    assert json.loads((tmp_path / "my-xvit" / "config.json").read_text())["mix_divisor"] == 4
    saved = json.loads((tmp_path / "my-xvit" / "processor_config.json").read_text())["video_processor"]
    assert (saved["num_frames"], saved["sampling"]) == (16, "segments")
    assert "audio" in json.loads((tmp_path / "my-ca2st" / "config.json").read_text())["experts"]


@pytest.mark.slow
def test_first_conversion_runs(place, forks):
    """Of the commands of docs/convert.md, the one whose checkpoint can be made here."""
    page = (ROOT / "docs" / "convert.md").read_text()
    lines = [line for line in page.splitlines() if line.startswith("holovid ") and "xvit-k600" in line]
    assert len(lines) == 2
    run_commands(map(shlex.split, lines), place, forks)
    assert json.loads((place / "xvit-k600" / "config.json").read_text())["mix_group"] == 8


@pytest.mark.slow
def test_publishing_page_runs(place, tmp_path):
    with hub_with(place / "hub") as online, Commands(**online) as forks:
        printed = walk_through("publish.md", tmp_path, forks)
    assert "Loads without holovid; outputs are identical." in "".join(printed)
    small, full = (tmp_path / name / "model.safetensors" for name in ("cast-adapters", "cast-full"))
    assert small.stat().st_size < full.stat().st_size


def test_pages_name_what_is_there():
    """Links lead somewhere, and names in code that look like ours can be imported."""
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        text = page.read_text()
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
            assert (page.parent / target).exists(), (page.name, target)
    modules = (ROOT / "docs" / "reference.md").read_text().partition("## Modules")[2].partition("##")[0]
    for names, contents in re.findall(r"^\| (`.*?) \| (.*) \|$", modules, re.MULTILINE):
        packages = [importlib.import_module(f"holovid.{name}") for name in re.findall(r"`(\w+)`", names)]
        for name in re.findall(r"`(\w+)`", contents):
            assert any(hasattr(package, name) for package in packages), (names, name)


@pytest.mark.slow
def test_drawings_are_what_their_scripts_draw(tmp_path, forks):
    scripts = ROOT / "docs" / "scripts"
    commands = [
        ["python", str(scripts / f"draw_{name}.py"), "--output", f"{name}.svg"] for name in ("exchange", "mixing")
    ]
    run_commands(commands, tmp_path, forks)
    for name in ("exchange", "mixing"):
        assert (tmp_path / f"{name}.svg").read_text() == (ROOT / "docs" / f"{name}.svg").read_text()


@pytest.mark.slow
def test_training_page_runs(tmp_path, forks):
    printed = walk_through("training.md", tmp_path, forks)
    assert "{'pixel_values_videos': (4, 8, 3, 48, 48), 'labels': (4,)}\n" in printed
    assert any("trainable params" in text for text in printed)
    lines = "".join(printed).splitlines()
    (place,) = (number for number, line in enumerate(lines) if line.startswith("['left', 'right'] "))
    counts, answer = map(ast.literal_eval, (lines[place].removeprefix("['left', 'right'] "), lines[place + 1]))
    assert sum(map(sum, counts)) == 16 and answer[0]["label"] in ("left", "right")
    for made in ("run/training.png", "run/training.json", "run/model.safetensors", "stock/confusion.png"):
        assert (tmp_path / made).is_file(), made


def test_recipes_are_listed():
    assert "\n".join(recipes_table()) in (ROOT / "docs" / "training.md").read_text()


@pytest.mark.slow
def test_tables_are_what_the_command_prints():
    """README has the short one, docs/models.md all; both agree with the released code to the last digit it gives."""
    spec = importlib.util.spec_from_file_location("model_table", ROOT / "examples" / "benchmark" / "model_table.py")
    model_table = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(model_table)
    short, long = model_table.tables()
    assert "\n\n" + "\n".join(short) + "\n\n" in README
    assert "\n\n" + "\n".join(long) + "\n\n" in (ROOT / "docs" / "models.md").read_text()
    for row in long[2:]:
        _, _, *cells, _gflop, _parity, _ = (cell.strip() for cell in row.split("|"))
        for own, released in zip(cells[::2], cells[1::2], strict=True):
            own = f"{int(own.replace(',', '')) / 1e6:.2f} M" if "," in own and released.endswith("M") else own
            assert released in ("", own), row


def test_docstring_examples_run():
    run = 0
    for module in pkgutil.walk_packages(holovid.__path__, "holovid."):
        failed, attempted = doctest.testmod(importlib.import_module(module.name))
        assert not failed, module.name
        run += attempted
    assert run >= 12


def test_public_names_are_documented():
    for name in holovid.__all__:
        assert getattr(holovid, name).__doc__


def test_bounds_are_those_that_security_promises():
    table = (ROOT / "docs" / "security.md").read_text().split("## Bounds")[1].split("##")[0]
    rows = re.findall(r"^\| `(\w+)\.(\w+)` \|.*\| (\d+)([⁰¹²³⁴⁵⁶⁷⁸⁹]*) \|$", table, re.MULTILINE)
    assert len(rows) == table.count("\n| `") >= 10
    for module, name, base, exponent in rows:
        value = int(base) ** int(exponent.translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")) or 1)
        assert getattr(importlib.import_module(f"holovid.processing.{module}"), name) == value, name
