"""Fingerprints: short texts that are equal for equal models, processors and data."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from transformers import PreTrainedModel

from holovid.cheap_checks import is_url
from holovid.evaluation.protocol import Protocol

if TYPE_CHECKING:
    from holovid.evaluation.tasks import Clips, Question

# Saved settings that do not change results.
VOLATILE = {
    "_attn_implementation_internal",
    "_commit_hash",
    "_name_or_path",
    "architectures",
    "auto_map",
    "dtype",
    "transformers_version",
}


def fingerprints_of(
    model: PreTrainedModel, video_processor: Any, protocol: Protocol, clips: "Clips", questions: Sequence["Question"]
) -> dict[str, str]:
    return {
        "model": fingerprint_model(model),
        "data": fingerprint_table(clips, questions),
        "processor": fingerprint_processor(video_processor, protocol.call_options()),
    }


def fingerprint_model(model: PreTrainedModel) -> str:
    """Equal for the same configuration and weights; a billion weights take some seconds."""
    digest = hashlib.sha256(as_bytes(model.config.to_dict()))
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()[:16]


def fingerprint_processor(video_processor: Any, options: Mapping[str, Any]) -> str:
    """Equal for the same settings and call options."""
    return hashlib.sha256(as_bytes(video_processor.to_dict() | {"options of a call": dict(options)})).hexdigest()[:16]


def fingerprint_table(clips: "Clips", tasks: Sequence["Question"]) -> str:
    """Equal for the same clips with the same labels in the same order, whatever the working directory."""
    places = [place if place is None or is_url(place) else os.path.abspath(place) for place in clips.places]
    answers = [[task.name, task.classes, task.labels] for task in tasks]
    return hashlib.sha256(as_bytes([places, clips.names, clips.starts, clips.ends, answers])).hexdigest()[:16]


def as_bytes(settings: Any) -> bytes:
    if isinstance(settings, dict):
        settings = {name: value for name, value in settings.items() if name not in VOLATILE}
    return json.dumps(settings, sort_keys=True, default=str).encode()
