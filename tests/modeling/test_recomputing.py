"""Norms and activations that a backward pass computes again: the same gradients, with less kept."""

import weakref

import pytest
import torch
from tiny_time_sformer import ATTENTION, clips, tiny
from torch import nn
from torch.nn import functional as F

from holovid.modeling import modeling_time_sformer
from holovid.modeling.recomputing import recomputed


def kept(call) -> set[int]:
    """Places of the tensors that a call keeps for the backward pass, as far as no inner hook takes them."""
    places = set()
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: places.add(tensor.data_ptr()) or tensor, lambda x: x):
        call()
    return places


@pytest.mark.parametrize("autocast", [False, True])
def test_gradients_are_the_same_to_the_last_bit(autocast):
    first, norm, second = nn.Linear(6, 8), nn.LayerNorm(8), nn.Linear(8, 3)
    values = torch.randn(4, 5, 6, requires_grad=True)

    def run(keep: bool) -> list[torch.Tensor]:
        with (
            torch.autocast("cpu", torch.bfloat16, enabled=autocast),
            recomputed(norm, first(values), keep) as normed,
            recomputed(F.gelu, normed, keep) as activated,
        ):
            loss = second(activated).square().mean()
        return torch.autograd.grad(loss, [values, *first.parameters(), *norm.parameters(), *second.parameters()])

    for ours, expected in zip(run(keep=False), run(keep=True), strict=True):
        assert torch.equal(ours, expected)


def test_gradients_of_gradients():
    linear, values = nn.Linear(6, 3).double(), torch.randn(4, 6, dtype=torch.float64, requires_grad=True)

    def function(given):
        with recomputed(torch.tanh, given * 2) as made:
            return linear(made).square()

    assert torch.autograd.gradgradcheck(function, (values,))


@pytest.mark.parametrize("attention_type", ATTENTION)
def test_a_model_learns_the_same(attention_type, monkeypatch):
    model = tiny(attention_type=attention_type).train()
    batch, labels = clips(model.config), torch.tensor([0, 4])
    model(batch, labels=labels).loss.backward()
    ours = [parameter.grad.clone() for parameter in model.parameters()]
    model.zero_grad()
    monkeypatch.setattr(modeling_time_sformer, "recomputed", lambda *given: recomputed(*given[:2], True))
    model(batch, labels=labels).loss.backward()
    assert all(map(torch.equal, ours, (parameter.grad for parameter in model.parameters())))


@pytest.mark.parametrize("keep", [False, True])
def test_what_is_computed_again_is_not_kept(keep):
    linear, values = nn.Linear(6, 3), torch.randn(4, 6, requires_grad=True)
    with recomputed(F.gelu, values * 2, keep) as activated:
        loss = linear(activated).sum()
    place = weakref.ref(activated.untyped_storage())
    del activated
    assert (place() is None) == (not keep) and loss.requires_grad


def test_checkpointing_keeps_as_little_as_ever():
    model = tiny().train()
    model.activation_checkpointing_enable()
    batch = clips(model.config)
    kept_by_checkpoints = kept(lambda: model(batch))
    model.activation_checkpointing_disable()
    assert len(kept_by_checkpoints) < len(kept(lambda: model(batch)))


def test_adapters_inside_are_trained():
    class Adapted(nn.Linear):
        def __init__(self):
            super().__init__(8, 3)
            self.down, self.up = nn.Linear(8, 2), nn.Linear(2, 3)

        def forward(self, given):
            return super().forward(given) + self.up(self.down(given))

    adapted, values = Adapted(), torch.randn(4, 8, requires_grad=True)
    with recomputed(F.gelu, values) as activated:
        adapted(activated).square().sum().backward()
    ours = [parameter.grad.clone() for parameter in adapted.parameters()]
    adapted.zero_grad()
    adapted(F.gelu(values)).square().sum().backward()
    assert all(map(torch.equal, ours, (parameter.grad for parameter in adapted.parameters())))


@pytest.mark.parametrize("training", [True, False])
def test_what_is_drawn_at_random_is_kept(training):
    """An adapter that drops out would drop other numbers the second time."""
    adapted, linear = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5)).train(training), nn.Linear(8, 3)
    values = torch.randn(4, 6, requires_grad=True)
    torch.manual_seed(0)
    with recomputed(adapted, values) as made:
        linear(made).square().sum().backward()
    ours = [parameter.grad.clone() for parameter in (*adapted.parameters(), *linear.parameters())]
    adapted.zero_grad()
    linear.zero_grad()
    torch.manual_seed(0)
    linear(adapted(values)).square().sum().backward()
    assert all(map(torch.equal, ours, (parameter.grad for parameter in (*adapted.parameters(), *linear.parameters()))))
