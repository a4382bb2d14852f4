"""Models of streams, and what they compute of all frames at once."""

import torch
from tiny_xvit import tiny_config
from torch import nn

from holovid import XViTForVideoClassification


def tiny(**overrides) -> XViTForVideoClassification:
    """Weights so large that a change of one frame, of its number or of what it borrows is seen in the logits."""
    model = XViTForVideoClassification(tiny_config(**overrides)).eval()
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=2 * module.in_features**-0.5)
    for embeddings in (model.xvit.embeddings.temporal_embeddings, model.xvit.embeddings.position_embeddings):
        nn.init.normal_(embeddings)
    return model


@torch.no_grad()
def offline(model: XViTForVideoClassification, frames: torch.Tensor, num_frames: int = 6) -> torch.Tensor:
    """Logits of the model run on all frames, pooled over the last ones."""
    length = frames.shape[1]
    missing = -length % (model.config.mix_group or 1)  # what comes later plays no part
    frames = torch.cat((frames, torch.randn_like(frames[:, :1]).expand(-1, missing, -1, -1, -1)), dim=1)
    features = model.xvit(frames).last_hidden_state[:, :length, 0]
    return model.classifier(model.xvit.pooler(features[:, -num_frames:]))
