# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Linear layers that use oneDNN on x86 CPUs in float32, where torch would use MKL.

torch ships both. It uses oneDNN for 16-bit products and MKL for 32-bit ones, which was slower where we measured: by a
quarter for the products of a ViT-B, by more for a few rows (docs/speed.md). Results differ by rounding, as between any
two such libraries. `torch.backends.mkldnn.enabled = False` switches back to MKL.
"""

import platform
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook
from transformers.activations import GELUActivation
from transformers.pytorch_utils import Conv1D

HAS_ONEDNN = platform.machine().lower() in {"x86_64", "amd64"} and torch.backends.mkldnn.is_available()
PLAIN = (Tensor, nn.Parameter)  # not quantized or distributed tensors
GELU = ("gelu", "none")  # exact, not by tanh
PACKED_FOR = 256  # rows announced to oneDNN, which accepts any number later
FEW_WEIGHTS = 2**15  # below, a call's overhead counts; rows must not matter, lest the batch size decides


class Linear(nn.Linear):
    def forward(self, input: Tensor) -> Tensor:
        return fast_linear(input, self.weight, self.bias)

    def with_gelu(self, input: Tensor) -> Tensor:
        """GELU of the outputs, in the product's last step: the same numbers in one pass less. No gradients."""
        return product(input, self.weight, self.bias, *GELU)


class StepCount:
    """Optimizer steps of this process since weights were packed; fused ones leave a weight's version as it was."""

    steps, is_counting = 0, False

    @classmethod
    def start(cls) -> None:
        if not cls.is_counting:
            register_optimizer_step_post_hook(cls._add)
            cls.is_counting = True

    @classmethod
    def _add(cls, *of_the_optimizer: Any) -> None:
        cls.steps += 1


class PackedLinear(Linear):
    """A linear layer that also keeps its weight in the order in which oneDNN reads it; see `pack_weights`."""

    # what was packed, which stays in memory so that no other weight gets its address; and in which state
    _packed: tuple[Tensor, tuple, Tensor] | None = None

    def packed(self) -> Tensor:
        """The weight as oneDNN reads it, packed anew where the weight is another one than before."""
        weight = self.weight.detach()
        version = None if weight.is_inference() else weight._version  # which inference tensors do not have
        state = weight.data_ptr(), weight.shape, weight.stride(), version, StepCount.steps
        if self._packed is None or self._packed[1] != state:
            self._packed = weight, state, torch.ops.mkldnn._reorder_linear_weight(weight, PACKED_FOR)
        return self._packed[2]

    def forward(self, input: Tensor) -> Tensor:
        if torch.is_grad_enabled() or not takes_onednn(input, self.weight, self.bias):
            return super().forward(input)
        return product(input, self.packed(), self.bias)

    def with_gelu(self, input: Tensor) -> Tensor:
        return product(input, self.packed(), self.bias, *GELU)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_packed"}


