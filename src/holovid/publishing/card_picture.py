"""The picture of a card: frames of a clip, the model's predictions, and where in the clip they come from."""

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
DRAWN_BY = "holovid_model"  # key of the PNG's metadata that holds the fingerprint of the model


def draw_card_picture(
    folder: str | os.PathLike,
    clip: str | os.PathLike | Any,
    *,
    why: bool = True,
    top_k: int = 3,
    progress: bool = True,
) -> Path:
    """Draw the frames that a model looks at and its predictions, as `card.png` in the model's folder.

    Args:
        folder: a classifier of holovid with its processor.
        clip: path, URL, bytes or binary file object of a video that may be published.
        why: also draw maps of where the prediction comes from, and say it in words.
        top_k: number of predictions to show.
        progress: show a progress bar for explanations that take long.

    Returns the path of the picture. Raises `ValueError` and `OSError` for a clip that cannot be read, and what loading
    the model raises.

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
    """Raise `ValueError` if a picture shows predictions of other weights than those beside it.

    Pictures that [`draw_card_picture`] did not draw are not checked. `own` gives the fingerprint of the model.
    """
    if not picture.is_file():
        return
    with Image.open(picture) as opened:
        drawn_by = opened.info.get(DRAWN_BY)
    if drawn_by is not None and drawn_by != own():
        raise ValueError(
            f"{picture} shows predictions of other weights: draw it again (holovid card {picture.parent} --clip ...), "
            "or remove it"
        )
