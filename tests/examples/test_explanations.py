"""The scripts that measure explanations: their tables, and that WhereWhen knows where and when."""

import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]


@pytest.fixture
def examples(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    yield
    for name in ("explanations", "localisation"):
        sys.modules.pop(name, None)


@pytest.mark.slow
def test_where_and_when_are_found(examples):
    import localisation

    found = localisation.localise(seed=1)
    assert found["accuracy"] >= 0.98 and found["where"] >= 0.95 and found["when_visual"] >= 0.9
    assert found["without the highest cell"] < found["without a random cell"] - 0.2


@pytest.mark.slow
def test_table_of_all_methods(examples, tmp_path, capsys):
    import explanations

    torch.set_num_threads(1)
    arguments = [
        "--clips",
        "48",
        "--seeds",
        "1",
        "--models",
        "wherewhen",
        "videoswin",
        "--table",
        str(tmp_path / "t.md"),
    ]
    explanations.main(arguments)
    lines = (tmp_path / "t.md").read_text().splitlines()
    assert lines == capsys.readouterr().out.splitlines()[-len(lines) :]
    assert [line.split(" | ")[2] for line in lines[2:]] == ["intrinsic", "gradients"]
    assert "cannot see it" in lines[3] and "cannot see it" not in lines[2]


def test_the_table_takes_the_place_of_the_one_in_the_page(examples, tmp_path):
    import explanations

    page = tmp_path / "page.md"
    page.write_text("# Page\n\n| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n\nAfter.\n")
    written = explanations.with_table(page, ["| a | b |", "|---|---|", "| 5 | 6 |"])
    assert written == "# Page\n\n| a | b |\n|---|---|\n| 5 | 6 |\n\nAfter.\n"
    with pytest.raises(ValueError, match=r"page\.md has no table of explanations"):
        explanations.with_table(page, ["| x | y |"])
    assert explanations.table_of({})[0] in (ROOT / "docs" / "explanations.md").read_text()