class TransposedLinear(Conv1D):
    """GPT-2's linear layer, whose weight is (inputs, outputs): (..., inputs) -> (..., outputs).

    A single row stays with torch, which adds rows of the weight as they lie in memory; nothing is faster.
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
    if not takes_onednn(inputs, weight, bias):
        return nn.functional.linear(inputs, weight, bias)
    if torch.is_grad_enabled():
        return Product.apply(inputs, weight, bias)
    return product(inputs, weight, bias)


def activated(layer: nn.Module, activation: Any, inputs: Tensor) -> Tensor:
    """`activation(layer(inputs))`, fused for an exact GELU without gradients and hooks: same numbers, less memory."""
    if (
        isinstance(layer, Linear)
        and type(layer) in (Linear, PackedLinear)  # a class made of these may compute something else
        and not is_watched(layer)
        and is_gelu(activation)
        and not torch.is_grad_enabled()
        and takes_onednn(inputs, layer.weight, layer.bias)
    ):
        return layer.with_gelu(inputs)
    return activation(layer(inputs))


def is_gelu(activation: Any) -> bool:
    """Whether it is GELU by the error function, and nothing but that would run."""
    if isinstance(activation, GELUActivation):
        return activation.act is nn.functional.gelu and not is_watched(activation)
    return activation is nn.functional.gelu


def is_watched(module: nn.Module) -> bool:
    """Whether it has forward hooks, or a `forward` of its own, as accelerate gives to modules that it moves."""
    return bool(module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module))


def product(inputs: Tensor, weight: Tensor, bias: Tensor | None, then: str = "none", algorithm: str = "") -> Tensor:
    """x W^T + b, `then` an activation."""
    bias = None if bias is None else bias.contiguous()  # strides of a bias are not read
    return torch.ops.mkldnn._linear_pointwise(inputs, weight, bias, then, [], algorithm)


def takes_onednn(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> bool:
    """Whether all are plain float32 tensors of an x86 CPU, and nothing traces, counts or derives operations.

    The weight must also be large enough.
    """
    return (
        HAS_ONEDNN
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()
        and type(inputs) is Tensor
        and type(weight) in PLAIN
        and inputs.dtype == weight.dtype == torch.float32
        and inputs.device.type == weight.device.type == "cpu"
        and (bias is None or (type(bias) in PLAIN and bias.dtype == torch.float32 and bias.device.type == "cpu"))
        and inputs.dim() > 1
        and inputs.numel() > 0
        and weight.numel() >= FEW_WEIGHTS
        and bool(torch.backends.mkldnn.enabled)
        and not torch.is_autocast_enabled("cpu")
        and not torch._C._len_torch_dispatch_stack()
        and torch._C._functorch.peek_interpreter_stack() is None
        and torch.autograd.forward_ad._current_level < 0
    )


def use_onednn(model: nn.Module) -> None:
    """Let the linear layers of a model and of its inner models use oneDNN; names and weights stay."""
    change_classes(model, FASTER)


def pack_weights(model: nn.Module) -> None:
    """Keep a second copy of linear layers' weights, in oneDNN's layout, so that calls need not convert them.

    For inference in float32 on an x86 CPU. It takes as much memory as these weights again; docs/speed.md has the gain.
    Names, weights and saved files stay. A changed weight is packed again, unless it was changed through `.data`, which
    nobody can see: call `unpack_weights` and `pack_weights` then. `unpack_weights` undoes it.

    >>> import torch
    >>> from holovid import XViTConfig, XViTForVideoClassification
    >>> from holovid.modeling.linear import pack_weights
    >>> model = XViTForVideoClassification(XViTConfig(image_size=32, hidden_size=48, num_attention_heads=3)).eval()
    >>> pack_weights(model)
    >>> with torch.no_grad():
    ...     model(torch.zeros(1, 8, 3, 32, 32)).logits.shape
    torch.Size([1, 2])
    """
    if HAS_ONEDNN:
        StepCount.start()
        change_classes(model, {Linear: PackedLinear})


def unpack_weights(model: nn.Module) -> None:
    """Undo `pack_weights`, and free its memory."""
    for module in model.modules():
        if isinstance(module, PackedLinear):
            module.__dict__.pop("_packed", None)
    change_classes(model, {PackedLinear: Linear})


def use_torch(model: nn.Module) -> None:
    """Undo `use_onednn`, for tools such as `quantize_dynamic` that look for the exact classes of torch."""
    unpack_weights(model)
    change_classes(model, {own: other for other, own in FASTER.items()})


def change_classes(model: nn.Module, classes: dict[type[nn.Module], type[nn.Module]]) -> None:
    for module in model.modules():
        module.__class__ = classes.get(type(module), type(module))


FASTER: dict[type[nn.Module], type[nn.Module]] = {nn.Linear: Linear, Conv1D: TransposedLinear}

__all__ = [
    "Linear", "PackedLinear", "TransposedLinear", "activated", "fast_linear", "pack_weights", "unpack_weights",
    "use_onednn", "use_torch",
]  # fmt: skip
