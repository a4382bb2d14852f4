"""Linear layers by oneDNN are those of torch: values, gradients of every order, and what looks at operations."""

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.autograd import forward_ad
from torch.utils.flop_counter import FlopCounterMode
from transformers import ViTConfig
from transformers.activations import ACT2FN
from transformers.pytorch_utils import Conv1D

from holovid import XViTConfig, XViTForVideoClassification
from holovid.modeling import linear as of_onednn
from holovid.modeling.inner_models import build_inner_model
from holovid.modeling.linear import (
    HAS_ONEDNN,
    Linear,
    PackedLinear,
    TransposedLinear,
    activated,
    fast_linear,
    pack_weights,
    unpack_weights,
    use_onednn,
    use_torch,
)

WIDTH, OUT = 160, 208  # enough weights for oneDNN, and no square


@pytest.fixture
def asked(monkeypatch) -> list[torch.Size]:
    """The shapes that oneDNN is given."""
    shapes: list[torch.Size] = []
    product = of_onednn.product

    def noted(inputs, *others):
        shapes.append(inputs.shape)
        return product(inputs, *others)

    monkeypatch.setattr(of_onednn, "product", noted)
    return shapes


@pytest.mark.skipif(not HAS_ONEDNN, reason="of x86 CPUs")
@pytest.mark.parametrize("shape", [(3, WIDTH), (2, 5, WIDTH), (2, 3, 5, WIDTH)])
@pytest.mark.parametrize("bias", [True, False])
def test_values_and_gradients_are_those_of_torch(shape, bias, asked):
    torch.manual_seed(0)
    layer = nn.Linear(WIDTH, OUT, bias=bias)
    inputs = torch.randn(shape, requires_grad=True)
    wanted = layer(inputs)
    leaves = [inputs, *layer.parameters()]
    gradient = torch.randn_like(wanted)
    found = fast_linear(inputs, layer.weight, layer.bias)
    assert asked == [inputs.shape]
    torch.testing.assert_close(found, wanted)
    for own, other in zip(
        torch.autograd.grad(found, leaves, gradient), torch.autograd.grad(wanted, leaves, gradient), strict=True
    ):
        torch.testing.assert_close(own, other)
    with torch.inference_mode():
        torch.testing.assert_close(fast_linear(inputs, layer.weight, layer.bias), wanted)


def test_gradients_of_gradients_are_those_of_torch():
    torch.manual_seed(0)
    layer, inputs = nn.Linear(WIDTH, OUT), torch.randn(3, 5, WIDTH, requires_grad=True)

    def second(function) -> list[torch.Tensor]:
        (first,) = torch.autograd.grad(function(inputs).square().sum(), inputs, create_graph=True)
        return list(torch.autograd.grad(first.square().sum(), (inputs, layer.weight)))

    own = second(lambda tensor: fast_linear(tensor, layer.weight, layer.bias))
    torch.testing.assert_close(own, second(layer), rtol=1e-5, atol=1e-4)


def test_only_what_needs_a_gradient_gets_one():
    layer, inputs = nn.Linear(WIDTH, OUT).requires_grad_(False), torch.randn(3, WIDTH)
    assert not fast_linear(inputs, layer.weight, layer.bias).requires_grad
    layer.bias.requires_grad_(True)
    fast_linear(inputs, layer.weight, layer.bias).sum().backward()
    assert layer.weight.grad is None and layer.bias.grad.eq(3).all()


@pytest.mark.parametrize(("inputs_learn", "weight_learns"), [(True, True), (True, False), (False, True)])
def test_nothing_is_kept_that_no_gradient_needs(inputs_learn, weight_learns):
    layer = Linear(WIDTH, OUT, bias=False).requires_grad_(weight_learns)
    inputs = torch.randn(3, WIDTH, requires_grad=inputs_learn)
    kept: list[torch.Size] = []

    def note(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor.shape)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        layer(inputs).sum().backward()
    assert kept == [inputs.shape] * weight_learns + [layer.weight.shape] * inputs_learn


@pytest.mark.parametrize("rows", [1, 2, 7])
def test_layers_of_gpt2(rows):
    torch.manual_seed(0)
    layer, inputs = Conv1D(OUT, WIDTH), torch.randn(rows, 1, WIDTH)
    wanted = layer(inputs)
    use_onednn(layer)
    assert type(layer) is TransposedLinear
    torch.testing.assert_close(layer(inputs), wanted)


