"""transformers' video-classification pipeline with batches, views, and the processor's own sampling.

The stock class works with our models as well, but takes videos one at a time, always samples `config.num_frames`
frames, has no views, and does not save the processor. This one does all of that:

    classify = pipeline("video-classification", model=folder, pipeline_class=holovid.VideoClassificationPipeline)
    classify(["left.mp4", "right.mp4"], batch_size=2, top_k=3)

B clips, V views and crops of a clip, T frames, C channels, H, W pixels.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import torch
import transformers
from torch.utils.data import DataLoader
from transformers.modeling_outputs import ImageClassifierOutput
from transformers.pipelines.pt_utils import PipelineDataset, PipelineIterator

from holovid.inference.clip_inputs import decoded, frame_count, needs_decoding
from holovid.modeling.tasks import LABEL, Task, tasks_of
from holovid.saving import saved_whole

ON_BROKEN = ("raise", "skip")


@dataclass
class Unread:
    """Stands for a video that cannot be read, with its error."""

    error: Exception


class VideoClassificationPipeline(transformers.VideoClassificationPipeline):
    """[`~transformers.VideoClassificationPipeline`] for models with a video processor, of holovid or of transformers.

    A video is anything that the video processor reads; for holovid's: a path, URL, bytes, open binary file, or an
    array or tensor of frames. A model that uses audio gets the file's sound, unless `audio` is passed, or the video is
    `{"video": ..., "audio": ..., "sampling_rate": ...}` (the last for waveforms). A list of videos returns a list; a
    generator or a `torch.utils.data.Dataset` returns an iterator, which reads one batch ahead, or a few with workers.

    Args (of a call):
        audio: the sound of the video, or a list for a list of videos, with `None` for a video's own.
        sampling_rate (`int`): of waveforms in `audio`, in Hz.

    Args (here, as defaults, or in each call):
        top_k (`int`): labels to return, the best first; at most all of them. Default 5.
        function_to_apply ("softmax", "sigmoid" or "none"): converts logits to scores. Default: by `problem_type`.
        batch_size (`int`): videos in one forward pass. Default 1.
        num_workers (`int`): processes that decode ahead, at most one of them for a generator. Default 0.
        on_broken ("raise" or "skip"): for a video that cannot be read: raise, or return `{"error": str}`. Default
            "raise".
        **processor_options: of the video processor, such as `num_frames=16` or `num_views=4, num_crops=3`; default: as
            saved. The logits of several views are averaged, as in the papers.

    Returns, for each video, a list of `{"score": float, "label": str}`; or `{"error": str}` for a skipped one. For a
    model that predicts a number, such as quality, the list has only that, on the model's scale (`config.score_range`),
    averaged over views. For a model of verbs and nouns, a label is a pair such as "open door", and its score is the
    product of both probabilities.

    Raises `ValueError` when a holovid model was loaded from a checkpoint that lacks weights, when a model returns no
    logits or some that are not finite, when clips of one batch differ in size, and what the video processor raises.
    """

    outputs_are = "logits"  # for errors
    _load_image_processor = False  # `preprocess` uses a video processor

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        if hasattr(self.model, "check_loaded"):  # a holovid model, possibly just loaded by transformers
            self.model.check_loaded()

    def check_model_type(self, supported_models: Any) -> None:
        """As in transformers, which does not know models of several tasks."""
        if not getattr(self.model, "tasks", ()):
            super().check_model_type(supported_models)

    def _sanitize_parameters(self, top_k=None, function_to_apply=None, on_broken=None, **processor_options):
        if on_broken not in (None, *ON_BROKEN):
            raise ValueError(f"on_broken must be one of {', '.join(ON_BROKEN)}, got {on_broken!r}")
        if top_k is not None and (not isinstance(top_k, int) or top_k < 1):
            raise ValueError(f"top_k must be at least 1 label, got {top_k!r}")
        _, _, postprocess = super()._sanitize_parameters(top_k=top_k, function_to_apply=function_to_apply)
        return processor_options, {}, postprocess | ({} if on_broken is None else {"on_broken": on_broken})

    def __call__(self, inputs: Any, audio: Any = None, sampling_rate: int | None = None, **kwargs: Any):
        if isinstance(inputs, list) and not inputs:
            return []
        if audio is not None:
            inputs = pair(inputs, audio, sampling_rate)
        return super().__call__(inputs, **kwargs)

    def preprocess(self, video: Any, **processor_options: Any):
        if isinstance(video, dict) and "video" in video:
            if video.get("audio") is not None:
                sound = {"audio": [video["audio"]], "sampling_rate": video.get("sampling_rate")}
                processor_options = processor_options | sound
            video = video["video"]
        if needs_decoding(self.video_processor, video):
            count = frame_count(self.model.config)
            video, _, processor_options = decoded(self.video_processor, video, count, processor_options)
        return self.video_processor(video, return_tensors="pt", **processor_options).to(self.dtype)

    def read(self, video: Any, **processor_options: Any) -> dict[str, torch.Tensor] | Unread:
        """Model inputs of a video, or its error: an error in a worker would come as a traceback."""
        try:
            return {**self.preprocess(video, **processor_options)}
        except (ValueError, OSError) as error:
            return Unread(error)

    def run_single(self, inputs, preprocess_params, forward_params, postprocess_params):
        clip = join_readable([self.read(inputs, **preprocess_params)])
        return self.postprocess(*self.forward(clip, **forward_params), **postprocess_params)

    def _forward(self, model_inputs):
        videos = model_inputs.get("pixel_values_videos")  # some transformers models use another name
        if videos is None or videos.ndim == 5:
            return ImageClassifierOutput(logits=self.answers_of(model_inputs))
        # every input is (B, V, ...)
        answers = self.answers_of({name: value.flatten(0, 1) for name, value in model_inputs.items()})
        return ImageClassifierOutput(logits=answers.unflatten(0, videos.shape[:2]).mean(1))

    def answers_of(self, model_inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """Predictions for clips, (B, classes), or (B, pairs of classes), or a number (B, 1)."""
        outputs = super()._forward(model_inputs)
        for task in self.tasks:
            if task.scores not in outputs:
                raise ValueError(f"the pipeline needs {task.scores}, but this model returns {', '.join(outputs)}")
        first, *others = (outputs[task.scores] for task in self.tasks)
        for logits in others:  # sums: the softmax over pairs is the product of both
            first = (first[:, :, None] + logits[:, None]).flatten(1)
        return first[:, None] if self.number is not None else first

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Those that are answered: that of labels; or else all, as of verbs and nouns."""
        tasks = tasks_of(self.model, self.model.config) or (LABEL,)
        return tuple(task for task in tasks if task.name == LABEL.name) or tasks

    @property
    def number(self) -> Task | None:
        """The task of a model that decodes a number from its logits itself."""
        tasks = self.tasks
        return tasks[0] if len(tasks) == 1 and not tasks[0].has_fields else None

    @property
    def num_answers(self) -> int:
        """How many labels, or pairs of them, there are."""
        return max(1, math.prod(task.count(self.model.config) for task in self.tasks))

    def forward(self, model_inputs, **forward_params):
        """For a batch of `join_readable`, the model's output for each video, or its error."""
        readable, unread = model_inputs
        logits = iter(() if readable is None else super().forward(readable, **forward_params).logits[:, None])
        return [ImageClassifierOutput(logits=next(logits)) if reason is None else reason for reason in unread]

    def postprocess(self, model_outputs: Any, on_broken: str = "raise", **options: Any):
        if isinstance(model_outputs, Unread):
            if on_broken == "skip":
                return {"error": str(model_outputs.error)}
            raise model_outputs.error
        check_finite(model_outputs.logits, self.outputs_are)
        return self.told(model_outputs, **options)

    def told(self, model_outputs: ImageClassifierOutput, **options: Any) -> Any:
        if (number := self.number) is not None:
            return [{"label": number.name, "score": model_outputs.logits.item()}]
        if len(self.tasks) > 1:
            return self.told_pairs(model_outputs.logits[0], **options)
        return super().postprocess(model_outputs, **options)

    def told_pairs(
        self, logits: torch.Tensor, top_k: int = 5, function_to_apply: Any = "softmax"
    ) -> list[dict[str, Any]]:
        if function_to_apply not in ("softmax", "none"):
            raise ValueError(
                f"function_to_apply must be softmax or none for pairs of classes, got {function_to_apply}"
            )
        best = (logits.softmax(-1) if function_to_apply == "softmax" else logits).topk(min(top_k, len(logits)))
        tasks, config = self.tasks, self.model.config
        pairs = zip(*np.unravel_index(best.indices.numpy(), [task.count(config) for task in tasks]), strict=True)
        labels = [
            " ".join(task.class_name(config, int(number)) for task, number in zip(tasks, pair, strict=True))
            for pair in pairs
        ]
        return [{"score": score, "label": label} for score, label in zip(best.values.tolist(), labels, strict=True)]

    def get_iterator(
        self, inputs, num_workers: int, batch_size: int, preprocess_params, forward_params, postprocess_params
    ):
        # Stock batching pads outputs of a tokenizer or feature extractor, and refuses to work without either.
        if hasattr(inputs, "__len__"):
            videos = PipelineDataset(inputs, self.read, preprocess_params)
        else:
            videos = PipelineIterator(inputs, self.read, preprocess_params)
            num_workers = min(num_workers, 1)  # every worker would iterate over the whole generator
        batches = DataLoader(videos, num_workers=num_workers, batch_size=batch_size, collate_fn=join_readable)
        outputs = Flattened(PipelineIterator(batches, self.forward, forward_params), inputs)
        return PipelineIterator(outputs, self.postprocess, postprocess_params)

    def save_pretrained(self, save_directory, **kwargs: Any):
        with saved_whole(save_directory) as folder:
            super().save_pretrained(folder, **kwargs)
            self.video_processor.save_pretrained(folder, **kwargs)


