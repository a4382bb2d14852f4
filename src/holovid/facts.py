"""What a model is, costs and takes, without loading its weights: of a folder, a Hub id or a configuration.

    facts = model_facts("xvit-k600")
    facts.parameters, facts.gflop, facts.inputs.num_frames

`holovid info` prints it, model cards are made of it, and so is the table in README.md.
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
    "class": "{} of {}",
    "future": "{} of {}, to come",
    "multi_label": "{} of {}, any number of them",
    "score": "none, its {1} is a number",
}


@dataclass(frozen=True)
class ExpertFacts:
    """`kind` of model an expert is; its Hub id, commit and the hash of its tensors where they are known."""

    kind: str
    source: str | None
    revision: str | None
    sha256: str | None


@dataclass(frozen=True)
class SoundFacts:
    """The spectrogram: `rows`, 10 ms each, of `num_mel_bins`, that become (x - `mean`) / (2 `std`)."""

    sampling_rate: int
    rows: int
    seconds: float
    num_mel_bins: int
    mean: float
    std: float


@dataclass(frozen=True)
class InputFacts:
    """What the saved processor gives the model: a view of `num_frames` frames of `height` x `width` pixels.

    They are `None` where the video decides. `sampling`, `frame_stride`, `fps`, `short_video`: as in
    [`HolovidVideoProcessor`]. `sound` is `None` for a model that does not hear.
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
        family: as people call it, such as "CAVA".
        model_type, model_class: as transformers calls them.
        tasks: what it is asked, and how it answers.
        classes: of each task how many.
        experts: by name; none in XViT.
        adapters_only: whether the experts' weights have to be fetched.
        parameters, tuned_parameters: numbers, the experts' included; those that training tunes are all of XViT, and
            what `freeze_experts()` leaves of the others.
        gflop: 10^9 floating-point operations of one view, two for each multiply-add.
        inputs: what the model is given.
        score_range: the lowest and the highest number that it answers, where that is known.
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
    """Everything that configuration and processor tell; takes a second.

    Args:
        source: folder, Hub id, or a configuration, whose processor is then that of `HolovidProcessor.for_model`.
        model_class: what a configuration is of. Default: the class it was saved with, or the classifier of labels.

    Raises `ValueError` when `source` is no such thing, or no classifier of holovid; `OSError` when files are missing.
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
    """Where an expert comes from, as `from_experts` noted it in the configuration."""
    noted = (config.expert_sources or {}).get(expert) or {}
    return ExpertFacts(
        family_of(config).parts[expert].kind, noted.get("source"), noted.get("revision"), noted.get("sha256")
    )


def input_facts(processor: Any) -> InputFacts:
    """Raises `ValueError` for processors that are not holovid's."""
    if not isinstance(processor, holovid.HolovidVideoProcessor):
        raise ValueError(f"its processor is a {type(processor).__name__}; holovid's is HolovidVideoProcessor")
    extractor = processor.feature_extractor
    size: Any = processor.size  # objects, whatever they are annotated as
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
        # evenly spaced ones at a rate fill the video; those with a stride are so many at any rate
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
    """(parameters, tuned parameters, 10^9 floating-point operations a view), of tensors without memory."""
    config = copy.deepcopy(config)
    config._attn_implementation = "eager"  # of which torch counts every product
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
    """The same for people: name of a fact -> its value."""
    lines = {
        "family": facts.family,
        "class": facts.model_class,
        "classes": ", ".join(ANSWERS[task.kind].format(facts.classes[task.name], task.name) for task in facts.tasks),
    }
    if facts.score_range is not None:
        lines["scale"] = "from {:g} to {:g}".format(*facts.score_range)
    for expert, about in facts.experts.items():
        told = [about.source or "source not recorded"]
        told += [f"revision {about.revision}"] if about.revision else []
        told += [f"sha256 {about.sha256}"] if about.sha256 else []
        lines[f"{expert} expert"] = f"{about.kind}, {', '.join(told)}"
    if facts.adapters_only:
        lines["weights"] = "adapters only; the experts are fetched"
    tuned = f"{facts.tuned_parameters:,} ({facts.tuned_parameters / facts.parameters:.0%})"
    lines |= {"parameters": f"{facts.parameters:,}", "tuned": tuned, "GFLOP a view": f"{facts.gflop:.4g}"}
    return lines | input_lines(facts.inputs)


def input_lines(inputs: InputFacts) -> dict[str, str]:
    """What the model is given, for people."""
    stride = f", {inputs.frame_stride} apart" if inputs.sampling in WITH_STRIDE else ""
    rate = f", {inputs.fps:g} a second" if inputs.fps else ""
    frames = "as many as the video gives" if inputs.num_frames is None else str(inputs.num_frames)
    size = "as it comes" if inputs.height is None else f"{inputs.height} x {inputs.width}"
    resized = "" if inputs.shortest_edge is None else f", out of the middle of a short side of {inputs.shortest_edge}"
    short = {"repeat": "its last frame is shown again", "error": "refused"}[inputs.short_video]
    lines = {
        "frames": f"{frames}, sampling {inputs.sampling}{stride}{rate}",
        "pixels": size + resized,
        "colours": f"mean {numbers(inputs.image_mean)}, standard deviation {numbers(inputs.image_std)}, of 0 to 1",
        "a video that is too short": short,
    }
    if inputs.sound is None:
        return lines | {"sound": "none: it does not hear"}
    sound = inputs.sound
    spectrogram = f"{sound.rows} rows of {sound.num_mel_bins} mel bins"
    return lines | {
        "sound": f"{sound.seconds:g} s at {sound.sampling_rate:,} Hz: {spectrogram}",
        "a clip without sound": "audio_mask is False, and nothing is heard of it",
    }


def numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)
