"""Agreement of two explanations: of a method and occlusion, or of a model and its randomised copy.

Adebayo et al. 2018, "Sanity Checks for Saliency Maps", section 3.1: a map that stays the same while the weights are
randomised, layer after layer from the top, says nothing about the model.
B clips, T frames, h, w cells of a frame, N entries of a map.
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

    Equal values share their mean rank. NaN for a clip with a constant map.

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
    """Spearman's correlation of two explanations of the same clips, such as of a method and of occlusion.

    Returns for "where", "when_visual" and "when_audio" the result of [`rank_correlation`], (B,), or `None` if a map is
    missing. `where` maps with different cells are averaged over cells that both can resolve. Raises `ValueError` for
    maps of other clips, frames or audio steps.
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
    """The layers of a model, the head first: name -> its modules, each with whether its contents count too.

    A layer is an element of a `ModuleList`, or any other module with weights; the last registered is on top, because
    models register modules in the order of execution. Together the layers hold all weights.

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
            layers.append((name or "itself", [(module, False)]))  # mostly embeddings, at the bottom
        for child_name, child in module.named_children():
            look(f"{name}.{child_name}".lstrip("."), child)

    look("", model)
    return layers[::-1]


def randomised(model: PreTrainedModel, seed: int = 0) -> Iterator[tuple[str, PreTrainedModel]]:
    """A copy of a model whose layers are re-initialised one by one from the top, cumulatively.

    Yields the name of a layer, and the copy in which it and all above it have new weights. It is always the same copy;
    `model` does not change.

        for layer, forgetful in randomised(model):
            why = explain(forgetful, inputs, target=first.target)

    Args:
        seed: of the new weights; torch's global generator is not used.

    Raises `ValueError` for a model that is not of transformers, because its initialisation is unknown.
    """
    if not isinstance(model, PreTrainedModel):
        raise ValueError(
            f"new weights need a model of transformers, which can initialise itself; got a {type(model).__name__}"
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
    """Similarity of the maps of a model and of its [`randomised`] copies, at each depth.

    Args:
        explain: `explain(model, inputs, target=...)`, an `Explanation`.
        target: int64 (B,), explained at all depths; by default the prediction.
        seed: of the new weights.

    Returns rows of `layer`, down to which weights are random, and of "where", "when_visual" and "when_audio": the mean
    over clips of Spearman's correlation with the model's own map; `None` for missing or constant maps. For an
    explanation that depends on what was learned, the numbers go to 0.
    """
    inputs = without_labels(inputs)
    first = explain(model, inputs, target=target)
    return [
        {"layer": layer} | means_of(agreement_of(first, explain(forgetful, inputs, target=first.target)))
        for layer, forgetful in randomised(model, seed)
    ]


def means_of(correlations: Mapping[str, Tensor | None]) -> dict[str, float | None]:
    """Mean of each over the clips that have a value, `None` without any.

    >>> means_of({"where": torch.tensor([0.5, torch.nan, 1.0]), "when_audio": None})
    {'where': 0.75, 'when_audio': None}
    """
    kept = {name: None if values is None else values[~values.isnan()] for name, values in correlations.items()}
    return {
        name: values.mean().item() if values is not None and len(values) else None for name, values in kept.items()
    }
