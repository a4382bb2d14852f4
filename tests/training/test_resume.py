"""A run that is killed, at any step or while it writes a checkpoint, ends with the weights of one that is not."""

import signal
from pathlib import Path

import pytest
from forked_commands import Commands
from training_runs import EXAMPLES, assert_same_weights, checkpoint_to_start_from, rendered

from holovid.training.checkpoints import all_checkpoints

# Kills the process, as out-of-memory killers and clusters do, at a step or in the middle of writing a checkpoint.
KILLER = """
import os, signal, sys, runpy
import torch
from transformers import Trainer

moment, at = sys.argv[1], int(sys.argv[2])
sys.argv = sys.argv[3:]

def kill():
    os.kill(os.getpid(), signal.SIGKILL)

if moment == "step":
    step = Trainer.training_step
    def training_step(self, *args, **kwargs):
        loss = step(self, *args, **kwargs)
        if self.state.global_step == at:
            kill()
        return loss
    Trainer.training_step = training_step
else:
    save = Trainer._save_optimizer_and_scheduler
    def save_half(self, folder):
        save(self, folder)
        if self.state.global_step == at:
            with open(os.path.join(folder, "optimizer.pt"), "r+b") as file:
                file.truncate(100)
            kill()
    Trainer._save_optimizer_and_scheduler = save_half
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(scope="module")
def arguments(tmp_path_factory) -> list:
    """With dropout, augmentation, mixup and averaged weights; 4 steps an epoch, a checkpoint after each step."""
    folder = tmp_path_factory.mktemp("start")
    start = checkpoint_to_start_from(folder, "xvit", {"label": ["a", "b"]})
    return [
        "--model", start, "--recipe", "xvit-k400", "--data", rendered(tmp_path_factory), "--target", "motion",
        "--per_device_train_batch_size", "4", "--num_train_epochs", "2", "--ema_decay", "0.9",
        "--save_strategy", "steps", "--save_steps", "1",
    ]  # fmt: skip


def train_alone(forks: Commands, *arguments: str | Path) -> Path:
    """The example in a process of its own, as the killed one is: last bits depend on what a process has loaded."""
    *arguments, output = arguments
    own = ["--disable_tqdm", "true", "--use_cpu", "true", "--dataloader_num_workers", 0, "--output_dir", output]
    done = forks.run(["python", EXAMPLES / "train.py", *arguments, *own], cwd=output)
    assert done.returncode == 0, done.stderr
    return Path(output)


@pytest.fixture(scope="module")
def whole(arguments, forks, tmp_path_factory) -> Path:
    return train_alone(forks, *arguments, tmp_path_factory.mktemp("whole"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("moment", "at", "workers", "newest"), [("step", 5, 2, 5), ("saving", 4, 0, 3)], ids=["step", "saving"]
)
@pytest.mark.linux
def test_killed_and_resumed(arguments, forks, whole, tmp_path, moment, at, workers, newest):
    killed = tmp_path / "killed"
    own = ["--disable_tqdm", "true", "--use_cpu", "true", "--dataloader_num_workers", workers, "--output_dir", killed]
    process = forks.run(["python", "-c", KILLER, moment, at, EXAMPLES / "train.py", *arguments, *own], cwd=tmp_path)
    assert process.returncode == -signal.SIGKILL, process.stderr
    assert all_checkpoints(killed)[-1].name == f"checkpoint-{newest}"
    assert (killed / "_unfinished").exists() == (moment == "saving")
    train_alone(forks, *arguments, "--resume_from_checkpoint", "true", killed)
    assert_same_weights(whole, killed)
    assert not (killed / "_unfinished").exists()
