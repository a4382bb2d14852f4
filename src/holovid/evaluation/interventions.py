"""Interventions that show what a model uses: remove the order of frames, the motion, the sound, or an expert.

The functions take a processor's batch and return it without something; the one for experts acts on the model. B clips,
V views, T frames, C channels, H, W pixels.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from holovid.configuration.suggestions import did_you_mean
from holovid.data.dataset import seed_of
from holovid.explanation.scoring import video_name

Inputs = dict[str, Tensor]
# Names in an evaluation: interventions on inputs, and experts.
INTERVENTIONS = ("hold_still", "shuffle_frames", "mute", "without_space", "without_time", "without_audio")


def shuffle_frames(
    inputs: Mapping[str, Tensor], generator: torch.Generator | Sequence[torch.Generator] | None = None
) -> Inputs:
    """Shuffle the frames of each clip and view independently.

    `frame_times` stay in place, so the model believes the new order.

    Args:
        inputs: with `pixel_values_videos` (B, T, C, H, W) or (B, V, T, C, H, W), or `pixel_values`, as some models of
            transformers name them.
        generator: source of randomness for all clips, or one for each, so that a clip's result does not depend on its
            batch. Default: torch's own.
    """
    name = video_name(inputs)
    videos = inputs[name]
    generators = generator if isinstance(generator, Sequence) else [generator] * len(videos)
    if len(generators) != len(videos):
        raise ValueError(f"{len(videos)} clips need as many generators, got {len(generators)}")
    shuffled = torch.empty_like(videos)
    for clip, (frames, own) in enumerate(zip(videos, generators, strict=True)):
        views = frames.unflatten(0, (1, -1)) if frames.ndim == 4 else frames
        orders = [torch.randperm(views.shape[1], generator=own) for _ in views]
        views = torch.stack([view[order] for view, order in zip(views, orders, strict=True)])
        shuffled[clip] = views.view_as(frames)
    return {**inputs, name: shuffled}


def hold_still(inputs: Mapping[str, Tensor]) -> Inputs:
    """Repeat the middle frame (T // 2) in all T places."""
    name = video_name(inputs)
    videos = inputs[name]
    middle = videos.shape[-4] // 2
    still = videos.narrow(-4, middle, 1).expand_as(videos).contiguous()
    return {**inputs, name: still}


def mute(inputs: Mapping[str, Tensor]) -> Inputs:
    """Remove the sound, as in a clip without a track. Raises `ValueError` if the model does not use audio."""
    if "input_values" not in inputs:
        raise ValueError("there is no sound to mute: this model does not use audio")
    values = inputs["input_values"]
    silent = torch.zeros(values.shape[:-2], dtype=torch.bool, device=values.device)
    return {**inputs, "input_values": torch.zeros_like(values), "audio_mask": silent}


@contextmanager
def without_expert(model: PreTrainedModel, expert: str) -> Iterator[PreTrainedModel]:
    """Inside the block, one expert of a CA²ST model gets no information.

    "audio" gets silence, and no other expert reads from it. "space" and "time" get grey frames (zeros, the mean colour
    after normalisation); their outputs are used. Weights do not change. Raises `ValueError` for an expert that the
    model does not have.
    """
    experts = getattr(model.config, "experts", ())  # transformers' configurations have no such field
    if expert not in experts:
        having = f"it has {', '.join(experts)}" if experts else f"{model.config.model_type} has no experts"
        raise ValueError(f"this model has no expert {expert!r}; {having}")
    if expert == "audio":
        hook = model.register_forward_pre_hook(_in_silence, with_kwargs=True)
    else:
        hook = model.base_model.embeddings[expert].register_forward_pre_hook(_in_grey)
    try:
        yield model
    finally:
        hook.remove()


def check_interventions(names: Sequence[str], model: PreTrainedModel) -> None:
    """Raise `ValueError` for names that are not in `INTERVENTIONS`, and for inputs that this model does not have."""
    for name in names:
        if name not in INTERVENTIONS and not name.startswith("without_"):
            raise ValueError(f"there is no intervention {name!r}; {did_you_mean(name, INTERVENTIONS)}")
    if "mute" in names and not getattr(model.config, "hears", False):
        raise ValueError("there is no sound to mute: this model does not use audio")
    with intervened(model, names):
        pass


def apply_interventions(
    names: Sequence[str], inputs: Mapping[str, Tensor], clips: Sequence[int], seed: int = 0
) -> Inputs:
    """Apply interventions on inputs, in the order of `INTERVENTIONS`; random by `seed` and each clip's number."""
    inputs = dict(inputs)
    if "hold_still" in names:
        inputs = hold_still(inputs)
    if "shuffle_frames" in names:
        inputs = shuffle_frames(inputs, [torch.Generator().manual_seed(seed_of(seed, clip)) for clip in clips])
    return mute(inputs) if "mute" in names else inputs


@contextmanager
def intervened(model: PreTrainedModel, names: Sequence[str]) -> Iterator[PreTrainedModel]:
    with ExitStack() as stack:
        for name in dict.fromkeys(names):
            if name.startswith("without_"):
                stack.enter_context(without_expert(model, name.removeprefix("without_")))
        yield model


def _in_silence(module: nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
    positions = ("pixel_values_videos", "input_values", "audio_mask", "frame_times", "audio_span")
    inputs = dict(zip(positions, args, strict=False)) | kwargs
    videos = inputs["pixel_values_videos"]
    return (), inputs | {"audio_mask": torch.zeros(len(videos), dtype=torch.bool, device=videos.device)}


def _in_grey(module: nn.Module, args: tuple) -> tuple:
    return (torch.zeros_like(args[0]), *args[1:])
