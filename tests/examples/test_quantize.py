"""examples/quantize.py: all linear layers are stored in int8, that survives saving, and answers stay what they were.

torchao is installed beside the environment, for this alone: transformers imports it wherever it is found.
"""

import argparse
import importlib
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch
from places import ROOT
from tiny_xvit import sharpen

from holovid import CA2STForVideoClassification, HolovidProcessor
from holovid.data.dataset import load_clips
from holovid.data.synthetic import ClipSet, render_clips


@pytest.fixture(scope="module")
def torchao(tmp_path_factory) -> Path:
    """A folder to import torchao from."""
    place = tmp_path_factory.mktemp("torchao")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    tested = ["--constraint", ROOT / "constraints.txt"]
    done = subprocess.run([*pip, *tested, "--target", place, *extras["int8"]], stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr
    return place


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Path:
    """What the demo leaves: its XViT, trained until it knows most motions, and its CA²ST, of large random weights."""
    place = tmp_path_factory.mktemp("quantize") / "demo-output"
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "examples")
        playground, demo_order = map(importlib.import_module, ("playground", "demo_order"))
    motions = ("right", "left", "grow", "shrink")
    render_clips(
        place / "clips", ClipSet(train=320, val=160, motions=motions, **playground.CLIP), progress=False, workers=1
    )
    rows = load_clips(place / "clips", target="motion")
    config = playground.tiny_xvit(rows["train"].features["motion"].names)
    processor = HolovidProcessor.for_model(config).video_processor
    clips = {split: playground.decode(rows[split], processor, ["motion"]) for split in rows}
    options = argparse.Namespace(epochs=12, learning_rate=2e-3, batch_size=16, seed=0)
    demo_order.train(True, clips, processor, options, place / "model").save_model()

    hearing = place / "hearing"
    render_clips(hearing / "clips", ClipSet(train=8, val=24, **playground.CLIP), progress=False, workers=1)
    config = playground.tiny_ca2st(
        ["space", "time", "audio"], load_clips(hearing / "clips")["train"].features["label"].names
    )
    sharpen(CA2STForVideoClassification(config)).save_pretrained(hearing / "model")
    HolovidProcessor.for_model(config).save_pretrained(hearing / "model")
    return place


@pytest.mark.slow
def test_answers_stay(torchao, demo):
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "quantize.py", demo],
        env={**os.environ, "PYTHONPATH": str(torchao)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert list(told["results"]) == ["XViT", "CA²ST"] and told["versions"]["torchao"]
    for result in told["results"].values():
        assert result["left_out"] == [] and result["loaded_the_same"]
        assert 0 < result["largest_difference"] < 0.1 * result["largest_logit"]
        assert result["bytes"][1] < 0.6 * result["bytes"][0]
    xvit = told["results"]["XViT"]
    before, after = xvit["accuracy"]
    assert before > 0.75 and abs(after - before) <= 0.02 and xvit["other_answers"] <= 0.02 * xvit["clips"]
