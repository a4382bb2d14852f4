"""What the tests of training share: rendered clips, tiny checkpoints, and the scripts of examples/ as functions."""

import importlib.util
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from places import EXAMPLES
from safetensors.torch import load_file
from transformers import set_seed

from holovid import CA2STConfig, HolovidProcessor, XViTConfig
from holovid.data.synthetic import ClipSet, render_clips
from holovid.families import families
from holovid.training.starting_points import match_columns, model_class_for

CLIPS = ClipSet(train=16, val=6, size=48, frame_rate=8, seconds=1.0)  # 2 motions, 2 sounds, 2 shapes
PLAIN = ["--dataloader_num_workers", "0", "--disable_tqdm", "true", "--use_cpu", "true", "--logging_steps", "1"]


def rendered(tmp_path_factory) -> Path:
    """The clips, rendered once for all tests of a process."""
    folder = tmp_path_factory.getbasetemp() / "training-clips"
    if not folder.exists():
        render_clips(folder, CLIPS, workers=1)
    return folder


def script(name: str) -> Callable[..., None]:
    """`main` of examples/<name>.py."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for the types of their fields
    spec.loader.exec_module(module)
    return module.main


def train(*arguments: str | Path) -> Path:
    """Run examples/train.py in this process; the last argument is the output folder, which is returned."""
    *others, output = map(str, arguments)
    script("train")([*others, "--output_dir", output, *PLAIN])
    return Path(output)


def train_with_loop(*arguments: str | Path) -> Path:
    """The same with examples/train_accelerate.py."""
    *others, output = map(str, arguments)
    script("train_accelerate")([*others, "--output_dir", output, "--workers", "0"])
    return Path(output)


def checkpoint_to_start_from(folder: Path, family: str, names: dict[str, list[str]], **settings) -> Path:
    """A tiny model of a family, saved with its processor as if it had been trained."""
    config_class = {"xvit": XViTConfig, "ca2st": CA2STConfig}[family]
    set_seed(1)  # not that of the runs, or new heads would be those of the checkpoint
    model_class = model_class_for(config_class(), names)
    for column, task in match_columns(model_class, config_class(), names).items():
        settings = task.settings(names[column]) | settings
    config = config_class(**families()[family].toy | {"num_frames": 8} | settings)
    model_class(config).save_pretrained(folder)
    HolovidProcessor.for_model(config).save_pretrained(folder)
    return folder


def log_of(folder: Path) -> list[dict]:
    """What Trainer logged, from the newest checkpoint."""
    state = max(folder.glob("checkpoint-*/trainer_state.json"), key=lambda path: int(path.parent.name[11:]))
    return json.loads(state.read_text())["log_history"]


def losses_of(folder: Path) -> list[float]:
    return [entry["loss"] for entry in log_of(folder) if "loss" in entry]


def assert_same_weights(one: Path, other: Path) -> None:
    """To the last bit."""
    one_file, other_file = load_file(one / "model.safetensors"), load_file(other / "model.safetensors")
    assert one_file.keys() == other_file.keys()
    different = [name for name, tensor in one_file.items() if not torch.equal(tensor, other_file[name])]
    assert not different


def environment(**more: str) -> dict[str, str]:
    """For processes of our own: one thread each, so that they compute what this one does."""
    return os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"} | more
