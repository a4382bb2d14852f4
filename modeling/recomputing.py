# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Recomputation in the backward pass where it is cheaper than memory: norms, activations, a projection.

The linear layer after a norm or an activation keeps its input, and autograd keeps the input of the norm or activation
too. In training, a layer with divided attention can do without eight of some twenty-four tensors of its size.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn

DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)


@contextmanager
def recomputed(function: Callable[[Tensor], Tensor], argument: Tensor, checkpointed: bool = False) -> Iterator[Tensor]:
    """`function(argument)`; operations inside the block do not keep it for backward, where it is computed again.

        with recomputed(self.activation, hidden_states) as activated:
            return self.fc2(activated)

    Modules are called normally, so adapters and hooks on them work. The output of a function that draws at random (an
    adapter with dropout) is kept, because it cannot be computed again. `checkpointed`: activation checkpointing is
    active and recomputes everything anyway, so this does nothing.
    """
    made = function(argument)
    # a compiler decides what to keep
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
    """Whether it is a module in training with active dropout."""
    parts = function.modules() if isinstance(function, nn.Module) else ()
    return any(isinstance(part, DROPOUTS) and part.training and part.p > 0 for part in parts)


def autocast_of(device: str) -> AbstractContextManager:
    """The device's current autocast state, to enter again later; nothing on devices without autocast."""
    if not torch.amp.is_autocast_available(device):
        return nullcontext()
    return torch.autocast(device, torch.get_autocast_dtype(device), torch.is_autocast_enabled(device))


__all__ = ["recomputed"]
