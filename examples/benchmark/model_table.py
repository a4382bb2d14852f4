"""Parameters and GFLOPs of every model, next to the published figures.   python examples/benchmark/model_table.py

Counts one clip, one view, with torch's FlopCounterMode (2 FLOPs a multiply-add) on tensors without memory: two seconds
on any machine. The papers print multiply-adds of three views; divide by 3 and double to compare (arXiv:2106.05968,
Table 5: 425 and 850 for 8 and 16 frames).
"""

import torch
from torch.utils.flop_counter import FlopCounterMode

from holovid import XViTConfig, XViTForVideoClassification

# name, settings, parameters and GFLOPs measured on the released code
MODELS = (
    ("XViT-B/16 8x224", {"num_labels": 400}, 93_790_864, 281.1),
    ("XViT-B/16 16x224", {"num_labels": 400, "num_frames": 16, "temporal_embedding_length": 8}, 93_790_864, 562.3),
)


def measure(settings: dict) -> tuple[int, float]:
    """(parameters, GFLOPs a clip) of XViT with these settings."""
    config = XViTConfig(**settings, attn_implementation="eager")
    with torch.device("meta"):
        model = XViTForVideoClassification(config).eval()
        clip = torch.empty(1, config.num_frames, config.num_channels, *config.frame_size)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(clip)
    return sum(parameter.numel() for parameter in model.parameters()), counter.get_total_flops() / 1e9


def table() -> str:
    lines = ["| model | parameters | reference | GFLOPs | reference |", "|---|---:|---:|---:|---:|"]
    for name, settings, parameters, gflops in MODELS:
        own_parameters, own_gflops = measure(settings)
        lines.append(f"| {name} | {own_parameters:,} | {parameters:,} | {own_gflops:.1f} | {gflops:.1f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
