"""What a GPU may change in the models of every family. What a CPU can do of it is tried there too."""

import warnings

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from toy_models import toy

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]
# of the largest logit: 8 and 11 bits of a number's fraction, over a few layers
TOLERANCES = {torch.bfloat16: 0.05, torch.float16: 0.01}
BACKENDS = {
    "cpu": [SDPBackend.FLASH_ATTENTION, SDPBackend.MATH],
    "cuda": [
        SDPBackend.FLASH_ATTENTION,
        SDPBackend.EFFICIENT_ATTENTION,
        SDPBackend.CUDNN_ATTENTION,
        SDPBackend.MATH,
    ],
}


def moved(inputs: dict[str, torch.Tensor], device: str, dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
    return {name: value.to(device, dtype) for name, value in inputs.items()}


@pytest.mark.parametrize("dtype", TOLERANCES, ids=["bf16", "fp16"])
@pytest.mark.parametrize("device", DEVICES)
@torch.no_grad()
def test_16_bits_stay_near_32(variant, device, dtype):
    model, inputs = toy(variant)
    exact = model(**inputs).logits
    rounded = model.to(device, dtype)(**moved(inputs, device, dtype)).logits
    assert rounded.dtype == dtype
    assert (rounded.float().cpu() - exact).abs().max() <= TOLERANCES[dtype] * exact.abs().max()


@pytest.mark.parametrize("device", DEVICES)
@torch.no_grad()
def test_attention_is_the_same_by_every_kernel(variant, device):
    model, inputs = toy(variant)
    exact = model(**inputs).logits
    model, inputs = model.to(device), moved(inputs, device)
    for backend in BACKENDS[device]:
        # where a kernel does not take what it is given, such as a mask or 32 bits, torch goes on with the plain one
        with sdpa_kernel([backend, SDPBackend.MATH], set_priority=True):
            torch.testing.assert_close(model(**inputs).logits.cpu(), exact, rtol=2e-3, atol=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize("device", DEVICES)
@torch.no_grad()
def test_compiled_whole_and_once(variant, device):
    model, inputs = toy(variant)
    model, inputs = model.to(device), moved(inputs, device)
    expected = model(**inputs).logits
    torch.compiler.reset()
    backend = "inductor" if device == "cuda" else "aot_eager"  # on a CPU inductor needs a C++ compiler
    compiled = torch.compile(model, fullgraph=True, dynamic=True, backend=backend)
    with warnings.catch_warnings(action="ignore"):  # torch's own, while it traces
        torch.testing.assert_close(compiled(**inputs).logits, expected, rtol=2e-3, atol=2e-3)
        with torch.compiler.set_stance("fail_on_recompile"):
            for count in (3, 5):
                more = {name: value[:1].repeat(count, *[1] * (value.ndim - 1)) for name, value in inputs.items()}
                logits = compiled(**more).logits
                torch.testing.assert_close(logits, expected[:1].expand_as(logits), rtol=2e-3, atol=2e-3)
