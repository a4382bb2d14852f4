"""The result of all methods: maps over picture, time and sound.

B clips, T frames, h, w cells of a frame, A audio steps: equal parts of the spectrogram (B, L, F), of which step a
covers rows L * a / A to L * (a + 1) / A.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

METHODS = ("intrinsic", "relevance", "gradients", "occlusion")


@dataclass(frozen=True, kw_only=True, eq=False)
class Explanation:
    """Why a model gave `target` its score. Maps are 0 or more; what a method cannot explain is `None`, not zeros.

    Args:
        target: (B,) int64, the explained class.
        score: (B,) floats, its probability.
        where: (B, T, h, w), relevance of each cell of each frame; sums to 1 over all frames of a clip.
        when_visual: (B, T), relevance of each frame; sums to 1.
        when_audio: (B, A), relevance of each audio step; sums to 1, or is zero for a clip without sound. `None`: the
            method cannot explain sound, or the model does not use audio.
        heard: (B,), share of sound in all relevance, 0 to 1.
        frame_times: (B, T), times of frames in seconds.
        audio_times: (B, A), times of the middles of audio steps in seconds.
        method: one of `METHODS`.

    Raises `ValueError` for shapes that do not fit together.

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
            raise ValueError(f"target must be int64 (clips,), got {self.target.dtype} {tuple(self.target.shape)}")
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
        """The common length of these maps' second axis. Raises `ValueError` if they differ."""
        shapes = {name: tuple(getattr(self, name).shape) for name in names if getattr(self, name) is not None}
        sizes = {shape[1:2] for shape in shapes.values()}
        if len(sizes) > 1 or () in sizes:
            found = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
            raise ValueError(f"the second axis must have one entry a {what} in all maps, got {found}")
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
            number = range(len(self))[clips]  # raises IndexError, which also ends a loop
            clips = slice(number, number + 1)
        return self._each(lambda value: value[clips])

    def to(self, device: torch.device | str) -> "Explanation":
        return self._each(lambda value: value.to(device))

    def cpu(self) -> "Explanation":
        return self.to("cpu")
