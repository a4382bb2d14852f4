"""What a run says where nothing seems to happen, and what the table of a notebook shows."""

import logging
import time
from types import SimpleNamespace

import pytest
import torch
from tiny_xvit import tiny_config
from transformers import TrainingArguments
from transformers.utils import logging as transformers_logging
from transformers.utils.notebook import NotebookProgressCallback

from holovid import XViTForVideoClassification
from holovid.training import waiting
from holovid.training.notebook_table import NotebookTable, use_notebook_table
from holovid.training.trainer import VideoTrainer


class SlowClips(torch.utils.data.Dataset):
    """Noise, of which the clip `slow` takes a while."""

    def __init__(self, slow: int):
        self.slow = slow

    def __len__(self) -> int:
        return 4

    def __getitem__(self, key) -> dict[str, torch.Tensor]:
        index = key[1] if isinstance(key, tuple) else key
        time.sleep(0.3 if index == self.slow else 0)
        return {"pixel_values_videos": torch.zeros(6, 3, 16, 16), "labels": torch.tensor(index)}


@pytest.fixture
def trainer(tmp_path):
    def made(slow: int = -1, **options) -> VideoTrainer:
        args = TrainingArguments(
            str(tmp_path), num_train_epochs=1, per_device_train_batch_size=4, learning_rate=1e-3, use_cpu=True,
            report_to="none", eval_strategy="epoch", save_strategy="no", disable_tqdm=True, **options,
        )  # fmt: skip
        model = XViTForVideoClassification(tiny_config(problem_type="single_label_classification"))
        return VideoTrainer(
            model, args, recipe="small", train_dataset=SlowClips(slow), eval_dataset=SlowClips(slow=-1)
        )

    return made


@pytest.fixture
def said(monkeypatch, caplog):
    monkeypatch.setattr(waiting, "LONG", 0.1)
    monkeypatch.setattr(transformers_logging.get_logger("transformers"), "propagate", True)
    monkeypatch.setattr(waiting.logger, "propagate", True)
    with caplog.at_level(logging.WARNING):
        yield lambda: [line for line in caplog.messages if "without progress" in line]


def test_the_first_clips_are_waited_for(trainer, said):
    trainer(slow=2).train()
    assert said() and said()[0] == "0.1 s without progress: reading and decoding the first clips"


def test_nothing_is_said_of_what_is_quick(trainer, said, monkeypatch):
    monkeypatch.setattr(waiting, "LONG", 60)
    trainer().train()
    assert said() == []


@pytest.mark.parametrize(
    ("processes", "is_first", "words"),
    [
        (0, True, "reading and decoding the first clips"), (2, True, "2 processes start"), (0, False, "between steps"),
        (3, False, "3 processes decode them"),
    ],
)  # fmt: skip
def test_who_reads_clips(processes, is_first, words):
    assert words in waiting.waiting_for_clips(processes, is_first)


def test_a_compiler_is_named():
    assert "compiler" in waiting.waiting_for_the_first_step(compiles=True)
    assert "compiler" not in waiting.waiting_for_the_first_step(compiles=False)


def test_the_table_of_a_notebook_has_no_constant_columns(trainer, capsys):
    run = trainer()
    run.add_callback(NotebookProgressCallback)
    use_notebook_table(run)
    (table,) = (each for each in run.callback_handler.callbacks if isinstance(each, NotebookProgressCallback))
    assert type(table) is NotebookTable
    state = SimpleNamespace(epoch=1, global_step=1, max_steps=2, log_history=[{"loss": 0.7}])
    table.on_train_begin(run.args, state, None)
    measured = {"eval_loss": 0.5, "eval_top1": 0.25, "eval_clips": 4, "eval_left_out": 0}
    tracker = table.training_tracker
    table.on_evaluate(run.args, state, None, metrics=measured)
    assert tracker.inner_table == [
        ["Epoch", "Training Loss", "Validation Loss", "Top1"],
        [1, 0.7, 0.5, 0.25],
    ]
    assert "eval_clips" in measured  # what evaluation returned stays whole
    state.epoch = 2
    table.on_evaluate(run.args, state, None, metrics=measured | {"eval_left_out": 3})
    assert tracker.inner_table[0][-1] == "Left Out" and tracker.inner_table[-1][-1] == 3
