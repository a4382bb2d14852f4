"""What many cases start from: made once, before the first case, and copied by those that change it.

`MODEL`, `HEARING`, `IMAGE` and `CLIP` are below `HERE`: an XViT and a CAVA with their processors, an image ViT, and a
clip of 12 greys.
"""

import shutil
from pathlib import Path

import torch
from tiny_ca2st import CAVA
from tiny_ca2st import tiny as tiny_ca2st
from tiny_xvit import tiny as tiny_xvit
from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor, logging, pipeline  # noqa: F401

from corpus.rendering import render
from holovid import HolovidProcessor

HERE = Path()
LABELS = {0: "left", 1: "right", 2: "up", 3: "down", 4: "still"}


def prepare(folder: Path) -> None:
    """Make them below `folder`."""
    global HERE
    HERE = folder / "shared"
    HERE.mkdir()
    logging.set_verbosity_error()
    torch.manual_seed(0)
    for name, model in {
        "model": tiny_xvit(id2label=LABELS),
        "hearing": tiny_ca2st(experts=CAVA, id2label=LABELS),
    }.items():
        model.save_pretrained(HERE / name)
        HolovidProcessor.for_model(model.config).save_pretrained(HERE / name)
    sizes = {"image_size": 24, "patch_size": 8, "hidden_size": 36, "num_hidden_layers": 1, "num_attention_heads": 3}
    ViTForImageClassification(ViTConfig(**sizes, intermediate_size=44)).save_pretrained(HERE / "image")
    (HERE / "clip.mp4").write_bytes(render())
    (HERE / "sounding.mp4").write_bytes(render(sound_codec="aac"))
    logging.set_verbosity_warning()


def copy_of(name: str, folder: Path) -> Path:
    """A copy of "model", "hearing" or "image" below `folder`."""
    return Path(shutil.copytree(HERE / name, folder / name))


def clip(folder: Path) -> Path:
    return Path(shutil.copy(HERE / "clip.mp4", folder / "clip.mp4"))
