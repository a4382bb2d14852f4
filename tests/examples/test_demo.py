"""examples/demo.py in miniature: every stage runs and leaves its result, and the exit status tells a missed goal."""

import importlib
import json
from itertools import product

import pytest
from PIL import Image
from places import EXAMPLES
from transformers import AutoModelForVideoClassification, AutoProcessor, AutoVideoProcessor


@pytest.fixture(scope="module")
def imported():
    """Imports scripts of the demo, which find one another as when they are run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLES)
        yield importlib.import_module


@pytest.mark.integration
@pytest.mark.slow
def test_miniature(imported, tmp_path, capsys):
    demo = imported("demo")
    output = tmp_path / "demo-output"
    options = [
        "--output",
        str(output),
        "--train",
        "16",
        "16",
        "--val",
        "16",
        "--epochs",
        "1",
        "1",
        "--batch-size",
        "8",
    ]
    assert demo.main(options) == 1  # two steps do not get to 0.95
    assert {path.name for path in output.iterdir()} == {
        "clip.mp4", "clip.png", "clips", "hearing", "model", "results.json",
    }  # fmt: skip
    assert {path.name for path in (output / "hearing").iterdir()} == {
        "clip.mp4", "clip.png", "clips", "model", "muted.mp4",
    }  # fmt: skip
    results = json.loads((output / "results.json").read_text())
    for name, part in demo.PARTS.items():
        assert all(column in results[name][row] for row, column in part.GOALS)
    for picture in output.glob("**/clip.png"):
        with Image.open(picture) as opened:
            opened.verify()
    printed = capsys.readouterr().out
    assert "Goals are missed." in printed and "holovid classify" in printed

    model = AutoModelForVideoClassification.from_pretrained(output / "model")
    processor = AutoVideoProcessor.from_pretrained(output / "model")
    assert set(model.config.id2label.values()) == {"right", "left", "grow", "shrink"}
    assert model(**processor(output / "clip.mp4", return_tensors="pt")).logits.shape == (1, 4)

    # the second model hears, but not what was muted
    model = AutoModelForVideoClassification.from_pretrained(output / "hearing" / "model")
    processor = AutoProcessor.from_pretrained(output / "hearing" / "model")
    labels = product(("disc", "triangle"), ("right", "left"), ("rise", "fall"))
    assert set(model.config.id2label.values()) == set(map("-".join, labels))
    sounding, muted = (processor(output / "hearing" / name, return_tensors="pt") for name in ("clip.mp4", "muted.mp4"))
    assert sounding["audio_mask"].all() and not muted["audio_mask"].any()
    assert sounding["pixel_values_videos"].equal(muted["pixel_values_videos"])
    assert not model(**sounding).logits.allclose(model(**muted).logits, atol=1e-4)

    # what an earlier demo left is replaced, anything else is kept
    (output / "results.json").unlink()
    with pytest.raises(ValueError, match="exists already"):
        demo.main(options)
    assert (output / "model" / "model.safetensors").is_file()


def test_goals_decide(imported, capsys):
    compare = imported("playground").compare
    results = {"full model": {"label": 0.95, "sound": 1.0}, "sound muted": {"label": 0.5, "sound": 0.56}}
    goal = {("full model", "label"): "≥ 0.95"}
    assert compare("met", results, goal)
    assert not compare("not met", results, goal | {("sound muted", "sound"): "≤ 0.55"})
    assert "0.560 ≤ 0.55 ✗" in capsys.readouterr().out
