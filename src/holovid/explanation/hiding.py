"""Parts of clips hidden from a model: the picture blurred, the sound silent.

Alphabet: B clips, N clips with something hidden, T frames, C channels, H, W pixels, h, w cells of a frame, L rows and
F columns of a spectrogram, A steps of sound.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torchvision.transforms.v2.functional import gaussian_blur

from holovid.explanation.scoring import SOUND, VIDEO, Inputs, Probabilities, score_of, scoring, without_labels

BLUR = 0.1  # standard deviation as a share of the shorter side: shapes are gone, colours and light stay
KERNEL_REACH = 2.5  # standard deviations


def blurred(videos: Tensor, blur: float = BLUR) -> Tensor:
    """What a picture looks like of which nothing is recognised: (..., H, W) -> the same shape.

    A Gaussian whose standard deviation is `blur` times the shorter side: 22 pixels of 224. (The 5 pixels within 11 of
    RISE, Petsiuk et al. 2018, leave things of that size as recognisable as they were.)
    """
    side = min(videos.shape[-2:])
    sigma = max(blur * side, 0.1)
    kernel = 2 * max(1, min(round(KERNEL_REACH * sigma), side - 1)) + 1
    return gaussian_blur(videos.flatten(0, -4), [kernel, kernel], [sigma, sigma]).view_as(videos)


def silence_of(spectrograms: Tensor) -> Tensor:
    """The spectrogram of silence for each clip: (B, L, F) -> (B, 1, 1), the least that the clip itself has anywhere.

    Spectrograms are logarithms, then normalised: 0 is not silence but the mean loudness of a training set, which is
    what a processor gives for rows after the end of the sound. The logarithm of nothing is a floor of the processor;
    the least value of a clip is at it or above, as what was recorded hisses.
    """
    return spectrograms.amin(dim=(1, 2), keepdim=True)


def step_of_rows(rows: int, steps: int, device: torch.device | None = None) -> Tensor:
    """The step of sound that each row of a spectrogram is in, int64 (L,).

    >>> step_of_rows(7, 3)
    tensor([0, 0, 0, 1, 1, 2, 2])
    """
    return torch.arange(rows, device=device) * steps // rows


class Hider:
    """A batch of clips, of which any cells, frames and steps of sound can be hidden.

    Args:
        inputs: `pixel_values_videos` (B, T, C, H, W), `input_values` (B, L, F), or both, and what else the model
            takes; tensors with an entry a clip go along with it.
        blur: see [`blurred`].
    """

    def __init__(self, inputs: Inputs, blur: float = BLUR):
        self.inputs = without_labels(inputs)
        self.videos, self.sound = self.inputs.get(VIDEO), self.inputs.get(SOUND)
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
        """Inputs of some clips with something hidden of each.

        Args:
            clips: int64 (N,), numbers of clips, any number of times each.
            cells: bool (N, T, h, w), what is hidden of the picture; (N, T, 1, 1) hides whole frames.
            steps: bool (N, A), what is hidden of the sound.
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
            shown[VIDEO] = torch.where(is_hidden, self.blurred[clips], shown[VIDEO])
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
        """How probable the targets (B,) are to the model with something hidden, as in `hide`: (N,)."""
        return score_of(probabilities(self.hide(clips, cells, steps)), target[clips])


def falls_without(model: Any, inputs: Inputs, target: Tensor, field: str = "logits") -> Tensor:
    """How much less probable the target is without all of the picture, and without all of the sound, (B, 2).

    What relevance cannot tell, as experts that read one another carry what was heard in the picture's name too. Takes
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
    """All pairs of a state and a clip, as numbers of both, int64 (N,) with N at most `batch_size`.

    Raises `ValueError` for a `batch_size` below 1.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be 1 or more, got {batch_size}")
    for pairs in torch.arange(states * clips, device=device).split(batch_size):
        yield pairs // clips, pairs % clips
