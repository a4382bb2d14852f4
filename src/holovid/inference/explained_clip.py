"""A clip with the explanation of its prediction, for pictures, videos and pages.

T frames that the model saw, T' moments of the explanation, C channels, H, W pixels, h, w cells of a frame.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from transformers import BaseVideoProcessor, PreTrainedModel

from holovid.explanation import Explanation, explain
from holovid.explanation.explaining import Target, methods_of, task_called
from holovid.explanation.hiding import falls_without
from holovid.explanation.scoring import SOUND, VIDEO, video_name
from holovid.explanation.sentences import Reason, reason_of
from holovid.inference.clip_inputs import clip_inputs, frame_count
from holovid.inference.contact_sheet import colours_of, draw_sheet
from holovid.inference.heat_maps import heated
from holovid.modeling.tasks import LABEL, tasks_of
from holovid.processing.audio_decoding import Sound
from holovid.processing.media_source import describe_source, download
from holovid.processing.video_decoding import open_video
from holovid.processing.video_processing_holovid import HolovidVideoProcessor

LOUDNESS_BINS = 1000  # over a clip
READ_AT_ONCE = 2**20  # samples


@dataclass(frozen=True, kw_only=True)
class ExplainedClip:
    """The result of [`explain_clip`].

    Args:
        source: the clip.
        name: its name.
        why: its explanation, on the CPU, with times.
        label: name of the explained class.
        frames: (T, C, H, W) in 0..1, the model's input frames.
        frame_seconds: (T,), their times.
        seconds: length of the clip.
        reason: of the prediction, in words.
        falls: how much less probable the prediction is without the picture, and without the sound; `None` if there is
            only one of them.
        hears: whether the model uses audio.
        loudness: (bins,) in 0..1, the peak in each of as many equal parts of the clip; `None` without sound.
        processor: of the model's videos.
    """

    source: Any
    name: str
    why: Explanation
    label: str
    frames: Tensor
    frame_seconds: Tensor
    seconds: float
    reason: Reason
    hears: bool
    falls: tuple[float, float] | None
    loudness: Tensor | None
    processor: Any

    @property
    def score(self) -> float:
        return self.why.score[0].item()

    @cached_property
    def heat(self) -> Tensor | None:
        """(T', h, w), the map of each moment in 0..1, where 1 is the highest cell of the clip."""
        if self.why.where is None:
            return None
        where = self.why.where[0].float()
        return where / where.max().clamp(min=torch.finfo(where.dtype).tiny)

    def painted(self) -> Tensor:
        """The model's input frames with their maps over them, (T, 3, H, W) in 0..1."""
        if self.heat is None:
            return self.frames.expand(-1, 3, -1, -1)
        moments = torch.arange(len(self.frames)) * len(self.heat) // len(self.frames)
        return heated(self.frames, self.heat[moments])

    def record(self) -> dict[str, Any]:
        why = self.why

        def listed(values: Tensor | None) -> list | None:
            return None if values is None else values[0].tolist()

        return {
            "clip": self.name,
            "target": self.label,
            "score": self.score,
            "method": why.method,
            "sentence": self.reason.sentence,
            "span": [self.reason.start, self.reason.end],
            "heard": listed(why.heard),
            "lost_unseen": None if self.falls is None else self.falls[0],
            "lost_unheard": None if self.falls is None else self.falls[1],
            "times": listed(why.frame_times),
            "when_visual": listed(why.when_visual),
            "audio_times": listed(why.audio_times),
            "when_audio": listed(why.when_audio),
            "where": listed(why.where),
        }


def explain_clip(
    model: PreTrainedModel,
    processor: Any,
    clip: str | os.PathLike | Any,
    target: Target = None,
    method: str = "auto",
    task: str | None = None,
    progress: bool = True,
) -> ExplainedClip:
    """Explain a model's prediction for a video, with everything needed to show it.

    Args:
        model: a classifier.
        processor: of the model, as `holovid.load` gives it, or its video processor; it is asked for one view.
        clip: path, URL, bytes or binary file object of a video.
        target, method: as in [`holovid.explanation.explain`].
        task: for a model with several, such as "verb". Default: the first.
        progress: show progress bars of occlusion.

    Raises `ValueError` and `OSError` for clips that cannot be read, and what [`holovid.explanation.explain`] raises.
    """
    processor = getattr(processor, "video_processor", processor)
    tasks = tasks_of(model, model.config)
    task = tasks[0].name if task is None and tasks else task
    name = os.fspath(clip) if isinstance(clip, str | os.PathLike) else describe_source(clip)
    ours = isinstance(processor, HolovidVideoProcessor)
    one_view = {"num_views": 1, "num_crops": 1} if ours else {}
    # download a URL only once
    source = download(clip) if isinstance(clip, str) and clip.startswith(("http://", "https://")) else clip
    features, metadata = clip_inputs(processor, source, frame_count(model.config), **one_view)
    inputs = dict(features.to(model.dtype))
    with open_video(source, with_sound=True) as video:
        shown = video.times - video.start
        seconds = video.seconds if video.seconds < float("inf") else float(shown[-1]) + 1 / (metadata.fps or 1)
        loudness = None if video.sound is None else loudness_of(video.sound, seconds)
    frames = features[video_name(features)][0]
    frame_seconds = torch.from_numpy(shown[metadata.frames_indices[: len(frames)]]).float()
    inputs.setdefault("frame_times", frame_seconds[None])
    why, label = explain_answer(model, inputs, target, method, task, progress)
    hears = bool(getattr(model.config, "hears", False))
    falls = None
    if hears and VIDEO in inputs and bool(inputs.get("audio_mask", torch.tensor([SOUND in inputs])).any()):
        asked = task_called(model, task)
        field = LABEL.scores if asked.kind == "score" else asked.scores
        there = {
            name: value.to(model.device) if isinstance(value, Tensor) else value for name, value in inputs.items()
        }
        unseen, unheard = falls_without(model, there, why.target, field)[0].tolist()
        falls = (unseen, unheard)
    return ExplainedClip(
        source=source,
        name=name,
        why=why,
        label=label,
        frames=colours_of(processor, frames.float()),
        frame_seconds=frame_seconds,
        seconds=seconds,
        reason=reason_of(why, seconds, hears, falls),
        hears=hears,
        falls=falls,
        loudness=loudness,
        processor=processor,
    )


def explained_sheet(
    model: PreTrainedModel,
    processor: BaseVideoProcessor,
    clip: Any,
    answers: Sequence[Mapping[str, Any]],
    is_share: bool = True,
    progress: bool = True,
) -> Image.Image:
    """[`contact_sheet`] with heat maps for the best prediction, if that is a class, and the reason in words.

    Of a model of verbs and nouns, the verb is explained. Arguments as in [`explain_clip`] and [`contact_sheet`].
    """
    has_label = is_share and tasks_of(model, model.config)[0].name == LABEL.name
    target = str(answers[0]["label"]) if has_label else None
    explained = explain_clip(model, processor, clip, target, progress=progress)
    title = f"{os.path.basename(explained.name)}: {explained.reason.sentence}"
    return draw_sheet(explained.painted(), explained.frame_seconds.tolist(), answers, title, is_share=is_share)


def explain_answer(
    model: PreTrainedModel,
    inputs: dict[str, Any],
    target: Target,
    method: str,
    task: str | None,
    progress: bool,
) -> tuple[Explanation, str]:
    """The explanation of one clip, on the CPU, and the name of the explained class."""
    asked = task_called(model, task)
    is_occlusion = (methods_of(model)[0] if method == "auto" else method) == "occlusion"
    options: dict[str, Any] = {"progress": progress} if is_occlusion else {}
    why = explain(model, inputs, target, method, task, **options)
    number = int(why.target[0])
    if asked.kind == "score" and not asked.has_fields:  # its levels have probabilities
        return why.cpu(), f"{asked.name}, level {number}"
    return why.cpu(), asked.class_name(model.config, number)


def loudness_of(sound: Sound, seconds: float, bins: int = LOUDNESS_BINS) -> Tensor | None:
    """The peak in each of `bins` parts, as a share of the highest; `None` for a track without samples."""
    if sound.num_samples == 0:
        return None
    each = max(1, round(seconds * sound.rate / bins))
    parts = max(1, READ_AT_ONCE // each)
    highest = [
        sound.read(first * each, min(parts, bins - first) * each, sound.rate).abs().view(-1, each).amax(dim=1)
        for first in range(0, bins, parts)
    ]
    loudness = torch.cat(highest)
    return loudness / loudness.max().clamp(min=torch.finfo(loudness.dtype).tiny)
