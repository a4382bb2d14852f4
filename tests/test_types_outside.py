"""Types as a user's editor sees them: pyright reads the installed wheel from outside, where py.typed says it may."""

import json
import subprocess

import pytest
from wheel_of_ours import environment_with_wheel

SCRIPT = """\
from typing import assert_type

import torch
from datasets import DatasetDict
from torch import Tensor
from transformers import PreTrainedModel, TrainingArguments

import holovid
from holovid import HolovidProcessor, XViTConfig, XViTForVideoClassification
from holovid.data import ClipDataset, load_clips
from holovid.evaluation import Protocol, evaluate_clips
from holovid.explanation import Explanation, explain
from holovid.families import Family, families
from holovid.inference import Segment, SegmentRules, Timeline, find_segments, timeline, write_timeline
from holovid.publishing import Licence, publish
from holovid.training import VideoTrainer, compute_metrics

config = XViTConfig(num_frames=8, id2label={0: "left", 1: "right"})
assert_type(config.num_frames, int)
model = XViTForVideoClassification(config)
assert_type(model, XViTForVideoClassification)
clips = load_clips("clips", target="motion")
assert_type(clips, DatasetDict)
rows = ClipDataset(clips["train"], HolovidProcessor.for_model(config), target="motion")
trainer = VideoTrainer(
    model, TrainingArguments("run"), recipe="small", train_dataset=rows, compute_metrics=compute_metrics
)
loaded, processor = holovid.load("run")
assert_type(loaded, PreTrainedModel)
assert_type(timeline(loaded, processor, "film.mp4", window=2.0), Timeline)
segments = find_segments(timeline(loaded, processor, "film.mp4"), SegmentRules(threshold=0.5))
assert_type(segments, list[Segment])
write_timeline(timeline(loaded, processor, "film.mp4"), segments, "film.srt")
why = explain(model, {"pixel_values_videos": torch.zeros(1, 8, 3, 224, 224)})
assert_type(why, Explanation)
assert_type(why.where, Tensor | None)
assert_type(families(), dict[str, Family])
"""
# line -> what is wrong with it
WRONG = {
    'XViTConfig(num_frames="8")': "reportArgumentType",
    "holovid.NoSuchModel": "reportAttributeAccessIssue",
    "SegmentRules(treshold=0.5)": "reportCallIssue",
}


@pytest.fixture(scope="module")
def pyright(tmp_path_factory):
    folder = tmp_path_factory.mktemp("typed")
    programs = environment_with_wheel(folder, "pyright[nodejs]", extras="train")

    def run(*words: str) -> dict:
        command = [str(programs / "pyright"), "--pythonpath", str(programs / "python"), "--outputjson", *words]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert done.stdout.startswith("{"), done.stdout + done.stderr
        return json.loads(done.stdout)

    return folder, run


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_types_of_a_users_script(pyright):
    folder, run = pyright
    (folder / "user.py").write_text(SCRIPT)
    (folder / "wrong.py").write_text(
        "import holovid\nfrom holovid import XViTConfig\nfrom holovid.inference import SegmentRules\n"
        + "".join(f"{line}\n" for line in WRONG)
    )
    found = run("user.py", "wrong.py")["generalDiagnostics"]
    assert [fault["message"] for fault in found if fault["file"].endswith("user.py")] == []
    wrong = [fault["rule"] for fault in found if fault["severity"] == "error"]
    assert wrong == list(WRONG.values()), found
