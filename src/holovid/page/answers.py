"""The answer of one model for a page: scores of the clip as it is, muted and shuffled, and the explanation."""

import html
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import BaseVideoProcessor, PreTrainedModel, VideoClassificationPipeline

from holovid.evaluation.interventions import mute, shuffle_frames
from holovid.inference.explained_clip import explain_clip
from holovid.inference.explained_picture import DOTS_PER_INCH, draw_explanation
from holovid.inference.explained_video import write_explained_video
from holovid.inference.pipeline import VideoClassificationPipeline as OurPipeline
from holovid.inference.pipeline import join_readable
from holovid.loading import load_classifier
from holovid.modeling.tasks import tasks_of
from holovid.page.uploads import check_upload
from holovid.processing.video_processing_holovid import HolovidVideoProcessor

AS_IT_IS, MUTED, SHUFFLED = "as it is", "muted", "shuffled"
SHOWN = 5  # labels
SEED = 0  # of the shuffled order, so that a clip always gets the same scores


@dataclass(frozen=True, kw_only=True)
class PageAnswer:
    """What [`PageModel.answer`] returns.

    Args:
        scores: version of the clip ("as it is", "muted", "shuffled") -> label -> score, in the order of the scores of
            the clip as it is, the best first.
        sentence: which seconds matter, and whether video or audio matters more.
        method: method of the explanation.
        video: mp4 of the clip with maps over it, and its audio.
        picture: PNG of the frames with maps, and the relevance of video and audio over time.
        is_share: whether scores are from 0 to 1.
    """

    scores: dict[str, dict[str, float]]
    sentence: str
    method: str
    video: Path
    picture: Path
    is_share: bool = True

    @property
    def label(self) -> str:
        return next(iter(self.scores[AS_IT_IS]))

    def table(self) -> str:
        ways = list(self.scores)
        head = "".join(f"<th>{way}</th>" for way in ("label", *ways))
        rows = []
        for label in self.scores[AS_IT_IS]:
            cells = [f"<td>{shown_score(self.scores[way][label], self.is_share)}</td>" for way in ways]
            rows.append(f"<tr><td>{html.escape(label)}</td>{''.join(cells)}</tr>")
        return f"<table class='scores'><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def shown_score(score: float, is_share: bool) -> str:
    """A score as text.

    >>> shown_score(0.25, True), shown_score(63.219, False)
    ('25.0%', '63.2')
    """
    return f"{score:.1%}" if is_share else f"{score:.3g}"


class PageModel:
    """A video classifier for a page.

    Args:
        name: folder or Hub id.
        model, processor: used instead of loading `name`.

    Raises what [`holovid.loading.load_classifier`] raises.
    """

    def __init__(self, name: str, model: PreTrainedModel | None = None, processor: BaseVideoProcessor | None = None):
        self.name = name
        if model is None or processor is None:
            model, processor = load_classifier(name)
        self.model, self.processor = model.eval(), processor
        self.pipeline: VideoClassificationPipeline = OurPipeline(model=model, video_processor=processor)
        self.is_share = all(task.kind != "score" for task in tasks_of(model, model.config))

    @property
    def hears(self) -> bool:
        return bool(getattr(self.model.config, "hears", False))

    @property
    def ways(self) -> dict[str, Callable[[dict[str, Any]], dict[str, Any]]]:
        """The versions of a clip that the model gets: name -> function that changes the inputs."""
        muted = {MUTED: mute} if self.hears else {}
        return {AS_IT_IS: dict, **muted, SHUFFLED: self.shuffled}

    @staticmethod
    def shuffled(inputs: dict[str, Any]) -> dict[str, Any]:
        return shuffle_frames(inputs, torch.Generator().manual_seed(SEED))

    def scores(self, clip: Path) -> dict[str, dict[str, float]]:
        """Version of the clip -> label -> score, for the best labels of the clip as it is, the best first."""
        ours = isinstance(self.processor, HolovidVideoProcessor)
        one_view = {"num_views": 1, "num_crops": 1} if ours else {}
        inputs = dict(self.pipeline.preprocess(str(clip), **one_view))
        found: dict[str, dict[str, float]] = {}
        for way, change in self.ways.items():
            (output,) = self.pipeline.forward(join_readable([change(inputs)]))
            every = self.pipeline.postprocess(output, top_k=self.pipeline.num_answers)
            found[way] = {str(each["label"]): float(each["score"]) for each in every}
        best = list(found[AS_IT_IS])[:SHOWN]
        return {way: {label: scores[label] for label in best} for way, scores in found.items()}

    def answer(self, clip: str | Path, folder: str | Path) -> PageAnswer:
        """The model's scores for a clip and their explanation.

        Args:
            clip: path of a video.
            folder: folder for the video and the picture of the answer.

        Raises `ValueError` and `OSError` for clips that cannot be read or are too long or large for a page. The
        message names the file without its folder.
        """
        clip = Path(clip)
        check_upload(clip)
        scores = self.scores(clip)
        explained = explain_clip(self.model, self.processor, clip)
        place = Path(tempfile.mkdtemp(dir=folder))
        video, picture = place / "why.mp4", place / "why.png"
        write_explained_video(explained, video)
        draw_explanation(explained).savefig(picture, dpi=DOTS_PER_INCH)
        return PageAnswer(
            scores=scores,
            sentence=explained.reason.sentence,
            method=explained.why.method,
            video=video,
            picture=picture,
            is_share=self.is_share,
        )
