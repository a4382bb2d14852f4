# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""What a backward pass computes again because that is cheaper than to keep it: norms, activations, a projection.

A norm's output and an activation's, four times as wide, are kept by the linear layers that read them; so is what they
were made of. Of a layer with divided attention in training, eight of some twenty-four tensors of its size need not be
kept.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn

DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)


@contextmanager
def recomputed(function: Callable[[Tensor], Tensor], argument: Tensor, checkpointed: bool = False) -> Iterator[Tensor]:
    """`function(argument)`, which what runs within does not keep for its backward pass: there it is computed again.

    Modules within are called as ever, so that adapters and hooks on them count. A function that draws at random, such
    as a module with an adapter that drops out, could not be computed again: then what it made is kept.
    `checkpointed`: all of it is computed again anyway, by activation checkpointing, and this here would be in its way.

        with recomputed(self.activation, hidden_states) as activated:
            return self.fc2(activated)
    """
    made = function(argument)
    # a compiler decides by itself what to keep
    if checkpointed or not made.requires_grad or torch.compiler.is_compiling() or draws_at_random(function):
        yield made
        return
    address, size, argument = made.data_ptr(), made.numel(), argument.detach()
    device = made.device.type
    again = autocast_of(device)

    def pack(tensor: Tensor) -> Tensor | torch.Size:
        is_made = tensor.data_ptr() == address and tensor.numel() == size and tensor.is_contiguous()
        return tensor.shape if is_made else tensor

    def unpack(kept: Tensor | torch.Size) -> Tensor:
        if isinstance(kept, Tensor):
            return kept
        with torch.no_grad(), again:
            return function(argument).view(kept)

    with torch.autograd.graph.saved_tensors_hooks(pack, unpack):
        yield made


def draws_at_random(function: Callable[[Tensor], Tensor]) -> bool:
    """Whether it is a module in training of which a part drops out."""
    parts = function.modules() if isinstance(function, nn.Module) else ()
    return any(isinstance(part, DROPOUTS) and part.training and part.p > 0 for part in parts)


def autocast_of(device: str) -> AbstractContextManager:
    """What autocast does on a device now, for another time; nothing on those that have none."""
    if not torch.amp.is_autocast_available(device):
        return nullcontext()
    return torch.autocast(device, torch.get_autocast_dtype(device), torch.is_autocast_enabled(device))


__all__ = ["recomputed"]
