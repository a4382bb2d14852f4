"""What the documentation shows is run: README's snippets and commands, its table, and the examples in docstrings."""

import doctest
import importlib
import json
import os
import pkgutil
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from clips import write_clip
from conftest import golden, golden_weights
from hub_server import HubServer, Repository
from tiny_xvit import tiny
from transformers import ViTConfig, ViTModel

import holovid
from holovid import HolovidVideoProcessor

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder that holds what README's snippets expect to find."""
    place = tmp_path_factory.mktemp("readme")
    model = tiny(num_frames=4, num_labels=2, id2label={0: "left", 1: "right"})
    model.save_pretrained(place / "demo-output" / "model")
    processor = HolovidVideoProcessor(num_frames=4, size={"shortest_edge": 16}, crop_size=16)
    processor.save_pretrained(place / "demo-output" / "model")
    write_clip(place / "demo-output" / "clip.mp4")
    torch.save({"model_state": golden_weights(golden("xvit/tiny_div8_ta.json"))}, place / "checkpoint.pyth")
    vit = ViTModel(ViTConfig(image_size=32, patch_size=8, hidden_size=36, num_hidden_layers=2, num_attention_heads=3))
    vit.save_pretrained(place / "vit")
    return place


@pytest.mark.slow
def test_python_snippets_run(place):
    image_model = Repository()
    image_model.commit({path.name: path.read_bytes() for path in (place / "vit").iterdir()})
    with HubServer() as server:
        server.repositories["google/vit-base-patch16-224-in21k"] = image_model
        online = {"HF_ENDPOINT": server.url, "HF_HUB_OFFLINE": "0", "HF_HOME": str(place / "cache")}
        done = subprocess.run(
            [sys.executable, "-c", "\n".join(blocks("python"))],
            cwd=place, env={**os.environ, **online}, capture_output=True, text=True,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    printed = done.stdout.splitlines()
    assert printed[0] in ("left", "right")
    assert len(printed) == 5 and all(line.startswith("[{'score': ") for line in printed[1:])
    assert json.loads((place / "my-model" / "config.json").read_text())["mix_divisor"] == 4
    saved = json.loads((place / "my-model" / "video_preprocessor_config.json").read_text())
    assert (saved["num_frames"], saved["sampling"]) == (16, "segments")


@pytest.mark.slow
def test_commands_run(place):
    commands = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("holovid ")]
    assert len(commands) == 3
    for command in commands:
        program, *arguments = shlex.split(command)
        path = Path(sys.executable).parent / program
        done = subprocess.run([path, *arguments], cwd=place, capture_output=True, text=True)
        assert done.returncode == 0, (command, done.stderr)
    assert (place / "sheet.png").is_file()
    assert json.loads((place / "xvit-k600" / "config.json").read_text())["mix_group"] == 8
    assert len(list((place / "clips").rglob("*.mp4"))) == 80


def test_table_is_what_the_command_prints():
    """README has the models of the first rows; all rows agree with the released code to the last digit it gives."""
    spec = importlib.util.spec_from_file_location("model_table", ROOT / "examples" / "benchmark" / "model_table.py")
    model_table = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(model_table)
    rows = model_table.rows()
    in_readme = [row for row in rows if row.rstrip("|") in README]
    assert in_readme == rows[:7]
    for row in rows:
        _, _, *cells, _gflop, _ = (cell.strip() for cell in row.split("|"))
        for own, released in zip(cells[::2], cells[1::2], strict=True):
            own = f"{int(own.replace(',', '')) / 1e6:.2f} M" if "," in own and released.endswith("M") else own
            assert released in ("", own), row


@pytest.mark.parametrize("package", ["configuration", "modeling", "processing"])
def test_docstring_examples_run(package):
    for module in pkgutil.iter_modules(importlib.import_module(f"holovid.{package}").__path__):
        failed, _ = doctest.testmod(importlib.import_module(f"holovid.{package}.{module.name}"))
        assert not failed, module.name


def test_public_names_are_documented():
    for name in holovid.__all__:
        assert getattr(holovid, name).__doc__
