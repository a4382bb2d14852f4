"""Hides parts of clips from a model: blurs the picture, silences the sound.

B clips, N clips with something hidden, T frames, C channels, H, W pixels, h, w cells of a frame, L rows and F columns
of a spectrogram, A audio steps.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torchvision.transforms.v2.functional import gaussian_blur

from holovid.explanation.scoring import (
    SOUND,
    Inputs,
    Probabilities,
    score_of,
    scoring,
    video_name,
    without_labels,
)

BLUR = 0.1  # standard deviation as a share of the shorter side: removes shapes, keeps colours and light
KERNEL_REACH = 2.5  # standard deviations


def blurred(videos: Tensor, blur: float = BLUR) -> Tensor:
    """Blur pictures (..., H, W) until nothing is recognisable.

    The Gaussian's standard deviation is `blur` times the shorter side: 22 pixels of 224. (The 5 pixels of RISE,
    Petsiuk et al. 2018, leave large things recognisable.)
    """
    side = min(videos.shape[-2:])
    sigma = max(blur * side, 0.1)
    kernel = 2 * max(1, min(round(KERNEL_REACH * sigma), side - 1)) + 1
    return gaussian_blur(videos.flatten(0, -4), [kernel, kernel], [sigma, sigma]).view_as(videos)


def silence_of(spectrograms: Tensor) -> Tensor:
    """The spectrogram value of silence for each clip, (B, L, F) -> (B, 1, 1): its own minimum.

    Spectrograms are normalised logarithms: 0 is not silence but the mean loudness of a training set, and the value of
    rows after the end of the sound. The logarithm of zero is the processor's floor; a recording's minimum is at it or
    above.
    """
    return spectrograms.amin(dim=(1, 2), keepdim=True)


def step_of_rows(rows: int, steps: int, device: torch.device | None = None) -> Tensor:
    """The audio step of each row of a spectrogram, int64 (L,).

    >>> step_of_rows(7, 3)
    tensor([0, 0, 0, 1, 1, 2, 2])
    """
    return torch.arange(rows, device=device) * steps // rows


class Hider:
    """A batch of clips in which any cells, frames and audio steps can be hidden.

    Args:
        inputs: `pixel_values_videos` (B, T, C, H, W), or `pixel_values` of some models of transformers,
            `input_values` (B, L, F), or both, and other inputs of the model; those with an entry a clip are selected
            with it.
        blur: see [`blurred`].
    """

    def __init__(self, inputs: Inputs, blur: float = BLUR):
        self.inputs = without_labels(inputs)
        self.video_name = video_name(self.inputs)
        self.videos, self.sound = self.inputs.get(self.video_name), self.inputs.get(SOUND)
        self.first: Tensor = self.videos if self.videos is not None else self.inputs[SOUND]
        self.blurred = None if self.videos is None else blurred(self.videos, blur)
        self.silence = None if self.sound is None else silence_of(self.sound)

    def __len__(self) -> int:
        return len(self.first)

    @property
    def device(self) -> torch.device:
        return self.first.device

    @property
    def frames(self) -> int:
        return 0 if self.videos is None else self.videos.shape[1]

    def hide(self, clips: Tensor, cells: Tensor | None = None, steps: Tensor | None = None) -> dict[str, Any]:
        """Inputs of clips (int64 (N,), repeated as needed) with something hidden in each.

        `cells`, bool (N, T, h, w), or (N, T, 1, 1) for whole frames, and `steps` of audio, bool (N, A), are hidden.
        """
        count = len(self)
        shown = {
            name: value[clips] if isinstance(value, Tensor) and value.ndim and len(value) == count else value
            for name, value in self.inputs.items()
        }
        if cells is not None and self.videos is not None and self.blurred is not None:
            height, width = self.videos.shape[-2:]
            is_hidden = cells[:, :, step_of_rows(height, cells.shape[2], self.device)]
            is_hidden = is_hidden[..., step_of_rows(width, cells.shape[3], self.device)][:, :, None]
            shown[self.video_name] = torch.where(is_hidden, self.blurred[clips], shown[self.video_name])
        if steps is not None and self.sound is not None and self.silence is not None:
            is_silent = steps[:, step_of_rows(self.sound.shape[1], steps.shape[1], self.device)]
            shown[SOUND] = torch.where(is_silent[..., None], self.silence[clips], shown[SOUND])
        return shown

    def scores(
        self,
        probabilities: Probabilities,
        target: Tensor,
        clips: Tensor,
        cells: Tensor | None = None,
        steps: Tensor | None = None,
    ) -> Tensor:
        """Probabilities (N,) of the targets (B,) with something hidden, as in `hide`."""
        return score_of(probabilities(self.hide(clips, cells, steps)), target[clips])


def falls_without(model: Any, inputs: Inputs, target: Tensor, field: str = "logits") -> Tensor:
    """How much less probable the target is without the whole picture, and without the whole sound, (B, 2).

    Relevance cannot tell this for experts that read each other, because the picture's tokens carry audio too. Takes
    three forward passes.

    Args:
        model, field: as in [`scoring`].
        inputs: with picture and sound.
        target: int64 (B,), a class of each clip.

    >>> def loudness(inputs):
    ...     return torch.stack([inputs["input_values"].mean(dim=(1, 2)), torch.zeros(1)], dim=1)
    >>> sound = torch.tensor([[[0.0], [4.0]]])
    >>> clip = {"pixel_values_videos": torch.rand(1, 2, 3, 8, 8), "input_values": sound}
    >>> falls_without(loudness, clip, torch.tensor([0]))
    tensor([[0.0000, 0.3808]])
    """
    hider = Hider(inputs)
    clips = torch.arange(len(hider), device=hider.device)
    cells = torch.ones(len(hider), hider.frames, 1, 1, dtype=torch.bool, device=hider.device)
    steps = torch.ones(len(hider), 1, dtype=torch.bool, device=hider.device)
    target = target.to(hider.device)
    with scoring(model, field) as probabilities:
        certain = hider.scores(probabilities, target, clips)
        unseen = hider.scores(probabilities, target, clips, cells=cells)
        unheard = hider.scores(probabilities, target, clips, steps=steps)
    return certain[:, None] - torch.stack([unseen, unheard], dim=1)


def chunks(states: int, clips: int, batch_size: int, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    """All pairs of a state and a clip, as numbers of both, int64 (N,), in chunks of at most `batch_size`."""
    if batch_size < 1:
        raise ValueError(f"batch_size must be 1 or more, got {batch_size}")
    for pairs in torch.arange(states * clips, device=device).split(batch_size):
        yield pairs // clips, pairs % clips
