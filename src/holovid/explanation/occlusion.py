"""Occlusion: the loss when something is hidden. Slow, for any model; the reference for other methods.

Zeiler and Fergus 2014, "Visualizing and Understanding Convolutional Networks", section 4.2, in space, time and sound.
B clips, T frames, h, w cells of a frame, A audio steps.
"""

from collections.abc import Callable

import torch
from rich.progress import track
from torch import Tensor, nn

from holovid.explanation.explanation import Explanation
from holovid.explanation.hiding import BLUR, Hider, chunks
from holovid.explanation.scoring import SOUND, Inputs, score_of, scoring


def occlude(
    model: nn.Module | Callable[[Inputs], Tensor],
    inputs: Inputs,
    target: Tensor | None = None,
    cells: tuple[int, int] = (7, 7),
    frames_each: int = 1,
    sound_steps: int = 10,
    batch_size: int = 32,
    blur: float = BLUR,
    progress: bool = True,
    field: str = "logits",
) -> Explanation:
    """How much less probable the target is when a cell, a frame or an audio step is hidden.

    A negative fall counts as 0. Maps are shares of all falls of a clip; without any they are constant. `heard`
    compares the fall without the whole sound with the fall without the whole picture.

    Args:
        model: one whose outputs have `logits` (B, classes), or a function of inputs that returns them; on any device.
        inputs: `pixel_values_videos` (B, T, C, H, W), `input_values` (B, L, F), or both, and other inputs of the
            model. `frame_times` and `audio_span` give the times of the explanation.
        target: int64 (B,), the explained class; default: the most probable.
        cells: rows and columns of each frame; a clip takes T / `frames_each` times as many forward passes.
        frames_each: consecutive frames whose same cell is hidden at once; its share is divided evenly.
        sound_steps: equal parts of the spectrogram.
        batch_size: clips in one forward pass.
        blur: of hidden pictures, see `holovid.explanation.hiding`.
        progress: show a progress bar.
        field: of the outputs that are explained, instead of `logits`: `verb_logits` for a model with several tasks.

    Raises `ValueError` for inputs of several views, and numbers below 1.

    >>> def corner(inputs):  # predicts from the brightness of the upper left quarter of the second frame
    ...     seen = inputs["pixel_values_videos"][:, 1, :, :8, :8].mean(dim=(1, 2, 3))
    ...     return torch.stack([10 * seen, torch.zeros_like(seen)], dim=1)
    >>> videos = torch.zeros(1, 3, 3, 16, 16)
    >>> videos[:, 1, :, :8, :8] = 1
    >>> why = occlude(corner, {"pixel_values_videos": videos}, cells=(2, 2), progress=False)
    >>> why.when_visual.argmax().item(), why.where.flatten().argmax().item()  # frame 1; cell 0 of it, after 4 before
    (1, 4)
    """
    for name, value in {"cells": min(cells), "frames_each": frames_each, "sound_steps": sound_steps}.items():
        if value < 1:
            raise ValueError(f"{name} must be 1 or more, got {value}")
    hider = Hider(inputs, blur)
    count, frames, device = len(hider), hider.frames, hider.device
    with scoring(model, field) as probabilities:
        certain = probabilities(hider.inputs)
        target = certain.argmax(dim=1) if target is None else target.to(device)
        score = score_of(certain, target)

        def falls(states: int, hidden: Callable[[Tensor], dict[str, Tensor]], what: str) -> Tensor:
            """Falls (B, states) of the target's probability."""
            parts = list(chunks(states, count, batch_size, device))
            scores = [
                hider.scores(probabilities, target, clips, **hidden(state))
                for state, clips in track(parts, f"Hiding {what}", disable=not progress)
            ]
            return (score - torch.cat(scores).view(states, count)).T.clamp(min=0)

        found: dict[str, Tensor] = {}
        lost = torch.zeros(2, count, device=device)  # without the whole picture, and without the whole sound
        if hider.videos is not None:
            groups = -(-frames // frames_each)
            group = torch.arange(frames, device=device) // frames_each
            cell = torch.arange(cells[0] * cells[1], device=device).view(1, 1, *cells)

            def one_cell(state: Tensor) -> dict[str, Tensor]:
                of_group, of_cell = (
                    place.view(-1, 1, 1, 1) for place in (state // cell.numel(), state % cell.numel())
                )
                return {"cells": (group.view(1, -1, 1, 1) == of_group) & (cell == of_cell)}

            lost_cells = falls(groups * cell.numel(), one_cell, "cells").view(count, groups, *cells)[:, group]
            found["where"] = as_shares(lost_cells / group.bincount()[group].view(1, -1, 1, 1))
            every = torch.arange(frames, device=device)
            found["when_visual"] = as_shares(
                falls(frames, lambda state: {"cells": (every == state[:, None])[..., None, None]}, "frames")
            )
            everything = torch.ones(count, frames, 1, 1, dtype=torch.bool, device=device)
            lost[0] = falls(1, lambda state: {"cells": everything[: len(state)]}, "the picture")[:, 0]
        if SOUND in hider.inputs:
            each = torch.arange(sound_steps, device=device)
            found["when_audio"] = as_shares(
                falls(sound_steps, lambda state: {"steps": each == state[:, None]}, "the sound")
            )
            lost[1] = falls(1, lambda state: {"steps": state[:, None] == 0}, "all sound")[:, 0]
            found["heard"] = as_shares(lost.T)[:, 1]
    return Explanation(
        target=target,
        score=score,
        method="occlusion",
        **found,
        **times_of(inputs, sound_steps),
    )


def as_shares(values: Tensor) -> Tensor:
    """Values of 0 or more, (B, ...), normalised to sum 1 in each clip; constant for a clip of zeros.

    >>> as_shares(torch.tensor([[1.0, 3.0], [0.0, 0.0]]))
    tensor([[0.2500, 0.7500],
            [0.5000, 0.5000]])
    """
    flat = values.flatten(1)
    sums = flat.sum(dim=1, keepdim=True)
    return torch.where(sums > 0, flat / sums.clamp(min=torch.finfo(flat.dtype).tiny), 1 / flat.shape[1]).view_as(
        values
    )


def times_of(inputs: Inputs, sound_steps: int | None) -> dict[str, Tensor]:
    """`frame_times` (B, T) and `audio_times` (B, A), the middles of steps, in seconds, as far as the inputs have them.

    Args:
        inputs: with `frame_times` (B, T) and `audio_span` (B, 2), if known.
        sound_steps: A; `None` for none.

    >>> times_of({"input_values": torch.zeros(1, 8, 4), "audio_span": torch.tensor([[1.0, 3.0]])}, 4)["audio_times"]
    tensor([[1.2500, 1.7500, 2.2500, 2.7500]])
    """
    times = {}
    if inputs.get("frame_times") is not None:
        times["frame_times"] = inputs["frame_times"]
    if sound_steps is not None and SOUND in inputs and inputs.get("audio_span") is not None:
        start, end = inputs["audio_span"].to(torch.float32).unbind(dim=1)
        middles = (torch.arange(sound_steps, device=start.device) + 0.5) / sound_steps
        times["audio_times"] = start[:, None] + middles * (end - start)[:, None]
    return times
