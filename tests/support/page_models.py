"""Small models, saved with their processors, and a clip of theirs that sounds: for tests of the page."""

from pathlib import Path

import tiny_where_when
import tiny_xvit

from holovid import HolovidProcessor
from holovid.data.synthetic import ClipSet, render_clips

CLIPS = ClipSet(train=0, val=1, events=True, shapes=("ring",), sounds=("rise",), size=64, seconds=1.0)


def save_page_models(folder: Path) -> dict[str, Path]:
    """One that hears and one that does not, by name."""
    models = {"hearing": tiny_where_when.tiny(), "seeing": tiny_xvit.tiny()}
    for name, model in models.items():
        names = [f"{name} <{number}>" for number in range(model.config.num_labels)]
        model.config.id2label = dict(enumerate(names))
        model.config.label2id = {label: number for number, label in enumerate(names)}
        model.save_pretrained(folder / name)
        HolovidProcessor.for_model(model).save_pretrained(folder / name)
    return {name: folder / name for name in models}


def render_page_clip(folder: Path) -> Path:
    (clip,) = render_clips(folder / "clips", CLIPS, progress=False).glob("val/*/*.mp4")
    return clip