@pytest.mark.parametrize(
    "inputs, weight",
    [
        (torch.randn(3, 8), torch.randn(4, 8)),  # few weights
        (torch.randn(0, WIDTH), torch.randn(OUT, WIDTH)),
        (torch.randn(WIDTH), torch.randn(OUT, WIDTH)),
        (torch.randn(3, WIDTH).bfloat16(), torch.randn(OUT, WIDTH).bfloat16()),
        (torch.randn(3, WIDTH).double(), torch.randn(OUT, WIDTH).double()),
        (torch.randn(3, WIDTH, device="meta"), torch.randn(OUT, WIDTH, device="meta")),
    ],
)
def test_all_else_is_left_to_torch(inputs, weight, asked):
    assert fast_linear(inputs, weight).shape == (*inputs.shape[:-1], len(weight)) and not asked


def test_whoever_looks_at_operations_sees_a_linear_layer(asked, monkeypatch):
    layer, inputs = Linear(WIDTH, OUT), torch.randn(3, WIDTH)
    with FlopCounterMode(display=False) as counter:
        layer(inputs)
    assert counter.get_total_flops() == 2 * 3 * WIDTH * OUT
    assert torch.compile(layer, fullgraph=True, backend="eager")(inputs).shape == (3, OUT)
    torch.export.export(layer, (inputs,))
    assert torch.func.vmap(layer)(inputs).shape == (3, OUT)
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(inputs).dtype == torch.bfloat16
    with monkeypatch.context() as off:
        off.setattr(torch.backends.mkldnn, "enabled", False)
        layer(inputs)
    assert not asked
    layer(inputs)
    assert len(asked) == HAS_ONEDNN


def test_models_have_such_layers_also_inside():
    config = XViTConfig(image_size=32, num_frames=2, hidden_size=48, num_hidden_layers=1, num_attention_heads=3)
    model = XViTForVideoClassification(config)
    kinds = {type(module) for module in model.modules() if isinstance(module, nn.Linear)}
    assert kinds == {Linear}
    inner = build_inner_model(ViTConfig(image_size=32, hidden_size=48, num_hidden_layers=1, num_attention_heads=3))
    names = list(inner.state_dict())
    use_onednn(inner)
    assert {type(module) for module in inner.modules() if isinstance(module, nn.Linear)} == {Linear}
    assert list(inner.state_dict()) == names
    assert type(copy.deepcopy(model).classifier) is type(pickle.loads(pickle.dumps(model)).classifier) is Linear


def test_layers_are_those_of_torch_again_on_request():
    config = XViTConfig(image_size=32, num_frames=2, hidden_size=48, num_hidden_layers=1, num_attention_heads=3)
    model = nn.ModuleList([XViTForVideoClassification(config), Conv1D(4, 8)])
    use_onednn(model)
    use_torch(model)
    kinds = {type(module) for module in model.modules() if isinstance(module, (nn.Linear, Conv1D))}
    assert kinds == {nn.Linear, Conv1D}


@pytest.fixture
def fused(monkeypatch) -> list[torch.Size]:
    """The shapes that one operation is given for a product and GELU."""
    shapes: list[torch.Size] = []
    for kind in (Linear, PackedLinear):

        def noted(self, input, own=kind.with_gelu):
            shapes.append(input.shape)
            return own(self, input)

        monkeypatch.setattr(kind, "with_gelu", noted)
    return shapes


@pytest.mark.skipif(not HAS_ONEDNN, reason="of x86 CPUs")
@pytest.mark.parametrize("kind", [Linear, PackedLinear])
@pytest.mark.parametrize("activation", [nn.functional.gelu, ACT2FN["gelu"]])
def test_gelu_in_the_product_is_gelu_after_it(kind, activation, fused):
    torch.manual_seed(0)
    layer, inputs = kind(WIDTH, OUT), torch.randn(2, 5, WIDTH)
    with torch.no_grad():
        expected = nn.functional.gelu(nn.functional.linear(inputs, layer.weight, layer.bias))
        torch.testing.assert_close(activated(layer, activation, inputs), expected)
    assert fused == [inputs.shape]
    with torch.inference_mode():
        torch.testing.assert_close(activated(layer, activation, inputs), expected)
    assert len(fused) == 2


def test_gelu_stays_apart_where_somebody_looks(fused):
    layer, inputs = Linear(WIDTH, OUT), torch.randn(3, WIDTH)
    seen: list[torch.Size] = []
    activated(layer, nn.functional.gelu, inputs).sum().backward()  # gradients
    with torch.no_grad():
        for function in (ACT2FN["gelu_new"], ACT2FN["quick_gelu"], nn.functional.silu):
            torch.testing.assert_close(activated(layer, function, inputs), function(layer(inputs)))
        activated(nn.Linear(WIDTH, OUT), nn.functional.gelu, inputs)  # such as a layer with an adapter
        gelu = ACT2FN["gelu"]
        for module in (layer, gelu):
            handle = module.register_forward_hook(lambda module, args, output: seen.append(output.shape))
            activated(layer, gelu, inputs)
            handle.remove()
        replaced = Linear(WIDTH, OUT)
        replaced.forward = lambda inputs: torch.ones(3, OUT)  # as accelerate and people who debug do
        torch.testing.assert_close(activated(replaced, nn.functional.gelu, inputs), gelu(torch.ones(3, OUT)))
    assert seen == [(3, OUT)] * 2 and not fused


