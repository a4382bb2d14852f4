"""What all methods of explaining return: maps over the picture, over time and over sound.

Alphabet: B clips, T frames, h, w cells of a frame, A steps of sound. A step of sound is one of A equal parts of the
spectrogram (B, L, F): step a covers its frames L * a / A to L * (a + 1) / A.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

METHODS = ("intrinsic", "relevance", "gradients", "occlusion")


@dataclass(frozen=True, kw_only=True, eq=False)
class Explanation:
    """Why a model gave `target` its score. Maps are 0 or more; what a method cannot see is `None` and never zeros.

    Args:
        target: (B,) int64, the class that is explained.
        score: (B,) floats, the probability that the model gives it.
        where: (B, T, h, w), what each cell of each frame has to do with it; sums to 1 over all frames of a clip.
        when_visual: (B, T), the same for each frame; sums to 1.
        when_audio: (B, A), the same for each step of sound; sums to 1. `None`: the method cannot see sound, or the
            model does not hear.
        heard: (B,), the share of sound in all that is relevant, 0 to 1.
        frame_times: (B, T), the seconds at which frames are shown.
        audio_times: (B, A), the seconds of the middle of each step of sound.
        method: one of `METHODS`.

    Raises `ValueError` for shapes that do not fit each other.

    >>> why = Explanation(
    ...     target=torch.tensor([3, 0]), score=torch.tensor([0.9, 0.6]), method="occlusion",
    ...     where=torch.full((2, 8, 7, 7), 1 / (8 * 7 * 7)), when_visual=torch.full((2, 8), 1 / 8),
    ... )
    >>> len(why), why.when_audio, why[1].target, why[1].where.shape
    (2, None, tensor([0]), torch.Size([1, 8, 7, 7]))
    """

    target: Tensor
    score: Tensor
    where: Tensor | None = None
    when_visual: Tensor | None = None
    when_audio: Tensor | None = None
    heard: Tensor | None = None
    frame_times: Tensor | None = None
    audio_times: Tensor | None = None
    method: str

    def __post_init__(self):
        if self.method not in METHODS:
            raise ValueError(f"method must be one of {', '.join(METHODS)}, got {self.method!r}")
        if self.target.ndim != 1 or self.target.dtype != torch.int64:
            raise ValueError(
                f"target must be int64 (clips,), got {self.target.dtype} {tuple(self.target.shape)} of explanations"
            )
        clips = len(self.target)
        frames = self._size("frame", ("where", "when_visual", "frame_times"))
        steps = self._size("sound step", ("when_audio", "audio_times"))
        expected: dict[str, tuple[int, ...]] = {"score": (clips,), "heard": (clips,)}
        expected |= {"when_visual": (clips, frames), "frame_times": (clips, frames)}
        expected |= {"when_audio": (clips, steps), "audio_times": (clips, steps)}
        for name, shape in expected.items():
            value = getattr(self, name)
            if value is not None and tuple(value.shape) != shape:
                raise ValueError(f"{name} of {clips} clips must be {shape}, got {tuple(value.shape)}")
        if self.where is not None and (self.where.ndim != 4 or self.where.shape[:2] != (clips, frames)):
            raise ValueError(
                f"where must be ({clips}, {frames}, rows, columns) of {clips} clips, got {tuple(self.where.shape)}"
            )

    def _size(self, what: str, names: tuple[str, ...]) -> int:
        """How long the second axis of these is. Raises `ValueError` for maps without one, or of other lengths."""
        shapes = {name: tuple(getattr(self, name).shape) for name in names if getattr(self, name) is not None}
        sizes = {shape[1:2] for shape in shapes.values()}
        if len(sizes) > 1 or () in sizes:
            found = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
            raise ValueError(f"the second axis of each of these is one entry a {what}, all alike; got {found}")
        return next(iter(sizes), (0,))[0]

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Explanation":
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        changed: dict[str, Any] = {name: change(value) for name, value in values.items() if isinstance(value, Tensor)}
        return replace(self, **changed)

    def __len__(self) -> int:
        return len(self.target)

    def __getitem__(self, clips: int | slice) -> "Explanation":
        """The explanation of one clip, with B = 1, or of several."""
        if not isinstance(clips, slice):
            number = range(len(self))[clips]  # raises IndexError, which also ends a loop over all
            clips = slice(number, number + 1)
        return self._each(lambda value: value[clips])

    def to(self, device: torch.device | str) -> "Explanation":
        """The same with its tensors on `device`."""
        return self._each(lambda value: value.to(device))

    def cpu(self) -> "Explanation":
        """The same in main memory, where files and pictures are made from."""
        return self.to("cpu")
