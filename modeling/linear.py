# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Linear layers that compute with oneDNN on x86 CPUs, in float32, where torch takes MKL.

torch comes with both libraries. It asks oneDNN for products in 16 bits and MKL for those in 32, which is slower where
it was measured: by a quarter for the products of a ViT-B, by more for a few rows (docs/speed.md). Results differ by
rounding, as between any two such libraries. `torch.backends.mkldnn.enabled = False` gives MKL back.
"""

import platform
from typing import Any

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

HAS_ONEDNN = platform.machine().lower() in {"x86_64", "amd64"} and torch.backends.mkldnn.is_available()
PLAIN = (Tensor, nn.Parameter)  # not those of quantization, or spread over several devices
FEW_WEIGHTS = 2**15  # below, what a call costs besides the product counts; a number of rows would let a batch decide


class Linear(nn.Linear):
    """`nn.Linear`, (..., inputs) -> (..., outputs)."""

    def forward(self, input: Tensor) -> Tensor:
        return fast_linear(input, self.weight, self.bias)


class TransposedLinear(Conv1D):
    """GPT-2's linear layer, whose weight is (inputs, outputs): (..., inputs) -> (..., outputs).

    Of a single row torch adds up rows of the weight as they lie, and nothing is faster.
    """

    def forward(self, input: Tensor) -> Tensor:
        if input.numel() == input.shape[-1]:
            return super().forward(input)
        return fast_linear(input, self.weight.T, self.bias)


class Product(torch.autograd.Function):
    """x W^T + b by oneDNN: x (..., inputs), W (outputs, inputs), b (outputs) or None -> (..., outputs)."""

    @staticmethod
    def forward(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return product(inputs, weight, bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor | None], output: Tensor) -> None:
        of_inputs, of_weight, _ = ctx.needs_input_grad
        ctx.save_for_backward(inputs[0] if of_weight else None, inputs[1] if of_inputs else None)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        inputs, weight = ctx.saved_tensors
        of_inputs, of_weight, of_bias = ctx.needs_input_grad
        rows = gradient.flatten(0, -2)
        return (
            fast_linear(gradient, weight.T) if of_inputs else None,
            rows.T @ inputs.flatten(0, -2) if of_weight else None,
            rows.sum(0) if of_bias else None,
        )


def fast_linear(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`nn.functional.linear`: inputs (..., K), weight (M, K), bias (M) -> (..., M)."""
    if not takes_onednn(inputs, weight):
        return nn.functional.linear(inputs, weight, bias)
    if torch.is_grad_enabled():
        return Product.apply(inputs, weight, bias)
    return product(inputs, weight, bias)


def product(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(inputs, weight, bias, "none", [], "")


def takes_onednn(inputs: Tensor, weight: Tensor) -> bool:
    """Whether both are plain tensors of an x86 CPU in float32, large enough, and nobody looks at which operations run.

    A compiler, an exporter and a counter of operations know `linear`, and choose for themselves.
    """
    return (
        HAS_ONEDNN
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()
        and type(inputs) is Tensor
        and type(weight) in PLAIN
        and inputs.dtype == weight.dtype == torch.float32
        and inputs.device.type == weight.device.type == "cpu"
        and inputs.dim() > 1
        and inputs.numel() > 0
        and weight.numel() >= FEW_WEIGHTS
        and bool(torch.backends.mkldnn.enabled)
        and not torch.is_autocast_enabled("cpu")
        and not torch._C._len_torch_dispatch_stack()
        and torch._C._functorch.peek_interpreter_stack() is None
    )


def use_onednn(model: nn.Module) -> None:
    """Let linear layers of a model, and of models inside of it, compute here; names and weights stay as they are."""
    change_classes(model, FASTER)


def use_torch(model: nn.Module) -> None:
    """Let them be layers of torch and of transformers again, for what knows layers by their exact class.

    `torch.ao.quantization.quantize_dynamic` does, which finds no layers otherwise.
    """
    change_classes(model, {own: other for other, own in FASTER.items()})


def change_classes(model: nn.Module, classes: dict[type[nn.Module], type[nn.Module]]) -> None:
    for module in model.modules():
        module.__class__ = classes.get(type(module), type(module))


FASTER: dict[type[nn.Module], type[nn.Module]] = {nn.Linear: Linear, Conv1D: TransposedLinear}

__all__ = ["Linear", "TransposedLinear", "fast_linear", "use_onednn", "use_torch"]
