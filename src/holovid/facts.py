"""Facts about a model without loading its weights: its kind, size, cost and inputs.

    facts = model_facts("xvit-k600")
    facts.parameters, facts.gflop, facts.inputs.num_frames

`holovid info` prints them; model cards and the table of models are made from them.
"""

import copy
import os
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoVideoProcessor, PreTrainedConfig
from transformers.modeling_utils import PreTrainedModel

import holovid
from holovid.cheap_checks import check_model_name
from holovid.families.family import family_of, variant_of
from holovid.loading import classifier_of, read_config, read_processor
from holovid.modeling.tasks import Task, tasks_of
from holovid.processing.frame_sampling import WITH_STRIDE

ANSWERS = {
    "class": "{} ({})",
    "future": "{} ({}, what comes next)",
    "multi_label": "{} ({}, any number of them per clip)",
    "score": "none: it predicts a number ({1})",
}


@dataclass(frozen=True)
class ExpertFacts:
    """The `kind` of model an expert is; its Hub id, commit and hash of tensors, `None` if unknown."""

    kind: str
    source: str | None
    revision: str | None
    sha256: str | None


@dataclass(frozen=True)
class SoundFacts:
    """The log-mel spectrogram: (`rows`, `num_mel_bins`), 10 ms per row, normalised as (x - `mean`) / (2 `std`)."""

    sampling_rate: int
    rows: int
    seconds: float
    num_mel_bins: int
    mean: float
    std: float


@dataclass(frozen=True)
class InputFacts:
    """The input that the saved processor prepares: `num_frames` frames of `height` x `width` pixels per view.

    These are `None` if they depend on the video. `sampling`, `frame_stride`, `fps`, `short_video`: see
    [`HolovidVideoProcessor`]. `sound` is `None` for a model that does not use audio.
    """

    num_frames: int | None
    sampling: str
    frame_stride: int
    fps: float | None
    shortest_edge: int | None
    height: int | None
    width: int | None
    image_mean: tuple[float, ...]
    image_std: tuple[float, ...]
    short_video: str
    sound: SoundFacts | None


@dataclass(frozen=True)
class ModelFacts:
    """
    Args:
        family: title, such as "CAVA".
        model_type, model_class: names in transformers.
        tasks: what the model predicts.
        classes: number of classes by task.
        experts: by name; empty for models without experts.
        adapters_only: whether loading has to download the experts.
        parameters: number of all parameters, with those of the experts.
        tuned_parameters: number of parameters that are trained; without the experts if there are some, since
            `freeze_experts()` freezes them.
        gflop: 10^9 floating-point operations of one view; a multiply-add counts as two.
        inputs: what the processor prepares.
        score_range: lowest and highest score that is predicted, if it is known.
    """

    family: str
    model_type: str
    model_class: str
    tasks: tuple[Task, ...]
    classes: dict[str, int]
    experts: dict[str, ExpertFacts]
    adapters_only: bool
    parameters: int
    tuned_parameters: int
    gflop: float
    inputs: InputFacts
    score_range: tuple[float, float] | None = None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def model_facts(
    source: str | os.PathLike | PreTrainedConfig, model_class: type[PreTrainedModel] | None = None
) -> ModelFacts:
    """The facts that configuration and processor hold; takes a second.

    Args:
        source: folder, Hub id, or configuration. For a configuration, the processor is that of
            `HolovidProcessor.for_model`.
        model_class: Default: the class that the model was saved with, else the classifier of its family.

    Raises `ValueError` if `source` is not a classifier of holovid, and `OSError` if files are missing.
    """
    if isinstance(source, PreTrainedConfig):
        config, name, folder = source, type(source).__name__, None
    else:
        check_model_name(source)
        config, name, folder = read_config(source), str(source), source
    family_of(config, name)
    model_class = model_class or classifier_of(config, name)
    if folder is None:
        processor = holovid.HolovidProcessor.for_model(config).video_processor
    else:
        processor = read_processor(AutoVideoProcessor, folder)
    inputs = input_facts(processor)
    parameters, tuned, gflop = measure_costs(model_class, config, inputs.num_frames)
    experts, tasks = tuple(config.experts), tasks_of(model_class, config)
    return ModelFacts(
        family=variant_of(config).title,
        model_type=config.model_type,
        model_class=model_class.__name__,
        tasks=tasks,
        classes={task.name: task.count(config) for task in tasks},
        experts={expert: expert_facts(config, expert) for expert in experts},
        adapters_only=config.adapters_only,
        parameters=parameters,
        tuned_parameters=tuned,
        gflop=gflop,
        inputs=inputs,
        score_range=None if config.score_range is None else (config.score_range[0], config.score_range[1]),
    )


