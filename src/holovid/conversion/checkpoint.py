"""Reading reference checkpoints: from a file to a state dict, and from the reference's names to ours.

Files are read with `weights_only=True`: nothing in them is executed. Each family's names are in its `from_*.py`.
"""

import os
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.utils import logging

from holovid.configuration.class_names import class_names
from holovid.modeling.weight_files import first_line, some

logger = logging.get_logger(__name__)

StateDict = Mapping[str, Tensor]

# keys under which training scripts save the tensors, in the order of search
WRAPPERS = ("model_state", "state_dict_ema", "model", "module", "state_dict")


@dataclass
class Names:
    """Reference tensor names -> ours."""

    ours: dict[str, tuple[str, ...]]  # several names: cut into equal parts along the first axis
    unused: frozenset[str] = frozenset()  # saved but never used by the reference
    reshape: dict[str, Callable[[Tensor], Tensor]] = field(default_factory=dict)  # by reference name


def read_checkpoint(path: str | os.PathLike) -> Mapping:
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path} is not a file")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "global" in str(error).lower():
            reason = str(error).split("\n\n")[0].splitlines()[-1].strip()
            raise ValueError(f"{path} holds more than tensors, so it is not unpickled: {reason}") from error
        raise ValueError(f"{path} is not a checkpoint: {type(error).__name__}") from error
    except (SafetensorError, RuntimeError, OSError, EOFError, KeyError, ValueError) as error:
        raise ValueError(f"{path} is not a checkpoint: {first_line(error)}") from error
    if not isinstance(content, Mapping):
        raise ValueError(f"{path} is not a checkpoint: it holds a {type(content).__name__}")
    return content


def unwrap(content: Mapping) -> dict[str, Tensor]:
    """The state dict inside a training checkpoint, without DistributedDataParallel's prefix."""
    for wrapper in WRAPPERS:
        if isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
            break
    strange = [repr(name) for name in content if not isinstance(name, str)]
    strange += [name for name, value in content.items() if isinstance(name, str) and not isinstance(value, Tensor)]
    if any(isinstance(value, Tensor) and value.layout != torch.strided for value in content.values()):
        raise ValueError("the checkpoint has sparse tensors; save them as dense ones: tensor.to_dense()")
    if strange or not content:
        listed = ", ".join(strange[:5]) or "nothing"
        raise ValueError(
            f"no state dict found, neither at the top nor under {', '.join(WRAPPERS)}; found {listed[:500]}"
        )
    if all(name.startswith("module.") for name in content):
        return {name.removeprefix("module."): tensor for name, tensor in content.items()}
    return dict(content)


def load_converted(
    model_class: type[PreTrainedModel], config: PreTrainedConfig, names: Names, state_dict: StateDict
) -> PreTrainedModel:
    if missing := sorted(names.ours.keys() - state_dict.keys()):
        raise ValueError(f"the checkpoint lacks {len(missing)} tensors: {some(missing)}")
    if unknown := sorted(state_dict.keys() - names.ours.keys() - names.unused):
        raise ValueError(f"the checkpoint has {len(unknown)} tensors that the model does not use: {some(unknown)}")
    with torch.device("meta"):
        expected = {name: tensor.shape for name, tensor in model_class(config).state_dict().items()}

    if strange := sorted(name for name in names.ours if not state_dict[name].isfinite().all()):
        raise ValueError(f"{len(strange)} tensors of the checkpoint have NaN or infinite values: {some(strange)}")
    tensors: dict[str, Tensor] = {}
    for reference, ours in names.ours.items():
        if not state_dict[reference].is_floating_point():
            kind = str(state_dict[reference].dtype).removeprefix("torch.")
            raise ValueError(f"{reference} holds {kind}, but weights must be floating-point numbers")
        tensor = names.reshape.get(reference, lambda same: same)(state_dict[reference].float())
        if tensor.ndim == 0 or tensor.shape[0] % len(ours):
            raise ValueError(f"{reference} of shape {tuple(tensor.shape)} cannot be cut into {len(ours)} parts")
        for name, part in zip(ours, tensor.chunk(len(ours)), strict=True):
            if part.shape != expected[name]:
                raise ValueError(f"{reference} gives {name} shape {tuple(part.shape)}, not {tuple(expected[name])}")
            if name in tensors and not torch.equal(tensors[name], part):
                raise ValueError(f"{reference} differs from the tensor that it is tied to, as {name}")
            tensors[name] = part.contiguous()
    if homeless := expected.keys() - tensors.keys():
        raise ValueError(f"the checkpoint has no values for {some(sorted(homeless))}")
    return model_class.from_pretrained(None, config=config, state_dict=tensors, dtype=torch.float32).eval()


def linear(reference: str, ours: str) -> dict[str, tuple[str, ...]]:
    return {f"{reference}.{kind}": (f"{ours}.{kind}",) for kind in ("weight", "bias")}


def depth(state_dict: StateDict, prefix: str) -> int:
    return len({name.removeprefix(prefix).split(".")[0] for name in state_dict if name.startswith(prefix)})


def say_assumed(untold: dict[str, tuple]) -> dict:
    """Settings that no tensor determines, name -> (given, default), with defaults filled in and named in a warning."""
    if assumed := {name: default for name, (given, default) in untold.items() if given is None}:
        logger.warning(f"Not in the checkpoint, so assumed: {assumed}. Pass them if the model was trained otherwise.")
    return {name: default if given is None else given for name, (given, default) in untold.items()}


def label_settings(num_labels: int | None, id2label: dict[int, str] | None) -> dict:
    if id2label is None:
        return {} if num_labels is None else {"num_labels": num_labels}
    id2label = class_names(id2label)
    if len(id2label) != num_labels:
        raise ValueError(f"the checkpoint has {num_labels} classes, but id2label names {len(id2label)}")
    return {"id2label": id2label}
