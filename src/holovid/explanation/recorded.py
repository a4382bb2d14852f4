"""Records a model's attention, values and states during a forward pass, and the prediction's gradients there.

Attention of all models of transformers, and of ours, goes through one table of functions. During recording it goes
through a function that keeps its weights; afterwards models compute as before.
B clips, T frames, S tokens, N heads, d width of a head.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from holovid.explanation.occlusion import as_shares
from holovid.explanation.scoring import evaluating
from holovid.modeling.modeling_common import eager_attention_forward

IMPLEMENTATION = "holovid_recorded"


@dataclass
class Attended:
    """One call of an attention: `weights` (batch, N, S, S'), `values` (batch, N, S', d), and gradients there."""

    weights: Tensor
    values: Tensor
    weight_gradients: Tensor | None = None
    value_gradients: Tensor | None = None

    @property
    def support(self) -> Tensor:
        """How much each reader's attention to each source supports the prediction, (batch, N, S, S').

        Gradient times weight, where positive (Chefer et al. 2021, arXiv:2103.15679, equation 5). Because attention is
        a sum over sources and heads, these are parts of the prediction.
        """
        assert self.weight_gradients is not None
        return (self.weight_gradients * self.weights).clamp(min=0).detach()

    @property
    def value_parts(self) -> Tensor:
        """|gradient x value|, (batch, S', N * d): on which channels of the values the prediction depends."""
        assert self.value_gradients is not None
        return (self.value_gradients * self.values).abs().detach().transpose(1, 2).flatten(2)


@dataclass
class Recorded:
    """
    Args:
        attention: module -> its call. Each is called once in a forward pass.
        states: watched module -> its input, and in `gradients`, after `differentiate`, the prediction's gradient
            there.
        results, result_gradients: the same for its output.
    """

    attention: dict[nn.Module, Attended] = field(default_factory=dict)
    states: dict[nn.Module, Tensor] = field(default_factory=dict)
    gradients: dict[nn.Module, Tensor] = field(default_factory=dict)
    results: dict[nn.Module, Tensor] = field(default_factory=dict)
    result_gradients: dict[nn.Module, Tensor] = field(default_factory=dict)

    def differentiate(self, objective: Tensor) -> None:
        """Add the gradients of a number at everything recorded; zeros where it has no influence."""
        calls = list(self.attention.values())
        parts = [
            [call.weights for call in calls],
            [call.values for call in calls],
            list(self.states.values()),
            list(self.results.values()),
        ]
        tensors = [tensor for part in parts for tensor in part]
        found = torch.autograd.grad(objective, tensors, allow_unused=True, materialize_grads=True)
        gradients = iter(found)
        for call in calls:
            call.weight_gradients = next(gradients)
        for call in calls:
            call.value_gradients = next(gradients)
        self.gradients = {module: next(gradients) for module in self.states}
        self.result_gradients = {module: next(gradients) for module in self.results}


RECORDING: ContextVar[Recorded | None] = ContextVar("RECORDING", default=None)


def recorded_attention_forward(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **kwargs: object,
) -> tuple[Tensor, Tensor]:
    """softmax(Q K^T * scaling) V, without dropout, which keeps weights and values during recording."""
    scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
    output, weights = eager_attention_forward(module, query, key, value, attention_mask, scaling)
    recorded = RECORDING.get()
    if recorded is not None:
        recorded.attention[module] = Attended(weights, value)
    return output, weights


ALL_ATTENTION_FUNCTIONS.register(IMPLEMENTATION, recorded_attention_forward)
ALL_MASK_ATTENTION_FUNCTIONS.register(IMPLEMENTATION, ALL_MASK_ATTENTION_FUNCTIONS["eager"])


@contextmanager
def attention_recorded(model: PreTrainedModel, watched: Iterable[nn.Module] = ()) -> Iterator[Recorded]:
    """Record a model and its inner models inside the block, in evaluation mode and with gradients.

    The first argument and the result of `watched` modules, tensors, are kept.
    """
    recorded = Recorded()

    def keep(module: nn.Module, arguments: tuple[Tensor, ...], result: Tensor) -> None:
        if RECORDING.get() is recorded:  # not the pass of another thread
            recorded.states[module], recorded.results[module] = arguments[0], result

    with evaluating(model):
        inside = [module for module in model.modules() if isinstance(module, PreTrainedModel)]
        before = [(module, module.config._attn_implementation) for module in inside]
        hooks = [module.register_forward_hook(keep) for module in watched]
        token = RECORDING.set(recorded)
        try:
            model.set_attn_implementation(IMPLEMENTATION)
            with torch.enable_grad():
                yield recorded
        finally:
            RECORDING.reset(token)
            for hook in hooks:
                hook.remove()
            for module, implementation in before:  # outer modules first: each also sets its inner ones
                module.set_attn_implementation(implementation)


def shared_back(context: nn.Module, call: Attended, read: Tensor, tokens: int) -> Tensor:
    """Return relevance of keys and values mixed by `context` to their origin: (B, T, S') -> (B, T, S), S = `tokens`.

    `context` moves channels of values among frames, or appends means of tokens; it is linear and has no weights. A
    token's relevance is divided among its channels by |gradient x value|, and each channel returns to its origin.
    Without this, a frame would get the relevance of its neighbours.
    """
    parts = call.value_parts.float()
    parts = as_shares(parts.flatten(0, 1)).view_as(parts)
    parts = parts.unflatten(0, read.shape[:2]) * read[..., None]
    with torch.enable_grad():
        origin = parts.new_zeros(*read.shape[:2], tokens, parts.shape[-1], requires_grad=True)
        return torch.autograd.grad(context(origin), origin, parts)[0].sum(dim=-1)
