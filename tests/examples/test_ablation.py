"""examples/ablation.py in miniature: everything is trained and measured, kept, and written down with its goals."""

import importlib
import json

import pytest
from places import EXAMPLES

TINY = ["--train", "32", "--val", "16", "--motion-epochs", "1", "--ca2st-epochs", "1", "--match-epochs", "1"]


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
    for part in ablation.PARTS.values():
        for name in part.models:
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

    # a part of the page, without what it takes to have the others
    kept.unlink()
    ablation.main([*command, "--families", "video_swin", "time_sformer"])
    text = (output / "ablation.md").read_text()
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## TimeSformer: temporal embeddings tell the model about order",
        "## Video Swin: patches and windows tell the model about order",
        "## Goals, for every seed",
    ]
    assert "| TimeSformer, joint | as it is | motion | ≥ 0.95 |" in text and "| CA²ST |" not in text
    assert not kept.exists()


def test_goals_name_what_is_measured(ablation):
    parts = list(ablation.PARTS.values())
    models = {name for part in parts for name in part.models}
    models |= {ablation.MATCH_FROM + name for name in ablation.CA2ST}
    goals = ablation.goals_of(parts)
    assert {model for model, _, _ in goals} <= models
    results = {0: {model: {} for model in models}}
    for (model, how, what), goal in goals.items():
        results[0][model].setdefault(how, {})[what] = float(goal.split()[1])
    assert not ablation.failures(goals, results)
    results[0]["CA²ST"]["as it is"]["label"] = 0.9
    assert ablation.failures(goals, results) == ["CA²ST, as it is: label 0.900, not ≥ 0.97 (seed 0)"]


def test_every_model_that_only_sees_has_goals(ablation):
    """That it reads the motion, or that it cannot; and that it cannot out of order."""
    for family in ("xvit", "time_sformer", "video_swin"):
        part = ablation.PARTS[family]
        assert set(part.goals) == {(name, how, "motion") for name in part.models for how in ablation.SEEN[:2]}
        assert {goal for (_, how, _), goal in part.goals.items() if how == "as it is"} == {"≥ 0.95", "≤ 0.55"}
        assert {goal for (_, how, _), goal in part.goals.items() if how == "frames shuffled"} == {"≤ 0.55"}


def test_results_of_models_are_kept_apart(ablation):
    names = [name for part in ablation.PARTS.values() for name in part.models]
    assert len(set(names)) == len(names)