class Flattened:
    """The outputs of batches one by one; as long as `inputs`, if these have a length."""

    def __init__(self, batches: Iterable[list], inputs: Any):
        self.batches = batches
        self.inputs = inputs

    def __len__(self) -> int:
        return len(self.inputs)

    def __iter__(self) -> Iterator[Any]:
        return chain.from_iterable(self.batches)


def check_finite(logits: torch.Tensor, what: str = "logits") -> None:
    if not logits.isfinite().all():
        raise ValueError(f"the model's {what} are not finite: its weights are damaged, or its precision is too low")


def pair(inputs: Any, audio: Any, sampling_rate: int | None) -> Any:
    if not isinstance(inputs, list):
        return {"video": inputs, "audio": audio, "sampling_rate": sampling_rate}
    if not isinstance(audio, (list, tuple)) or len(audio) != len(inputs):
        got = f"{len(audio)} of them" if isinstance(audio, (list, tuple)) else type(audio).__name__
        raise ValueError(f"audio for {len(inputs)} videos must be a list of as many, got {got}")
    return [pair(video, sound, sampling_rate) for video, sound in zip(inputs, audio, strict=True)]


def join_readable(
    clips: list[dict[str, torch.Tensor] | Unread],
) -> tuple[dict[str, torch.Tensor] | None, list[Unread | None]]:
    """Batch inputs of the readable clips (`None` without any); for each clip its error, if any."""
    unread = [clip if isinstance(clip, Unread) else None for clip in clips]
    readable = [clip for clip in clips if not isinstance(clip, Unread)]
    return join_batch(readable) if readable else None, unread


def join_batch(clips: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Inputs of single clips, (1, ...) each -> inputs of the batch, (B, ...)."""
    batch = {}
    for name in clips[0]:
        tensors = [clip[name] for clip in clips]
        shapes = sorted({tuple(tensor.shape[1:]) for tensor in tensors})
        if len(shapes) > 1:
            raise ValueError(
                f"clips of one batch must have the same size, got {name} of {' and '.join(map(str, shapes))}; set "
                "num_frames and do_center_crop of the video processor, or use batch_size=1"
            )
        batch[name] = torch.cat(tensors)
    return batch
