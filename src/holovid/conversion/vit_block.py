"""Tensor names of timm's transformer blocks, which the released video transformers use."""

from math import isqrt

from torch import Tensor

from holovid.conversion.checkpoint import linear


def fused_attention(reference: str, ours: str, qkv_bias: bool = True) -> dict[str, tuple[str, ...]]:
    table = linear(f"{reference}.proj", f"{ours}.o_proj")
    for kind in ("weight", "bias") if qkv_bias else ("weight",):
        table[f"{reference}.qkv.{kind}"] = tuple(f"{ours}.{x}_proj.{kind}" for x in "qkv")
    return table


def vit_block(reference: str, ours: str, qkv_bias: bool = True) -> dict[str, tuple[str, ...]]:
    return {
        **fused_attention(f"{reference}.attn", f"{ours}.attention", qkv_bias),
        **linear(f"{reference}.norm1", f"{ours}.layernorm_before"),
        **linear(f"{reference}.norm2", f"{ours}.layernorm_after"),
        **linear(f"{reference}.mlp.fc1", f"{ours}.mlp.fc1"),
        **linear(f"{reference}.mlp.fc2", f"{ours}.mlp.fc2"),
    }


def stored_grid(table: Tensor) -> tuple[int, int]:
    """Patches of a frame, (rows, columns), from positions (1, 1 + S, D): always a square."""
    side = isqrt(table.shape[1] - 1)
    return side, side
