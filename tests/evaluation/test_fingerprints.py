"""Fingerprints: equal for what computes the same, another one for anything else."""

import re
from dataclasses import replace

import pytest
import tiny_xvit
import torch

from holovid import HolovidVideoProcessor
from holovid.evaluation.fingerprints import fingerprint_model, fingerprint_processor, fingerprint_table
from holovid.evaluation.tasks import Clips, Question
from holovid.modeling.tasks import LABEL

CLIPS = Clips(
    ["a.mp4", "https://example.org/b.mp4", None], ["a.mp4", "b.mp4", "c"], [None, 1.0, None], [None, 2.0, 3.0]
)
QUESTIONS = [Question(LABEL, "label", ["run", "walk"], [0, 1, 1])]


def test_models():
    torch.manual_seed(0)
    model = tiny_xvit.tiny(num_labels=2)
    first = fingerprint_model(model)
    assert re.fullmatch("[0-9a-f]{16}", first)
    model.config._name_or_path = "elsewhere"
    assert fingerprint_model(model) == first, "where it came from computes nothing"
    with torch.no_grad():
        list(model.parameters())[-1][-1] += 1e-3
    changed = fingerprint_model(model)
    assert changed != first
    assert fingerprint_model(model.to(torch.bfloat16)) not in (first, changed)


def test_processors():
    first = fingerprint_processor(HolovidVideoProcessor(num_frames=4), {"num_views": 2, "num_crops": 3})
    assert re.fullmatch("[0-9a-f]{16}", first)
    assert fingerprint_processor(HolovidVideoProcessor(num_frames=4), {"num_crops": 3, "num_views": 2}) == first
    assert fingerprint_processor(HolovidVideoProcessor(num_frames=8), {"num_views": 2, "num_crops": 3}) != first
    assert fingerprint_processor(HolovidVideoProcessor(num_frames=4), {"num_views": 1, "num_crops": 3}) != first


def test_tables_are_the_same_wherever_the_command_is_run(tmp_path, monkeypatch):
    (tmp_path / "inside").mkdir()
    monkeypatch.chdir(tmp_path)
    first = fingerprint_table(CLIPS, QUESTIONS)
    assert re.fullmatch("[0-9a-f]{16}", first)
    whole = [str(tmp_path / "a.mp4"), *CLIPS.places[1:]]
    monkeypatch.chdir(tmp_path / "inside")
    assert fingerprint_table(replace(CLIPS, places=["../a.mp4", *CLIPS.places[1:]]), QUESTIONS) == first
    assert fingerprint_table(replace(CLIPS, places=whole), QUESTIONS) == first


@pytest.mark.parametrize(
    "change",
    [
        {"places": ["other.mp4", *CLIPS.places[1:]]},
        {"places": ["a.mp4", "https://example.org/c.mp4", None]},
        {"names": ["a.mp4", "b.mp4", "d"]},
        {"starts": [None, 1.5, None]},
        {"ends": [None, 2.0, None]},
    ],
)
def test_tables_of_other_clips(change):
    assert fingerprint_table(replace(CLIPS, **change), QUESTIONS) != fingerprint_table(CLIPS, QUESTIONS)


def test_tables_of_other_answers():
    others = [
        [Question(LABEL, "label", ["run", "walk"], [0, 1, 0])],
        [Question(LABEL, "label", ["run", "jump"], [0, 1, 1])],
    ]
    assert len({fingerprint_table(CLIPS, questions) for questions in (QUESTIONS, *others, QUESTIONS * 2)}) == 4
