"""What the released code computed: inputs, weights and outputs of tiny models, in tests/golden/."""

import json
import zlib

import torch
from places import TESTS

GOLDEN = TESTS / "golden"
XVIT_MODELS = sorted(path.stem for path in (GOLDEN / "xvit").glob("tiny_*.json"))
TIMESFORMER_MODELS = sorted(path.stem for path in (GOLDEN / "timesformer").glob("tiny_*.json"))
CA2ST_MODELS = sorted(path.stem for path in (GOLDEN / "ca2st").glob("c*_tiny*.json"))
VIDEO_SWIN_MODELS = sorted(path.stem for path in (GOLDEN / "videoswin").glob("tiny_*.json"))
STARVQA_MODELS = sorted(path.stem for path in (GOLDEN / "starvqa").glob("tiny*.json"))
AVT_MODELS = sorted(path.stem for path in (GOLDEN / "avt").glob("tiny_*.json"))
ORDERS = {"seq": "sequential", "add": "parallel"}


def golden(path: str) -> dict:
    return json.loads((GOLDEN / path).read_text())


def golden_weights(case: dict) -> dict[str, torch.Tensor]:
    """The reference's state dict, by the fill rule that each fixture states in words.

    Vectors called weight are gains of norms; tied tensors have the numbers of the one they are tied to.
    """
    std = case.get("fill_std", case.get("fill_scale", 0.05))
    tensors = {}
    for name, shape in case["state_dict"].items():
        canonical = case.get("tied", {}).get(name, name)
        generator = torch.Generator().manual_seed(zlib.crc32(canonical.encode()) & 0x7FFFFFFF)
        tensors[name] = torch.randn(shape, generator=generator) * std
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


def xvit_settings(case: dict) -> dict:
    """The same of an XViT."""
    config = case["config"]
    return {
        "image_size": config["image_size"],
        "num_frames": config["num_frames"],
        "num_attention_heads": config["num_heads"],
        "mix_group": config["shift_segment"],
        "mix_divisor": config["shift_div"],
        "mix_layers": config["mix_layers"],
        "temporal_num_attention_heads": config["temporal_head"] and config["temporal_head"]["num_heads"],
    }


def timesformer_settings(case: dict) -> dict:
    """The same of a TimeSformer."""
    config = case["config"]
    frames = {"num_frames": config["num_frames"]} if config["attention_type"] == "space_only" else {}
    return {"num_attention_heads": config["num_heads"]} | frames


def avt_settings(case: dict) -> dict:
    """The same of an AVT."""
    config = case["config"]
    heads = {"num_attention_heads": config["vit"]["num_heads"]} if config["vit"] else {}
    return {"head_num_attention_heads": config["head"]["n_head"], "num_frames": case["input_shape"][1]} | heads


def avt_weights(case: dict) -> dict[str, torch.Tensor]:
    """With what a step may see, which keeps its value."""
    masks = {
        name: torch.ones(shape[-2:], dtype=torch.uint8).tril().view(shape) if shape else torch.tensor(-1e4)
        for name, shape in case["state_dict"].items()
        if name in case["extra"]["kept_buffers"]
    }
    return golden_weights(case) | masks


def avt_inputs(case: dict) -> tuple[dict[str, torch.Tensor], int]:
    """What the model is given, and how many crops of a clip follow one another there."""
    given, crops = golden_input(case), 1
    if given.ndim == 7:  # (B, steps, crops, C, T, H, W)
        crops = given.shape[2]
        given = given.transpose(1, 2).flatten(0, 1)
    steps = given.transpose(2, 3).flatten(1, 2)
    return {"pixel_values_videos": steps} if case["config"]["vit"] else {"features": steps[..., 0, 0]}, crops


def ca2st_inputs(case: dict) -> dict[str, torch.Tensor]:
    def noise(shape: list[int], seed: int) -> torch.Tensor:
        return torch.randn(shape, generator=torch.Generator().manual_seed(seed))

    if case["config"]["model"] == "cast":
        return {"pixel_values_videos": noise(case["input_shape"], 0).transpose(1, 2)}
    given = case["inputs"]
    tensors = {
        "pixel_values_videos": noise(given["video"]["shape"], 0).transpose(1, 2),
        "input_values": noise(given["spectrogram"]["shape"], 1),
    }
    if "time_index" in given:
        times = torch.tensor(given["time_index"]["values"])
        tensors |= {"audio_span": times[:, :2], "frame_times": times[:, 2:]}
    return tensors


def logit_pairs(case: dict, outputs) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """(ours, the reference's) of each head of CAST, CAVA and CA²ST."""
    if case["config"]["composition"]:
        pairs = (outputs.noun_logits, case["logits_noun"]), (outputs.verb_logits, case["logits_verb"])
    else:
        pairs = ((outputs.logits, case["logits"]),)
    return [(ours, torch.tensor(reference, dtype=ours.dtype)) for ours, reference in pairs]


def video_swin_weights(case: dict) -> dict[str, torch.Tensor]:
    """The same of a Video Swin, whose fixtures name their norms; without its buffers."""
    norms, buffers = case["extra"]["layer_norm_weights"], case["extra"]["kept_buffers"]
    tensors = {}
    for name, shape in case["state_dict"].items():
        if name not in buffers:
            generator = torch.Generator().manual_seed(zlib.crc32(name.encode()) & 0x7FFFFFFF)
            tensors[name] = torch.randn(shape, generator=generator) * 0.05 + (1.0 if name in norms else 0.0)
    return tensors


def video_swin_settings(case: dict) -> dict:
    """What the tensors of a Video Swin do not tell; they have no index of their windows here."""
    return {"window_size": tuple(case["config"]["window_size"]), "qk_scale": case["config"]["qk_scale"]}
