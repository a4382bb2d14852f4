"""Measures whether an explanation is true: all measures in one row. B clips."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from holovid.data.event_truth import Events
from holovid.explanation.agreement import MAPS, Explain, agreement_of, means_of, sanity_check
from holovid.explanation.explanation import Explanation
from holovid.explanation.occlusion import occlude
from holovid.explanation.perturbation import MAP_OF_PART, ORDERS, perturbation_curve
from holovid.explanation.pointing import Hits, pointing_in_space, pointing_in_time
from holovid.explanation.scoring import Inputs, without_foreign_times, without_labels


def evaluate(
    model: Any,
    batches: Iterable[Inputs],
    explain: Explain,
    truth: Events | None = None,
    parts: Sequence[str] = tuple(MAP_OF_PART),
    yardstick: Mapping[str, Any] | None = None,
    sanity: bool = False,
    tolerance: float | None = None,
    size: int | tuple[int, int] = 224,
    seed: int = 0,
    **curves: Any,
) -> dict[str, Any]:
    """Measure the explanations of a model: a row of a table.

    Args:
        model: one whose outputs have `logits`, or a function of inputs that returns them.
        batches: inputs of the model, in the order of `truth`. The classes in `labels` (B,), if present, are explained,
            else the predictions. `frame_times` (B, T) may be present even if the model does not use them: they are
            needed to look up the truth.
        explain: `explain(model, inputs, target=...)`, which returns an `Explanation`, such as
            `holovid.explanation.explain` with a method.
        truth: where and when the clips show and sound their labels, from `holovid.data.read_events`.
        parts: deleted and inserted, of "patches", "frames" and "sound".
        yardstick: options of [`holovid.explanation.occlude`], to measure agreement with it; slow. Default: not
            measured.
        sanity: compare with maps of randomised weights, on the first batch.
        tolerance, size: of the pointing game, see `pointing_in_space`.
        seed: of random orders, different in each batch.
        curves: further options of `perturbation_curve`: `steps`, `batch_size`, `alone`, `blur`.

    Returns

        `method`, `clips`;
        `pointing_space`, `pointing_time`, `pointing_sound`: how often the maps point at the truth, in 0..1, with
        `pointing_space_count` and so on; frames with a box, clips, clips;
        `deletion_patches`, `deletion_patches_random`, `deletion_patches_least` and so on for `insertion`, `frames` and
        `sound`: means over clips of areas under curves, the most relevant first, at random, and the least first. Lower
        is better for deletions, higher for insertions;
        `agreement_where`, `agreement_when_visual`, `agreement_when_audio`: with occlusion;
        `sanity_where`, ...: with the maps of a model whose weights are all random; near 0 is sane.

        `None` for what the method cannot explain, or what was not asked for. Raises `ValueError` for no batches, a
        truth of another number of clips, and pointing in time without any times.
    """
    if unknown := [part for part in parts if part not in MAP_OF_PART]:
        raise ValueError(f"parts must be of {', '.join(MAP_OF_PART)}, got {', '.join(unknown)}")
    hits = {name: Hits(0, 0) for name in ("space", "time", "sound")}
    areas: dict[str, list[Tensor]] = {}
    alike: dict[str, list[Tensor]] = {name: [] for name in MAPS}
    lowest: dict[str, float | None] = dict.fromkeys(MAPS)
    method, clips = None, 0
    for batch in batches:
        known, labels = without_labels(batch), batch.get("labels")
        inputs = without_foreign_times(model, known)
        why = explain(model, inputs, target=labels)
        if truth is not None:
            if clips + len(why) > len(truth):
                raise ValueError(f"the truth has {len(truth)} clips, but the batches have more")
            found = pointing_of(why, known, truth[clips : clips + len(why)], tolerance, size)
            hits = {name: hits[name] + found[name] for name in hits}
        for part in parts:
            if getattr(why, MAP_OF_PART[part]) is not None:
                for kind in ("deletion", "insertion"):
                    for order in ORDERS:
                        options = curves | {"order": order, "seed": seed + clips}
                        curve = perturbation_curve(model, inputs, why, part, kind == "insertion", **options)
                        name = f"{kind}_{part}" + ("" if order == "most" else f"_{order}")
                        areas.setdefault(name, []).append(curve.area.cpu())
        if yardstick is not None:
            measured = agreement_of(why, occlude(model, inputs, why.target, **yardstick))
            for name, values in measured.items():
                alike[name] += [] if values is None else [values]
        if sanity and not clips:
            lowest = {name: sanity_check(model, inputs, explain, why.target)[-1][name] for name in MAPS}
        method, clips = why.method, clips + len(why)
    if not clips:
        raise ValueError("there are no batches to measure explanations of")
    if truth is not None and clips != len(truth):
        raise ValueError(f"the truth has {len(truth)} clips, but the batches have {clips}")
    row: dict[str, Any] = {"method": method, "clips": clips}
    for name, found_hits in hits.items():
        row |= {f"pointing_{name}": found_hits.rate, f"pointing_{name}_count": found_hits.count}
    for kind in ("deletion", "insertion"):
        for part in MAP_OF_PART:
            for order in ORDERS:
                name = f"{kind}_{part}" + ("" if order == "most" else f"_{order}")
                row[name] = torch.cat(areas[name]).mean().item() if name in areas else None
    means = means_of({name: torch.cat(values) if values else None for name, values in alike.items()})
    return (
        row | {f"agreement_{name}": means[name] for name in MAPS} | {f"sanity_{name}": lowest[name] for name in MAPS}
    )


def pointing_of(
    why: Explanation, inputs: Inputs, truth: Events, tolerance: float | None, size: int | tuple[int, int]
) -> dict[str, Hits]:
    """Hits of the available maps, in "space", "time" and "sound". Raises `ValueError` for maps without times."""
    found = {name: Hits(0, 0) for name in ("space", "time", "sound")}
    frame_times = inputs.get("frame_times") if why.frame_times is None else why.frame_times
    if frame_times is None and (why.where is not None or why.when_visual is not None):
        raise ValueError("pointing in time needs frame_times in the explanation or the inputs")
    if why.where is not None and frame_times is not None:
        boxes = truth.boxes_at(frame_times)
        found["space"] = pointing_in_space(why.where, boxes, tolerance, size)
    if why.when_visual is not None and frame_times is not None:
        found["time"] = pointing_in_time(why.when_visual, frame_times, truth.seen)
    if why.when_audio is not None:
        if why.audio_times is None:
            raise ValueError("pointing in sound needs audio_times in the explanation")
        found["sound"] = pointing_in_time(why.when_audio, why.audio_times, truth.heard)
    return found
