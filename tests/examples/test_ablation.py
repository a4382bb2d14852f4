"""examples/ablation.py in miniature: everything is trained and measured, kept, and written down with its goals."""

import importlib
import json

import pytest
from places import EXAMPLES

TINY = ["--train", "32", "--val", "16", "--xvit-epochs", "1", "--ca2st-epochs", "1", "--match-epochs", "1"]


@pytest.fixture
def ablation(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    # what the processes that it starts find, too
    monkeypatch.setenv("PYTHONPATH", str(EXAMPLES))
    return importlib.import_module("ablation")


@pytest.mark.slow
def test_miniature(ablation, tmp_path, capsys):
    output = tmp_path / "output"
    command = ["--output", str(output), "--seeds", "3", "--workers", "1", *TINY]
    assert ablation.main(command) == 1  # two steps do not get to 0.95
    text = (output / "ablation.md").read_text()
    assert "Missed:" in text
    for name in [*ablation.XVIT, *ablation.CA2ST]:
        assert f"| {name} |" in text
        assert (output / f"3-{name}.json").is_file()
    assert not list(output.glob("*.pt"))

    # a second run reads what the first one measured
    kept = output / "3-CA²ST.json"
    measured = json.loads(kept.read_text())
    measured["results"]["CA²ST"]["as it is"]["label"] = 0.123
    kept.write_text(json.dumps(measured))
    ablation.main(command)
    assert "0.123" in (output / "ablation.md").read_text()
    with pytest.raises(SystemExit, match="other settings"):
        ablation.main([*command, "--val", "8"])


def test_goals_name_what_is_measured(ablation):
    models = {*ablation.XVIT, *ablation.CA2ST, *(ablation.MATCH_FROM + name for name in ablation.CA2ST)}
    assert {model for model, _, _ in ablation.GOALS} <= models
    results = {0: {model: {} for model in models}}
    for (model, how, what), goal in ablation.GOALS.items():
        results[0][model].setdefault(how, {})[what] = float(goal.split()[1])
    assert not ablation.failures(results)
    results[0]["CA²ST"]["as it is"]["label"] = 0.9
    assert ablation.failures(results) == ["CA²ST, as it is: label 0.900, not ≥ 0.97 (seed 0)"]
