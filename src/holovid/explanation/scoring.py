"""Probabilities of classes, from models of transformers and from functions alike.

B clips, T frames, C channels, H, W pixels, L rows and F columns of a spectrogram.
"""

import inspect
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from holovid.modeling.tasks import PROBLEM_TYPES

Inputs = Mapping[str, Any]
Probabilities = Callable[[Inputs], Tensor]
VIDEO, SOUND = "pixel_values_videos", "input_values"
OTHER_VIDEO = "pixel_values"  # of some models of transformers
TIMES = ("frame_times", "audio_span")  # also the times of an explanation


LOCKS: WeakKeyDictionary[nn.Module, threading.RLock] = WeakKeyDictionary()  # one a model


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """A module in evaluation mode inside the block; all modes are restored afterwards.

    One thread at a time: another would take the modes, attention and hooks of this block for the module's own.
    """
    with LOCKS.setdefault(module, threading.RLock()):
        before = [(inside, inside.training) for inside in module.modules()]
        module.eval()
        try:
            yield
        finally:
            for inside, was_training in before:
                inside.training = was_training


def probabilities_of(model: Any, logits: Tensor) -> Tensor:
    """Logits (B, classes) -> probabilities, float32; with several labels a clip, of each class separately."""
    problem_type = getattr(getattr(model, "config", None), "problem_type", None)
    several = problem_type == PROBLEM_TYPES["multi_label"]
    return logits.float().sigmoid() if several else logits.float().softmax(dim=-1)


@contextmanager
def scoring(model: nn.Module | Callable[[Inputs], Tensor], field: str = "logits") -> Iterator[Probabilities]:
    """Inside the block, a function from inputs to probabilities of classes, float32 (B, classes).

    If `config.problem_type` has several labels a clip, probabilities are of each class separately.

    Args:
        model: one whose outputs have `logits` (B, classes), which is in evaluation mode inside the block, or any
            function of the inputs that returns such logits.
        field: of the outputs, instead of `logits`: `verb_logits` for a model with several tasks.

    >>> def brightness(inputs):
    ...     mean = inputs["pixel_values_videos"].mean(dim=(1, 2, 3, 4))
    ...     return torch.stack([mean, -mean], dim=1)
    >>> with scoring(brightness) as probabilities:
    ...     probabilities({"pixel_values_videos": torch.zeros(1, 2, 3, 8, 8)})
    tensor([[0.5000, 0.5000]])
    """
    module = model if isinstance(model, nn.Module) else None

    @torch.no_grad()
    def probabilities(inputs: Inputs) -> Tensor:
        logits = model(inputs) if module is None else module(**without_foreign_times(module, inputs))[field]
        if not isinstance(logits, Tensor) or logits.ndim != 2:
            raise ValueError(
                "an explanation needs logits (clips, classes) of one task; pass a function that returns them"
            )
        return probabilities_of(model, logits)

    with nullcontext() if module is None else evaluating(module):
        yield probabilities


def without_foreign_times(model: nn.Module | Callable[[Inputs], Tensor], inputs: Inputs) -> dict[str, Any]:
    """Inputs without those of `TIMES` that the model does not take; functions take everything.

    For our models the configuration decides, because a head may pass them on unnamed; for others, `forward`.
    """
    if not isinstance(model, nn.Module) or getattr(getattr(model, "config", None), "reads_times", False):
        return dict(inputs)
    taken = inspect.signature(model.forward).parameters
    return {name: value for name, value in inputs.items() if name not in TIMES or name in taken}


def video_name(inputs: Inputs) -> str:
    """The name of the frames among a model's inputs.

    >>> video_name({"pixel_values": torch.zeros(1, 4, 3, 8, 8)})
    'pixel_values'
    """
    return OTHER_VIDEO if VIDEO not in inputs and OTHER_VIDEO in inputs else VIDEO


def without_labels(inputs: Inputs) -> dict[str, Any]:
    """Inputs without labels. Raises `ValueError` unless they are one view of each clip."""
    asked = {name: value for name, value in inputs.items() if name != "labels"}
    name_of_video = video_name(asked)
    videos, sound = asked.get(name_of_video), asked.get(SOUND)
    if videos is None and sound is None:
        raise ValueError(f"inputs must have {VIDEO} or {SOUND}, got {', '.join(asked) or 'nothing'}")
    for name, value, axes in (
        (name_of_video, videos, ("clips", "frames", "channels", "height", "width")),
        (SOUND, sound, ("clips", "rows", "bins")),
    ):
        if value is not None and value.ndim != len(axes):
            raise ValueError(f"{name} must be ({', '.join(axes)}), one view of each clip, got {tuple(value.shape)}")
    return asked


def score_of(probabilities: Tensor, target: Tensor) -> Tensor:
    """(B, classes) and int64 (B,) -> probabilities of the targets, (B,). Raises `ValueError` for other classes."""
    if not ((target >= 0) & (target < probabilities.shape[1])).all():
        raise ValueError(f"targets must be classes, 0 to {probabilities.shape[1] - 1}, got {target.tolist()}")
    return probabilities.gather(1, target[:, None])[:, 0]
