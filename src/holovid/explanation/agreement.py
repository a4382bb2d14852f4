"""Whether two explanations say the same: of a method and of occlusion, or of a model and of one that forgot all.

Adebayo et al. 2018, "Sanity Checks for Saliency Maps", section 3.1: a map that stays the same while the weights are
randomised, layer after layer from the top, says nothing about the model.

Alphabet: B clips, T frames, h, w cells of a frame, N entries of a map.
"""

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d
from transformers import PreTrainedModel

from holovid.explanation.explanation import Explanation
from holovid.explanation.scoring import Inputs, without_labels

MAPS = ("where", "when_visual", "when_audio")
Explain = Callable[..., Explanation]


def rank_correlation(one: Tensor, other: Tensor) -> Tensor:
    """Spearman's correlation of two maps of each clip, (B, ...) of one shape -> float64 (B,) on the CPU.

    Equal values share their mean rank. NaN for a clip of which a map is equal everywhere, which has no order.

    >>> rank_correlation(torch.tensor([[1.0, 2, 3, 9], [1, 1, 1, 1]]), torch.tensor([[1.0, 5, 7, 8], [1, 2, 3, 4]]))
    tensor([1., nan], dtype=torch.float64)
    """
    if one.shape != other.shape or one.ndim < 2:
        raise ValueError(f"maps must be (clips, ...) of one shape, got {tuple(one.shape)} and {tuple(other.shape)}")
    ranks = [rankdata(values.detach().cpu().double().flatten(1).numpy(), axis=1) for values in (one, other)]
    first, second = (values - values.mean(axis=1, keepdims=True) for values in ranks)
    spread = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    return torch.from_numpy(
        np.where(spread > 0, (first * second).sum(axis=1) / np.where(spread > 0, spread, 1), np.nan)
    )


def agreement_of(one: Explanation, other: Explanation) -> dict[str, Tensor | None]:
    """Spearman's correlation of the maps of two explanations of the same clips, such as of a method and of occlusion.

    Returns for "where", "when_visual" and "when_audio" what [`rank_correlation`] gives, (B,), or `None` where an
    explanation has no such map. Of `where` in other cells the means over those that both can tell apart are compared.

    Raises `ValueError` for maps of other clips, frames or steps of sound.
    """
    found: dict[str, Tensor | None] = dict.fromkeys(MAPS)
    for name in MAPS:
        maps = [getattr(why, name) for why in (one, other)]
        if any(values is None for values in maps):
            continue
        if name == "where" and maps[0].shape[:2] == maps[1].shape[:2]:
            rows, columns = (min(values.shape[axis] for values in maps) for axis in (2, 3))
            maps = [adaptive_avg_pool2d(values.float(), (rows, columns)) for values in maps]
        found[name] = rank_correlation(*maps)
    return found


def layers_from_top(model: nn.Module) -> list[tuple[str, list[tuple[nn.Module, bool]]]]:
    """The layers of a model, the head first: name -> its modules, each with whether what is inside of it counts too.

    A layer is an element of a `ModuleList`, or anything with weights beside such lists; what is registered last is on
    top, as models register their modules in the order in which they run them. Together the layers hold all weights.

    >>> model = nn.Sequential(nn.Linear(4, 4), nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)]), nn.Linear(4, 2))
    >>> [name for name, _ in layers_from_top(model)]
    ['2', '1.1', '1.0', '0']
    """
    layers: list[tuple[str, list[tuple[nn.Module, bool]]]] = []

    def look(name: str, module: nn.Module) -> None:
        if not any(True for _ in module.parameters()):
            return
        if not any(isinstance(inside, nn.ModuleList) for inside in module.modules()):
            layers.append((name, [(module, True)]))
            return
        if any(True for _ in module.parameters(recurse=False)):
            layers.append((name or "itself", [(module, False)]))  # of embeddings, mostly: at the bottom
        for child_name, child in module.named_children():
            look(f"{name}.{child_name}".lstrip("."), child)

    look("", model)
    return layers[::-1]


def randomised(model: PreTrainedModel, seed: int = 0) -> Iterator[tuple[str, PreTrainedModel]]:
    """A copy of a model that forgets what it learned, layer by layer from the top; what is random stays so.

    Yields the name of a layer, and the copy in which it and all above it have the weights that the model's class gives
    new models. It is the same copy all the time; `model` itself stays as it is.

    Args:
        seed: of the new weights; torch's own chance is not touched.

        for layer, forgetful in randomised(model):
            why = explain(forgetful, inputs, target=first.target)

    Raises `ValueError` for a model that is not of transformers, as it does not say how its weights begin.
    """
    if not isinstance(model, PreTrainedModel):
        raise ValueError(
            f"a model of transformers knows what its weights are like when new; {type(model).__name__} is none"
        )
    forgetful = copy.deepcopy(model)
    owners: dict[nn.Module, PreTrainedModel] = {}

    def find_owners(module: nn.Module, owner: PreTrainedModel) -> None:
        owner = module if isinstance(module, PreTrainedModel) else owner
        owners[module] = owner
        for child in module.children():
            find_owners(child, owner)

    find_owners(forgetful, forgetful)
    devices = sorted({parameter.device.index for parameter in forgetful.parameters() if parameter.is_cuda})
    for depth, (name, modules) in enumerate(layers_from_top(forgetful)):
        with torch.random.fork_rng(devices), torch.no_grad():
            torch.manual_seed(seed + depth)
            for module, includes_inside in modules:
                for inside in reversed(list(module.modules())) if includes_inside else [module]:
                    owners[inside]._init_weights(inside)
        yield name, forgetful


def sanity_check(
    model: PreTrainedModel, inputs: Inputs, explain: Explain, target: Tensor | None = None, seed: int = 0
) -> list[dict[str, Any]]:
    """How alike the maps of a model and of its [`randomised`] copies are, at each depth.

    Args:
        explain: `explain(model, inputs, target=...)`, an `Explanation`.
        target: int64 (B,), what is explained at all depths; by default what the model answers.
        seed: of the new weights.

    Returns rows of `layer`, down to which weights are random, and of "where", "when_visual" and "when_audio": the mean
    over clips of Spearman's correlation with the model's own map; `None` for maps that there are not, and where they
    have no order. An explanation that depends on what was learned gives numbers that go to 0.
    """
    inputs = without_labels(inputs)
    first = explain(model, inputs, target=target)
    return [
        {"layer": layer} | means_of(agreement_of(first, explain(forgetful, inputs, target=first.target)))
        for layer, forgetful in randomised(model, seed)
    ]


def means_of(correlations: Mapping[str, Tensor | None]) -> dict[str, float | None]:
    """The mean of each over the clips that have one, `None` without any.

    >>> means_of({"where": torch.tensor([0.5, torch.nan, 1.0]), "when_audio": None})
    {'where': 0.75, 'when_audio': None}
    """
    kept = {name: None if values is None else values[~values.isnan()] for name, values in correlations.items()}
    return {
        name: values.mean().item() if values is not None and len(values) else None for name, values in kept.items()
    }