@pytest.mark.skipif(not HAS_ONEDNN, reason="of x86 CPUs")
def test_packed_weights_are_the_weights():
    torch.manual_seed(0)
    config = XViTConfig(image_size=32, num_frames=2, hidden_size=192, num_hidden_layers=2, num_attention_heads=3)
    model, clip = XViTForVideoClassification(config).eval(), torch.randn(2, 2, 3, 32, 32)
    names = list(model.state_dict())
    with torch.no_grad():
        expected = model(clip).logits
        pack_weights(model)
        torch.testing.assert_close(model(clip).logits, expected)
        packed = [module for module in model.modules() if isinstance(module, PackedLinear) and module._packed]
        assert len(packed) > 10 and list(model.state_dict()) == names
        layer = model.xvit.layers[0].mlp.fc1
        layer.weight.mul_(2)  # as an optimizer or load_state_dict changes it
        changed = model(clip).logits
    assert (changed - expected).abs().max() > 1e-4
    again = pickle.loads(pickle.dumps(copy.deepcopy(model)))
    assert all(module._packed is None for module in again.modules() if isinstance(module, PackedLinear))
    model(clip).logits.sum().backward()  # gradients go through the weight itself
    assert layer.weight.grad is not None
    unpack_weights(model)
    with torch.no_grad():
        torch.testing.assert_close(model(clip).logits, changed)
    assert not any(isinstance(module, PackedLinear) or "_packed" in vars(module) for module in model.modules())


@pytest.mark.skipif(not HAS_ONEDNN, reason="of x86 CPUs")
@pytest.mark.parametrize("options", [{}, {"fused": True}, {"foreach": True}])
def test_weights_are_packed_anew_after_a_step(options):
    layer = nn.Sequential(nn.Linear(WIDTH, OUT))
    use_onednn(layer)
    pack_weights(layer)
    inputs, before = torch.randn(3, WIDTH), layer[0].weight.detach().clone()
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.1, **options)
    for _ in range(2):
        with torch.no_grad():
            torch.testing.assert_close(layer(inputs), nn.functional.linear(inputs, layer[0].weight, layer[0].bias))
        layer(inputs).sum().backward()
        optimizer.step()
    with torch.no_grad():
        torch.testing.assert_close(layer(inputs), nn.functional.linear(inputs, layer[0].weight, layer[0].bias))
    assert (layer[0].weight - before).abs().min() > 0.1


@pytest.mark.skipif(not HAS_ONEDNN, reason="of x86 CPUs")
def test_other_weights_at_the_same_address_are_packed_anew():
    layer, inputs = Linear(WIDTH, OUT), torch.randn(3, WIDTH)
    pack_weights(layer)
    addresses = set()
    for _ in range(4):
        weight, bias = torch.randn(OUT, WIDTH), torch.randn(OUT)
        addresses.add(weight.data_ptr())
        with torch.no_grad():
            computed = torch.func.functional_call(layer, {"weight": weight, "bias": bias}, (inputs,))
        torch.testing.assert_close(computed, nn.functional.linear(inputs, weight, bias))
        del weight
    with torch.inference_mode():
        made = Linear(WIDTH, OUT)
        pack_weights(made)
        torch.testing.assert_close(made(inputs), nn.functional.linear(inputs, made.weight, made.bias))


def test_a_bias_may_lie_in_memory_in_any_way():
    inputs, weight = torch.randn(3, WIDTH), torch.randn(OUT, WIDTH)
    for bias in (torch.randn(1).expand(OUT), torch.randn(OUT, 4)[:, 0]):
        torch.testing.assert_close(fast_linear(inputs, weight, bias), nn.functional.linear(inputs, weight, bias))
    with pytest.raises(RuntimeError):
        fast_linear(inputs, weight, torch.zeros(OUT, device="meta"))


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:FutureWarning")  # torch scripts derivatives
@pytest.mark.parametrize("with_gradients", [False, True])
def test_forward_derivatives_are_those_of_torch(with_gradients):
    inputs, direction, weight = torch.randn(3, WIDTH), torch.randn(3, WIDTH), torch.randn(OUT, WIDTH)
    with torch.set_grad_enabled(with_gradients), forward_ad.dual_level():
        dual = fast_linear(forward_ad.make_dual(inputs, direction), weight)
        torch.testing.assert_close(forward_ad.unpack_dual(dual).tangent, direction @ weight.T)