def expert_facts(config: PreTrainedConfig, expert: str) -> ExpertFacts:
    """Where an expert comes from, as `from_experts` recorded it in the configuration."""
    noted = (config.expert_sources or {}).get(expert) or {}
    return ExpertFacts(
        family_of(config).parts[expert].kind, noted.get("source"), noted.get("revision"), noted.get("sha256")
    )


def input_facts(processor: Any) -> InputFacts:
    """Raises `ValueError` for processors that are not holovid's."""
    if not isinstance(processor, holovid.HolovidVideoProcessor):
        raise ValueError(
            f"the processor of the model is a {type(processor).__name__}; a HolovidVideoProcessor is needed"
        )
    extractor = processor.feature_extractor
    size: Any = processor.size
    crop: Any = processor.crop_size
    sound = None
    if extractor is not None:
        sound = SoundFacts(
            sampling_rate=extractor.sampling_rate,
            rows=extractor.audio_frames,
            seconds=extractor.seconds,
            num_mel_bins=extractor.num_mel_bins,
            mean=extractor.mean,
            std=extractor.std,
        )
    return InputFacts(
        # at a fixed rate, uniform sampling takes as many frames as the video has; other samplings take num_frames
        num_frames=None if processor.fps and processor.sampling == "uniform" else processor.num_frames,
        sampling=processor.sampling,
        frame_stride=processor.frame_stride,
        fps=processor.fps,
        shortest_edge=size.shortest_edge if processor.do_resize else None,
        height=crop.height if processor.do_center_crop else None,
        width=crop.width if processor.do_center_crop else None,
        image_mean=tuple(processor.image_mean),
        image_std=tuple(processor.image_std),
        short_video=processor.short_video,
        sound=sound,
    )


def measure_costs(
    model_class: type[PreTrainedModel], config: PreTrainedConfig, num_frames: int | None = None
) -> tuple[int, int, float]:
    """(parameters, tuned parameters, GFLOP per view), computed on the meta device."""
    config = copy.deepcopy(config)
    config._attn_implementation = "eager"  # the counter sees every product of it
    frames = num_frames or config.num_frames
    with torch.device("meta"):
        model = model_class(config).eval()
        inputs = {"pixel_values_videos": torch.empty(1, frames, config.num_channels, *config.frame_size)}
        if config.hears:
            inputs["input_values"] = torch.empty(1, config.audio_frames, config.num_mel_bins)
    if config.experts:
        model.freeze_experts()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(**inputs)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    tuned = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    return parameters, tuned, counter.get_total_flops() / 1e9


def fact_lines(facts: ModelFacts) -> dict[str, str]:
    lines = {
        "family": facts.family,
        "class": facts.model_class,
        "classes": ", ".join(ANSWERS[task.kind].format(facts.classes[task.name], task.name) for task in facts.tasks),
    }
    if facts.score_range is not None:
        lines["score range"] = "from {:g} to {:g}".format(*facts.score_range)
    for expert, about in facts.experts.items():
        told = [about.source or "source not recorded"]
        told += [f"revision {about.revision}"] if about.revision else []
        told += [f"sha256 {about.sha256}"] if about.sha256 else []
        lines[f"{expert} expert"] = f"{about.kind}, {', '.join(told)}"
    if facts.adapters_only:
        lines["weights"] = "adapters only; loading downloads the experts"
    tuned = f"{facts.tuned_parameters:,} ({facts.tuned_parameters / facts.parameters:.0%})"
    lines |= {"parameters": f"{facts.parameters:,}", "trainable parameters": tuned}
    lines |= {"GFLOP per view": f"{facts.gflop:.4g}"}
    return lines | input_lines(facts.inputs)


def input_lines(inputs: InputFacts) -> dict[str, str]:
    stride = f", stride {inputs.frame_stride}" if inputs.sampling in WITH_STRIDE else ""
    rate = f", {inputs.fps:g} fps" if inputs.fps else ""
    frames = "depends on the length of the video" if inputs.num_frames is None else str(inputs.num_frames)
    sides = [] if inputs.shortest_edge is None else [f"shorter side resized to {inputs.shortest_edge}"]
    sides += [] if inputs.height is None else [f"center crop of {inputs.height} x {inputs.width}"]
    short = {"repeat": "the last frame is repeated", "error": "an error"}[inputs.short_video]
    lines = {
        "frames": f"{frames}, sampling {inputs.sampling}{stride}{rate}",
        "pixels": ", ".join(sides) or "as in the video",
        "normalization": f"mean {numbers(inputs.image_mean)}; standard deviation {numbers(inputs.image_std)}",
        "videos with too few frames": short,
    }
    if inputs.sound is None:
        return lines | {"audio": "not used"}
    sound = inputs.sound
    spectrogram = f"log-mel, {sound.rows} rows of {sound.num_mel_bins} mel bins"
    return lines | {
        "audio": f"{sound.seconds:g} s at {sound.sampling_rate:,} Hz: {spectrogram}",
        "clips without audio": "audio_mask is False; the model predicts from video alone",
    }


def numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)
