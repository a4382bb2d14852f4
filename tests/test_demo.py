"""examples/demo.py in miniature: every stage runs and leaves its result, and the exit status tells a missed goal."""

import importlib.util
import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from transformers import AutoModelForVideoClassification, AutoVideoProcessor

DEMO = Path(__file__).parent.parent / "examples" / "demo.py"


@pytest.fixture(scope="module")
def demo():
    spec = importlib.util.spec_from_file_location("demo", DEMO)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_miniature(demo, tmp_path, capsys):
    output = tmp_path / "demo-output"
    options = ["--output", str(output), "--train", "16", "--val", "16", "--epochs", "1", "--batch-size", "8"]
    assert demo.main(options) == 1  # two steps do not get to 0.95
    assert sorted(path.name for path in output.iterdir()) == ["clip.mp4", "clip.png", "clips", "model", "results.json"]
    assert set(json.loads((output / "results.json").read_text())) == set(demo.EXPECTED)
    with Image.open(output / "clip.png") as picture:
        picture.verify()
    printed = capsys.readouterr().out
    assert "missed" in printed and "holovid classify" in printed

    model = AutoModelForVideoClassification.from_pretrained(output / "model")
    processor = AutoVideoProcessor.from_pretrained(output / "model")
    assert set(model.config.id2label.values()) == {"right", "left", "grow", "shrink"}
    assert model(**processor(output / "clip.mp4", return_tensors="pt")).logits.shape == (1, 4)

    # what an earlier demo left is replaced, anything else is kept
    (output / "results.json").unlink()
    with pytest.raises(ValueError, match="exists already"):
        demo.main(options)
    assert (output / "model" / "model.safetensors").is_file()


def test_shuffling_keeps_the_frames(demo):
    clip = {"pixel_values_videos": torch.arange(8.0).view(8, 1, 1, 1), "labels": 3}
    copies = demo.shuffled([clip], seed=0)
    assert len(copies) == demo.SHUFFLES and all(copy["labels"] == 3 for copy in copies)
    orders = [tuple(copy["pixel_values_videos"].flatten().tolist()) for copy in copies]
    assert all(sorted(order) == list(range(8)) for order in orders) and len(set(orders)) > 1
