"""A Space is written whole, with a head that the Hub reads and everything that its page imports."""

import ast
import re

import pytest
from huggingface_hub import SpaceCard
from page_models import save_page_models

from holovid import load
from holovid.page.space import write_space


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return save_page_models(tmp_path_factory.mktemp("space"))


@pytest.mark.slow
def test_a_space_is_ready(models, tmp_path):
    (models["seeing"] / "optimizer.pt").write_bytes(b"not for others")
    space = write_space(tmp_path / "space", [str(models["seeing"]), str(models["hearing"])])
    assert sorted(path.name for path in space.iterdir()) == [
        ".gitattributes", "README.md", "app.py", "holovid", "models", "requirements.txt"
    ]  # fmt: skip
    head = SpaceCard.load(space / "README.md").data
    assert (head.sdk, head.app_file) == ("gradio", "app.py") and re.fullmatch(r"\d+\.\d+\.\d+", head.sdk_version)
    wanted = (space / "requirements.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[\w-]+==[\w.]+", line) for line in wanted)
    assert f"gradio=={head.sdk_version}" in wanted and any(line.startswith("torch==") for line in wanted)
    assert "['models/0', 'models/1']" in (space / "app.py").read_text()
    ast.parse((space / "app.py").read_text())
    assert not list(space.rglob("__pycache__")) and not list(space.rglob("optimizer.pt"))
    for name in ("page/serving.py", "modeling/modeling_xvit.py", "configuration/__init__.py", "processing/options.py"):
        assert (space / "holovid" / name).is_file()
    model, _ = load(space / "models" / "1")
    assert type(model).__name__ == "WhereWhenForVideoClassification"
    assert str(models["seeing"].parent) not in "".join(path.read_text() for path in space.rglob("*.json"))


def test_a_space_is_written_whole_or_not_at_all(models, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    with pytest.raises(ValueError):
        write_space(tmp_path / "space", [str(models["seeing"]), str(tmp_path / "model")])
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    (tmp_path / "space").mkdir()
    (tmp_path / "space" / "mine.txt").write_text("mine")
    with pytest.raises(ValueError, match="exists already"):
        write_space(tmp_path / "space", [str(models["seeing"])])
    assert [path.name for path in (tmp_path / "space").iterdir()] == ["mine.txt"]
