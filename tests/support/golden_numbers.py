"""What the released code computed: inputs, weights and outputs of tiny models, in tests/golden/."""

import json
import zlib

import torch
from places import TESTS

GOLDEN = TESTS / "golden"
ORDERS = {"seq": "sequential", "add": "parallel"}


def golden(path: str) -> dict:
    return json.loads((GOLDEN / path).read_text())


def golden_weights(case: dict) -> dict[str, torch.Tensor]:
    """The reference's state dict, by the fill rule that each fixture states in words.

    Vectors called weight are gains of norms; tied tensors have the numbers of the one they are tied to.
    """
    tensors = {}
    for name, shape in case["state_dict"].items():
        canonical = case.get("tied", {}).get(name, name)
        generator = torch.Generator().manual_seed(zlib.crc32(canonical.encode()) & 0x7FFFFFFF)
        tensors[name] = torch.randn(shape, generator=generator) * case.get("fill_std", case.get("fill_scale"))
        tensors[name] += 1.0 if len(shape) == 1 and canonical.endswith(".weight") else 0.0
    return tensors


def golden_input(case: dict) -> torch.Tensor:
    return torch.randn(case["input_shape"], generator=torch.Generator().manual_seed(case["input_seed"]))


def converter_settings(case: dict) -> dict:
    """What the tensors of a model do not tell its converter."""
    config = case["config"]
    settings = {"num_attention_heads": config["num_heads"]}
    if config["model"] != "cast":
        settings |= {"num_mel_bins": config["audio_mel_bins"], "audio_frames": config["audio_frames"]}
        settings |= {"audio_stride": config["audio_stride"]}
    if config["model"] == "cava":
        settings |= {"num_frames": config["num_frames"]}
    if config["model"] == "ca2st":
        settings |= {"exchange_order": ORDERS[config["bca_combine"]]}
    return settings
