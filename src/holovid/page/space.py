"""Write a Space for the Hub: the page of `holovid app` with all that it needs in one folder.

    FOLDER/app.py  requirements.txt  README.md  holovid/...  models/0/... (copies of local models)

The folder contains the source of holovid, so that the Space runs the same code as this machine.
"""

import os
import shutil
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import requires, version
from pathlib import Path

from huggingface_hub import SpaceCard, SpaceCardData
from packaging.requirements import Requirement
from packaging.version import Version

import holovid
from holovid.extras import check_there
from holovid.families.family import TRAVELLING
from holovid.files import new_folder
from holovid.loading import load, load_classifier
from holovid.page.serving import check_page_models
from holovid.publishing.leaks import forget_places

PYTHON = "3.11"  # the oldest supported version, for which constraints.txt is made
APP = '''\
"""The page of `holovid app`. Try it here: pip install -r requirements.txt && python app.py"""

from pathlib import Path

from holovid.page.serving import serve_page

HERE = Path(__file__).resolve().parent
MODELS = {models!r}  # folders beside this file, or models of the Hub

if __name__ == "__main__":
    serve_page(
        [str(HERE / name) if (HERE / name).is_dir() else name for name in MODELS],
        host="0.0.0.0",
        ready=lambda address: print(f"Page: {{address}}", flush=True),
    )
'''
WORDS = """\
# {title}

Upload or record a clip: the page shows what the model predicts, which image regions and which moments of video and
audio it uses, and how the scores change if the clip is muted or its frames are shuffled.

A map shows what the prediction depends on. It does not show that the prediction is right.
"""
LARGE_FILES = "*.safetensors filter=lfs diff=lfs merge=lfs -text\n"


def write_space(folder: str | os.PathLike, models: Sequence[str], title: str = "What happens in a clip") -> Path:
    """Write a Space and return its folder.

    Args:
        folder: a new or empty folder.
        models: one or two video classifiers. Local models are copied with their processors; for models on the Hub the
            Space holds the id.
        title: title of the Space.

    Raises `ValueError` for another number of models, if `folder` is not empty, and for models that are not
    classifiers; `ImportError` without gradio.
    """
    check_page_models(models)
    check_there("gradio", "a Space, which pins the installed version,")
    with new_folder(folder) as space:
        named = []
        for number, model in enumerate(models):
            load_classifier(model)  # raises for models that are not classifiers
            named.append(copy_model(model, space / "models" / str(number)) if Path(model).is_dir() else model)
        copy_source(space / "holovid")
        (space / "app.py").write_text(APP.format(models=named), encoding="utf-8")
        (space / "requirements.txt").write_text("\n".join(requirements()) + "\n", encoding="utf-8")
        (space / ".gitattributes").write_text(LARGE_FILES, encoding="utf-8")
        hub = [model for model in models if not Path(model).is_dir()]
        space_card(title, hub).save(space / "README.md")
    return Path(folder)


def copy_model(model: str, target: Path) -> str:
    """Save a model and its processor, without other files of its folder; returns the path inside the Space."""
    network, processor = load(model)
    network.save_pretrained(target)
    processor.save_pretrained(target)
    for path in target.glob("*.json"):
        forget_places(path)
    return f"{target.parent.name}/{target.name}"


def copy_source(target: Path) -> None:
    only_source = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(Path(holovid.__file__).parent, target, ignore=only_source)
    for name in TRAVELLING:
        source = Path(import_module(name).__path__[0])
        shutil.copytree(source, target / name.rpartition(".")[2], ignore=only_source, dirs_exist_ok=True)


def requirements() -> list[str]:
    """The requirements of holovid and its page, pinned to the installed versions."""
    lines = []
    for line in requires("holovid") or []:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": "app"}):
            # without local labels such as +cpu
            lines.append(f"{requirement.name}=={Version(version(requirement.name)).public}")
    return sorted(lines)


def space_card(title: str, models: Sequence[str]) -> SpaceCard:
    """The README of a Space, with the settings that the Hub reads."""
    data = SpaceCardData(
        title=title,
        sdk="gradio",
        sdk_version=version("gradio"),
        python_version=PYTHON,
        app_file="app.py",
        models=list(models) or None,
        tags=["video-classification", "explanation"],
    )
    return SpaceCard(f"---\n{data.to_yaml()}\n---\n\n{WORDS.format(title=title)}")
