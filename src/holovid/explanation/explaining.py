"""`explain`: explains a prediction by the best method for the model's architecture.

B clips, T moments, h, w cells of a frame, A audio steps.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from holovid.configuration.suggestions import did_you_mean
from holovid.explanation.explanation import METHODS, Explanation
from holovid.explanation.occlusion import occlude, times_of
from holovid.explanation.relevance import relevance
from holovid.explanation.scoring import VIDEO, Inputs, without_foreign_times, without_labels
from holovid.families.family import families, named
from holovid.modeling.tasks import LABEL, Task, tasks_of

Target = Tensor | int | str | Sequence[int | str] | None


def methods_of(model: Any) -> list[str]:
    """The methods that can explain a model, best first; for functions and other libraries' models, occlusion."""
    family = families().get(getattr(getattr(model, "config", None), "model_type", ""))
    return [*(family.explanations if family else ()), "occlusion"]


@torch.inference_mode(False)  # gradients are needed, whatever the caller is in
def explain(
    model: nn.Module | Callable[[Inputs], Tensor],
    inputs: Inputs,
    target: Target = None,
    method: str = "auto",
    task: str | None = None,
    **options: Any,
) -> Explanation:
    """Explain the score of a class: where in the frames, at which moments, and when in the sound.

    Args:
        model: a classifier of holovid on any device; for occlusion any model whose outputs have `logits`, or a
            function of `inputs` that returns them.
        inputs: of the model, from its processor: one view of each clip. They may have `frame_times` (B, T) even if the
            model does not use them: the explanation then has the times of frames.
        target: the explained class: its number or label, for all clips or one for each; default: the prediction.
        method: "auto", the first of [`methods_of`]: "intrinsic", for models whose logits are a sum of evidence;
            "relevance", attention carried back from the prediction (`holovid.explanation.relevance`); "gradients",
            gradient x activation on a feature map; "occlusion", the loss when something is hidden: slow, for any
            model.
        task: of a model with several: "verb", "noun".
        options: of [`holovid.explanation.occlude`], for that method.

    Returns an [`Explanation`] of all clips, on the model's device. A method that cannot explain sound gives no
    `when_audio`. Raises `ValueError` for a method that cannot explain the model, for classes that it does not have,
    for inputs of several views, and for a prediction that is not finite.

    >>> from holovid import XViTConfig, XViTForVideoClassification
    >>> config = XViTConfig(
    ...     image_size=32, patch_size=8, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, num_labels=5)
    >>> model = XViTForVideoClassification(config)
    >>> why = explain(model, {"pixel_values_videos": torch.randn(2, 8, 3, 32, 32)})
    >>> why.method, why.where.shape, why.when_visual.shape, why.when_audio
    ('relevance', torch.Size([2, 8, 4, 4]), torch.Size([2, 8]), None)
    """
    known = methods_of(model)
    if method == "auto":
        method = known[0]
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}; {did_you_mean(method, METHODS)}")
    if method not in known:
        raise ValueError(f"method={method!r} cannot explain a {type(model).__name__}; {' and '.join(known)} can")
    asked = without_labels(inputs)
    network: Any = model
    device = getattr(network, "device", None)
    if isinstance(device, torch.device):
        asked = {name: value.to(device) if isinstance(value, Tensor) else value for name, value in asked.items()}
    # functions and other libraries' models have no tasks
    asked_task = task_called(network, task) if hasattr(network, "tasks") else None
    # a quality model decodes its number from scores of levels
    field = LABEL.scores if asked_task is None or asked_task.kind == "score" else asked_task.scores
    if method == "occlusion":
        clips = len(next(value for value in asked.values() if isinstance(value, Tensor)))
        number = class_numbers(target, clips, getattr(network, "config", None), asked_task)
        why = occlude(model, asked, number, field=field, **options)
        return without_silent(why, asked)
    if options:
        raise ValueError(f"options are for occlusion, method={method!r} takes none; got {', '.join(options)}")
    given = without_foreign_times(network, asked)
    number = class_numbers(target, len(asked[VIDEO]), network.config, asked_task)
    reference = families()[network.config.model_type].explanations[method]
    if method == "relevance":
        why = relevance(network, given, to_device(number, network.device), field, named(reference)(network))
    else:
        why = named(reference)(network, given, to_device(number, network.device), field)
    if not why.score.isfinite().all():
        raise ValueError("the model's logits are not finite, so there is nothing to explain")
    return with_times(without_silent(why, asked), asked)


def to_device(target: Tensor | None, device: torch.device) -> Tensor | None:
    return None if target is None else target.to(device)


def task_called(model: Any, name: str | None) -> Task:
    """The classifier's task of this name. Raises `ValueError` if there is none, or a name is needed."""
    tasks = {task.name: task for task in tasks_of(model, model.config)}
    if name is None and len(tasks) == 1:
        return next(iter(tasks.values()))
    if name not in tasks:
        raise ValueError(f"task must be one of {', '.join(tasks) or 'a classifier'}, got {name!r}")
    return tasks[name]


def class_numbers(target: Target, clips: int, config: Any = None, task: Task | None = None) -> Tensor | None:
    """Class numbers, int64 (B,), of numbers or labels. Raises `ValueError` for unknown ones, or too many or few."""
    if target is None:
        return None
    each = target.tolist() if isinstance(target, Tensor) else target
    each = [each] * clips if isinstance(each, int | str) else list(each)
    if len(each) != clips:
        raise ValueError(f"target must be a class, or one for each of {clips} clips, got {len(each)}")
    labels = {str(name): int(number) for number, name in (getattr(config, "id2label", None) or {}).items()}
    labels |= getattr(config, "label2id", None) or {}
    if task is not None:
        labels = {name: number for number, name in enumerate(task.names(config) or [])} or labels
    numbers = []
    for name in each:
        if isinstance(name, str):
            if name not in labels:
                raise ValueError(f"there is no class {name!r}; {did_you_mean(name, list(labels))}")
            name = labels[name]
        numbers.append(int(name))
    most = None if task is None or task.kind == "score" else task.count(config)
    if most is not None and any(not 0 <= number < most for number in numbers):
        raise ValueError(f"target must be a class, 0 to {most - 1}, got {numbers}")
    return torch.tensor(numbers)


def without_silent(why: Explanation, inputs: Mapping[str, Any]) -> Explanation:
    """The explanation with zeros in `when_audio` for clips without sound, and `heard` 0."""
    mask = inputs.get("audio_mask")
    if mask is None or why.when_audio is None or why.heard is None:
        return why
    has_sound = mask.to(why.when_audio.device).bool().view(len(why), -1).any(dim=1)
    return replace(
        why,
        when_audio=torch.where(has_sound[:, None], why.when_audio, 0.0),
        heard=torch.where(has_sound, why.heard, 0.0),
    )


def with_times(why: Explanation, inputs: Mapping[str, Any]) -> Explanation:
    times: dict[str, Any] = times_of(inputs, None if why.when_audio is None else why.when_audio.shape[1])
    if why.frame_times is not None or why.when_visual is None:
        times.pop("frame_times", None)
    elif "frame_times" in times:
        # a moment of several frames is at their middle
        times["frame_times"] = nn.functional.adaptive_avg_pool1d(
            times["frame_times"].to(torch.float32)[:, None], why.when_visual.shape[1]
        )[:, 0]
    if why.audio_times is not None:
        times.pop("audio_times", None)
    return replace(why, **times)
