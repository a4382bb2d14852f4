"""The picture of a card: a clip, what the model answered, and where in the clip the answer comes from."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from transformers import pipeline

from holovid.evaluation.fingerprints import fingerprint_model
from holovid.files import new_file
from holovid.inference.contact_sheet import contact_sheet
from holovid.inference.explained_clip import explained_sheet
from holovid.inference.pipeline import VideoClassificationPipeline
from holovid.loading import load_classifier
from holovid.modeling.tasks import tasks_of

PICTURE = "card.png"
DRAWN_BY = "holovid_model"  # text in the picture: the fingerprint of the model


def draw_card_picture(
    folder: str | os.PathLike,
    clip: str | os.PathLike | Any,
    *,
    why: bool = True,
    top_k: int = 3,
    progress: bool = True,
) -> Path:
    """Draw what the model in a folder saw of a clip and what it answered, as `card.png` in the folder.

    Args:
        folder: a classifier of holovid with its processor.
        clip: path, URL, bytes or binary file object of a video that may be published.
        why: with maps of where the answer comes from, and that in words.
        top_k: answers that are shown.
        progress: show the progress of methods that take long.

    Returns where the picture is. Raises `ValueError` and `OSError` for clips that cannot be read, and what loading
    raises.

        draw_card_picture("my-model", "clip.mp4")
        write_card(build_card("my-model", licence="apache-2.0"), "my-model/README.md")
    """
    model, processor = load_classifier(folder)
    classifier = pipeline(
        "video-classification", model=model, video_processor=processor, pipeline_class=VideoClassificationPipeline
    )
    answers = classifier(clip, top_k=top_k)
    is_share = all(task.kind != "score" for task in tasks_of(model, model.config))
    if why:
        sheet = explained_sheet(model, processor, clip, answers, is_share, progress)
    else:
        sheet = contact_sheet(processor, clip, answers, is_share=is_share)
    told = PngInfo()
    told.add_text(DRAWN_BY, fingerprint_model(model))
    path = Path(folder, PICTURE)
    with new_file(path) as unfinished:
        sheet.save(unfinished, format="PNG", pnginfo=told)
    return path


def check_drawn(picture: Path, own: Callable[[], str]) -> None:
    """Raise `ValueError` when a picture shows what other weights answered than those beside it.

    Not known of a picture that was not drawn here. `own` gives the fingerprint of the model beside it.
    """
    if not picture.is_file():
        return
    with Image.open(picture) as opened:
        drawn_by = opened.info.get(DRAWN_BY)
    if drawn_by is not None and drawn_by != own():
        raise ValueError(
            f"{picture} shows what other weights answered; draw it again (holovid card {picture.parent} --clip ...), "
            "or remove it"
        )
